//! A world turned into sets, so that millions of questions and whole connectivity maps are cheap.
//!
//! - Pods that no policy can tell apart form a **class**; the address space outside falls into **atoms** that no
//!   block cuts. Classes, atoms and the stranger are the **ends** of connections.
//! - Classes bound by the same policies form a **group** in each direction. A group has one **row**: for every end
//!   at the other side, the set of connections that is allowed and the set that is in doubt. Rows are made when
//!   first asked for, stored as exceptions from their most frequent value.
//! - Connection sets are interned: a row holds numbers.
//!
//! The result equals [`crate::evaluate`] on every question; a property test holds the two against each other.

mod members;
mod row;

use rustc_hash::FxHashMap;

use crate::evaluate::{Assumptions, Decision, Matcher, Party, Question, Tri, evaluate, unbound};
use crate::model::{Direction, Peer, Pod, Policy, Rule, World};
use crate::net::{AddressKey, IpRange, atoms, subtract};
use crate::traffic::ConnSet;

use members::Index;
use row::Row;

/// One end of a connection in a compiled world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End(u32);

/// What may flow from one end to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Connections {
    /// Surely allowed.
    pub allowed: ConnSet,
    /// Allowed or not: the inputs do not say.
    pub doubtful: ConnSet,
}

/// Which policies bind a group of classes in one direction, and what they let through.
#[derive(Debug)]
struct Group {
    direction: Direction,
    /// Tier and place in it, with whether the selection is sure; in order of evaluation.
    policies: Vec<(u32, u32, Tri)>,
    /// A class that stands for the group.
    class: u32,
    row: Option<Row>,
}

/// A world turned into sets.
#[derive(Debug)]
pub struct Compiled<'w> {
    world: &'w World,
    assumptions: &'w Assumptions,
    /// Class of each pod.
    class_of: Vec<u32>,
    /// A pod that stands for each class.
    classes: Vec<u32>,
    /// Pieces of the address space, IPv4 first.
    atoms: Vec<IpRange>,
    first_v6_atom: usize,
    /// Group of each class, for ingress and egress.
    group_of: [Vec<u32>; 2],
    groups: Vec<Group>,
    sets: Sets,
    index: Index,
    members: FxHashMap<members::Key, members::Members>,
}

/// Interned connection sets and pairs of them.
#[derive(Debug, Default)]
struct Sets {
    known: FxHashMap<ConnSet, u32>,
    all: Vec<ConnSet>,
    outcomes_known: FxHashMap<(u32, u32), u32>,
    /// Allowed and doubtful, as numbers into `all`.
    outcomes: Vec<(u32, u32)>,
}

impl Sets {
    fn intern(&mut self, set: ConnSet) -> u32 {
        if let Some(&id) = self.known.get(&set) {
            return id;
        }
        let id = self.all.len() as u32;
        self.all.push(set.clone());
        self.known.insert(set, id);
        id
    }

    fn outcome(&mut self, allowed: ConnSet, doubtful: ConnSet) -> u32 {
        let pair = (self.intern(allowed), self.intern(doubtful));
        if let Some(&id) = self.outcomes_known.get(&pair) {
            return id;
        }
        let id = self.outcomes.len() as u32;
        self.outcomes.push(pair);
        self.outcomes_known.insert(pair, id);
        id
    }
}

/// The ranges of addresses that network sets name and that the rules of one direction, or of both, tell apart.
/// A block with exceptions counts as what is left of it.
pub fn ranges(world: &World, only: Option<Direction>) -> Vec<IpRange> {
    let mut out: Vec<IpRange> = world
        .network_sets
        .iter()
        .flat_map(|set| set.nets.iter().map(|net| net.range()))
        .collect();
    let mut entity = |e: &crate::model::Entity| {
        out.extend(e.nets.iter().chain(&e.not_nets).map(|net| net.range()));
    };
    let mut plain = Vec::new();
    for policy in world.policies().filter(|p| p.staged.is_none()) {
        let rules = DIRECTIONS
            .into_iter()
            .filter(|direction| only.is_none_or(|only| only == *direction))
            .flat_map(|direction| policy.rules(direction).unwrap_or_default());
        for rule in rules {
            if let Some(own) = &rule.own {
                entity(own);
            }
            for peer in &rule.peers {
                match peer {
                    Peer::Block(block, excepts) => {
                        let holes: Vec<IpRange> = excepts.iter().map(|e| e.range()).collect();
                        plain.extend(subtract(block.range(), &holes));
                    }
                    Peer::Entity(e) => entity(e),
                    _ => {}
                }
            }
        }
    }
    out.append(&mut plain);
    out.sort_unstable();
    out.dedup();
    out
}

