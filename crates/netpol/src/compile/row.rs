//! One row: what a group of pods lets through to or from every other end.

use rustc_hash::FxHashMap;

use super::Compiled;
use crate::evaluate::{Tri, View, is_v6, target_ports};
use crate::model::{Action, Direction, Entity, PortMatch, PortTerm, Rule, TierEnd, Traffic};
use crate::traffic::{ConnSet, PortRanges, Protocol};

/// Outcome numbers by end.
#[derive(Debug)]
pub(super) enum Row {
    /// The most frequent outcome, and the ends that have another, sorted.
    Sparse(u32, Vec<(u32, u32)>),
    /// One for each end.
    Dense(Vec<u32>),
}

impl Row {
    pub(super) fn get(&self, end: u32) -> u32 {
        match self {
            Self::Sparse(usual, exceptions) => exceptions
                .binary_search_by_key(&end, |(at, _)| *at)
                .map_or(*usual, |at| exceptions[at].1),
            Self::Dense(all) => all[end as usize],
        }
    }

    fn new(all: Vec<u32>) -> Self {
        let mut counts: FxHashMap<u32, usize> = FxHashMap::default();
        for outcome in &all {
            *counts.entry(*outcome).or_default() += 1;
        }
        let most = counts.iter().max_by_key(|(id, n)| (**n, **id));
        let (usual, count) = most.map_or((0, 0), |(id, n)| (*id, *n));
        // An exception takes twice the room of a dense entry.
        if (all.len() - count) * 2 > all.len() {
            return Self::Dense(all);
        }
        let exceptions = all
            .iter()
            .enumerate()
            .filter(|(_, outcome)| **outcome != usual)
            .map(|(end, outcome)| (end as u32, *outcome))
            .collect();
        Self::Sparse(usual, exceptions)
    }
}

/// How far the connections with one end have come.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct State {
    /// May still be walking through this tier.
    rest: ConnSet,
    /// May have left it for the next one.
    pass: ConnSet,
    /// May end allowed.
    allow: ConnSet,
    /// May end denied.
    deny: ConnSet,
}

#[derive(Default)]
struct States {
    known: FxHashMap<State, u32>,
    all: Vec<State>,
    steps: FxHashMap<(u32, Action, u32, u32), u32>,
}

impl States {
    fn intern(&mut self, state: State) -> u32 {
        if let Some(&id) = self.known.get(&state) {
            return id;
        }
        let id = self.all.len() as u32;
        self.all.push(state.clone());
        self.known.insert(state, id);
        id
    }

    /// A rule is met by `possible` connections, by `sure` ones for certain.
    fn step(
        &mut self,
        state: u32,
        action: Action,
        (sure, sure_set): (u32, &ConnSet),
        (possible, possible_set): (u32, &ConnSet),
    ) -> u32 {
        let key = (state, action, sure, possible);
        if let Some(&next) = self.steps.get(&key) {
            return next;
        }
        let mut next = self.all[state as usize].clone();
        let hit = next.rest.and(possible_set);
        match action {
            Action::Allow => next.allow.add(&hit),
            Action::Deny => next.deny.add(&hit),
            Action::Pass => next.pass.add(&hit),
            Action::Log => {}
        }
        if action != Action::Log {
            next.rest = next.rest.minus(sure_set);
        }
        let next = self.intern(next);
        self.steps.insert(key, next);
        next
    }

    fn end_tier(&mut self, state: u32, applied: Tri, end: TierEnd) -> u32 {
        let mut next = self.all[state as usize].clone();
        let rest = std::mem::take(&mut next.rest);
        if applied != Tri::No && end == TierEnd::Deny {
            next.deny.add(&rest);
        }
        if applied != Tri::Yes || end == TierEnd::Pass {
            next.pass.add(&rest);
        }
        next.rest = std::mem::take(&mut next.pass);
        self.intern(next)
    }
}

