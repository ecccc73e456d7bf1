//! What the engine knows of a cluster: pods, namespaces, nodes, services, and policies in one common form.
//!
//! Every policy language is brought into the same shape: **tiers** in order, in each tier **policies** in order,
//! in each policy **rules** in order. Kubernetes NetworkPolicies are a tier of allow-only policies that ends
//! in "deny"; admin and baseline policies are tiers that end in "pass"; Calico's tiers are what they are.
//! That this is the right shape for a mixed cluster follows from Calico's own placement of the Kubernetes kinds:
//! `kube-admin` (order 1,000), `default` (1,000,000), `kube-baseline` (10,000,000).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::expression::Expression;
use crate::labels::{LabelSelector, Labels};
use crate::net::Cidr;
use crate::traffic::Protocol;

/// The namespace of an object that names none.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The label that the API server sets on every namespace.
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Where in the input something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Name of the text.
    pub source: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// A namespace, declared or only mentioned by an object in it.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Name.
    pub name: Arc<str>,
    /// Labels, with `kubernetes.io/metadata.name`.
    pub labels: Labels,
    /// Whether a Namespace object was among the inputs. Of the others, only the name label is known.
    pub declared: bool,
}

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerPort {
    /// Name, when given.
    pub name: Option<Arc<str>>,
    /// Protocol.
    pub protocol: Protocol,
    /// Number.
    pub number: u16,
}

/// A pod, or the pods that a workload makes: they are alike, so one stands for all.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name of the object that was read.
    pub name: Arc<str>,
    /// Kind of the object that was read, such as `Deployment` or `Pod`.
    pub kind: Arc<str>,
    /// Kind and name of the controller, for a pod that names one.
    pub owner: Option<(Arc<str>, Arc<str>)>,
    /// Labels of the pod.
    pub labels: Labels,
    /// Labels its controller selects pods by: guaranteed to stay for the life of the workload.
    pub owner_labels: Labels,
    /// Declared ports of all containers that run for the pod's whole life.
    pub ports: Vec<ContainerPort>,
    /// Addresses, when known.
    pub ips: Vec<IpAddr>,
    /// Node, when known.
    pub node: Option<Arc<str>>,
    /// Address of its node, when known.
    pub host_ips: Vec<IpAddr>,
    /// Service account.
    pub service_account: Arc<str>,
    /// Shares the node's network: policies do not bind it.
    pub host_network: bool,
    /// A process in it can leave it: a privileged container, or one that shares the node's process table.
    pub privileged: bool,
    /// Has finished: its address may belong to another pod by now, so no selector finds it.
    pub terminated: bool,
    /// The networks it is attached to besides the pod network, as `namespace/name` of the attachment.
    pub attachments: Vec<Arc<str>>,
    /// Addresses on those networks, when the inputs fix them.
    pub attached_ips: Vec<(Arc<str>, IpAddr)>,
    /// Where it was read.
    pub place: Place,
}

impl Pod {
    /// Name of the workload for people: the controller when there is one, else the object itself.
    pub fn workload(&self) -> Workload {
        let (kind, name) = self.owner.as_ref().map_or_else(
            || (self.kind.clone(), self.name.clone()),
            |(kind, name)| (kind.clone(), name.clone()),
        );
        Workload {
            namespace: self.namespace.clone(),
            name,
            kind,
        }
    }
}

/// The thing people deploy, of which pods are copies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Workload {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}[{}]", self.namespace, self.name, self.kind)
    }
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name.
    pub name: Arc<str>,
    /// Labels.
    pub labels: Labels,
    /// Addresses.
    pub ips: Vec<IpAddr>,
}

/// A Calico host endpoint: an interface of a node, with labels of its own.
#[derive(Clone, Debug)]
pub struct HostEndpoint {
    /// Name.
    pub name: Arc<str>,
    /// Labels.
    pub labels: Labels,
    /// Node it belongs to.
    pub node: Arc<str>,
    /// Addresses it is expected to have.
    pub ips: Vec<IpAddr>,
}

