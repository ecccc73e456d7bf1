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

use crate::labels::{LabelSelector, Labels};
use crate::net::Cidr;
pub use crate::policy::*;
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
        let known = |tiers: &[Tier]| tiers.iter().position(|t| t.name == policy.tier);
        let at = known(&self.tiers).unwrap_or_else(|| {
            self.tiers.push(Tier {
                name: policy.tier.clone(),
                order: f64::INFINITY,
                end: TierEnd::Deny,
                policies: Vec::new(),
            });
            self.sort();
            known(&self.tiers).expect("the tier was pushed just above")
        });
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
