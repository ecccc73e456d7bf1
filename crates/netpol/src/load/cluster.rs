//! Cluster-wide policies: AdminNetworkPolicy and BaselineAdminNetworkPolicy (`v1alpha1`) and their successor
//! ClusterNetworkPolicy (`v1alpha2`) of `policy.networking.k8s.io`.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vedette_manifest::{Object, Problem};

use super::Input;
use super::cursor::{At, Diagnostic, Doc, Severity};
use super::network_policy::{identity, port_name_fault};
use crate::labels::LabelSelector;
use crate::model::{
    ADMIN_TIER, Action, BASELINE_TIER, NamespaceMatch, Peer, Policy, PortMatch, PortTerm, Rule,
    Subject, Traffic, World,
};
use crate::traffic::Protocol;

/// Highest priority number of the admin tier. Source: the CRD's validation.
const LAST_PRIORITY: i64 = 1000;

/// What differs between the kinds.
struct Dialect {
    actions: &'static [(&'static str, Action)],
    /// `protocols` of `v1alpha2` instead of `ports` of `v1alpha1`.
    protocols: bool,
}

const ADMIN: Dialect = Dialect {
    actions: &[
        ("Allow", Action::Allow),
        ("Deny", Action::Deny),
        ("Pass", Action::Pass),
    ],
    protocols: false,
};
const BASELINE: Dialect = Dialect {
    actions: &[("Allow", Action::Allow), ("Deny", Action::Deny)],
    protocols: false,
};
const CLUSTER: Dialect = Dialect {
    actions: &[
        ("Accept", Action::Allow),
        ("Deny", Action::Deny),
        ("Pass", Action::Pass),
    ],
    protocols: true,
};

pub(super) fn read_admin(doc: &mut Doc<'_>, world: &mut World) -> bool {
    let root = doc.root();
    let Some(spec) = root.need(doc, "spec") else {
        return true;
    };
    if spec.map(doc, &["priority", "subject", "ingress", "egress"]) {
        let priority = priority(doc, &spec);
        finish_policy(doc, world, &spec, &ADMIN, ADMIN_TIER.0, priority);
    }
    true
}

pub(super) fn read_baseline(doc: &mut Doc<'_>, world: &mut World) -> bool {
    let root = doc.root();
    if doc.object.name != "default" {
        doc.error(
            &root,
            format!(
                "expected the name `default`, found `{}`: a cluster takes one baseline policy, of that name",
                doc.object.name
            ),
        );
    }
    let Some(spec) = root.need(doc, "spec") else {
        return true;
    };
    if spec.map(doc, &["subject", "ingress", "egress"]) {
        finish_policy(doc, world, &spec, &BASELINE, BASELINE_TIER.0, 0);
    }
    true
}

pub(super) fn read_cluster(doc: &mut Doc<'_>, world: &mut World) -> bool {
    let root = doc.root();
    let Some(spec) = root.need(doc, "spec") else {
        return true;
    };
    if spec.map(doc, &["tier", "priority", "subject", "ingress", "egress"]) {
        let tier = spec
            .need(doc, "tier")
            .and_then(|at| {
                at.word(
                    doc,
                    &[("Admin", ADMIN_TIER.0), ("Baseline", BASELINE_TIER.0)],
                )
            })
            .unwrap_or(ADMIN_TIER.0);
        let priority = priority(doc, &spec);
        finish_policy(doc, world, &spec, &CLUSTER, tier, priority);
    }
    true
}

fn priority(doc: &mut Doc<'_>, spec: &At<'_>) -> i64 {
    let Some(at) = spec.need(doc, "priority") else {
        return 0;
    };
    let priority = at.integer(doc).unwrap_or(0);
    if !(0..=LAST_PRIORITY).contains(&priority) {
        doc.error(
            &at,
            format!("expected a priority from 0 to {LAST_PRIORITY}, found {priority}"),
        );
    }
    priority
}

