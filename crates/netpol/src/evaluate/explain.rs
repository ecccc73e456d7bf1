//! Words for what decided: policy, rule, clause, and where they stand.

use std::fmt;

use super::{Matcher, Party, Tri, Walk, port_term};
use crate::model::{
    Direction, Entity, NamespaceMatch, Peer, Place, Policy, PolicyId, PortMatch, PortTerm, Rule,
    Scope, Tier, Traffic, World,
};
use crate::net::Cidr;

/// What decided one direction of one connection.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The policy, when one did.
    pub policy: Option<PolicyId>,
    /// Tier of the policy.
    pub tier: Option<String>,
    /// The rule, as `ingress[0]`; `None` when it was the absence of one.
    pub rule: Option<String>,
    /// The clauses of the rule that matched, as `from[1], ports[0]`.
    pub clause: Option<String>,
    /// Where the rule or the policy stands.
    pub place: Option<Place>,
    /// A sentence without a full stop.
    pub text: String,
}

impl Reason {
    pub(super) fn plain(text: String) -> Self {
        Self {
            policy: None,
            tier: None,
            rule: None,
            clause: None,
            place: None,
            text,
        }
    }

    pub(super) fn unselected(world: &World, direction: Direction, subject: &Party) -> Self {
        Self::plain(format!(
            "no policy selects {} for {direction}, so everything is allowed",
            party(world, subject)
        ))
    }

    /// Policy, rule and clause in one line, or nothing when no policy decided.
    pub fn by(&self) -> Option<String> {
        let policy = self.policy.as_ref()?;
        let mut out = policy.to_string();
        if let Some(rule) = &self.rule {
            out += &format!(" {rule}");
        }
        if let Some(clause) = &self.clause {
            out += &format!(" ({clause})");
        }
        Some(out)
    }
}

/// A party for people.
pub(crate) fn party(world: &World, party: &Party) -> String {
    match party {
        Party::Pod(index) => {
            let pod = &world.pods[*index];
            format!("{}/{}", pod.namespace, pod.name)
        }
        Party::Node(index) => format!("node {}", world.nodes[*index].name),
        Party::Address(address) => address.to_string(),
        Party::Name(name) => name.to_string(),
        Party::Stranger => "an unknown pod".into(),
    }
}

pub(super) fn rule_reason(
    walk: &Walk<'_, '_>,
    tier: &Tier,
    policy: &Policy,
    number: usize,
    rule: &Rule,
    met: Tri,
) -> Reason {
    let (peers_key, conn) = match walk.direction {
        Direction::Ingress => ("from", None),
        Direction::Egress => ("to", Some((walk.question.protocol, walk.question.port))),
    };
    let mut clauses = Vec::new();
    let mut words = Vec::new();
    let best = rule
        .peers
        .iter()
        .enumerate()
        .map(|(at, peer)| (walk.matcher.peer(peer, walk.other, walk.v6, conn), at, peer))
        .max_by_key(|(tri, at, _)| (*tri, std::cmp::Reverse(*at)));
    match best {
        Some((_, at, peer)) => {
            clauses.push(format!("{peers_key}[{at}]"));
            words.push(describe_peer(peer));
        }
        None => words.push("any peer".into()),
    }
    let destination = match walk.direction {
        Direction::Egress => walk.other,
        Direction::Ingress => walk.own,
    };
    let port = rule.traffic.ports.iter().position(|term| {
        port_term(
            term,
            walk.question.protocol,
            walk.question.port,
            destination,
        )
    });
    match port {
        Some(at) => {
            clauses.push(format!("ports[{at}]"));
            words.push(Terms(std::slice::from_ref(&rule.traffic.ports[at])).to_string());
        }
        None => words.push(describe_traffic(&rule.traffic)),
    }
    let label = format!("{}[{number}]", walk.direction);
    let named = rule
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" \"{name}\""));
    let mut text = format!(
        "{} {label}{named} {} it: {}",
        policy.id,
        rule.action,
        words.join(", ")
    );
    if met == Tri::Maybe {
        text = format!(
            "whether {} {label}{named} applies depends on {}",
            policy.id,
            doubt(walk, rule)
        );
    }
    Reason {
        policy: Some(policy.id.clone()),
        tier: Some(tier.name.to_string()),
        rule: Some(label),
        clause: (!clauses.is_empty()).then(|| clauses.join(", ")),
        place: Some(rule.place.clone()),
        text,
    }
}

/// What would have to be known to settle a rule.
fn doubt(walk: &Walk<'_, '_>, rule: &Rule) -> String {
    if let Some(caveat) = &rule.traffic.caveat {
        return format!("{caveat}, which a question by protocol and port does not tell");
    }
    let uses_block = rule.peers.iter().any(|peer| match peer {
        Peer::Block(..) => true,
        Peer::Entity(e) => !e.nets.is_empty() || !e.not_nets.is_empty() || e.selector.is_some(),
        _ => false,
    });
    if walk.other.name.is_some() {
        return "the address that the name stands for".into();
    }
    if rule.peers.iter().any(|p| matches!(p, Peer::Domains(_))) {
        return "whether the address belongs to the DNS name, which changes over time".into();
    }
    if walk.other.ips.is_empty() && uses_block {
        return "the address of the peer, which the inputs do not give".into();
    }
    "labels that the inputs do not give (add the Namespace, ServiceAccount, Service or Node object)"
        .into()
}

