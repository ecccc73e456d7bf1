//! One question, one explained answer, straight from the rules as written.
//!
//! Nothing here is precomputed: the walk over tiers, policies and rules is the definition of the semantics, and the
//! sets of [`crate::compile`] are tested against it.
//!
//! Where the inputs do not settle a condition, both ways are followed; when they end alike the doubt did not
//! matter, else the answer is [`Decision::Undecidable`] with the reason.

mod calico;
mod explain;
mod matching;
mod resolve;

use std::net::IpAddr;
use std::sync::Arc;

pub use explain::Reason;
pub use explain::{describe_peer, describe_traffic};
pub use matching::{Matcher, Tri, View, is_v6, port_term, target_ports};
pub use resolve::{Directory, Place as Resolved, ResolveError, Target, backends, resolve};

use crate::model::{Action, Direction, Tier, TierEnd, World};
use crate::net::Cidr;
use crate::traffic::Protocol;

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// A pod, by index into [`World::pods`].
    Pod(usize),
    /// A node, by index into [`World::nodes`].
    Node(usize),
    /// An address outside the cluster, or at least one that no pod or node is known to have.
    Address(IpAddr),
    /// A DNS name outside the cluster.
    Name(Arc<str>),
    /// A pod that no input describes, such as an ingress controller's.
    Stranger,
}

/// What to assume where the inputs are silent or the API leaves room.
#[derive(Clone, Debug)]
pub struct Assumptions {
    /// Treat pods on their node's network as if policies bound them. In clusters they do not.
    pub host_network_bound: bool,
    /// Let address blocks match pods too, as the Kubernetes end-to-end tests demand; else only what is outside.
    pub blocks_hold_pods: bool,
    /// Ranges that pods of unknown address lie in; empty means anywhere in IPv4.
    pub pod_ranges: Vec<Cidr>,
    /// Labels of a namespace (or account) that no input declares are unknown; else it is taken to have none.
    pub doubt_unknown_labels: bool,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            host_network_bound: false,
            blocks_hold_pods: true,
            pod_ranges: Vec::new(),
            doubt_unknown_labels: true,
        }
    }
}

/// A question.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who connects.
    pub from: Party,
    /// To whom.
    pub to: Party,
    /// Over what.
    pub protocol: Protocol,
    /// To which port; any number for a protocol without ports.
    pub port: u16,
}

/// The outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It goes through.
    Allowed,
    /// It is dropped.
    Denied,
    /// The inputs do not say.
    Undecidable,
}

impl Decision {
    /// Both must allow; a sure "no" of either settles it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Denied, _) | (_, Self::Denied) => Self::Denied,
            (Self::Allowed, Self::Allowed) => Self::Allowed,
            _ => Self::Undecidable,
        }
    }

    /// `Some` of whether it is allowed, `None` when undecidable.
    pub fn allowed(self) -> Option<bool> {
        match self {
            Self::Allowed => Some(true),
            Self::Denied => Some(false),
            Self::Undecidable => None,
        }
    }
}

/// The answer for one direction.
#[derive(Clone, Debug)]
pub struct Half {
    /// The outcome.
    pub decision: Decision,
    /// What decided.
    pub reason: Reason,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The outcome of both directions.
    pub decision: Decision,
    /// What the source's policies say.
    pub egress: Half,
    /// What the destination's policies say.
    pub ingress: Half,
    /// What else one should know.
    pub notes: Vec<String>,
}

impl Answer {
    /// The half that decided: the one that denies, else the one in doubt, else the one that a policy decided.
    pub fn deciding(&self) -> (Direction, &Half) {
        let egress = (Direction::Egress, &self.egress);
        let ingress = (Direction::Ingress, &self.ingress);
        for wanted in [Decision::Denied, Decision::Undecidable] {
            if self.egress.decision == wanted {
                return egress;
            }
            if self.ingress.decision == wanted {
                return ingress;
            }
        }
        if self.ingress.reason.policy.is_none() && self.egress.reason.policy.is_some() {
            egress
        } else {
            ingress
        }
    }
}

