//! From what people write (`ns/pod`, an address, a Service, a DNS name) to parties and ports.

use std::net::IpAddr;

use rustc_hash::FxHashMap;

use super::{Matcher, Party, target_ports};
use crate::model::{DEFAULT_NAMESPACE, Pod, PortRef, Service, World};
use crate::traffic::Protocol;

/// Suffixes of Service names as pods resolve them.
const SERVICE_SUFFIXES: [&str; 2] = [".svc.cluster.local", ".svc"];

/// What a reference turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One party. Pods of one workload are alike, so one stands for all.
    One(Party),
    /// A Service, by index into [`World::services`]: connections go to one of its pods.
    Service(usize),
}

/// A destination with its port settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The party.
    pub party: Party,
    /// The port at that party.
    pub port: u16,
}

/// Why a reference could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nothing of that name.
    #[error("`{0}` is no pod, workload, Service, node or address in the inputs{1}")]
    Unknown(String, String),
    /// A Service that leads nowhere.
    #[error("Service {0} has no pod among the inputs to lead to")]
    NoEndpoints(String),
    /// A port that the Service does not offer.
    #[error("Service {0} has no port {1}/{2}")]
    NoServicePort(String, PortRef, Protocol),
    /// A named port that the destination does not declare.
    #[error("{0} declares no {2} port named `{1}`")]
    NoNamedPort(String, String, Protocol),
}

/// Finds parties by name and address without walking the world each time.
#[derive(Debug, Default)]
pub struct Directory {
    pods: FxHashMap<String, Vec<usize>>,
    addresses: FxHashMap<IpAddr, Place>,
    services: FxHashMap<String, usize>,
}

impl Directory {
    /// Indexes a world.
    pub fn new(world: &World) -> Self {
        let mut out = Self::default();
        for (index, pod) in world.pods.iter().enumerate() {
            let key = format!("{}/{}", pod.namespace, pod.name);
            out.pods.entry(key).or_default().push(index);
            if let Some((_, owner)) = &pod.owner {
                let key = format!("{}/{owner}", pod.namespace);
                out.pods.entry(key).or_default().push(index);
            }
            if !pod.terminated && !pod.host_network {
                for ip in &pod.ips {
                    out.addresses
                        .entry(ip.to_canonical())
                        .or_insert(Place::One(Party::Pod(index)));
                }
            }
        }
        for (index, service) in world.services.iter().enumerate() {
            let key = format!("{}/{}", service.namespace, service.name);
            out.services.insert(key, index);
            for ip in &service.ips {
                out.addresses
                    .entry(ip.to_canonical())
                    .or_insert(Place::Service(index));
            }
        }
        for (index, node) in world.nodes.iter().enumerate() {
            for ip in &node.ips {
                out.addresses
                    .entry(ip.to_canonical())
                    .or_insert(Place::One(Party::Node(index)));
            }
        }
        out
    }