fn finish_policy(
    doc: &mut Doc<'_>,
    world: &mut World,
    spec: &At<'_>,
    dialect: &Dialect,
    tier: &str,
    priority: i64,
) {
    let subject = spec.need(doc, "subject").and_then(|at| subject(doc, &at));
    let ingress = rules(doc, spec, "ingress", dialect);
    let egress = rules(doc, spec, "egress", dialect);
    let Some(subject) = subject.filter(|_| !doc.failed()) else {
        return;
    };
    let (id, title) = identity(doc, false);
    world.insert(Policy {
        id,
        tier: tier.into(),
        order: priority as f64,
        subject,
        // A direction without rules says nothing, and saying nothing passes.
        ingress: (!ingress.is_empty()).then_some(ingress),
        egress: (!egress.is_empty()).then_some(egress),
        staged: None,
        network: None,
        title,
        place: doc.place(doc.root().node),
    });
}

/// `namespaces` or `pods`, in a subject and in a peer.
fn pods_or_namespaces(doc: &mut Doc<'_>, at: &At<'_>) -> Option<(NamespaceMatch, LabelSelector)> {
    if let Some(namespaces) = at.key("namespaces") {
        let selector = namespaces.selector(doc);
        return Some((
            NamespaceMatch::Selected(selector),
            LabelSelector::everything(),
        ));
    }
    let pods = at.key("pods")?;
    if !pods.map(doc, &["namespaceSelector", "podSelector"]) {
        return None;
    }
    // Both are required fields; the empty selector is how to say "all".
    let namespaces = pods
        .key("namespaceSelector")
        .map_or_else(LabelSelector::everything, |at| at.selector(doc));
    let selector = pods
        .key("podSelector")
        .map_or_else(LabelSelector::everything, |at| at.selector(doc));
    Some((NamespaceMatch::Selected(namespaces), selector))
}

fn subject(doc: &mut Doc<'_>, at: &At<'_>) -> Option<Subject> {
    if !at.map(doc, &["namespaces", "pods"]) {
        return None;
    }
    if at.key("namespaces").is_some() == at.key("pods").is_some() {
        doc.error(
            at,
            "expected exactly one of `namespaces` and `pods` in a subject",
        );
        return None;
    }
    pods_or_namespaces(doc, at).map(|(namespaces, pods)| Subject::Pods(namespaces, pods))
}

fn rules(doc: &mut Doc<'_>, spec: &At<'_>, direction: &str, dialect: &Dialect) -> Vec<Rule> {
    let Some(list) = spec.key(direction) else {
        return Vec::new();
    };
    let ingress = direction == "ingress";
    let peers_key = if ingress { "from" } else { "to" };
    let ports_key = if dialect.protocols {
        "protocols"
    } else {
        "ports"
    };
    let mut out = Vec::new();
    for item in list.items(doc) {
        if !item.map(doc, &["name", "action", peers_key, ports_key]) {
            continue;
        }
        let name = item
            .key("name")
            .and_then(|at| at.string(doc))
            .map(Arc::from);
        let action = item
            .need(doc, "action")
            .and_then(|at| at.word(doc, dialect.actions))
            .unwrap_or(Action::Deny);
        let mut peers = Vec::new();
        match item.key(peers_key) {
            None => doc.error(
                &item,
                format!("expected at least one peer in `{peers_key}`"),
            ),
            Some(list) => {
                let items = list.items(doc);
                if items.is_empty() {
                    doc.error(
                        &list,
                        format!("expected at least one peer in `{peers_key}`"),
                    );
                }
                for peer in &items {
                    read_peer(doc, peer, ingress, action, dialect, &mut peers);
                }
            }
        }
        let ports = item.key(ports_key).map_or_else(Vec::new, |at| {
            at.items(doc)
                .iter()
                .filter_map(|port| {
                    if dialect.protocols {
                        read_protocol(doc, port)
                    } else {
                        read_port(doc, port)
                    }
                })
                .collect()
        });
        out.push(Rule {
            name,
            action,
            peers,
            own: None,
            traffic: Traffic {
                ports,
                ..Traffic::default()
            },
            place: doc.place(item.node),
        });
    }
    out
}

