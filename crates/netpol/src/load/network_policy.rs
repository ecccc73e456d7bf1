//! `networking.k8s.io/v1` NetworkPolicy, and MultiNetworkPolicy, which has the same body for other networks.
//!
//! Checks are those of the API server's validation, so that what passes here would be accepted there.

use std::sync::Arc;

use super::cursor::{At, Doc};
use crate::labels::LabelSelector;
use crate::model::{
    Action, DEFAULT_NAMESPACE, DEFAULT_TIER, NETWORK_POLICY_ORDER, NamespaceMatch, Peer, Policy,
    PolicyId, PortMatch, PortTerm, Rule, Subject, Traffic, World,
};
use crate::traffic::Protocol;

/// Annotations whose text people use as a policy's title.
const TITLE_ANNOTATIONS: [&str; 4] = [
    "description",
    "kubernetes.io/description",
    "title",
    "comment",
];
/// The annotation that names the networks of a MultiNetworkPolicy.
const POLICY_FOR: &str = "k8s.v1.cni.cncf.io/policy-for";

pub(super) fn read(doc: &mut Doc<'_>, world: &mut World) -> bool {
    if let Some(policy) = policy(doc) {
        world.insert(policy);
    }
    true
}

pub(super) fn read_multi(doc: &mut Doc<'_>, world: &mut World) -> bool {
    let Some(mut policy) = policy(doc) else {
        return true;
    };
    let root = doc.root();
    let names = doc
        .object
        .at(&["metadata", "annotations", POLICY_FOR])
        .and_then(vedette_yaml::Node::as_str)
        .unwrap_or_default();
    if names.trim().is_empty() {
        doc.warn(
            &root,
            format!("without the annotation `{POLICY_FOR}` the policy is for no network"),
        );
    }
    let own = policy.id.namespace.clone().unwrap_or_default();
    policy.network = Some(
        names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| {
                if name.contains('/') {
                    name.into()
                } else {
                    Arc::from(format!("{own}/{name}"))
                }
            })
            .collect(),
    );
    world.insert(policy);
    true
}

/// Name, namespace and what people wrote about a policy.
pub(super) fn identity(doc: &Doc<'_>, namespaced: bool) -> (PolicyId, Option<Arc<str>>) {
    let object = doc.object;
    let id = PolicyId {
        kind: object.kind.as_str().into(),
        namespace: namespaced.then(|| {
            object
                .namespace
                .as_deref()
                .unwrap_or(DEFAULT_NAMESPACE)
                .into()
        }),
        name: object.name.as_str().into(),
    };
    let title = TITLE_ANNOTATIONS.iter().find_map(|key| {
        object
            .at(&["metadata", "annotations", key])
            .and_then(vedette_yaml::Node::as_str)
            .map(Arc::from)
    });
    (id, title)
}

pub(super) fn policy(doc: &mut Doc<'_>) -> Option<Policy> {
    let root = doc.root();
    if doc.object.name.is_empty() {
        doc.error(&root, "expected `metadata.name`");
    }
    let (id, title) = identity(doc, true);
    let namespace = id.namespace.clone().unwrap_or_default();
    let Some(spec) = root.key("spec") else {
        doc.error(&root, "expected the field `spec`");
        return None;
    };
    let known = spec.map(
        doc,
        &[
            "podSelector",
            "policyTypes",
            "ingress",
            "egress",
            "stagedAction",
        ],
    );
    if !known {
        return None;
    }
    let pods = spec
        .key("podSelector")
        .map_or_else(LabelSelector::everything, |at| at.selector(doc));
    let ingress = rules(doc, &spec, "ingress", "from", &namespace);
    let egress = rules(doc, &spec, "egress", "to", &namespace);
    let (binds_ingress, binds_egress) = match spec.key("policyTypes") {
        Some(types) => {
            let items = types.items(doc);
            let mut types = (false, false);
            for item in &items {
                match item.word(doc, &[("Ingress", true), ("Egress", false)]) {
                    Some(true) => types.0 = true,
                    Some(false) => types.1 = true,
                    None => {}
                }
            }
            if items.is_empty() {
                (true, !egress.is_empty())
            } else {
                types
            }
        }
        // Without policyTypes: ingress always, egress when there is at least one egress rule.
        None => (true, !egress.is_empty()),
    };
    if doc.failed() {
        return None;
    }
    Some(Policy {
        id,
        tier: DEFAULT_TIER.0.into(),
        order: NETWORK_POLICY_ORDER,
        subject: Subject::Pods(NamespaceMatch::Own(namespace), pods),
        ingress: binds_ingress.then_some(ingress),
        egress: binds_egress.then_some(egress),
        staged: None,
        network: None,
        title,
        place: doc.place(root.node),
    })
}

