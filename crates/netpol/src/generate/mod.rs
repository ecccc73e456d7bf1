//! Least-privilege policies from recorded flows.
//!
//! One policy for each workload and direction that has flows. Peers in the cluster are selected by the name of their
//! namespace and by labels that last ([`stability`]); peers outside are blocks. The result is checked in the
//! simulator before it is handed out: rules without which every recorded flow still goes through are dropped.

mod emit;
mod prune;
pub mod stability;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

pub use emit::{Format, emit};

use crate::evaluate::{Assumptions, Directory, Party};
use crate::flow::{Flow, parties};
use crate::labels::{LabelSelector, Labels};
use crate::model::{
    Action, DEFAULT_TIER, Direction, NAMESPACE_NAME_LABEL, NETWORK_POLICY_ORDER, NamespaceMatch,
    Peer, Place, Pod, Policy, PolicyId, PortMatch, PortTerm, Rule, Subject, Traffic, World,
};
use crate::net::Cidr;
use crate::traffic::Protocol;

/// The instance metadata service of clouds: credentials of the node. Never allowed by generation.
const METADATA_SERVICE: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];
/// The port of DNS at a Service.
const DNS_PORT: u16 = 53;

/// What to generate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Write ingress policies.
    pub ingress: bool,
    /// Write egress policies.
    pub egress: bool,
    /// Prefix length that external IPv4 addresses are widened to.
    pub widen_v4: u8,
    /// Prefix length that external IPv6 addresses are widened to.
    pub widen_v6: u8,
    /// Allow DNS to the cluster's DNS pods also where no lookup was recorded.
    pub dns_always: bool,
    /// Only workloads of this namespace get policies.
    pub namespace: Option<Arc<str>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ingress: true,
            egress: true,
            widen_v4: 32,
            widen_v6: 128,
            dns_always: false,
            namespace: None,
        }
    }
}

/// The other end of a generated rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remote {
    /// Pods.
    Pods {
        /// Namespace.
        namespace: Arc<str>,
        /// Labels.
        labels: Vec<(Arc<str>, Arc<str>)>,
    },
    /// Addresses.
    Block(Cidr),
}

/// A generated rule: one peer, its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedRule {
    /// The other end.
    pub remote: Remote,
    /// Protocols and ports, sorted.
    pub ports: BTreeSet<(Protocol, u16)>,
    /// What a reader should know, one line each.
    pub comments: BTreeSet<String>,
}

/// A generated policy for one workload and direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedPolicy {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name: the workload's and the direction.
    pub name: String,
    /// Direction.
    pub direction: Direction,
    /// Labels of the pods it is for.
    pub subject: Labels,
    /// Rules, sorted by peer.
    pub rules: Vec<GeneratedRule>,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Generated {
    /// Policies, sorted by namespace and name.
    pub policies: Vec<GeneratedPolicy>,
    /// What was left out or deserves attention, sorted.
    pub notes: Vec<String>,
}

/// Ports to one peer, and what to say about them.
type Observations = (BTreeSet<(Protocol, u16)>, BTreeSet<String>);

/// Everything observed of one workload in one direction.
#[derive(Default)]
struct Observed {
    /// A pod that stands for the workload.
    pod: usize,
    rules: BTreeMap<Remote, Observations>,
}

struct Generator<'a> {
    world: &'a World,
    options: &'a Options,
    observed: BTreeMap<(Arc<str>, Arc<str>, Direction), Observed>,
    notes: BTreeSet<String>,
    /// The questions that must be answered with yes afterwards.
    questions: BTreeSet<(usize, usize, u8, u16)>,
    outside: BTreeSet<(usize, IpAddr, bool, u8, u16)>,
}