fn read_peer(
    doc: &mut Doc<'_>,
    at: &At<'_>,
    ingress: bool,
    action: Action,
    dialect: &Dialect,
    out: &mut Vec<Peer>,
) {
    let known: &[&str] = if ingress {
        &["namespaces", "pods"]
    } else {
        &["namespaces", "pods", "nodes", "networks", "domainNames"]
    };
    let Some(entries) = at.node.as_map() else {
        doc.error(at, format!("expected a peer, found {}", at.node.describe()));
        return;
    };
    let given: Vec<&str> = entries
        .iter()
        .filter(|(_, value)| !value.is_null())
        .filter_map(|(key, _)| key.as_str())
        .collect();
    let [field] = given[..] else {
        doc.error(
            at,
            format!(
                "expected exactly one of {} in a peer, found {}",
                known.join(", "),
                given.len()
            ),
        );
        return;
    };
    if !known.contains(&field) {
        if !dialect.protocols {
            doc.error(
                at,
                format!(
                    "expected one of {} in a peer, found `{field}`",
                    known.join(", ")
                ),
            );
            return;
        }
        // The API asks implementations to fail closed on peers of a later version.
        let everything = action != Action::Allow;
        let meaning = if everything { "everything" } else { "nothing" };
        doc.warn(
            at,
            format!("`{field}` is a kind of peer that is not known here; it counts as {meaning}"),
        );
        out.push(Peer::Unknown {
            field: field.into(),
            everything,
        });
        return;
    }
    match field {
        "networks" => {
            let blocks = at.cidrs(doc, "networks", false);
            if blocks.is_empty() && !doc.failed() {
                doc.error(at, "expected at least one block in `networks`");
            }
            out.extend(
                blocks
                    .into_iter()
                    .map(|block| Peer::Block(block, Vec::new())),
            );
        }
        "nodes" => {
            if let Some(nodes) = at.key("nodes") {
                out.push(Peer::Nodes(nodes.selector(doc)));
            }
        }
        "domainNames" => {
            let names = at.strings(doc, "domainNames");
            if action != Action::Allow {
                doc.error(at, "expected `domainNames` only in a rule that allows");
            }
            out.push(Peer::Domains(names));
        }
        _ => {
            if let Some((namespaces, pods)) = pods_or_namespaces(doc, at) {
                out.push(Peer::Pods(namespaces, pods));
            }
        }
    }
}

const PROTOCOLS: [(&str, Protocol); 3] = [
    ("TCP", Protocol::TCP),
    ("UDP", Protocol::UDP),
    ("SCTP", Protocol::SCTP),
];

fn range(doc: &mut Doc<'_>, at: &At<'_>) -> Option<PortMatch> {
    if !at.map(doc, &["protocol", "start", "end"]) {
        return None;
    }
    let start = at.need(doc, "start").and_then(|at| at.port(doc));
    let end = at.need(doc, "end").and_then(|at| at.port(doc));
    let (start, end) = start.zip(end)?;
    if start >= end {
        doc.error(
            at,
            format!("expected `start` to be less than `end`, found {start} and {end}"),
        );
    }
    Some(PortMatch::Range(start, end))
}

fn named(doc: &mut Doc<'_>, at: &At<'_>) -> Option<PortMatch> {
    let name = at.string(doc)?;
    if let Some(fault) = port_name_fault(name) {
        doc.error(at, format!("`{name}` is no port name: {fault}"));
        return None;
    }
    Some(PortMatch::Named(name.into()))
}

