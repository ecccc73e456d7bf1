//! Which ends a rule's peers describe, found through indexes instead of by asking every end.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Compiled;
use crate::evaluate::{Matcher, Tri, View, is_v6};
use crate::labels::LabelSelector;
use crate::model::{Direction, NamespaceMatch, Peer, Policy, Rule, Scope, Subject};
use crate::net::{AddressKey, Cidr};

/// The ends that some peers surely describe, and those that they perhaps describe. Sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    pub(super) yes: Vec<u32>,
    pub(super) maybe: Vec<u32>,
}

/// What [`Members`] depend on: the rule and the families of the subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    tier: u32,
    policy: u32,
    rule: u32,
    direction: Direction,
    families: Vec<bool>,
}

/// Ways to find classes.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_namespace: FxHashMap<Arc<str>, Vec<u32>>,
    by_label: FxHashMap<(Arc<str>, Arc<str>), Vec<u32>>,
    /// Addresses of pods, sorted, with their classes.
    addresses: Vec<(AddressKey, u32)>,
    /// Classes whose pods have no known address.
    unplaced: Vec<u32>,
    count: u32,
}

impl Index {
    pub(super) fn new(compiled: &Compiled<'_>) -> Self {
        let mut out = Self {
            count: compiled.classes.len() as u32,
            ..Self::default()
        };
        for class in 0..out.count {
            let pod = compiled.representative(class);
            out.by_namespace
                .entry(pod.namespace.clone())
                .or_default()
                .push(class);
            for pair in pod.labels.pairs() {
                out.by_label.entry(pair.clone()).or_default().push(class);
            }
            let view = compiled.matcher().pod_view(pod);
            if view.ips.is_empty() {
                out.unplaced.push(class);
            }
            for ip in view.ips {
                out.addresses.push((ip.into(), class));
            }
        }
        out.addresses.sort_unstable();
        out
    }

    /// Classes that a policy could be about.
    pub(super) fn candidates(&self, policy: &Policy) -> Vec<u32> {
        match &policy.subject {
            Subject::Pods(NamespaceMatch::Own(name), pods) => self.in_namespace(name, pods),
            Subject::Pods(NamespaceMatch::Selected(_), pods) => self.anywhere(pods),
            Subject::Calico {
                scope: Scope::Namespace(name),
                ..
            } => self.in_namespace(name, &LabelSelector::everything()),
            Subject::Calico { .. } => (0..self.count).collect(),
        }
    }

    fn in_namespace(&self, name: &str, pods: &LabelSelector) -> Vec<u32> {
        let here = self.by_namespace.get(name).map_or(&[][..], Vec::as_slice);
        match self.labelled(pods) {
            // Both lists are sorted: the shorter one is looked up in the longer.
            Some(labelled) => {
                let (short, long) = if here.len() < labelled.len() {
                    (here, labelled)
                } else {
                    (labelled, here)
                };
                short
                    .iter()
                    .copied()
                    .filter(|c| long.binary_search(c).is_ok())
                    .collect()
            }
            None => here.to_vec(),
        }
    }

    fn anywhere(&self, pods: &LabelSelector) -> Vec<u32> {
        self.labelled(pods)
            .map_or_else(|| (0..self.count).collect(), <[u32]>::to_vec)
    }

    /// The classes with the label that everything selected has, when there is such a label.
    fn labelled(&self, pods: &LabelSelector) -> Option<&[u32]> {
        let (key, value) = pods.anchor()?;
        let found = self.by_label.get(&(Arc::from(key), Arc::from(value)));
        Some(found.map_or(&[][..], Vec::as_slice))
    }
}