impl Compiled<'_> {
    pub(super) fn make_row(&mut self, group: usize) -> Row {
        let direction = self.groups[group].direction;
        let policies = self.groups[group].policies.clone();
        let class = self.groups[group].class;
        let world = self.world;
        let ends = self.ends();
        if policies.is_empty() {
            let usual = self.sets.outcome(ConnSet::all(), ConnSet::none());
            return Row::Sparse(usual, Vec::new());
        }
        let matcher = self.matcher();
        let subject = matcher.pod_view(self.representative(class));
        let mut states = States::default();
        let start = states.intern(State {
            rest: ConnSet::all(),
            ..State::default()
        });
        let mut at = vec![start; ends];
        let mut next = 0;
        for (t, tier) in world.tiers.iter().enumerate() {
            let mut applied = Tri::No;
            while let Some(&(_, p, selected)) =
                policies.get(next).filter(|(tier, ..)| *tier as usize == t)
            {
                next += 1;
                applied = applied.or(selected);
                let rules = tier.policies[p as usize]
                    .rules(direction)
                    .unwrap_or_default();
                for (r, rule) in rules.iter().enumerate() {
                    if rule.action != Action::Log {
                        self.apply(
                            (t as u32, p, r as u32),
                            rule,
                            direction,
                            &subject,
                            selected,
                            &mut states,
                            &mut at,
                        );
                    }
                }
            }
            if applied != Tri::No {
                let mut ended: FxHashMap<u32, u32> = FxHashMap::default();
                for state in &mut at {
                    *state = *ended
                        .entry(*state)
                        .or_insert_with(|| states.end_tier(*state, applied, tier.end));
                }
            }
        }
        let mut outcomes: FxHashMap<u32, u32> = FxHashMap::default();
        for state in &mut at {
            *state = *outcomes.entry(*state).or_insert_with(|| {
                let state = &states.all[*state as usize];
                let mut allow = state.allow.clone();
                allow.add(&state.rest);
                self.sets
                    .outcome(allow.minus(&state.deny), allow.and(&state.deny))
            });
        }
        Row::new(at)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one inner loop, split out for its length"
    )]
    fn apply(
        &mut self,
        (t, p, r): (u32, u32, u32),
        rule: &Rule,
        direction: Direction,
        subject: &View<'_>,
        selected: Tri,
        states: &mut States,
        at: &mut [u32],
    ) {
        let matcher = self.matcher();
        let own = rule.own.as_ref().map_or(Tri::Yes, |entity| {
            matcher.entity(entity, subject, false, None)
        });
        let own_by_family = rule.own.as_ref().is_some_and(|e| {
            !e.nets.is_empty()
                || !e.not_nets.is_empty()
                || e.selector.is_some()
                || e.not_selector.is_some()
        });
        let peers = match self.members(t, p, r, direction, subject) {
            Some(members) => {
                let yes = members.yes.iter().map(|end| (*end, Tri::Yes));
                let maybe = members.maybe.iter().map(|end| (*end, Tri::Maybe));
                yes.chain(maybe).collect::<Vec<_>>()
            }
            None => (0..at.len() as u32).map(|end| (end, Tri::Yes)).collect(),
        };
        // What the rule matches depends on the end only by the ports that it names or its Service offers,
        // and by the family of the connection.
        let by_end = (direction == Direction::Egress
            && (names_ports(&rule.traffic) || rule_service(rule)))
            || rule.traffic.family.is_some()
            || own_by_family;
        let mut shared: Option<((u32, ConnSet), (u32, ConnSet))> = None;
        let nothing = (self.sets.intern(ConnSet::none()), ConnSet::none());
        for (end, met) in peers {
            if by_end || shared.is_none() {
                let other = self.view_of(end);
                let v6 = match direction {
                    Direction::Egress => is_v6(subject, &other),
                    Direction::Ingress => is_v6(&other, subject),
                };
                let destination = match direction {
                    Direction::Egress => &other,
                    Direction::Ingress => subject,
                };
                let mut own = own;
                if own_by_family && let Some(entity) = &rule.own {
                    own = matcher.entity(entity, subject, v6, None);
                }
                let mut possible = traffic_set(&rule.traffic, destination);
                if rule.traffic.family.is_some_and(|f| f != v6) || own == Tri::No {
                    possible = ConnSet::none();
                }
                let entity = match direction {
                    Direction::Egress => rule.peers.iter().find_map(|peer| match peer {
                        crate::model::Peer::Entity(entity) => Some(&**entity),
                        _ => None,
                    }),
                    Direction::Ingress => rule.own.as_deref(),
                };
                if let Some(entity) = entity {
                    possible = possible.and(&service_set(&matcher, entity, destination));
                }
                let sure =
                    if rule.traffic.caveat.is_some() || own != Tri::Yes || selected != Tri::Yes {
                        ConnSet::none()
                    } else {
                        possible.clone()
                    };
                let sure = (self.sets.intern(sure.clone()), sure);
                let possible = (self.sets.intern(possible.clone()), possible);
                shared = Some((sure, possible));
            }
            let Some((sure, possible)) = &shared else {
                continue;
            };
            let sure = if met == Tri::Yes { sure } else { &nothing };
            let state = &mut at[end as usize];
            *state = states.step(
                *state,
                rule.action,
                (sure.0, &sure.1),
                (possible.0, &possible.1),
            );
        }
    }
}