fn rules(
    doc: &mut Doc<'_>,
    spec: &At<'_>,
    direction: &str,
    peers_key: &str,
    namespace: &Arc<str>,
) -> Vec<Rule> {
    let Some(list) = spec.key(direction) else {
        return Vec::new();
    };
    let items = list.items(doc);
    let mut out = Vec::with_capacity(items.len());
    for item in &items {
        // `- ` with nothing behind it is a null item, which the API reads as an empty rule.
        if !item.node.is_null() && !item.map(doc, &[peers_key, "ports"]) {
            continue;
        }
        let peers = item.key(peers_key).map_or_else(Vec::new, |at| {
            at.items(doc)
                .iter()
                .filter_map(|peer| read_peer(doc, peer, namespace))
                .collect()
        });
        let ports = item.key("ports").map_or_else(Vec::new, |at| {
            at.items(doc)
                .iter()
                .filter_map(|port| read_port(doc, port))
                .collect()
        });
        out.push(Rule {
            name: None,
            action: Action::Allow,
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

fn read_peer(doc: &mut Doc<'_>, at: &At<'_>, namespace: &Arc<str>) -> Option<Peer> {
    if !at.map(doc, &["podSelector", "namespaceSelector", "ipBlock"]) {
        return None;
    }
    let pods = at.key("podSelector");
    let namespaces = at.key("namespaceSelector");
    let block = at.key("ipBlock");
    if let Some(block) = block {
        if pods.is_some() || namespaces.is_some() {
            doc.error(
                at,
                "expected either `ipBlock` or selectors in one peer, found both",
            );
            return None;
        }
        if !block.map(doc, &["cidr", "except"]) {
            return None;
        }
        let cidr = block.need(doc, "cidr").and_then(|at| at.cidr(doc, false));
        let excepts = block.cidrs(doc, "except", false);
        let cidr = cidr?;
        for except in &excepts {
            if !cidr.covers(*except) || *except == cidr {
                doc.error(
                    &block,
                    format!("expected `except` {except} to lie inside {cidr} and be smaller"),
                );
            }
        }
        return Some(Peer::Block(cidr, excepts));
    }
    if pods.is_none() && namespaces.is_none() {
        doc.error(
            at,
            "expected at least one of podSelector, namespaceSelector and ipBlock in a peer",
        );
        return None;
    }
    let pods = pods.map_or_else(LabelSelector::everything, |at| at.selector(doc));
    let namespaces = match namespaces {
        Some(at) => NamespaceMatch::Selected(at.selector(doc)),
        None => NamespaceMatch::Own(namespace.clone()),
    };
    Some(Peer::Pods(namespaces, pods))
}

fn read_port(doc: &mut Doc<'_>, at: &At<'_>) -> Option<PortTerm> {
    if at.node.is_null() {
        return Some(PortTerm {
            protocol: Some(Protocol::TCP),
            port: PortMatch::Any,
        });
    }
    if !at.map(doc, &["protocol", "port", "endPort"]) {
        return None;
    }
    let protocol = match at.key("protocol") {
        None => Some(Protocol::TCP),
        Some(at) => at.word(
            doc,
            &[
                ("TCP", Protocol::TCP),
                ("UDP", Protocol::UDP),
                ("SCTP", Protocol::SCTP),
            ],
        ),
    };
    let end = at.key("endPort");
    let port = match at.key("port") {
        None => {
            if let Some(end) = end {
                doc.error(&end, "expected `port` beside `endPort`");
            }
            Some(PortMatch::Any)
        }
        Some(port) if port.node.as_i64().is_some() => {
            let first = port.port(doc);
            let last = end.map_or(first, |at| at.port(doc));
            if let (Some(first), Some(last), Some(end)) = (first, last, end)
                && last < first
            {
                doc.error(
                    &end,
                    format!("expected `endPort` to be at least `port` ({first}), found {last}"),
                );
            }
            first.zip(last).map(|(a, b)| PortMatch::Range(a, b))
        }
        Some(port) => {
            if let Some(end) = end {
                doc.error(
                    &end,
                    "expected a number in `port` beside `endPort`, not a name",
                );
            }
            port.string(doc).and_then(|name| {
                if let Some(fault) = port_name_fault(name) {
                    doc.error(&port, format!("`{name}` is no port name: {fault}"));
                    None
                } else {
                    Some(PortMatch::Named(name.into()))
                }
            })
        }
    };
    Some(PortTerm {
        protocol: Some(protocol?),
        port: port?,
    })
}

/// Why `name` cannot be the name of a port. Source: RFC 6335 service names, as Kubernetes applies them.
pub(super) fn port_name_fault(name: &str) -> Option<&'static str> {
    const LONGEST: usize = 15;
    if name.is_empty() || name.len() > LONGEST {
        return Some("it must have 1 to 15 characters");
    }
    let sound = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !sound {
        return Some("it must be lower-case letters, digits and '-'");
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        return Some("it must have at least one letter");
    }
    if name.starts_with('-') || name.ends_with('-') || name.contains("--") {
        return Some("'-' may stand only between other characters, and alone");
    }
    None
}