/// A port of `v1alpha1`: `portNumber`, `portRange` or `namedPort`.
fn read_port(doc: &mut Doc<'_>, at: &At<'_>) -> Option<PortTerm> {
    const KINDS: [&str; 3] = ["portNumber", "portRange", "namedPort"];
    if !at.map(doc, &KINDS) {
        return None;
    }
    let given: Vec<&str> = KINDS
        .into_iter()
        .filter(|kind| at.key(kind).is_some())
        .collect();
    let [kind] = given[..] else {
        doc.error(
            at,
            format!(
                "expected exactly one of portNumber, portRange and namedPort, found {}",
                given.len()
            ),
        );
        return None;
    };
    let inner = at.key(kind)?;
    if kind == "namedPort" {
        return named(doc, &inner).map(|port| PortTerm {
            protocol: None,
            port,
        });
    }
    let protocol = match inner.key("protocol") {
        None => Some(Protocol::TCP),
        Some(at) => at.word(doc, &PROTOCOLS),
    };
    let port = if kind == "portNumber" {
        if !inner.map(doc, &["protocol", "port"]) {
            return None;
        }
        let port = inner.need(doc, "port").and_then(|at| at.port(doc));
        port.map(|port| PortMatch::Range(port, port))
    } else {
        range(doc, &inner)
    };
    Some(PortTerm {
        protocol: Some(protocol?),
        port: port?,
    })
}

/// A protocol of `v1alpha2`: `tcp`, `udp` or `sctp` with an optional `destinationPort`, or `destinationNamedPort`.
fn read_protocol(doc: &mut Doc<'_>, at: &At<'_>) -> Option<PortTerm> {
    const KINDS: [&str; 4] = ["tcp", "udp", "sctp", "destinationNamedPort"];
    if !at.map(doc, &KINDS) {
        return None;
    }
    // `tcp: {}` and even `tcp:` say "any port", so an entry counts by its key.
    let given: Vec<&str> = KINDS
        .into_iter()
        .filter(|kind| at.node.get(kind).is_some())
        .collect();
    let [kind] = given[..] else {
        doc.error(
            at,
            format!(
                "expected exactly one of tcp, udp, sctp and destinationNamedPort, found {}",
                given.len()
            ),
        );
        return None;
    };
    let protocol = Protocol::parse(kind);
    let Some(inner) = at.key(kind) else {
        return Some(PortTerm {
            protocol,
            port: PortMatch::Any,
        });
    };
    if kind == "destinationNamedPort" {
        return named(doc, &inner).map(|port| PortTerm {
            protocol: None,
            port,
        });
    }
    if !inner.map(doc, &["destinationPort"]) {
        return None;
    }
    let Some(port) = inner.key("destinationPort") else {
        return Some(PortTerm {
            protocol,
            port: PortMatch::Any,
        });
    };
    if !port.map(doc, &["number", "range"]) {
        return None;
    }
    let port = match (port.key("number"), port.key("range")) {
        (Some(at), None) => at.port(doc).map(|p| PortMatch::Range(p, p)),
        (None, Some(at)) => range(doc, &at),
        _ => {
            doc.error(&port, "expected exactly one of `number` and `range`");
            None
        }
    };
    Some(PortTerm {
        protocol,
        port: port?,
    })
}

/// Two policies of one tier and priority that could both apply: the API leaves open which one decides.
pub(super) fn finish(input: &mut Input, objects: &[Object]) {
    for tier in [ADMIN_TIER.0, BASELINE_TIER.0] {
        let Some(tier) = input.world.tiers.iter().find(|t| *t.name == *tier) else {
            continue;
        };
        let mut by_order: FxHashMap<u64, &Policy> = FxHashMap::default();
        for policy in &tier.policies {
            let Some(first) = by_order.insert(policy.order.to_bits(), policy) else {
                continue;
            };
            let Some(object) = objects
                .iter()
                .find(|o| *o.kind == *policy.id.kind && *o.name == *policy.id.name)
            else {
                continue;
            };
            input.diagnostics.push(Diagnostic {
                severity: Severity::Error,
                object: object.title(),
                problem: Problem {
                    source: object.source.name.clone(),
                    document: object.document,
                    path: "spec.priority".into(),
                    span: object.at(&["spec", "priority"]).unwrap_or(&object.node).span,
                    message: format!(
                        "{} has the same priority {}; which of the two decides is undefined (here: the name that sorts first)",
                        first.id, policy.order
                    ),
                },
            });
        }
    }
}