impl<'w> Compiled<'w> {
    /// Sorts pods into classes and groups. Rows follow on demand.
    pub fn new(world: &'w World, assumptions: &'w Assumptions) -> Self {
        let borders = ranges(world, None);
        let mut pieces = atoms(&borders, false);
        let first_v6_atom = pieces.len();
        pieces.extend(atoms(&borders, true));
        let mut out = Self {
            world,
            assumptions,
            class_of: Vec::with_capacity(world.pods.len()),
            classes: Vec::new(),
            atoms: pieces,
            first_v6_atom,
            group_of: [Vec::new(), Vec::new()],
            groups: Vec::new(),
            sets: Sets::default(),
            index: Index::default(),
            members: FxHashMap::default(),
        };
        out.classify(!borders.is_empty());
        out.index = Index::new(&out);
        out.group();
        out
    }

    /// The world.
    pub fn world(&self) -> &'w World {
        self.world
    }

    fn matcher(&self) -> Matcher<'w> {
        Matcher {
            world: self.world,
            assumptions: self.assumptions,
        }
    }

    fn classify(&mut self, by_address: bool) {
        let mut seen: FxHashMap<ClassKey<'w>, u32> = FxHashMap::default();
        let world = self.world;
        for (number, pod) in world.pods.iter().enumerate() {
            let hidden = pod.host_network && !self.assumptions.host_network_bound;
            let address = if hidden {
                // Nodes are told apart by name, and there are few pods on them.
                number
            } else {
                0
            };
            let places: Vec<u32> = pod
                .ips
                .iter()
                .map(|ip| {
                    let key = AddressKey::from(*ip);
                    if by_address {
                        self.atom_of(key)
                    } else {
                        u32::from(key.v6)
                    }
                })
                .collect();
            let key = ClassKey {
                namespace: &pod.namespace,
                labels: pod.labels.pairs(),
                ports: &pod.ports,
                account: &pod.service_account,
                terminated: pod.terminated,
                places,
                hidden: address,
            };
            let next = self.classes.len() as u32;
            let class = *seen.entry(key).or_insert(next);
            if class == next {
                self.classes.push(number as u32);
            }
            self.class_of.push(class);
        }
    }

    /// Index of the atom that holds an address.
    fn atom_of(&self, key: AddressKey) -> u32 {
        let (from, to) = if key.v6 {
            (self.first_v6_atom, self.atoms.len())
        } else {
            (0, self.first_v6_atom)
        };
        let at = self.atoms[from..to].partition_point(|a| a.last < key.number);
        (from + at) as u32
    }

    fn representative(&self, class: u32) -> &'w Pod {
        &self.world.pods[self.classes[class as usize] as usize]
    }

    fn group(&mut self) {
        let world = self.world;
        let matcher = self.matcher();
        let count = self.classes.len();
        let mut bound: [Vec<Vec<(u32, u32, Tri)>>; 2] =
            [vec![Vec::new(); count], vec![Vec::new(); count]];
        for (t, tier) in world.tiers.iter().enumerate() {
            for (p, policy) in tier.policies.iter().enumerate() {
                if policy.staged.is_some() || policy.network.is_some() {
                    continue;
                }
                for class in self.index.candidates(policy) {
                    let view = matcher.pod_view(self.representative(class));
                    let selected = matcher.selects(policy, &view);
                    if selected == Tri::No {
                        continue;
                    }
                    let entry = (t as u32, p as u32, selected);
                    for (direction, bound) in DIRECTIONS.into_iter().zip(&mut bound) {
                        if policy.rules(direction).is_some() {
                            bound[class as usize].push(entry);
                        }
                    }
                }
            }
        }
        for ((direction, bound), slot) in DIRECTIONS.into_iter().zip(bound).zip(0..) {
            let mut seen: FxHashMap<GroupKey, u32> = FxHashMap::default();
            for (class, policies) in bound.into_iter().enumerate() {
                let class = class as u32;
                let pod = self.representative(class);
                let own = policies
                    .iter()
                    .map(|&(t, p, _)| &world.tiers[t as usize].policies[p as usize])
                    .any(|policy| needs_own_row(policy, direction));
                let key = GroupKey {
                    families: pod.ips.iter().map(|ip| AddressKey::from(*ip).v6).collect(),
                    class: if own { class + 1 } else { 0 },
                    policies,
                };
                let next = self.groups.len() as u32;
                let policies = key.policies.clone();
                let group = *seen.entry(key).or_insert(next);
                if group == next {
                    self.groups.push(Group {
                        direction,
                        policies,
                        class,
                        row: None,
                    });
                }
                self.group_of[slot as usize].push(group);
            }
        }
    }

    /// The end that a pod is.
    pub fn pod(&self, index: usize) -> End {
        End(self.class_of[index])
    }

    /// The end of an address outside the cluster.
    pub fn outside(&self, address: AddressKey) -> End {
        End(self.classes.len() as u32 + self.atom_of(address))
    }

    /// The end that stands for a pod no input describes.
    pub fn stranger(&self) -> End {
        End((self.classes.len() + self.atoms.len()) as u32)
    }

    fn ends(&self) -> usize {
        self.classes.len() + self.atoms.len() + 1
    }

    /// A party that stands for an end.
    pub fn party(&self, end: End) -> Party {
        let at = end.0 as usize;
        if let Some(pod) = self.classes.get(at) {
            Party::Pod(*pod as usize)
        } else if let Some(range) = self.atoms.get(at - self.classes.len()) {
            Party::Address(range.representative())
        } else {
            Party::Stranger
        }
    }

    /// The end of a party; `None` for what is kept out of the sets: nodes and DNS names.
    pub fn end(&self, party: &Party) -> Option<End> {
        match party {
            Party::Pod(index) => Some(self.pod(*index)),
            Party::Address(address) => Some(self.outside((*address).into())),
            Party::Stranger => Some(self.stranger()),
            Party::Node(_) | Party::Name(_) => None,
        }
    }

    /// Number of the outcome of one direction.
    fn outcome(&mut self, direction: Direction, subject: End, other: End) -> u32 {
        let Some(&group) = self.group_of[slot(direction)].get(subject.0 as usize) else {
            return self.sets.outcome(ConnSet::all(), ConnSet::none());
        };
        let group = group as usize;
        if self.groups[group].row.is_none() {
            let row = self.make_row(group);
            self.groups[group].row = Some(row);
        }
        self.groups[group]
            .row
            .as_ref()
            .map_or(0, |row| row.get(other.0))
    }

    /// Whether a pod on its node's network reaches pods of that node whatever policies say.
    fn same_node(&self, from: End, to: End) -> bool {
        let (Some(&from), Some(&to)) = (
            self.classes.get(from.0 as usize),
            self.classes.get(to.0 as usize),
        ) else {
            return false;
        };
        let from = &self.world.pods[from as usize];
        if !from.host_network || self.assumptions.host_network_bound {
            return false;
        }
        let matcher = self.matcher();
        let to_party = Party::Pod(to as usize);
        let own = matcher.pod_view(&self.world.pods[to as usize]);
        let other = matcher.pod_view(from);
        unbound(&matcher, Direction::Ingress, &to_party, &own, &other).is_some()
    }

    /// All connections from one end to another, those of one direction each.
    pub fn halves(&mut self, from: End, to: End) -> (Connections, Connections) {
        let egress = self.outcome(Direction::Egress, from, to);
        let ingress = self.outcome(Direction::Ingress, to, from);
        let egress = self.connections_of(egress);
        if self.same_node(from, to) {
            let all = Connections {
                allowed: ConnSet::all(),
                doubtful: ConnSet::none(),
            };
            return (egress, all);
        }
        (egress, self.connections_of(ingress))
    }

    fn connections_of(&self, outcome: u32) -> Connections {
        let (allowed, doubtful) = self.sets.outcomes[outcome as usize];
        Connections {
            allowed: self.sets.all[allowed as usize].clone(),
            doubtful: self.sets.all[doubtful as usize].clone(),
        }
    }

    /// All connections from one end to another.
    pub fn connections(&mut self, from: End, to: End) -> Connections {
        let (egress, ingress) = self.halves(from, to);
        join(&egress, &ingress)
    }

    /// Answers one question by looking it up; nodes, DNS names and clusters of several networks are evaluated.
    pub fn decide(&mut self, question: &Question) -> Decision {
        let (Some(from), Some(to), true) = (
            self.end(&question.from),
            self.end(&question.to),
            self.world.networks.is_empty(),
        ) else {
            return evaluate(self.world, self.assumptions, question).decision;
        };
        let egress = self.outcome(Direction::Egress, from, to);
        let egress = self.decision_of(egress, question);
        let ingress = if self.same_node(from, to) {
            Decision::Allowed
        } else {
            let ingress = self.outcome(Direction::Ingress, to, from);
            self.decision_of(ingress, question)
        };
        egress.and(ingress)
    }

    fn decision_of(&self, outcome: u32, question: &Question) -> Decision {
        let (allowed, doubtful) = self.sets.outcomes[outcome as usize];
        let has = |set: u32| self.sets.all[set as usize].contains(question.protocol, question.port);
        if has(allowed) {
            Decision::Allowed
        } else if has(doubtful) {
            Decision::Undecidable
        } else {
            Decision::Denied
        }
    }

    /// A number that is equal for ends that the same policies bind, in both directions.
    pub fn profile(&self, end: End) -> (u32, u32) {
        let at = end.0 as usize;
        let of = |slot: usize| self.group_of[slot].get(at).copied().unwrap_or(u32::MAX);
        (of(0), of(1))
    }

    /// Numbers of the outcomes of both directions: equal numbers mean equal connections.
    pub fn outcome_pair(&mut self, from: End, to: End) -> (u32, u32) {
        let egress = self.outcome(Direction::Egress, from, to);
        let ingress = if self.same_node(from, to) {
            self.sets.outcome(ConnSet::all(), ConnSet::none())
        } else {
            self.outcome(Direction::Ingress, to, from)
        };
        (egress, ingress)
    }

    /// The connections that a pair of outcome numbers stands for.
    pub fn of_pair(&self, pair: (u32, u32)) -> Connections {
        join(&self.connections_of(pair.0), &self.connections_of(pair.1))
    }
}

