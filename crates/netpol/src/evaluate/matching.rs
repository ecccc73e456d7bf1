//! Whether one party or one connection meets one condition, in three values: yes, no, and cannot be known.

use std::net::IpAddr;

use super::{Assumptions, Party};
use crate::labels::LabelSelector;
use crate::model::{
    NAMESPACE_NAME_LABEL, Namespace, NamespaceMatch, Node, Peer, Pod, Policy, PortMatch, PortRef,
    PortTerm, Service, Subject, Traffic, World,
};
use crate::net::{AddressKey, Cidr};
use crate::traffic::Protocol;

/// Three-valued truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tri {
    /// Does not hold.
    No,
    /// The inputs do not say.
    Maybe,
    /// Holds.
    Yes,
}

impl Tri {
    /// Conjunction.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// Disjunction.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }

    /// Negation.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }
}

impl From<bool> for Tri {
    fn from(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }
}

/// What conditions can see of a party.
#[derive(Clone)]
pub struct View<'w> {
    /// The pod, when selectors can find it.
    pub pod: Option<&'w Pod>,
    /// Its namespace.
    pub namespace: Option<&'w Namespace>,
    /// The node, for a node and for a pod on its network.
    pub node: Option<&'w Node>,
    /// True for a node and for a pod on its network, also when the node is not among the inputs.
    pub on_node: bool,
    /// Addresses, when known.
    pub ips: Vec<IpAddr>,
    /// DNS name of something outside.
    pub name: Option<&'w str>,
    /// A pod that no input describes, in a namespace that no input describes.
    pub stranger: bool,
}

/// Matches conditions against the parties of a world.
#[derive(Clone, Copy)]
pub struct Matcher<'w> {
    /// The world.
    pub world: &'w World,
    /// What to assume where the inputs are silent.
    pub assumptions: &'w Assumptions,
}