/// A Calico network set: named blocks with labels.
#[derive(Clone, Debug)]
pub struct NetworkSet {
    /// Name.
    pub name: Arc<str>,
    /// Namespace; `None` for a global set.
    pub namespace: Option<Arc<str>>,
    /// Labels.
    pub labels: Labels,
    /// Blocks.
    pub nets: Vec<Cidr>,
}

/// A service account, known when its object was among the inputs.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Labels.
    pub labels: Labels,
}

/// A port number or the name of a container port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PortRef {
    /// A number.
    Number(u16),
    /// A name that each pod resolves for itself.
    Name(Arc<str>),
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A port of a Service.
#[derive(Clone, Debug)]
pub struct ServicePort {
    /// Name, when given.
    pub name: Option<Arc<str>>,
    /// Protocol.
    pub protocol: Protocol,
    /// The port at the Service's address.
    pub port: u16,
    /// The port at the pod.
    pub target: PortRef,
}

/// A Service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Selector; `None` for a Service whose endpoints somebody else maintains.
    pub selector: Option<LabelSelector>,
    /// Ports.
    pub ports: Vec<ServicePort>,
    /// Cluster addresses, when known.
    pub ips: Vec<IpAddr>,
    /// Reachable from outside through nodes or a load balancer.
    pub exposed: bool,
}

/// A way in through an ingress controller: an Ingress backend or an OpenShift Route.
#[derive(Clone, Debug)]
pub struct IngressBackend {
    /// Namespace of the Service.
    pub namespace: Arc<str>,
    /// The Service.
    pub service: Arc<str>,
    /// Port of the Service by number or name; `None` means all of them.
    pub port: Option<PortRef>,
}

/// Which way a connection crosses a pod's border.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Into the pod.
    Ingress,
    /// Out of the pod.
    Egress,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Let through, and look no further.
    Allow,
    /// Drop, and look no further.
    Deny,
    /// Leave this tier; the next one decides.
    Pass,
    /// Write a log line and go on.
    Log,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allows",
            Self::Deny => "denies",
            Self::Pass => "passes on",
            Self::Log => "logs",
        })
    }
}

/// Which namespaces a peer or a subject lives in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NamespaceMatch {
    /// The policy's own.
    Own(Arc<str>),
    /// All whose labels match.
    Selected(LabelSelector),
}

/// Where a Calico selector looks for endpoints and network sets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everywhere, namespaced or not.
    Anywhere,
    /// In one namespace.
    Namespace(Arc<str>),
    /// In namespaces whose labels match.
    Namespaces(Expression),
    /// In no namespace: global network sets and host endpoints.
    Global,
}

/// One end of a Calico rule. All that is given must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entity {
    /// Blocks, one of which must hold the address.
    pub nets: Vec<Cidr>,
    /// Blocks, none of which may hold the address.
    pub not_nets: Vec<Cidr>,
    /// Endpoints and network sets that must be it; `None` when the rule has no positive selector.
    pub selector: Option<Expression>,
    /// Where the selector looks.
    pub scope: Scope,
    /// Endpoints and network sets that must not be it.
    pub not_selector: Option<Expression>,
    /// Names of service accounts, one of which it must run as.
    pub account_names: Vec<Arc<str>>,
    /// Labels that its service account must have.
    pub account_selector: Option<Expression>,
    /// Namespace and name of a Service that must have it as an endpoint.
    pub service: Option<(Arc<str>, Arc<str>)>,
}

impl Entity {
    /// Matches everything.
    pub fn anything() -> Self {
        Self {
            nets: Vec::new(),
            not_nets: Vec::new(),
            selector: None,
            scope: Scope::Anywhere,
            not_selector: None,
            account_names: Vec::new(),
            account_selector: None,
            service: None,
        }
    }

    /// Whether it matches everything.
    pub fn is_anything(&self) -> bool {
        *self == Self::anything()
    }
}

