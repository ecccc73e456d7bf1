//! Policies of every language in one common form, and what they consist of. Used through [`crate::model`].

use std::fmt;
use std::sync::Arc;

use crate::expression::Expression;
use crate::labels::LabelSelector;
use crate::model::Place;
use crate::net::Cidr;
use crate::traffic::Protocol;

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