impl<'w> Matcher<'w> {
    /// What conditions can see of a party.
    pub fn view(&self, party: &'w Party) -> View<'w> {
        let mut view = View {
            pod: None,
            namespace: None,
            node: None,
            on_node: false,
            ips: Vec::new(),
            name: None,
            stranger: false,
        };
        match party {
            Party::Pod(index) => return self.pod_view(&self.world.pods[*index]),
            Party::Node(index) => {
                let node = &self.world.nodes[*index];
                view.node = Some(node);
                view.on_node = true;
                view.ips.clone_from(&node.ips);
            }
            Party::Address(address) => view.ips.push(*address),
            Party::Name(name) => view.name = Some(name),
            Party::Stranger => view.stranger = true,
        }
        view
    }

    /// What conditions can see of a pod.
    pub fn pod_view(&self, pod: &'w Pod) -> View<'w> {
        let hidden = pod.host_network && !self.assumptions.host_network_bound;
        let node = pod
            .node
            .as_ref()
            .filter(|_| hidden)
            .and_then(|name| self.world.nodes.iter().find(|n| n.name == *name));
        let mut ips = pod.ips.clone();
        if hidden {
            if ips.is_empty() {
                ips.clone_from(&pod.host_ips);
            }
            if ips.is_empty()
                && let Some(node) = node
            {
                ips.clone_from(&node.ips);
            }
        }
        View {
            pod: (!hidden && !pod.terminated).then_some(pod),
            namespace: self.world.namespace(&pod.namespace),
            node,
            on_node: hidden,
            ips,
            name: None,
            stranger: false,
        }
    }

    /// Whether a policy is about a pod.
    pub fn selects(&self, policy: &Policy, view: &View<'_>) -> Tri {
        let Some(pod) = view.pod else { return Tri::No };
        if let Some(networks) = &policy.network
            && !networks.iter().any(|n| pod.attachments.contains(n))
        {
            return Tri::No;
        }
        match &policy.subject {
            Subject::Pods(namespaces, pods) => {
                Tri::from(pods.matches(&pod.labels)).and(self.in_namespaces(namespaces, view))
            }
            Subject::Calico {
                scope,
                selector,
                accounts,
            } => {
                let here = self.in_scope(scope, view);
                let labels = self.expression(selector, view);
                let account = accounts
                    .as_ref()
                    .map_or(Tri::Yes, |a| self.account(a, view));
                here.and(labels).and(account)
            }
        }
    }

    fn in_namespaces(&self, namespaces: &NamespaceMatch, view: &View<'_>) -> Tri {
        match namespaces {
            NamespaceMatch::Own(name) => view.namespace.is_some_and(|ns| ns.name == *name).into(),
            NamespaceMatch::Selected(selector) => {
                if view.stranger {
                    return self.namespace_labels(selector, None);
                }
                view.namespace
                    .map_or(Tri::No, |ns| self.namespace_labels(selector, Some(ns)))
            }
        }
    }

    /// Of a namespace that no input declares only the name is known, and of a stranger's nothing.
    fn namespace_labels(&self, selector: &LabelSelector, namespace: Option<&Namespace>) -> Tri {
        selector
            .requirements
            .iter()
            .map(|requirement| {
                let known = namespace
                    .is_some_and(|ns| ns.declared || **requirement.key() == *NAMESPACE_NAME_LABEL);
                let empty = crate::labels::Labels::default();
                let labels = namespace.map_or(&empty, |ns| &ns.labels);
                if known || !self.assumptions.doubt_unknown_labels {
                    Tri::from(requirement.matches(labels))
                } else {
                    Tri::Maybe
                }
            })
            .min()
            .unwrap_or(Tri::Yes)
    }

    /// Whether a party's address lies in a block, over a connection of one family.
    pub fn in_block(&self, block: Cidr, view: &View<'_>, v6: bool) -> Tri {
        let is_pod = view.pod.is_some() || view.stranger;
        if is_pod && !self.assumptions.blocks_hold_pods {
            return Tri::No;
        }
        if view.name.is_some() {
            // A name is taken to stand for an IPv4 address; which one is not known.
            return match (block.v6, block.prefix) {
                (true, _) => Tri::No,
                (false, 0) => Tri::Yes,
                (false, _) => Tri::Maybe,
            };
        }
        if view.ips.is_empty() {
            let ranges = &self.assumptions.pod_ranges;
            let anywhere = [Cidr {
                v6: false,
                first: 0,
                prefix: 0,
            }];
            let ranges = if ranges.is_empty() || !is_pod {
                &anywhere[..]
            } else {
                ranges
            };
            let mut ranges = ranges.iter().filter(|r| r.v6 == v6).peekable();
            if ranges.peek().is_none() {
                return Tri::No;
            }
            let mut out = (true, false);
            for range in ranges {
                out.0 &= block.covers(*range);
                out.1 |= block.covers(*range) || range.covers(block);
            }
            return match out {
                (true, _) => Tri::Yes,
                (false, true) => Tri::Maybe,
                (false, false) => Tri::No,
            };
        }
        view.ips
            .iter()
            .map(|ip| AddressKey::from(*ip))
            .filter(|key| key.v6 == v6)
            .any(|key| block.contains(key))
            .into()
    }

    pub(super) fn in_any(&self, blocks: &[Cidr], view: &View<'_>, v6: bool) -> Tri {
        blocks
            .iter()
            .map(|block| self.in_block(*block, view, v6))
            .max()
            .unwrap_or(Tri::No)
    }

    /// Whether a party is what a peer describes. `conn` is given when the party is the destination.
    pub fn peer(
        &self,
        peer: &Peer,
        view: &View<'_>,
        v6: bool,
        conn: Option<(Protocol, u16)>,
    ) -> Tri {
        match peer {
            Peer::Pods(namespaces, pods) => {
                let labels = if view.stranger {
                    Tri::from(pods.matches(&crate::labels::Labels::default()))
                } else {
                    match view.pod {
                        Some(pod) => pods.matches(&pod.labels).into(),
                        None => return Tri::No,
                    }
                };
                labels.and(self.in_namespaces(namespaces, view))
            }
            Peer::Block(block, excepts) => self
                .in_block(*block, view, v6)
                .and(self.in_any(excepts, view, v6).negated()),
            Peer::Nodes(selector) => match (view.node, view.on_node) {
                (Some(node), _) => selector.matches(&node.labels).into(),
                (None, true) if selector.is_everything() => Tri::Yes,
                (None, true) => Tri::Maybe,
                (None, false) => Tri::No,
            },
            Peer::Domains(names) => {
                if let Some(name) = view.name {
                    return names.iter().any(|pattern| is_domain(pattern, name)).into();
                }
                let outside = view.pod.is_none() && !view.on_node && !view.stranger;
                if outside { Tri::Maybe } else { Tri::No }
            }
            Peer::Entity(entity) => self.entity(entity, view, v6, conn),
            Peer::Unknown { everything, .. } => (*everything).into(),
        }
    }

    pub(super) fn behind_service(
        &self,
        namespace: &str,
        name: &str,
        view: &View<'_>,
        conn: Option<(Protocol, u16)>,
    ) -> Tri {
        let Some(service) = self.service(namespace, name) else {
            return Tri::Maybe;
        };
        let Some(selector) = &service.selector else {
            return Tri::Maybe;
        };
        let Some(pod) = view.pod else { return Tri::No };
        if *pod.namespace != *namespace || !selector.matches(&pod.labels) {
            return Tri::No;
        }
        match conn {
            None => Tri::Yes,
            Some((protocol, port)) => service
                .ports
                .iter()
                .any(|p| {
                    p.protocol == protocol && target_ports(pod, &p.target, protocol).contains(&port)
                })
                .into(),
        }
    }

    /// The Service of a name.
    pub fn service(&self, namespace: &str, name: &str) -> Option<&'w Service> {
        self.world
            .services
            .iter()
            .find(|s| *s.namespace == *namespace && *s.name == *name)
    }

    /// Whether a connection is what a rule says about protocol and port.
    pub fn traffic(
        &self,
        traffic: &Traffic,
        protocol: Protocol,
        port: u16,
        destination: &View<'_>,
        v6: bool,
    ) -> Tri {
        let term = |term: &PortTerm| port_term(term, protocol, port, destination);
        let holds = traffic.protocol.is_none_or(|p| p == protocol)
            && traffic.not_protocol.is_none_or(|p| p != protocol)
            && (traffic.ports.is_empty() || traffic.ports.iter().any(term))
            && !traffic.not_ports.iter().any(term)
            && traffic.family.is_none_or(|family| family == v6);
        match (holds, &traffic.caveat) {
            (false, _) => Tri::No,
            (true, None) => Tri::Yes,
            (true, Some(_)) => Tri::Maybe,
        }
    }
}

/// Whether a connection meets one alternative of a rule's ports.
pub fn port_term(term: &PortTerm, protocol: Protocol, port: u16, destination: &View<'_>) -> bool {
    if term.protocol.is_some_and(|p| p != protocol) {
        return false;
    }
    match &term.port {
        PortMatch::Any => true,
        PortMatch::Range(first, last) => protocol.has_ports() && (*first..=*last).contains(&port),
        PortMatch::Named(name) => destination.pod.is_some_and(|pod| {
            pod.ports.iter().any(|p| {
                p.protocol == protocol && p.number == port && p.name.as_ref() == Some(name)
            })
        }),
    }
}

/// The port numbers at a pod that a Service's target means.
pub fn target_ports(pod: &Pod, target: &PortRef, protocol: Protocol) -> Vec<u16> {
    match target {
        PortRef::Number(number) => vec![*number],
        PortRef::Name(name) => pod
            .ports
            .iter()
            .filter(|p| p.protocol == protocol && p.name.as_ref() == Some(name))
            .map(|p| p.number)
            .collect(),
    }
}

/// Whether a DNS name meets a pattern; `*.` at the front stands for one or more labels.
fn is_domain(pattern: &str, name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let pattern = pattern.trim_end_matches('.');
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(name),
        Some(suffix) => {
            name.len() > suffix.len() + 1
                && name.is_char_boundary(name.len() - suffix.len())
                && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
                && name.as_bytes()[name.len() - suffix.len() - 1] == b'.'
        }
    }
}

/// The family of a connection between two parties: the destination's first that the source has too. When the
/// known addresses have no family in common, an address of the source is not known, and the destination's counts.
pub fn is_v6(from: &View<'_>, to: &View<'_>) -> bool {
    let families = |view: &View<'_>| -> Vec<bool> {
        view.ips.iter().map(|ip| AddressKey::from(*ip).v6).collect()
    };
    let (from, to) = (families(from), families(to));
    to.iter()
        .copied()
        .find(|v6| from.is_empty() || from.contains(v6))
        .or_else(|| to.first().copied())
        .or_else(|| from.first().copied())
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_whole_labels() {
        assert!(is_domain("*.example.com", "a.b.example.com"));
        assert!(!is_domain("*.example.com", "example.com"));
        assert!(!is_domain("*.example.com", "badexample.com"));
        assert!(is_domain("Example.com", "example.com."));
    }
}