fn names_ports(traffic: &Traffic) -> bool {
    traffic
        .ports
        .iter()
        .chain(&traffic.not_ports)
        .any(|term| matches!(term.port, PortMatch::Named(_)))
}

fn rule_service(rule: &Rule) -> bool {
    rule.peers
        .iter()
        .any(|peer| matches!(peer, crate::model::Peer::Entity(e) if e.service.is_some()))
}

/// The ports at a destination that a Service leads to; everything for an end without a Service condition.
fn service_set(
    matcher: &crate::evaluate::Matcher<'_>,
    entity: &Entity,
    destination: &View<'_>,
) -> ConnSet {
    let Some((namespace, name)) = &entity.service else {
        return ConnSet::all();
    };
    let Some(service) = matcher.service(namespace, name) else {
        return ConnSet::all();
    };
    if service.selector.is_none() {
        return ConnSet::all();
    }
    let mut out = ConnSet::none();
    if let Some(pod) = destination.pod {
        for port in &service.ports {
            for number in target_ports(pod, &port.target, port.protocol) {
                out.add(&ConnSet::ports(
                    port.protocol,
                    PortRanges::range(number, number),
                ));
            }
        }
    }
    out
}

/// The connections that a rule's protocol and ports describe at a destination.
pub(super) fn traffic_set(traffic: &Traffic, destination: &View<'_>) -> ConnSet {
    let mut out = ConnSet::all();
    if let Some(protocol) = traffic.protocol {
        out = out.and(&ConnSet::protocol(protocol));
    }
    if let Some(protocol) = traffic.not_protocol {
        out = out.minus(&ConnSet::protocol(protocol));
    }
    if !traffic.ports.is_empty() {
        let mut ports = ConnSet::none();
        for term in &traffic.ports {
            ports.add(&term_set(term, destination));
        }
        out = out.and(&ports);
    }
    for term in &traffic.not_ports {
        out = out.minus(&term_set(term, destination));
    }
    out
}

fn term_set(term: &PortTerm, destination: &View<'_>) -> ConnSet {
    let protocols: &[Protocol] = match &term.protocol {
        Some(protocol) => std::slice::from_ref(protocol),
        None => &Protocol::WITH_PORTS,
    };
    let mut out = ConnSet::none();
    match &term.port {
        PortMatch::Any if term.protocol.is_none() => return ConnSet::all(),
        PortMatch::Any => {
            for protocol in protocols {
                out.add(&ConnSet::protocol(*protocol));
            }
        }
        PortMatch::Range(first, last) => {
            for protocol in protocols.iter().filter(|p| p.has_ports()) {
                out.add(&ConnSet::ports(*protocol, PortRanges::range(*first, *last)));
            }
        }
        PortMatch::Named(name) => {
            let ports = destination.pod.map_or(&[][..], |pod| &pod.ports);
            for port in ports {
                if port.name.as_ref() == Some(name) && protocols.contains(&port.protocol) {
                    out.add(&ConnSet::ports(
                        port.protocol,
                        PortRanges::range(port.number, port.number),
                    ));
                }
            }
        }
    }
    out
}
