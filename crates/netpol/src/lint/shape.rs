//! Checks on how a policy is written: selectors, blocks, ports, split peers.

use super::{Finding, Level, Subject};
use crate::evaluate::Tri;
use crate::expression::Expression;
use crate::generate::stability::volatile;
use crate::labels::{LabelSelector, Requirement};
use crate::model::{
    Direction, NamespaceMatch, Peer, PortMatch, PortTerm, Rule, Subject as Selection,
};
use crate::net::Cidr;

/// Blocks up to this prefix length are broad: 65,536 IPv4 networks of 256 addresses, or more.
const BROAD_V4: u8 = 8;
/// The same for IPv6: what a registry hands to a whole region.
const BROAD_V6: u8 = 16;

pub(super) fn check(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    selects_nothing(subject, out);
    selectors(subject, out);
    for direction in [Direction::Ingress, Direction::Egress] {
        for rule in subject.policy.rules(direction).unwrap_or_default() {
            split(subject, rule, direction, out);
            for peer in &rule.peers {
                broad(subject, rule, peer, direction, out);
                unmatched(subject, rule, peer, out);
            }
            ports(subject, rule, direction, out);
        }
    }
}

fn selects_nothing(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    // Without any pods among the inputs, nothing could be selected, and the complaint would be empty.
    if subject.pods.is_empty() && !subject.world().pods.is_empty() {
        let hidden = subject
            .world()
            .pods
            .iter()
            .any(|pod| pod.host_network && selection_matches(&subject.policy.subject, pod));
        let message = if hidden {
            "the policy selects only pods on their node's network (hostNetwork), which policies do not bind: it has no effect"
        } else {
            "the policy selects no pod: it has no effect"
        };
        out.push(subject.finding(
            "selects-nothing",
            Level::Warning,
            message.into(),
            "compare its namespace and labels with those of the pods it is meant for",
        ));
    }
}

fn selection_matches(selection: &Selection, pod: &crate::model::Pod) -> bool {
    match selection {
        Selection::Pods(NamespaceMatch::Own(name), pods) => {
            *name == pod.namespace && pods.matches(&pod.labels)
        }
        Selection::Pods(NamespaceMatch::Selected(_), pods) => pods.matches(&pod.labels),
        Selection::Calico { .. } => false,
    }
}