/// Generates policies that allow the recorded flows that went through, and nothing else for the workloads in them.
pub fn generate(world: &World, flows: &[Flow], options: &Options) -> Generated {
    let assumptions = Assumptions::default();
    let directory = Directory::new(world);
    let mut generator = Generator {
        world,
        options,
        observed: BTreeMap::new(),
        notes: BTreeSet::new(),
        questions: BTreeSet::new(),
        outside: BTreeSet::new(),
    };
    for flow in flows {
        if flow.allowed == Some(false) {
            continue;
        }
        if flow.port.is_none() || !flow.protocol.has_ports() {
            generator.notes.insert(format!(
                "left out: {} -> {} over {}: Kubernetes policies speak of TCP, UDP and SCTP only",
                flow.source, flow.destination, flow.protocol
            ));
            continue;
        }
        match parties(world, &directory, &assumptions, flow) {
            Ok((from, targets)) => {
                for target in targets {
                    generator.observe(flow, &from, &target.party, target.port);
                }
            }
            Err(error) => {
                generator.notes.insert(format!(
                    "left out: {} -> {}: {error}",
                    flow.source, flow.destination
                ));
            }
        }
    }
    generator.finish(&assumptions)
}

impl Generator<'_> {
    fn wants(&self, pod: &Pod, direction: Direction) -> bool {
        let asked = match direction {
            Direction::Ingress => self.options.ingress,
            Direction::Egress => self.options.egress,
        };
        asked
            && !pod.host_network
            && !pod.terminated
            && self
                .options
                .namespace
                .as_ref()
                .is_none_or(|ns| *ns == pod.namespace)
    }

    fn observe(&mut self, flow: &Flow, from: &Party, to: &Party, port: u16) {
        if from == to {
            return;
        }
        let metadata =
            matches!(to, Party::Address(a) if METADATA_SERVICE.contains(&a.to_string().as_str()));
        if metadata {
            let process = flow.process.as_deref().unwrap_or("an unknown process");
            self.notes.insert(format!(
                "not allowed: {} reached the instance metadata service ({}) as {process}; it hands out the node's credentials",
                flow.source, flow.destination
            ));
            return;
        }
        for (direction, own, other) in [
            (Direction::Egress, from, to),
            (Direction::Ingress, to, from),
        ] {
            let Party::Pod(index) = own else { continue };
            let pod = &self.world.pods[*index];
            if pod.host_network {
                self.notes.insert(format!(
                    "no policy for {}/{}: it runs with hostNetwork, and policies do not bind it",
                    pod.namespace, pod.name
                ));
            }
            if !self.wants(pod, direction) {
                continue;
            }
            self.rule(flow, direction, *index, other, port);
        }
        match (from, to) {
            (Party::Pod(a), Party::Pod(b)) => {
                self.questions.insert((*a, *b, flow.protocol.0, port));
            }
            (Party::Pod(pod), Party::Address(address)) => {
                self.outside
                    .insert((*pod, *address, true, flow.protocol.0, port));
            }
            (Party::Address(address), Party::Pod(pod)) => {
                self.outside
                    .insert((*pod, *address, false, flow.protocol.0, port));
            }
            _ => {}
        }
    }

    /// Another pod of the same workload, or another one that stands for it, is no "other".
    fn others(&self, index: usize) -> Vec<&Pod> {
        let workload = self.world.pods[index].workload();
        self.world
            .pods
            .iter()
            .filter(|p| p.namespace == workload.namespace && p.workload() != workload)
            .collect()
    }

    fn rule(&mut self, flow: &Flow, direction: Direction, own: usize, other: &Party, port: u16) {
        let world = self.world;
        let subject = world.pods[own].workload();
        let mut comments = BTreeSet::new();
        let mut ports = BTreeSet::from([(flow.protocol, port)]);
        let remote = match other {
            Party::Pod(index) if !world.pods[*index].host_network => {
                let peer = &world.pods[*index];
                let (labels, shared) = stability::choose(peer, &self.others(*index));
                if labels.is_empty() {
                    self.notes.insert(format!(
                        "{subject}: {} has no label that lasts; every pod of its namespace is allowed",
                        peer.workload()
                    ));
                } else if shared {
                    comments.insert(format!("{labels} also selects other workloads"));
                }
                if direction == Direction::Egress && is_dns(peer, port, flow) {
                    ports.extend([(Protocol::UDP, port), (Protocol::TCP, port)]);
                    comments.insert("DNS needs TCP too: long answers do not fit UDP".into());
                }
                Remote::Pods {
                    namespace: peer.namespace.clone(),
                    labels: labels.pairs().to_vec(),
                }
            }
            Party::Pod(index) => {
                let peer = &world.pods[*index];
                let Some(ip) = peer.ips.first().or(peer.host_ips.first()) else {
                    self.notes.insert(format!(
                        "left out: {subject} and {}/{}: it runs with hostNetwork at an address that is not known",
                        peer.namespace, peer.name
                    ));
                    return;
                };
                comments.insert(format!(
                    "{}/{} runs with hostNetwork: only its node's address names it",
                    peer.namespace, peer.name
                ));
                Remote::Block(Cidr::host(*ip))
            }
            Party::Address(address) => {
                let block = Cidr::host(*address);
                let prefix = if block.v6 {
                    self.options.widen_v6
                } else {
                    self.options.widen_v4
                };
                if let crate::flow::FlowEnd::Address(_, Some(name)) = &flow.destination {
                    comments.insert(format!("reached as {name}"));
                }
                if let Some(process) = &flow.process {
                    comments.insert(format!("by process {process}"));
                }
                Remote::Block(block.widened(prefix))
            }
            Party::Node(index) => {
                let node = &world.nodes[*index];
                let same = world.pods[own].node.as_ref() == Some(&node.name);
                if direction == Direction::Ingress && same {
                    // A pod's own node always reaches it.
                    return;
                }
                let Some(ip) = node.ips.first() else { return };
                comments.insert(format!("node {}", node.name));
                Remote::Block(Cidr::host(*ip))
            }
            Party::Name(name) => {
                self.notes.insert(format!(
                    "left out: {subject} -> {name}: record the address, Kubernetes policies know no names"
                ));
                return;
            }
            Party::Stranger => return,
        };
        let key = (subject.namespace, subject.name, direction);
        let observed = self.observed.entry(key).or_default();
        observed.pod = own;
        let rule = observed.rules.entry(remote).or_default();
        rule.0.extend(ports);
        rule.1.extend(comments);
    }

    fn add_dns(&mut self) {
        let dns = self
            .world
            .pods
            .iter()
            .position(|p| is_dns_pod(p) && !p.terminated);
        let Some(dns) = dns else {
            self.notes
                .insert("no DNS rule: the inputs have no pod of the cluster's DNS".into());
            return;
        };
        let pod = &self.world.pods[dns];
        let (labels, _) = stability::choose(pod, &self.others(dns));
        let port = pod
            .ports
            .iter()
            .find(|p| p.protocol == Protocol::UDP)
            .map_or(DNS_PORT, |p| p.number);
        let remote = Remote::Pods {
            namespace: pod.namespace.clone(),
            labels: labels.pairs().to_vec(),
        };
        let ports = BTreeSet::from([(Protocol::UDP, port), (Protocol::TCP, port)]);
        for (_, observed) in self
            .observed
            .iter_mut()
            .filter(|((.., direction), _)| *direction == Direction::Egress)
        {
            let rule = observed.rules.entry(remote.clone()).or_default();
            rule.0.extend(&ports);
            rule.1
                .insert("DNS, allowed without a recorded lookup".into());
        }
    }

    fn finish(mut self, assumptions: &Assumptions) -> Generated {
        if self.options.dns_always {
            self.add_dns();
        }
        let observed = std::mem::take(&mut self.observed);
        let mut policies = Vec::new();
        for ((namespace, name, direction), observed) in observed {
            let pod = &self.world.pods[observed.pod];
            let (subject, shared) = stability::choose(pod, &self.others(observed.pod));
            let workload = pod.workload();
            if subject.is_empty() {
                self.notes.insert(format!(
                    "no policy for {workload}: none of its labels lasts, so nothing could select it alone"
                ));
                continue;
            }
            if shared {
                self.notes.insert(format!(
                    "{workload}: the labels {subject} select other workloads of the namespace too"
                ));
            }
            let dns = observed.rules.values().any(|(ports, _)| {
                ports
                    .iter()
                    .any(|(_, port)| [DNS_PORT, 5353].contains(port))
            });
            if direction == Direction::Egress && !dns {
                self.notes.insert(format!(
                    "{workload}: no DNS lookup was recorded, so its policy allows none; names will not resolve unless you add the DNS rule"
                ));
            }
            policies.push(GeneratedPolicy {
                namespace,
                name: format!("{name}-{direction}"),
                direction,
                subject,
                rules: observed
                    .rules
                    .into_iter()
                    .map(|(remote, (ports, comments))| GeneratedRule {
                        remote,
                        ports,
                        comments,
                    })
                    .collect(),
            });
        }
        for (asked, direction) in [
            (self.options.ingress, Direction::Ingress),
            (self.options.egress, Direction::Egress),
        ] {
            if asked && !policies.iter().any(|p| p.direction == direction) {
                self.notes.insert(format!(
                    "no {direction} traffic was recorded, so no {direction} policy was written"
                ));
            }
        }
        self.prune(&mut policies, assumptions);
        Generated {
            policies,
            notes: self.notes.into_iter().collect(),
        }
    }
}

