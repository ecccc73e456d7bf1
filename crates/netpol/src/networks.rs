//! Connectivity by network, where pods are on more than the pod network.
//!
//! A primary user-defined network takes its namespaces off the pod network: their pods reach one another and the
//! outside through it, under the same policies. Attachments add networks of their own, on which only
//! MultiNetworkPolicies hold, and which have no way to the outside that the inputs tell of.
//! Attachments of one name in several namespaces are one network.

use std::sync::Arc;

use crate::evaluate::Assumptions;
use crate::list::{Connectivity, Peer, connectivity};
use crate::model::{ExtraNetwork, Pod, World};

/// Which network a map is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Title {
    /// The network that every pod has by default. The flag says whether any workload is on it.
    PodNetwork(bool),
    /// A primary network, with the word for its kind.
    Primary(&'static str, Arc<str>),
    /// A secondary network.
    Secondary(Arc<str>),
}

impl Title {
    /// A heading.
    pub fn line(&self) -> String {
        match self {
            Self::PodNetwork(_) => "In the pod network:".into(),
            Self::Primary(kind, name) => format!("In primary {kind} {name}:"),
            Self::Secondary(name) => format!("In secondary NAD {name}:"),
        }
    }

    /// What to say when there is no line.
    pub fn nothing(&self, _map: &Connectivity) -> String {
        match self {
            Self::PodNetwork(false) => {
                "no workload: all have a primary network of their own".into()
            }
            _ => "nothing is allowed".into(),
        }
    }

    /// Name of the network.
    pub fn network(&self) -> String {
        match self {
            Self::PodNetwork(_) => "pod-network".into(),
            Self::Primary(_, name) | Self::Secondary(name) => name.to_string(),
        }
    }

    /// A peer on the network: in a namespace's own network the namespace is marked as one.
    pub fn peer(&self, peer: &Peer) -> String {
        match (self, peer) {
            (Self::Primary("UDN", _), Peer::Workload(w)) => {
                format!("{}[udn]/{}[{}]", w.namespace, w.name, w.kind)
            }
            _ => peer.to_string(),
        }
    }
}

/// The primary network of a namespace, when it has one of its own.
pub fn primary<'w>(world: &'w World, namespace: &str) -> Option<&'w ExtraNetwork> {
    world
        .networks
        .iter()
        .find(|n| n.primary && n.namespaces.iter().any(|ns| **ns == *namespace))
}

/// One map for each network that has workloads; a single one without a title in an ordinary cluster.
pub fn maps(world: &World, assumptions: &Assumptions) -> Vec<(Option<Title>, Connectivity)> {
    let used = world
        .networks
        .iter()
        .any(|n| n.label == "NAD" || !n.namespaces.is_empty());
    if !used {
        return vec![(None, connectivity(world, assumptions))];
    }
    let mut out = Vec::new();
    let plain = narrowed(world, |pod| primary(world, &pod.namespace).is_none());
    let title = Title::PodNetwork(!plain.pods.is_empty());
    let map = if plain.pods.is_empty() {
        Connectivity::default()
    } else {
        connectivity(&plain, assumptions)
    };
    out.push((Some(title), map));
    for kind in ["UDN", "CUDN"] {
        let mut networks: Vec<&ExtraNetwork> = world
            .networks
            .iter()
            .filter(|n| n.primary && n.label == kind)
            .collect();
        networks.sort_by(|a, b| (&a.name, &a.namespace).cmp(&(&b.name, &b.namespace)));
        for network in networks {
            let inside = narrowed(world, |pod| network.namespaces.contains(&pod.namespace));
            if inside.pods.is_empty() {
                continue;
            }
            // A namespace's own network goes by the name of the namespace, which is unique.
            let name = network
                .namespace
                .clone()
                .unwrap_or_else(|| network.name.clone());
            out.push((
                Some(Title::Primary(network.label, name)),
                connectivity(&inside, assumptions),
            ));
        }
    }
    let mut names: Vec<&Arc<str>> = world
        .networks
        .iter()
        .filter(|n| n.label == "NAD")
        .map(|n| &n.name)
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        if let Some(map) = secondary(world, assumptions, name) {
            out.push((Some(Title::Secondary(name.clone())), map));
        }
    }
    out
}

fn narrowed(world: &World, keep: impl Fn(&Pod) -> bool) -> World {
    let mut out = world.clone();
    out.pods.retain(keep);
    out.networks.clear();
    out
}

fn secondary(world: &World, assumptions: &Assumptions, name: &str) -> Option<Connectivity> {
    let is = |attachment: &Arc<str>| {
        attachment.split_once('/').is_some_and(|(namespace, of)| {
            of == name
                && world.networks.iter().any(|n| {
                    n.label == "NAD"
                        && *n.name == *name
                        && n.namespace.as_deref() == Some(namespace)
                })
        })
    };
    let mut inside = narrowed(world, |pod| pod.attachments.iter().any(is));
    if inside.pods.is_empty() {
        return None;
    }
    inside.backends.clear();
    for pod in &mut inside.pods {
        pod.ips = pod
            .attached_ips
            .iter()
            .filter(|(attachment, _)| is(attachment))
            .map(|(_, ip)| *ip)
            .collect();
    }
    for tier in &mut inside.tiers {
        tier.policies.retain(|p| {
            p.network
                .as_ref()
                .is_some_and(|networks| networks.iter().any(is))
        });
        for policy in &mut tier.policies {
            policy.network = None;
        }
    }
    // There is no outside here: blocks can only mean the pods.
    let assumptions = Assumptions {
        blocks_hold_pods: true,
        ..assumptions.clone()
    };
    let mut map = connectivity(&inside, &assumptions);
    map.keep(|from, to| matches!((from, to), (Peer::Workload(_), Peer::Workload(_))));
    Some(map)
}
