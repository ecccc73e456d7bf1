//! Who does what usually: the habits of principals, of their groups, and of the whole cluster, in a bounded room.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::behaviour::{Behaviour, Factor};
use super::names::{Name, Names};
use super::usage::Usage;

/// Principals and groups that have habits of their own; beyond, those that were quiet longest are forgotten, and their
/// group stands in for them.
const MAX_PROFILES: usize = 20_000;

/// Values that are held of all principals and groups together: 16 bytes each, and the text of those that nobody else
/// has, at most some 30 MB.
const MAX_ENTRIES: usize = 250_000;

/// Values of a factor that are held of a principal, of a group, and of the cluster.
const MAX_VALUES: [usize; 3] = [64, 256, 4096];

/// Habits of one principal, one group, or the cluster.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Profile {
    /// By factor.
    usages: Vec<Usage>,
    last: u64,
}

impl Profile {
    pub(super) fn usage(&self, factor: Factor) -> Option<&Usage> {
        self.usages.get(factor as usize)
    }

    fn note(
        &mut self,
        factor: Factor,
        value: &str,
        names: &mut Names,
        now: u64,
        most: usize,
    ) -> isize {
        let place = factor as usize;
        if self.usages.len() <= place {
            self.usages.reserve_exact(place + 1 - self.usages.len());
            self.usages.resize_with(place + 1, Usage::default);
        }
        self.last = self.last.max(now);
        self.usages[place].note(value, names, now, most)
    }

    fn entries(&self) -> usize {
        self.usages.iter().map(Usage::len).sum()
    }
}

/// Everybody's habits.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Habits {
    names: Names,
    principals: HashMap<Box<str>, Profile>,
    groups: HashMap<Box<str>, Profile>,
    all: Profile,
    /// Values that principals and groups hold.
    entries: usize,
}

impl Habits {
    /// Habits of a principal that has some.
    pub(super) fn principal(&self, name: &str) -> Option<&Profile> {
        self.principals.get(name)
    }

    /// Habits of a group that has some.
    pub(super) fn group(&self, name: &str) -> Option<&Profile> {
        self.groups.get(name)
    }

    /// Habits of the whole cluster or account.
    pub(super) fn all(&self) -> &Profile {
        &self.all
    }

    /// Principals and groups.
    pub(super) fn profiles(&self) -> usize {
        self.principals.len() + self.groups.len()
    }

    /// Number of a value that somebody has.
    pub(super) fn find(&self, value: &str) -> Option<Name> {
        self.names.find(value)
    }

    /// The most usual values of a profile, the most frequent first.
    pub(super) fn usual(
        &self,
        profile: &Profile,
        factor: Factor,
        now: u64,
        most: usize,
    ) -> Vec<String> {
        let usual = profile
            .usage(factor)
            .map(|u| u.usual(&self.names, now, most));
        let usual = usual.unwrap_or_default().into_iter();
        usual.map(str::to_owned).collect()
    }

    /// Learns from a behaviour.
    pub(super) fn learn(&mut self, behaviour: &Behaviour, now: u64) {
        if self.principals.len() >= MAX_PROFILES
            || self.groups.len() >= MAX_PROFILES
            || self.entries >= MAX_ENTRIES
        {
            self.forget();
        }
        let refused = behaviour
            .factors
            .iter()
            .any(|(factor, value)| *factor == Factor::Outcome && value != "allowed");
        let [own, group, all] = MAX_VALUES;
        let mut grown = 0;
        let principal = known_or_new(&mut self.principals, &behaviour.principal);
        let peers = known_or_new(&mut self.groups, &behaviour.peers);
        for (factor, value) in &behaviour.factors {
            // Refused calls cost nothing: whoever makes many must not thereby make strange calls usual.
            if refused && *factor != Factor::Outcome {
                continue;
            }
            let names = &mut self.names;
            grown += principal.note(*factor, value, names, now, own);
            grown += peers.note(*factor, value, names, now, group);
            self.all.note(*factor, value, names, now, all);
        }
        self.entries = self.entries.saturating_add_signed(grown);
    }

    /// Forgets the tenth of principals and groups that were quiet longest.
    fn forget(&mut self) {
        for profiles in [&mut self.principals, &mut self.groups] {
            let tenth = profiles.len() / 10;
            if tenth == 0 {
                continue;
            }
            let mut by_last: Vec<(u64, &str)> = profiles
                .iter()
                .map(|(name, profile)| (profile.last, &**name))
                .collect();
            // Of those that were quiet equally long, always the same ones go.
            by_last.select_nth_unstable(tenth - 1);
            let gone: Vec<Box<str>> = by_last[..tenth]
                .iter()
                .map(|(_, name)| (*name).into())
                .collect();
            for name in gone {
                if let Some(profile) = profiles.remove(&name) {
                    self.entries = self.entries.saturating_sub(profile.entries());
                    for usage in &profile.usages {
                        usage.release(&mut self.names);
                    }
                }
            }
        }
    }
}

fn known_or_new<'p>(profiles: &'p mut HashMap<Box<str>, Profile>, name: &str) -> &'p mut Profile {
    if !profiles.contains_key(name) {
        profiles.insert(name.into(), Profile::default());
    }
    profiles.get_mut(name).expect("it was inserted above")
}
