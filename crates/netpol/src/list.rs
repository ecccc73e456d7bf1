//! Who may talk to whom, workload by workload.
//!
//! Sources and destinations are workloads, ranges of addresses outside the cluster (cut where policies tell
//! addresses apart), and the ingress controller where an Ingress or a Route leads to a workload through a Service.

use std::fmt;

use rustc_hash::FxHashMap;

use crate::compile::{Compiled, End, ranges};
use crate::evaluate::{Assumptions, backends, target_ports};
use crate::model::{Direction, PortRef, ServicePort, Workload, World};
use crate::net::{AddressKey, IpRange, atoms};
use crate::traffic::{ConnSet, PortRanges};

/// The source of connections that come through an ingress controller.
pub const INGRESS_CONTROLLER: &str = "{ingress-controller}";

/// A source or a destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// A workload of the inputs.
    Workload(Workload),
    /// Addresses outside.
    External(IpRange),
    /// Whatever serves Ingresses and Routes.
    IngressController,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(workload) => workload.fmt(f),
            Self::External(range) => write!(f, "{range}[External]"),
            Self::IngressController => f.write_str(INGRESS_CONTROLLER),
        }
    }
}

/// One line of a connectivity map.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Who connects.
    pub from: &'a Peer,
    /// To whom.
    pub to: &'a Peer,
    /// What is surely allowed.
    pub allowed: &'a ConnSet,
    /// What is allowed or not: the inputs do not say.
    pub doubtful: &'a ConnSet,
}

/// A connectivity map. Pairs with no connection are left out.
#[derive(Clone, Debug, Default)]
pub struct Connectivity {
    peers: Vec<Peer>,
    sets: Vec<(ConnSet, ConnSet)>,
    /// Source, destination and set, as numbers; in order of the peers' names.
    rows: Vec<(u32, u32, u32)>,
}

impl Connectivity {
    /// The lines, sorted by the names of source and destination.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.rows.iter().map(|&(from, to, set)| {
            let (allowed, doubtful) = &self.sets[set as usize];
            Entry {
                from: &self.peers[from as usize],
                to: &self.peers[to as usize],
                allowed,
                doubtful,
            }
        })
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing may talk to anything.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Keeps the lines whose source and destination are wanted.
    pub fn keep(&mut self, wanted: impl Fn(&Peer, &Peer) -> bool) {
        let peers = &self.peers;
        self.rows
            .retain(|&(from, to, _)| wanted(&peers[from as usize], &peers[to as usize]));
    }

    /// All peers, also those without a line.
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }
}

/// Makes the map of a world.
pub fn connectivity(world: &World, assumptions: &Assumptions) -> Connectivity {
    let mut compiled = Compiled::new(world, assumptions);
    from_compiled(&mut compiled)
}

/// Makes the map of a compiled world.
pub fn from_compiled(compiled: &mut Compiled<'_>) -> Connectivity {
    let world = compiled.world();
    let mut members: Vec<(Peer, Vec<End>)> = Vec::new();
    let mut known: FxHashMap<Workload, usize> = FxHashMap::default();
    for (index, pod) in world.pods.iter().enumerate() {
        if pod.terminated {
            continue;
        }
        let end = compiled.pod(index);
        let workload = pod.workload();
        let at = *known.entry(workload.clone()).or_insert_with(|| {
            members.push((Peer::Workload(workload), Vec::new()));
            members.len() - 1
        });
        if !members[at].1.contains(&end) {
            members[at].1.push(end);
        }
    }
    // IPv6 is listed where some input speaks of it.
    let speaks_v6 = world
        .pods
        .iter()
        .flat_map(|p| &p.ips)
        .any(std::net::IpAddr::is_ipv6)
        || ranges(world, None).iter().any(|b| b.v6);
    let outside = |direction| {
        let borders = ranges(world, Some(direction));
        let mut pieces = atoms(&borders, false);
        if speaks_v6 {
            pieces.extend(atoms(&borders, true));
        }
        pieces
    };
    // Whom addresses reach is settled by ingress rules alone, and what is reached outside by egress rules alone.
    let sources = outside(Direction::Ingress);
    let targets = outside(Direction::Egress);
    for range in sources.iter().chain(&targets) {
        let peer = Peer::External(*range);
        let end = compiled.outside(AddressKey {
            v6: range.v6,
            number: range.first,
        });
        if !members.iter().any(|(known, _)| *known == peer) {
            members.push((peer, vec![end]));
        }
    }
    members.sort_by_cached_key(|(peer, _)| peer.to_string());
    let mut out = Connectivity {
        peers: members.iter().map(|(peer, _)| peer.clone()).collect(),
        ..Connectivity::default()
    };
    let mut sets = Sets::default();
    let mut by_pair: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    for (from, (from_peer, from_ends)) in members.iter().enumerate() {
        for (to, (to_peer, to_ends)) in members.iter().enumerate() {
            let meant = match (from_peer, to_peer) {
                (Peer::External(_), Peer::External(_)) => false,
                (Peer::External(range), _) => sources.contains(range),
                (_, Peer::External(range)) => targets.contains(range),
                _ => from != to,
            };
            if !meant {
                continue;
            }
            let mut set: Option<u32> = None;
            for &a in from_ends {
                for &b in to_ends {
                    let pair = compiled.outcome_pair(a, b);
                    let id = *by_pair.entry(pair).or_insert_with(|| {
                        let found = compiled.of_pair(pair);
                        sets.intern(found.allowed, found.doubtful)
                    });
                    set = Some(set.map_or(id, |other| sets.union(other, id)));
                }
            }
            let id = set.unwrap_or(0);
            if !sets.is_empty(id) {
                out.rows.push((from as u32, to as u32, id));
            }
        }
    }
    add_ingress(compiled, &members, &mut sets, &mut out);
    out.sets = sets.all;
    out
}