/// One alternative of a rule's `from` or `to`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Pods by namespace and labels.
    Pods(NamespaceMatch, LabelSelector),
    /// Addresses in a block but for some.
    Block(Cidr, Vec<Cidr>),
    /// Nodes by labels.
    Nodes(LabelSelector),
    /// DNS names; `*.` at the front stands for any labels.
    Domains(Vec<Arc<str>>),
    /// Calico's form.
    Entity(Box<Entity>),
    /// A kind of peer that this version does not know: nothing, or everything, whichever lets less through.
    Unknown {
        /// The unknown field.
        field: Arc<str>,
        /// Whether it stands for everything (in a rule that denies or passes) or nothing.
        everything: bool,
    },
}

/// A port condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PortMatch {
    /// Any port, or no port at all.
    Any,
    /// Both ends included.
    Range(u16, u16),
    /// The name of a container port, which each destination resolves for itself.
    Named(Arc<str>),
}

/// One alternative of a rule's ports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PortTerm {
    /// Protocol; `None` when any will do.
    pub protocol: Option<Protocol>,
    /// Port.
    pub port: PortMatch,
}

/// What a rule says about protocol and destination port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Traffic {
    /// The protocol it must be.
    pub protocol: Option<Protocol>,
    /// The protocol it must not be.
    pub not_protocol: Option<Protocol>,
    /// Alternatives, one of which must hold; none means any.
    pub ports: Vec<PortTerm>,
    /// Alternatives, none of which may hold.
    pub not_ports: Vec<PortTerm>,
    /// Address family it is restricted to; true is IPv6.
    pub family: Option<bool>,
    /// A condition that a (protocol, port) question cannot answer, in words: a source port, an ICMP type, a path.
    pub caveat: Option<Arc<str>>,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Name, when given.
    pub name: Option<Arc<str>>,
    /// What it does.
    pub action: Action,
    /// The other end of the connection; none means anybody.
    pub peers: Vec<Peer>,
    /// Conditions on this end of the connection (Calico's `destination` of an ingress rule).
    pub own: Option<Box<Entity>>,
    /// Protocol and port.
    pub traffic: Traffic,
    /// Where it stands.
    pub place: Place,
}

/// The pods that a policy is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// By namespace and labels.
    Pods(NamespaceMatch, LabelSelector),
    /// By Calico selectors.
    Calico {
        /// Where.
        scope: Scope,
        /// Endpoints.
        selector: Expression,
        /// Their service accounts.
        accounts: Option<Expression>,
    },
}

/// What a policy of Calico's staged kinds would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// Would be set.
    Set,
    /// Would delete the policy of the same name.
    Delete,
    /// Watches only.
    Learn,
    /// Is ignored.
    Ignore,
}

/// Identity of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId {
    /// Kind.
    pub kind: Arc<str>,
    /// Namespace of a namespaced kind.
    pub namespace: Option<Arc<str>>,
    /// Name.
    pub name: Arc<str>,
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// A policy of any language.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Identity.
    pub id: PolicyId,
    /// Tier it belongs to.
    pub tier: Arc<str>,
    /// Place among the policies of its tier; lower first, infinity when not given, ties by name.
    pub order: f64,
    /// The pods it is about.
    pub subject: Subject,
    /// Rules for connections to them; `None` when the policy says nothing about that direction.
    pub ingress: Option<Vec<Rule>>,
    /// Rules for connections from them.
    pub egress: Option<Vec<Rule>>,
    /// Set for the staged kinds, which are never enforced.
    pub staged: Option<Staged>,
    /// The network it is for (`namespace/name` of an attachment); `None` for the pod network.
    pub network: Option<Vec<Arc<str>>>,
    /// Description or title that people gave it, with its annotations' text; the lint compares it with the effect.
    pub title: Option<Arc<str>>,
    /// Where it stands.
    pub place: Place,
}

impl Policy {
    /// The rules of a direction; `None` when the policy says nothing about it.
    pub fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }
}

/// What happens to a connection that reached a tier, was subject to it, and matched no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TierEnd {
    /// It is dropped.
    Deny,
    /// The next tier decides.
    Pass,
}