/// A generated policy as the simulator knows it.
pub fn as_policy(policy: &GeneratedPolicy) -> Policy {
    let rules = policy
        .rules
        .iter()
        .map(|rule| Rule {
            name: None,
            action: Action::Allow,
            peers: vec![match &rule.remote {
                Remote::Pods { namespace, labels } => Peer::Pods(
                    NamespaceMatch::Selected(LabelSelector::of_labels(&Labels::new([(
                        NAMESPACE_NAME_LABEL.into(),
                        namespace.clone(),
                    )]))),
                    LabelSelector::of_labels(&Labels::new(labels.iter().cloned())),
                ),
                Remote::Block(block) => Peer::Block(*block, Vec::new()),
            }],
            own: None,
            traffic: Traffic {
                ports: rule
                    .ports
                    .iter()
                    .map(|&(protocol, port)| PortTerm {
                        protocol: Some(protocol),
                        port: PortMatch::Range(port, port),
                    })
                    .collect(),
                ..Traffic::default()
            },
            place: Place::default(),
        })
        .collect();
    let ingress = policy.direction == Direction::Ingress;
    let rules = Some(rules);
    Policy {
        id: PolicyId {
            kind: "NetworkPolicy".into(),
            namespace: Some(policy.namespace.clone()),
            name: policy.name.as_str().into(),
        },
        tier: DEFAULT_TIER.0.into(),
        order: NETWORK_POLICY_ORDER,
        subject: Subject::Pods(
            NamespaceMatch::Own(policy.namespace.clone()),
            LabelSelector::of_labels(&policy.subject),
        ),
        ingress: if ingress { rules.clone() } else { None },
        egress: if ingress { None } else { rules },
        staged: None,
        network: None,
        title: None,
        place: Place::default(),
    }
}

/// Whether a pod is one of the cluster's DNS servers.
pub fn is_dns_pod(pod: &Pod) -> bool {
    let named =
        |key: &str, values: &[&str]| pod.labels.get(key).is_some_and(|v| values.contains(&v));
    named("k8s-app", &["kube-dns", "coredns"])
        || named("dns.operator.openshift.io/daemonset-dns", &["default"])
        || (*pod.namespace == *"kube-system"
            && named("app.kubernetes.io/name", &["coredns", "kube-dns"]))
}

fn is_dns(pod: &Pod, port: u16, flow: &Flow) -> bool {
    is_dns_pod(pod)
        && (flow.port == Some(DNS_PORT)
            || port == DNS_PORT
            || pod.ports.iter().any(|p| {
                p.number == port && p.name.as_deref().is_some_and(|n| n.starts_with("dns"))
            }))
}