/// Answers a question.
pub fn evaluate(world: &World, assumptions: &Assumptions, question: &Question) -> Answer {
    let matcher = Matcher { world, assumptions };
    let from = matcher.view(&question.from);
    let to = matcher.view(&question.to);
    let v6 = is_v6(&from, &to);
    if let Some(answer) = apart(world, question) {
        return answer;
    }
    let run = |direction| {
        let (subject, own, other) = match direction {
            Direction::Egress => (&question.from, &from, &to),
            Direction::Ingress => (&question.to, &to, &from),
        };
        half(&matcher, question, direction, subject, own, other, v6)
    };
    let egress = run(Direction::Egress);
    let ingress = run(Direction::Ingress);
    let mut notes = Vec::new();
    for party in [&question.from, &question.to] {
        if let Party::Pod(index) = party
            && world.pods[*index].terminated
        {
            notes.push(format!(
                "{} has finished; no policy selects it, and its address may belong to another pod",
                explain::party(world, party)
            ));
        }
    }
    if question.from == question.to && matches!(question.from, Party::Pod(_)) {
        notes.push(
            "a pod always reaches itself over loopback; the answer is for traffic that leaves the pod and comes back, as through a Service"
                .into(),
        );
    }
    Answer {
        decision: egress.decision.and(ingress.decision),
        egress,
        ingress,
        notes,
    }
}

/// Pods whose namespaces have different primary networks have no way to each other.
fn apart(world: &World, question: &Question) -> Option<Answer> {
    let (Party::Pod(from), Party::Pod(to)) = (&question.from, &question.to) else {
        return None;
    };
    let network = |index: usize| {
        crate::networks::primary(world, &world.pods[index].namespace)
            .map(|n| (&n.namespace, &n.name))
    };
    if world.networks.is_empty() || network(*from) == network(*to) {
        return None;
    }
    let half = || Half {
        decision: Decision::Denied,
        reason: Reason::plain(format!(
            "{} and {} are on different primary networks, with no way between them",
            explain::party(world, &question.from),
            explain::party(world, &question.to)
        )),
    };
    Some(Answer {
        decision: Decision::Denied,
        egress: half(),
        ingress: half(),
        notes: Vec::new(),
    })
}

fn half(
    matcher: &Matcher<'_>,
    question: &Question,
    direction: Direction,
    subject: &Party,
    own: &View<'_>,
    other: &View<'_>,
    v6: bool,
) -> Half {
    let settled = |decision, reason| Half { decision, reason };
    if let Some(text) = unbound(matcher, direction, subject, own, other) {
        return settled(Decision::Allowed, Reason::plain(text));
    }
    let mut walk = Walk {
        matcher,
        question,
        direction,
        own,
        other,
        v6,
        reached: vec![false; matcher.world.tiers.len() + 1],
        allowed: false,
        allow: None,
        deny: None,
        doubt: None,
        bound: false,
    };
    walk.tier(0);
    let nothing = || Reason::unselected(matcher.world, direction, subject);
    match walk.deny {
        None => settled(Decision::Allowed, walk.allow.unwrap_or_else(nothing)),
        Some(reason) if !walk.allowed => settled(Decision::Denied, reason),
        Some(reason) => settled(Decision::Undecidable, walk.doubt.unwrap_or(reason)),
    }
}

/// Why no policy can bind this end of the connection, when that is so.
pub(crate) fn unbound(
    matcher: &Matcher<'_>,
    direction: Direction,
    subject: &Party,
    own: &View<'_>,
    other: &View<'_>,
) -> Option<String> {
    let Party::Pod(index) = subject else {
        let what = match subject {
            Party::Node(_) => "a node",
            Party::Stranger => "a pod that no input describes",
            _ => "outside the cluster",
        };
        return Some(format!(
            "{} is {what}: no policy binds its {direction}",
            explain::party(matcher.world, subject)
        ));
    };
    let pod = &matcher.world.pods[*index];
    if own.on_node {
        return Some(format!(
            "{} runs with hostNetwork: policies do not bind it",
            explain::party(matcher.world, subject)
        ));
    }
    let same_node = other.on_node
        && pod.node.is_some()
        && (other
            .node
            .is_some_and(|n| Some(&n.name) == pod.node.as_ref())
            || other.ips.iter().any(|ip| pod.host_ips.contains(ip)));
    if direction == Direction::Ingress && same_node {
        return Some("a pod's own node always reaches it (health checks of the kubelet)".into());
    }
    None
}