fn selectors(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let mut found: Vec<(String, &'static str)> = Vec::new();
    let mut labels = |selector: &LabelSelector| {
        for requirement in &selector.requirements {
            let values: &[std::sync::Arc<str>] = match requirement {
                Requirement::In(_, values) | Requirement::NotIn(_, values) => values,
                Requirement::Exists(_) | Requirement::DoesNotExist(_) => &[],
            };
            let key = requirement.key();
            let why = if values.is_empty() {
                volatile(key, "")
            } else {
                values.iter().find_map(|value| volatile(key, value))
            };
            if let Some(why) = why {
                found.push((requirement.to_string(), why));
            }
        }
    };
    let mut keys = Vec::new();
    let mut expression = |e: &Expression| e.keys(&mut |key| keys.push(key.clone()));
    match &subject.policy.subject {
        Selection::Pods(namespaces, pods) => {
            labels(pods);
            if let NamespaceMatch::Selected(selector) = namespaces {
                labels(selector);
            }
        }
        Selection::Calico { selector, .. } => expression(selector),
    }
    for direction in [Direction::Ingress, Direction::Egress] {
        for peer in subject
            .policy
            .rules(direction)
            .unwrap_or_default()
            .iter()
            .flat_map(|r| &r.peers)
        {
            match peer {
                Peer::Pods(namespaces, pods) => {
                    labels(pods);
                    if let NamespaceMatch::Selected(selector) = namespaces {
                        labels(selector);
                    }
                }
                Peer::Entity(entity) => {
                    entity.selector.iter().for_each(&mut expression);
                    entity.not_selector.iter().for_each(&mut expression);
                }
                _ => {}
            }
        }
    }
    for key in keys {
        if let Some(why) = volatile(&key, "") {
            found.push((key.to_string(), why));
        }
    }
    found.sort();
    found.dedup();
    for (label, why) in found {
        out.push(subject.finding(
            "volatile-label",
            Level::Warning,
            format!("the selector `{label}` will not last ({why}); when the label changes, the policy silently stops matching"),
            "select namespaces by kubernetes.io/metadata.name and pods by the labels their controller selects them by",
        ));
    }
}

/// `from: [{namespaceSelector}, {podSelector}]` where one peer with both was probably meant.
fn split(subject: &Subject<'_>, rule: &Rule, direction: Direction, out: &mut Vec<Finding>) {
    let only_pods = rule
        .peers
        .iter()
        .any(|p| matches!(p, Peer::Pods(NamespaceMatch::Own(_), pods) if !pods.is_everything()));
    let only_namespaces = rule.peers.iter().any(|p| {
        matches!(p, Peer::Pods(NamespaceMatch::Selected(ns), pods) if pods.is_everything() && !ns.is_everything())
    });
    if only_pods && only_namespaces {
        let key = match direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        out.push(subject.finding_at(
            "split-selectors",
            Level::Info,
            &rule.place,
            format!("`{key}` has a namespaceSelector and a podSelector as two list items: any pod of those namespaces OR those pods of this namespace. Without the dash before podSelector it would be those pods IN those namespaces"),
            "check which of the two is meant; write both selectors in one item for AND",
        ));
    }
}

fn broad(
    subject: &Subject<'_>,
    rule: &Rule,
    peer: &Peer,
    direction: Direction,
    out: &mut Vec<Finding>,
) {
    if rule.action != crate::model::Action::Allow {
        return;
    }
    let wide = |block: &Cidr| block.prefix <= if block.v6 { BROAD_V6 } else { BROAD_V4 };
    let private = |block: &Cidr| {
        ["10.0.0.0/8", "fc00::/7", "fd00::/8"]
            .iter()
            .filter_map(|text| Cidr::parse(text, false))
            .any(|range| range.covers(*block))
    };
    let blocks: Vec<(Cidr, bool)> = match peer {
        Peer::Block(block, excepts) => vec![(*block, !excepts.is_empty())],
        Peer::Entity(e) => e
            .nets
            .iter()
            .map(|n| (*n, !e.not_nets.is_empty()))
            .collect(),
        _ => return,
    };
    for (block, excepted) in blocks {
        if !wide(&block) || private(&block) {
            continue;
        }
        let but = if excepted {
            " but for some exceptions"
        } else {
            ""
        };
        let what = match direction {
            Direction::Ingress => "lets in",
            Direction::Egress => "lets out to",
        };
        let metadata = Cidr::host(std::net::Ipv4Addr::new(169, 254, 169, 254).into());
        let hint = if direction == Direction::Egress && block.covers(metadata) && !excepted {
            ", the cloud's metadata service at 169.254.169.254 included, which hands out the node's credentials"
        } else {
            ""
        };
        out.push(subject.finding_at(
            "broad-cidr",
            Level::Warning,
            &rule.place,
            format!("the rule {what} {block}{but}{hint}"),
            "name the networks that are needed; for the internet, except private ranges and 169.254.0.0/16",
        ));
    }
}

fn unmatched(subject: &Subject<'_>, rule: &Rule, peer: &Peer, out: &mut Vec<Finding>) {
    let Peer::Pods(namespaces, pods) = peer else {
        return;
    };
    let world = subject.world();
    if world.pods.is_empty() {
        return;
    }
    let matched = world.pods.iter().any(|pod| {
        let view = subject.matcher.pod_view(pod);
        subject.matcher.peer(peer, &view, false, None) != Tri::No
    });
    if matched {
        return;
    }
    let what = match namespaces {
        NamespaceMatch::Selected(selector)
            if !world.namespaces.iter().any(|ns| {
                selector.matches(&ns.labels)
                    || !ns.declared
                        && selector
                            .requirements
                            .iter()
                            .any(|r| r.key().as_ref() != crate::model::NAMESPACE_NAME_LABEL)
            }) =>
        {
            format!("namespaces with {selector}: there is none")
        }
        NamespaceMatch::Selected(_) => format!("pods with {pods}: no pod there has these labels"),
        NamespaceMatch::Own(name) => {
            format!(
                "pods with {pods} in namespace {name}: there is none (without a namespaceSelector a peer is looked for in the policy's own namespace)"
            )
        }
    };
    out.push(subject.finding_at(
        "peer-matches-nothing",
        Level::Warning,
        &rule.place,
        format!("the rule names {what}"),
        "compare the selector with the labels of the pods and namespaces that are meant",
    ));
}

/// Ports that no pod at the receiving end declares.
fn ports(subject: &Subject<'_>, rule: &Rule, direction: Direction, out: &mut Vec<Finding>) {
    if rule.traffic.ports.is_empty() {
        return;
    }
    let world = subject.world();
    let only_blocks =
        !rule.peers.is_empty() && rule.peers.iter().all(|p| matches!(p, Peer::Block(..)));
    let receivers: Vec<&crate::model::Pod> = match direction {
        Direction::Ingress => subject.pods.iter().map(|&i| &world.pods[i]).collect(),
        Direction::Egress => world
            .pods
            .iter()
            .filter(|pod| {
                let view = subject.matcher.pod_view(pod);
                rule.peers
                    .iter()
                    .any(|peer| subject.matcher.peer(peer, &view, false, None) == Tri::Yes)
            })
            .collect(),
    };
    for term in &rule.traffic.ports {
        match &term.port {
            PortMatch::Named(name) if direction == Direction::Egress && only_blocks => {
                out.push(subject.finding_at(
                    "port-without-effect",
                    Level::Warning,
                    &rule.place,
                    format!("port \"{name}\" can match nothing: only pods have named ports, and the rule names address blocks"),
                    "write the port's number",
                ));
            }
            PortMatch::Named(name) => {
                let known = receivers.iter().any(|pod| declares(pod, term));
                if !known && !receivers.is_empty() {
                    out.push(subject.finding_at(
                        "port-without-effect",
                        Level::Warning,
                        &rule.place,
                        format!("port \"{name}\": none of the pods the rule is about has a container port of this name and protocol"),
                        "name a port of the containers, or write its number",
                    ));
                }
            }
            PortMatch::Range(first, last) if first == last => {
                service_port(subject, rule, term, *first, &receivers, out);
            }
            _ => {}
        }
    }
}

fn declares(pod: &crate::model::Pod, term: &PortTerm) -> bool {
    pod.ports.iter().any(|port| {
        term.protocol.is_none_or(|p| p == port.protocol)
            && match &term.port {
                PortMatch::Any => true,
                PortMatch::Range(first, last) => (*first..=*last).contains(&port.number),
                PortMatch::Named(name) => port.name.as_ref() == Some(name),
            }
    })
}

/// The number of a Service's port where the pods listen on another one: policies see the pods' port.
fn service_port(
    subject: &Subject<'_>,
    rule: &Rule,
    term: &PortTerm,
    number: u16,
    receivers: &[&crate::model::Pod],
    out: &mut Vec<Finding>,
) {
    // Declaring ports is optional, so only pods that declare some say anything.
    let speaking: Vec<_> = receivers.iter().filter(|p| !p.ports.is_empty()).collect();
    if speaking.is_empty()
        || speaking.len() < receivers.len()
        || receivers.iter().any(|p| declares(p, term))
    {
        return;
    }
    let service = subject.world().services.iter().find(|service| {
        service
            .ports
            .iter()
            .any(|p| p.port == number && p.target != crate::model::PortRef::Number(number))
            && receivers.iter().any(|pod| {
                pod.namespace == service.namespace
                    && service
                        .selector
                        .as_ref()
                        .is_some_and(|s| s.matches(&pod.labels))
            })
    });
    let message = match service {
        Some(service) => {
            let target = service
                .ports
                .iter()
                .find(|p| p.port == number)
                .map_or_else(String::new, |p| p.target.to_string());
            format!(
                "port {number} is the port of Service {}/{}, but its pods listen on {target}: policies see the pods' port, so this allows nothing",
                service.namespace, service.name
            )
        }
        None => format!("none of the pods the rule is about declares port {number}"),
    };
    let level = if service.is_some() {
        Level::Error
    } else {
        Level::Info
    };
    out.push(subject.finding_at(
        "port-without-effect",
        level,
        &rule.place,
        message,
        "write the port that the container listens on (the Service's targetPort)",
    ));
}