    /// Resolves what a person wrote:
    /// an address; `ns/name` of a pod, workload or Service; `ns/Kind/name`; `node/name`; `service/ns/name`;
    /// `name.ns.svc[.cluster.local]`; a DNS name. Without a namespace, `default`.
    pub fn find(&self, world: &World, text: &str) -> Result<Place, ResolveError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            let address = address.to_canonical();
            return Ok(self
                .addresses
                .get(&address)
                .cloned()
                .unwrap_or(Place::One(Party::Address(address))));
        }
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            ["node", name] => {
                if let Some(index) = world.nodes.iter().position(|n| *n.name == *name) {
                    return Ok(Place::One(Party::Node(index)));
                }
            }
            ["service" | "svc", namespace, name] => {
                if let Some(index) = self.services.get(&format!("{namespace}/{name}")) {
                    return Ok(Place::Service(*index));
                }
            }
            [namespace, kind, name] => {
                let found = self.pods.get(&format!("{namespace}/{name}"));
                let of_kind = found.into_iter().flatten().find(|&&index| {
                    let pod = &world.pods[index];
                    pod.kind.eq_ignore_ascii_case(kind)
                        || pod
                            .owner
                            .as_ref()
                            .is_some_and(|(k, _)| k.eq_ignore_ascii_case(kind))
                });
                if let Some(index) = of_kind {
                    return Ok(Place::One(Party::Pod(*index)));
                }
            }
            [namespace, name] => {
                if let Some(place) = self.named(world, namespace, name) {
                    return Ok(place);
                }
            }
            [name] => {
                if let Some(place) = self.named(world, DEFAULT_NAMESPACE, name) {
                    return Ok(place);
                }
                if let Some(place) = self.dns(name) {
                    return Ok(place);
                }
            }
            _ => {}
        }
        Err(ResolveError::Unknown(text.into(), self.hint(world, text)))
    }

    fn named(&self, world: &World, namespace: &str, name: &str) -> Option<Place> {
        let key = format!("{namespace}/{name}");
        if let Some(pods) = self.pods.get(&key) {
            // A running pod before one that has finished.
            let best = pods.iter().find(|&&i| !world.pods[i].terminated);
            return best
                .or(pods.first())
                .map(|index| Place::One(Party::Pod(*index)));
        }
        if let Some(index) = self.services.get(&key) {
            return Some(Place::Service(*index));
        }
        // `web-0` of StatefulSet `web`; `web-5d9c7b-x2x4z` of Deployment `web`.
        let mut rest = name;
        for kinds in [
            &["StatefulSet", "ReplicaSet", "DaemonSet", "Job"][..],
            &["Deployment", "CronJob"],
        ] {
            let (front, back) = rest.rsplit_once('-')?;
            rest = front;
            let found = self.pods.get(&format!("{namespace}/{front}"));
            let owner = found.into_iter().flatten().find(|&&index| {
                let pod = &world.pods[index];
                kinds.contains(&&*pod.kind)
                    && (*pod.kind != *"StatefulSet" || back.bytes().all(|b| b.is_ascii_digit()))
            });
            if let Some(index) = owner {
                return Some(Place::One(Party::Pod(*index)));
            }
        }
        None
    }

    fn dns(&self, name: &str) -> Option<Place> {
        let name = name.trim_end_matches('.');
        for suffix in SERVICE_SUFFIXES {
            if let Some(front) = name.strip_suffix(suffix) {
                let (service, namespace) = front.rsplit_once('.')?;
                return self
                    .services
                    .get(&format!("{namespace}/{service}"))
                    .map(|index| Place::Service(*index));
            }
        }
        let outside = name.contains('.')
            && name.split('.').all(|label| {
                !label.is_empty()
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            });
        outside.then(|| Place::One(Party::Name(name.into())))
    }

    /// Names the namespaces that do have something of the last part of the name.
    fn hint(&self, world: &World, text: &str) -> String {
        const SHOWN: usize = 3;
        let name = text.rsplit('/').next().unwrap_or(text);
        let found: Vec<String> = world
            .pods
            .iter()
            .filter(|p| *p.name == *name && self.pods.len() < 100_000)
            .take(SHOWN)
            .map(|p| format!("{}/{}", p.namespace, p.name))
            .collect();
        if found.is_empty() {
            String::new()
        } else {
            format!("; there is {}", found.join(", "))
        }
    }
}

/// Settles a destination and a port: a Service leads to its pods and their target ports, before any policy is asked.
pub fn resolve(
    matcher: &Matcher<'_>,
    place: &Place,
    protocol: Protocol,
    port: &PortRef,
) -> Result<Vec<Target>, ResolveError> {
    let world = matcher.world;
    match place {
        Place::One(party) => {
            let PortRef::Name(name) = port else {
                let PortRef::Number(port) = port else {
                    return Ok(Vec::new());
                };
                return Ok(vec![Target {
                    party: party.clone(),
                    port: *port,
                }]);
            };
            let found = match party {
                Party::Pod(index) => target_ports(&world.pods[*index], port, protocol),
                _ => Vec::new(),
            };
            if found.is_empty() {
                return Err(ResolveError::NoNamedPort(
                    matcher.name(party),
                    name.to_string(),
                    protocol,
                ));
            }
            Ok(found
                .into_iter()
                .map(|port| Target {
                    party: party.clone(),
                    port,
                })
                .collect())
        }
        Place::Service(index) => {
            let service = &world.services[*index];
            let title = format!("{}/{}", service.namespace, service.name);
            let offered = service.ports.iter().find(|p| {
                p.protocol == protocol
                    && match port {
                        PortRef::Number(number) => p.port == *number,
                        PortRef::Name(name) => p.name.as_ref() == Some(name),
                    }
            });
            let Some(offered) = offered else {
                return Err(ResolveError::NoServicePort(title, port.clone(), protocol));
            };
            let mut out = Vec::new();
            for (pod_index, pod) in backends(world, service) {
                for port in target_ports(pod, &offered.target, protocol) {
                    out.push(Target {
                        party: Party::Pod(pod_index),
                        port,
                    });
                }
            }
            if out.is_empty() {
                return Err(ResolveError::NoEndpoints(title));
            }
            Ok(out)
        }
    }
}

/// The running pods behind a Service.
pub fn backends<'w>(
    world: &'w World,
    service: &'w Service,
) -> impl Iterator<Item = (usize, &'w Pod)> {
    world.pods.iter().enumerate().filter(move |(_, pod)| {
        !pod.terminated
            && pod.namespace == service.namespace
            && service
                .selector
                .as_ref()
                .is_some_and(|s| s.matches(&pod.labels))
    })
}