#[derive(Default)]
struct Sets {
    known: FxHashMap<(ConnSet, ConnSet), u32>,
    all: Vec<(ConnSet, ConnSet)>,
}

impl Sets {
    fn intern(&mut self, allowed: ConnSet, doubtful: ConnSet) -> u32 {
        let pair = (allowed, doubtful);
        if let Some(&id) = self.known.get(&pair) {
            return id;
        }
        let id = self.all.len() as u32;
        self.all.push(pair.clone());
        self.known.insert(pair, id);
        id
    }

    /// A workload may do what any of its pods may.
    fn union(&mut self, a: u32, b: u32) -> u32 {
        if a == b {
            return a;
        }
        let (mut allowed, mut doubtful) = self.all[a as usize].clone();
        allowed.add(&self.all[b as usize].0);
        doubtful.add(&self.all[b as usize].1);
        let doubtful = doubtful.minus(&allowed);
        self.intern(allowed, doubtful)
    }

    fn is_empty(&self, id: u32) -> bool {
        self.all
            .get(id as usize)
            .is_none_or(|(allowed, doubtful)| allowed.is_empty() && doubtful.is_empty())
    }
}

/// Lines from the ingress controller: what Ingresses and Routes lead to, as far as policies let an unknown pod in.
fn add_ingress(
    compiled: &mut Compiled<'_>,
    members: &[(Peer, Vec<End>)],
    sets: &mut Sets,
    out: &mut Connectivity,
) {
    let world = compiled.world();
    let mut wanted: FxHashMap<usize, ConnSet> = FxHashMap::default();
    for backend in &world.backends {
        let services = world
            .services
            .iter()
            .filter(|s| s.namespace == backend.namespace && s.name == backend.service);
        for service in services {
            for (index, pod) in backends(world, service) {
                for port in service
                    .ports
                    .iter()
                    .filter(|p| leads(p, backend.port.as_ref()))
                {
                    for number in target_ports(pod, &port.target, port.protocol) {
                        // A pod that declares ports, and not this one, is taken not to listen on it.
                        let declared = |p: &crate::model::ContainerPort| {
                            p.number == number && p.protocol == port.protocol
                        };
                        if !pod.ports.is_empty() && !pod.ports.iter().any(declared) {
                            continue;
                        }
                        wanted.entry(index).or_default().add(&ConnSet::ports(
                            port.protocol,
                            PortRanges::range(number, number),
                        ));
                    }
                }
            }
        }
    }
    if wanted.is_empty() {
        return;
    }
    let stranger = compiled.stranger();
    let mut found: FxHashMap<u32, u32> = FxHashMap::default();
    let mut indexes: Vec<_> = wanted.into_iter().collect();
    indexes.sort_unstable_by_key(|(index, _)| *index);
    for (index, ports) in indexes {
        let end = compiled.pod(index);
        let reached = compiled.connections(stranger, end);
        let id = sets.intern(reached.allowed.and(&ports), reached.doubtful.and(&ports));
        let workload = Peer::Workload(world.pods[index].workload());
        let Some(at) = members.iter().position(|(peer, _)| *peer == workload) else {
            continue;
        };
        let union = found
            .get(&(at as u32))
            .map_or(id, |other| sets.union(*other, id));
        found.insert(at as u32, union);
    }
    let controller = out.peers.len() as u32;
    out.peers.push(Peer::IngressController);
    let mut rows: Vec<_> = found
        .into_iter()
        .filter(|(_, id)| !sets.is_empty(*id))
        .map(|(to, id)| (controller, to, id))
        .collect();
    rows.sort_unstable();
    out.rows.extend(rows);
}

/// Whether a backend's port is this port of the Service. Ingresses name the Service's port, Routes the pod's.
fn leads(port: &ServicePort, wanted: Option<&PortRef>) -> bool {
    match wanted {
        None => true,
        Some(PortRef::Number(number)) => {
            port.port == *number || port.target == PortRef::Number(*number)
        }
        Some(PortRef::Name(name)) => {
            port.name.as_ref() == Some(name) || port.target == PortRef::Name(name.clone())
        }
    }
}

/// What a connectivity map assumes: it shows what the policies say, so pods on their node's network count as if
/// they were bound (they are not), blocks speak of addresses outside, and undeclared namespaces have no labels.
pub fn assumptions() -> Assumptions {
    Assumptions {
        host_network_bound: true,
        blocks_hold_pods: false,
        pod_ranges: Vec::new(),
        doubt_unknown_labels: false,
    }
}