struct Walk<'a, 'w> {
    matcher: &'a Matcher<'w>,
    question: &'a Question,
    direction: Direction,
    own: &'a View<'w>,
    other: &'a View<'w>,
    v6: bool,
    /// Tiers already entered: entering one again cannot end differently.
    reached: Vec<bool>,
    /// Whether it may end allowed, and the first rule that would do it; none when nothing decided.
    allowed: bool,
    allow: Option<Reason>,
    deny: Option<Reason>,
    doubt: Option<Reason>,
    /// Whether any policy so far selected the pod.
    bound: bool,
}

impl Walk<'_, '_> {
    fn tier(&mut self, index: usize) {
        if std::mem::replace(&mut self.reached[index], true) {
            return;
        }
        let world = self.matcher.world;
        let Some(tier) = world.tiers.get(index) else {
            if !self.allowed && self.bound {
                self.allow = Some(Reason::plain(format!(
                    "no rule decides about this {}: what no policy decides is allowed",
                    self.direction
                )));
            }
            self.allowed = true;
            return;
        };
        let mut applied = Tri::No;
        let mut isolating = Vec::new();
        for (at, policy) in tier.policies.iter().enumerate() {
            let Some(rules) = policy.rules(self.direction) else {
                continue;
            };
            if policy.staged.is_some() || policy.network.is_some() {
                continue;
            }
            let selected = self.matcher.selects(policy, self.own);
            if selected == Tri::No {
                continue;
            }
            applied = applied.or(selected);
            self.bound = true;
            isolating.push(at);
            for (number, rule) in rules.iter().enumerate() {
                if rule.action == Action::Log {
                    continue;
                }
                let met = self.rule(rule).and(selected);
                if met == Tri::No {
                    continue;
                }
                let reason = explain::rule_reason(self, tier, policy, number, rule, met);
                if met == Tri::Maybe && self.doubt.is_none() {
                    self.doubt = Some(reason.clone());
                }
                match rule.action {
                    Action::Allow => {
                        if !self.allowed {
                            self.allow = Some(reason);
                        }
                        self.allowed = true;
                    }
                    Action::Deny => {
                        self.deny.get_or_insert(reason);
                    }
                    Action::Pass | Action::Log => self.tier(index + 1),
                }
                if met == Tri::Yes {
                    return;
                }
            }
        }
        if applied != Tri::No && tier.end == TierEnd::Deny {
            let reason = explain::end_reason(self, tier, &isolating);
            if applied == Tri::Maybe && self.doubt.is_none() {
                self.doubt = Some(reason.clone());
            }
            self.deny.get_or_insert(reason);
        }
        if applied != Tri::Yes || tier.end == TierEnd::Pass {
            self.tier(index + 1);
        }
    }

    fn rule(&self, rule: &crate::model::Rule) -> Tri {
        let conn = (self.question.protocol, self.question.port);
        let (peer_conn, own_conn) = match self.direction {
            Direction::Egress => (Some(conn), None),
            Direction::Ingress => (None, Some(conn)),
        };
        let destination = match self.direction {
            Direction::Egress => self.other,
            Direction::Ingress => self.own,
        };
        let traffic = self.matcher.traffic(
            &rule.traffic,
            self.question.protocol,
            self.question.port,
            destination,
            self.v6,
        );
        if traffic == Tri::No {
            return Tri::No;
        }
        let peer = if rule.peers.is_empty() {
            Tri::Yes
        } else {
            rule.peers
                .iter()
                .map(|p| self.matcher.peer(p, self.other, self.v6, peer_conn))
                .max()
                .unwrap_or(Tri::Yes)
        };
        let own = rule.own.as_ref().map_or(Tri::Yes, |entity| {
            self.matcher.entity(entity, self.own, self.v6, own_conn)
        });
        traffic.and(peer).and(own)
    }
}

/// The policies that bind a pod in a direction, by tier and place in it.
pub fn binding<'w>(
    matcher: &Matcher<'w>,
    view: &View<'_>,
    direction: Direction,
) -> Vec<(&'w Tier, &'w crate::model::Policy, Tri)> {
    let mut out = Vec::new();
    for tier in &matcher.world.tiers {
        for policy in &tier.policies {
            if policy.rules(direction).is_none()
                || policy.staged.is_some()
                || policy.network.is_some()
            {
                continue;
            }
            let selected = matcher.selects(policy, view);
            if selected != Tri::No {
                out.push((tier, policy, selected));
            }
        }
    }
    out
}
