//! Whether one party or one connection meets one condition, in three values: yes, no, and cannot be known.

use std::net::IpAddr;

use super::{Assumptions, Party};
use crate::expression::Expression;
use crate::labels::LabelSelector;
use crate::model::{
    Entity, NAMESPACE_NAME_LABEL, Namespace, NamespaceMatch, NetworkSet, Node, Peer, Pod, Policy,
    PortMatch, PortRef, PortTerm, Scope, Service, Subject, Traffic, World,
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

/// A label that Calico adds to endpoints by itself.
const CALICO_NAMESPACE: &str = "projectcalico.org/namespace";
const CALICO_ORCHESTRATOR: &str = "projectcalico.org/orchestrator";
const CALICO_ACCOUNT: &str = "projectcalico.org/serviceaccount";
/// The label by which a namespace or account selector names one.
const CALICO_NAME: &str = "projectcalico.org/name";

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

    fn in_scope(&self, scope: &Scope, view: &View<'_>) -> Tri {
        match scope {
            Scope::Anywhere => Tri::Yes,
            Scope::Global => view.pod.is_none().into(),
            Scope::Namespace(name) => view
                .namespace
                .is_some_and(|ns| ns.name == *name && view.pod.is_some())
                .into(),
            Scope::Namespaces(expression) => match view.namespace.filter(|_| view.pod.is_some()) {
                Some(namespace) => self.namespace_expression(expression, namespace),
                None => Tri::No,
            },
        }
    }

    fn namespace_expression(&self, expression: &Expression, namespace: &Namespace) -> Tri {
        let get = |key: &str| {
            if key == CALICO_NAME {
                Some(&*namespace.name)
            } else {
                namespace.labels.get(key)
            }
        };
        if !namespace.declared && self.assumptions.doubt_unknown_labels {
            let mut unknown = false;
            expression.keys(&mut |key| {
                unknown |= **key != *CALICO_NAME && **key != *NAMESPACE_NAME_LABEL;
            });
            if unknown {
                return Tri::Maybe;
            }
        }
        expression.matches(&get).into()
    }

    fn pod_label<'a>(
        &self,
        pod: &'a Pod,
        namespace: Option<&'a Namespace>,
        key: &str,
    ) -> Option<&'a str>
    where
        'w: 'a,
    {
        match key {
            CALICO_NAMESPACE => return Some(&pod.namespace),
            CALICO_ORCHESTRATOR => return Some("k8s"),
            CALICO_ACCOUNT => return Some(&pod.service_account),
            _ => {}
        }
        if let Some(key) = key.strip_prefix("pcns.") {
            let namespace = namespace?;
            return if key == CALICO_NAME {
                Some(&namespace.name)
            } else {
                namespace.labels.get(key)
            };
        }
        if let Some(key) = key.strip_prefix("pcsa.") {
            return if key == CALICO_NAME {
                Some(&pod.service_account)
            } else {
                self.world
                    .account(&pod.namespace, &pod.service_account)
                    .and_then(|a| a.labels.get(key))
            };
        }
        pod.labels.get(key)
    }

    fn expression(&self, expression: &Expression, view: &View<'_>) -> Tri {
        let Some(pod) = view.pod else { return Tri::No };
        let get = |key: &str| self.pod_label(pod, view.namespace, key);
        expression.matches(&get).into()
    }

    fn account(&self, expression: &Expression, view: &View<'_>) -> Tri {
        let Some(pod) = view.pod else { return Tri::No };
        let Some(account) = self.world.account(&pod.namespace, &pod.service_account) else {
            // Without the ServiceAccount object only its name is known.
            let mut unknown = false;
            expression.keys(&mut |key| unknown |= **key != *CALICO_NAME);
            if unknown && self.assumptions.doubt_unknown_labels {
                return Tri::Maybe;
            }
            let get = |key: &str| (key == CALICO_NAME).then_some(&*pod.service_account);
            return expression.matches(&get).into();
        };
        let get = |key: &str| {
            if key == CALICO_NAME {
                Some(&*account.name)
            } else {
                account.labels.get(key)
            }
        };
        expression.matches(&get).into()
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

    fn in_any(&self, blocks: &[Cidr], view: &View<'_>, v6: bool) -> Tri {
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

    /// Whether a party is what one end of a Calico rule describes.
    pub fn entity(
        &self,
        entity: &Entity,
        view: &View<'_>,
        v6: bool,
        conn: Option<(Protocol, u16)>,
    ) -> Tri {
        let mut out = Tri::Yes;
        if !entity.nets.is_empty() {
            out = out.and(self.in_any(&entity.nets, view, v6));
        }
        if !entity.not_nets.is_empty() {
            out = out.and(self.in_any(&entity.not_nets, view, v6).negated());
        }
        if let Some(selector) = &entity.selector {
            out = out.and(self.selected(selector, entity, view, v6));
        }
        if let Some(selector) = &entity.not_selector {
            out = out.and(
                self.endpoint_or_set(selector, &Scope::Anywhere, view, v6)
                    .negated(),
            );
        }
        if let Some((namespace, name)) = &entity.service {
            out = out.and(self.behind_service(namespace, name, view, conn));
        }
        out
    }

    fn selected(&self, selector: &Expression, entity: &Entity, view: &View<'_>, v6: bool) -> Tri {
        if entity.account_names.is_empty() && entity.account_selector.is_none() {
            return self.endpoint_or_set(selector, &entity.scope, view, v6);
        }
        let Some(pod) = view.pod else { return Tri::No };
        let named = entity.account_names.is_empty()
            || entity
                .account_names
                .iter()
                .any(|n| **n == *pod.service_account);
        let accounts = entity
            .account_selector
            .as_ref()
            .map_or(Tri::Yes, |a| self.account(a, view));
        Tri::from(named)
            .and(accounts)
            .and(self.in_scope(&entity.scope, view))
            .and(self.expression(selector, view))
    }

    /// Selectors find workload endpoints, host endpoints and network sets alike.
    fn endpoint_or_set(
        &self,
        selector: &Expression,
        scope: &Scope,
        view: &View<'_>,
        v6: bool,
    ) -> Tri {
        let mut out = self
            .expression(selector, view)
            .and(self.in_scope(scope, view));
        if out == Tri::Yes {
            return out;
        }
        if view.on_node && matches!(scope, Scope::Anywhere | Scope::Global) {
            let hosts = self.world.host_endpoints.iter().filter(|h| {
                view.node.is_some_and(|n| n.name == h.node)
                    || h.ips.iter().any(|ip| view.ips.contains(ip))
            });
            for host in hosts {
                let get = |key: &str| host.labels.get(key);
                out = out.or(selector.matches(&get).into());
            }
        }
        for set in &self.world.network_sets {
            if self.set_matches(set, selector, scope) {
                out = out.or(self.in_any(&set.nets, view, v6));
            }
        }
        out
    }

    fn set_matches(&self, set: &NetworkSet, selector: &Expression, scope: &Scope) -> bool {
        let namespace = set
            .namespace
            .as_ref()
            .and_then(|name| self.world.namespace(name));
        let here = match scope {
            Scope::Anywhere => true,
            Scope::Global => set.namespace.is_none(),
            Scope::Namespace(name) => set.namespace.as_ref() == Some(name),
            Scope::Namespaces(expression) => {
                namespace.is_some_and(|ns| self.namespace_expression(expression, ns) == Tri::Yes)
            }
        };
        let get = |key: &str| match key.strip_prefix("pcns.") {
            Some(key) => namespace.and_then(|ns| {
                if key == CALICO_NAME {
                    Some(&*ns.name)
                } else {
                    ns.labels.get(key)
                }
            }),
            None if key == CALICO_NAMESPACE => set.namespace.as_deref(),
            None => set.labels.get(key),
        };
        here && selector.matches(&get)
    }

    fn behind_service(
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