/// What both directions let through.
fn join(egress: &Connections, ingress: &Connections) -> Connections {
    let allowed = egress.allowed.and(&ingress.allowed);
    let mut possible_out = egress.allowed.clone();
    possible_out.add(&egress.doubtful);
    let mut possible_in = ingress.allowed.clone();
    possible_in.add(&ingress.doubtful);
    let doubtful = possible_out.and(&possible_in).minus(&allowed);
    Connections { allowed, doubtful }
}

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

fn slot(direction: Direction) -> usize {
    match direction {
        Direction::Ingress => 0,
        Direction::Egress => 1,
    }
}

/// What policies can tell about a pod. Pods that agree on all of it share a class.
#[derive(PartialEq, Eq, Hash)]
struct ClassKey<'w> {
    namespace: &'w str,
    labels: &'w [(std::sync::Arc<str>, std::sync::Arc<str>)],
    ports: &'w [crate::model::ContainerPort],
    account: &'w str,
    terminated: bool,
    places: Vec<u32>,
    hidden: usize,
}

#[derive(PartialEq, Eq, Hash)]
struct GroupKey {
    policies: Vec<(u32, u32, Tri)>,
    families: Vec<bool>,
    class: u32,
}

/// Whether the rules of a policy read more of the pod they bind than that they bind it.
fn needs_own_row(policy: &Policy, direction: Direction) -> bool {
    let named = |rule: &Rule| {
        direction == Direction::Ingress
            && rule
                .traffic
                .ports
                .iter()
                .chain(&rule.traffic.not_ports)
                .any(|term| matches!(term.port, crate::model::PortMatch::Named(_)))
    };
    policy
        .rules(direction)
        .unwrap_or_default()
        .iter()
        .any(|rule| rule.own.is_some() || named(rule))
}