impl Compiled<'_> {
    /// The ends at the other side that the peers of a rule describe, when the subject has these families.
    /// `None` when the rule has no peers, which means every end.
    pub(super) fn members(
        &mut self,
        tier: u32,
        policy: u32,
        rule: u32,
        direction: Direction,
        subject: &View<'_>,
    ) -> Option<&Members> {
        let world = self.world;
        let rules = world.tiers[tier as usize].policies[policy as usize].rules(direction)?;
        let rule_ref = &rules[rule as usize];
        if rule_ref.peers.is_empty() {
            return None;
        }
        let key = Key {
            tier,
            policy,
            rule,
            direction,
            families: subject
                .ips
                .iter()
                .map(|ip| AddressKey::from(*ip).v6)
                .collect(),
        };
        if !self.members.contains_key(&key) {
            let found = self.find(rule_ref, direction, subject);
            self.members.insert(key.clone(), found);
        }
        self.members.get(&key)
    }

    /// What conditions can see of an end.
    pub(super) fn view_of(&self, end: u32) -> View<'_> {
        let mut view = View {
            pod: None,
            namespace: None,
            node: None,
            on_node: false,
            ips: Vec::new(),
            name: None,
            stranger: false,
        };
        let at = end as usize;
        if at < self.classes.len() {
            return self.matcher().pod_view(self.representative(end));
        }
        match self.atoms.get(at - self.classes.len()) {
            Some(range) => view.ips.push(range.representative()),
            None => view.stranger = true,
        }
        view
    }

    fn find(&self, rule: &Rule, direction: Direction, subject: &View<'_>) -> Members {
        let matcher = self.matcher();
        let mut out = Members::default();
        let family = |view: &View<'_>| match direction {
            Direction::Egress => is_v6(subject, view),
            Direction::Ingress => is_v6(view, subject),
        };
        for peer in &rule.peers {
            match peer {
                Peer::Pods(namespaces, pods) => {
                    let candidates = match namespaces {
                        NamespaceMatch::Own(name) => self.index.in_namespace(name, pods),
                        NamespaceMatch::Selected(_) => self.index.anywhere(pods),
                    };
                    let stranger = self.stranger().0;
                    for end in candidates.into_iter().chain([stranger]) {
                        let view = self.view_of(end);
                        out.note(end, matcher.peer(peer, &view, false, None));
                    }
                }
                Peer::Block(block, _) => {
                    self.find_block(&matcher, peer, *block, &family, &mut out);
                }
                _ => {
                    for end in 0..self.ends() as u32 {
                        let view = self.view_of(end);
                        out.note(end, matcher.peer(peer, &view, family(&view), None));
                    }
                }
            }
        }
        out.settle();
        out
    }

    fn find_block(
        &self,
        matcher: &Matcher<'_>,
        peer: &Peer,
        block: Cidr,
        family: &impl Fn(&View<'_>) -> bool,
        out: &mut Members,
    ) {
        let first = self.classes.len();
        let from = self.atom_of(AddressKey {
            v6: block.v6,
            number: block.first,
        });
        let to = self.atom_of(AddressKey {
            v6: block.v6,
            number: block.last(),
        });
        let one = |end: u32, out: &mut Members| {
            let view = self.view_of(end);
            out.note(end, matcher.peer(peer, &view, family(&view), None));
        };
        for atom in from..=to {
            one(first as u32 + atom, out);
        }
        let addresses = &self.index.addresses;
        let start = addresses.partition_point(|(key, _)| {
            *key < AddressKey {
                v6: block.v6,
                number: block.first,
            }
        });
        for (key, class) in &addresses[start..] {
            if !block.contains(*key) {
                break;
            }
            one(*class, out);
        }
        // Pods without a known address are alike for a block but for the family of the connection.
        for &class in &self.index.unplaced {
            one(class, out);
        }
        one(self.stranger().0, out);
    }
}

impl Members {
    fn note(&mut self, end: u32, found: Tri) {
        match found {
            Tri::Yes => self.yes.push(end),
            Tri::Maybe => self.maybe.push(end),
            Tri::No => {}
        }
    }

    fn settle(&mut self) {
        self.yes.sort_unstable();
        self.yes.dedup();
        self.maybe.sort_unstable();
        self.maybe.dedup();
        let yes = &self.yes;
        self.maybe.retain(|end| yes.binary_search(end).is_err());
    }
}