/// A tier with its policies in order.
#[derive(Clone, Debug)]
pub struct Tier {
    /// Name.
    pub name: Arc<str>,
    /// Lower first; infinity when not given.
    pub order: f64,
    /// What happens at the end.
    pub end: TierEnd,
    /// Policies in order. Staged ones are here too and are skipped.
    pub policies: Vec<Policy>,
}

/// Name and order of the tier of admin policies.
pub const ADMIN_TIER: (&str, f64) = ("kube-admin", 1_000.0);
/// Name and order of the tier of Kubernetes NetworkPolicies and of Calico policies that name none.
pub const DEFAULT_TIER: (&str, f64) = ("default", 1_000_000.0);
/// Name and order of the tier of baseline policies.
pub const BASELINE_TIER: (&str, f64) = ("kube-baseline", 10_000_000.0);
/// Where Calico puts Kubernetes NetworkPolicies among the policies of the default tier.
pub const NETWORK_POLICY_ORDER: f64 = 1_000.0;

/// A network beside or instead of the pod network.
#[derive(Clone, Debug)]
pub struct ExtraNetwork {
    /// Name.
    pub name: Arc<str>,
    /// Namespace of a namespaced definition.
    pub namespace: Option<Arc<str>>,
    /// How people call the kind: `UDN`, `CUDN` or `NAD`.
    pub label: &'static str,
    /// True when it replaces the pod network in its namespaces.
    pub primary: bool,
    /// Namespaces that may use it.
    pub namespaces: Vec<Arc<str>>,
    /// Name in the attachment's configuration, when it has one of its own.
    pub config_name: Option<Arc<str>>,
}

/// All that is known of a cluster.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// By name.
    pub namespaces: Vec<Namespace>,
    /// In the order read.
    pub pods: Vec<Pod>,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Host endpoints.
    pub host_endpoints: Vec<HostEndpoint>,
    /// Network sets.
    pub network_sets: Vec<NetworkSet>,
    /// Service accounts.
    pub accounts: Vec<ServiceAccount>,
    /// Services.
    pub services: Vec<Service>,
    /// Ways in through an ingress controller.
    pub backends: Vec<IngressBackend>,
    /// Tiers in order of evaluation.
    pub tiers: Vec<Tier>,
    /// Networks beside the pod network.
    pub networks: Vec<ExtraNetwork>,
}

impl World {
    /// The namespace called `name`.
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces
            .binary_search_by(|ns| (*ns.name).cmp(name))
            .ok()
            .map(|at| &self.namespaces[at])
    }

    /// All policies in order of evaluation.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.tiers.iter().flat_map(|tier| &tier.policies)
    }

    /// The service account of a pod, when its object was among the inputs.
    pub fn account(&self, namespace: &str, name: &str) -> Option<&ServiceAccount> {
        self.accounts
            .iter()
            .find(|a| *a.namespace == *namespace && *a.name == *name)
    }

    /// Puts a policy into its tier, in order; the tier is made with Calico's default end when it is not there.
    pub fn insert(&mut self, policy: Policy) {
        let at = match self.tiers.iter().position(|t| t.name == policy.tier) {
            Some(at) => at,
            None => {
                self.tiers.push(Tier {
                    name: policy.tier.clone(),
                    order: f64::INFINITY,
                    end: TierEnd::Deny,
                    policies: Vec::new(),
                });
                self.sort();
                self.tiers
                    .iter()
                    .position(|t| t.name == policy.tier)
                    .expect("the tier was pushed just above")
            }
        };
        self.tiers[at].policies.push(policy);
    }

    /// Brings tiers and policies into order of evaluation. Call after [`World::insert`].
    pub fn sort(&mut self) {
        self.tiers.sort_by(|a, b| {
            a.order
                .total_cmp(&b.order)
                .then_with(|| a.name.cmp(&b.name))
        });
        for tier in &mut self.tiers {
            tier.policies.sort_by(|a, b| {
                a.order
                    .total_cmp(&b.order)
                    .then_with(|| a.id.name.cmp(&b.id.name))
                    .then_with(|| a.id.cmp(&b.id))
            });
        }
    }
}