pub(super) fn end_reason(walk: &Walk<'_, '_>, tier: &Tier, isolating: &[usize]) -> Reason {
    let first = isolating.first().map(|at| &tier.policies[*at]);
    let names: Vec<String> = isolating
        .iter()
        .take(3)
        .map(|at| tier.policies[*at].id.to_string())
        .collect();
    let more = isolating.len().saturating_sub(3);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let subject = match walk.direction {
        Direction::Egress => &walk.question.from,
        Direction::Ingress => &walk.question.to,
    };
    let verb = if isolating.len() == 1 {
        "isolates"
    } else {
        "isolate"
    };
    let other = match walk.direction {
        Direction::Egress => format!("to {}", party(walk.matcher.world, &walk.question.to)),
        Direction::Ingress => format!("from {}", party(walk.matcher.world, &walk.question.from)),
    };
    let port = if walk.question.protocol.has_ports() {
        format!("{} {}", walk.question.protocol, walk.question.port)
    } else {
        walk.question.protocol.to_string()
    };
    Reason {
        policy: first.map(|p| p.id.clone()),
        tier: Some(tier.name.to_string()),
        rule: None,
        clause: None,
        place: first.map(|p| p.place.clone()),
        text: format!(
            "{}{more} {verb} {} for {}, and no rule allows {port} {other}",
            names.join(", "),
            party(walk.matcher.world, subject),
            walk.direction
        ),
    }
}

/// A peer for people.
pub fn describe_peer(peer: &Peer) -> String {
    match peer {
        Peer::Pods(namespaces, pods) => {
            let place = match namespaces {
                NamespaceMatch::Own(name) => format!("namespace {name}"),
                NamespaceMatch::Selected(s) if s.is_everything() => "all namespaces".into(),
                NamespaceMatch::Selected(s) => format!("namespaces with {s}"),
            };
            if pods.is_everything() {
                format!("all pods in {place}")
            } else {
                format!("pods with {pods} in {place}")
            }
        }
        Peer::Block(block, excepts) if excepts.is_empty() => format!("addresses in {block}"),
        Peer::Block(block, excepts) => {
            format!("addresses in {block} except {}", Blocks(excepts))
        }
        Peer::Nodes(selector) => format!("nodes with {selector}"),
        Peer::Domains(names) => format!("DNS names {}", names.join(", ")),
        Peer::Entity(entity) => describe_entity(entity),
        Peer::Unknown { field, .. } => format!("peers by the unknown field `{field}`"),
    }
}

fn describe_entity(entity: &Entity) -> String {
    let mut parts = Vec::new();
    match &entity.scope {
        Scope::Anywhere => {}
        Scope::Namespace(name) => parts.push(format!("namespace {name}")),
        Scope::Namespaces(e) => parts.push(format!("namespaces where {e}")),
        Scope::Global => parts.push("global network sets and host endpoints".into()),
    }
    if let Some(selector) = &entity.selector {
        parts.push(selector.to_string());
    }
    if let Some(selector) = &entity.not_selector {
        parts.push(format!("not {selector}"));
    }
    if !entity.nets.is_empty() {
        parts.push(format!("addresses in {}", Blocks(&entity.nets)));
    }
    if !entity.not_nets.is_empty() {
        parts.push(format!("addresses not in {}", Blocks(&entity.not_nets)));
    }
    if !entity.account_names.is_empty() {
        parts.push(format!(
            "service accounts {}",
            entity.account_names.join(", ")
        ));
    }
    if let Some(selector) = &entity.account_selector {
        parts.push(format!("service accounts where {selector}"));
    }
    if let Some((namespace, name)) = &entity.service {
        parts.push(format!("endpoints of Service {namespace}/{name}"));
    }
    if parts.is_empty() {
        "anybody".into()
    } else {
        parts.join(" and ")
    }
}

/// A rule's protocol and ports for people.
pub fn describe_traffic(traffic: &Traffic) -> String {
    let mut parts = Vec::new();
    if let Some(protocol) = traffic.protocol {
        parts.push(protocol.to_string());
    }
    if let Some(protocol) = traffic.not_protocol {
        parts.push(format!("not {protocol}"));
    }
    if !traffic.ports.is_empty() {
        parts.push(Terms(&traffic.ports).to_string());
    }
    if !traffic.not_ports.is_empty() {
        parts.push(format!("not {}", Terms(&traffic.not_ports)));
    }
    if parts.is_empty() {
        "any port".into()
    } else {
        parts.join(" ")
    }
}

struct Blocks<'a>(&'a [Cidr]);

impl fmt::Display for Blocks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, block) in self.0.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{block}")?;
        }
        Ok(())
    }
}

struct Terms<'a>(&'a [PortTerm]);

impl fmt::Display for Terms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            if let Some(protocol) = term.protocol {
                write!(f, "{protocol} ")?;
            }
            match &term.port {
                PortMatch::Any => f.write_str("any port")?,
                PortMatch::Range(first, last) if first == last => write!(f, "{first}")?,
                PortMatch::Range(first, last) => write!(f, "{first}-{last}")?,
                PortMatch::Named(name) => write!(f, "port \"{name}\"")?,
            }
        }
        Ok(())
    }
}

impl Matcher<'_> {
    /// A party for people.
    pub fn name(&self, of: &Party) -> String {
        party(self.world, of)
    }
}
