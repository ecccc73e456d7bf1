//! Windows over time: one hot window is a burst, most of a minute of them beside a connection that stays is a habit.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::{Score, THRESHOLD, Usage, Window, score};

/// Heat from which somebody is told. With windows of ten seconds this is a minute: a compiler's longest steady phases are
/// shorter, a miner's first hour is not. Heat does not grow further, so that what has stopped is soon cold.
const HOT: u32 = 6;

/// What a window in which nearly nothing ran takes away. A miner that rests for less than half of the time gains more heat
/// than it loses, however long its pauses.
const IDLE: u32 = 1;

/// What a window of other work takes away: more than rest does, since a miner has no other work, but not everything, or
/// one window of pointless system calls a minute would hide it.
const OTHER: u32 = 2;

/// Windows after which a workload that goes on is told again: an hour with windows of ten seconds.
const AGAIN: u32 = 360;

/// Far ends that are remembered; a miner has one, a crawler may have any number.
const MAX_FAR: usize = 64;

/// An established connection to somebody beyond the machine itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who is at the other end.
    pub far: SocketAddr,
    /// Whether the other end came to us: somebody listens on our end's port. Who serves is asked; who mines asks.
    pub accepted: bool,
}

/// Follows one control group.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    last: Option<Usage>,
    heat: u32,
    /// Processor time in hot windows since it was cold, in nanoseconds. Somebody is told from the length of a window on:
    /// a calculation that is short, but starved by its neighbours, looks like a miner for a minute and ends before. A
    /// miner that is starved does not end.
    spent: u64,
    /// For each far end that was connected to: in how many hot windows, without one in which it was not.
    held: BTreeMap<IpAddr, u32>,
    /// Windows until it may be told again.
    silent: u32,
}

/// What a reading says together with those before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Glance {
    /// The window that the reading ends, and its score. `None` for the first reading, and when nearly nothing ran.
    pub judged: Option<(Window, Score)>,
    /// How much of a habit it is, from 0 to 6.
    pub heat: u32,
    /// The connections there are, when the window counts as mining.
    pub contacts: Vec<Contact>,
    /// Far ends of connections that the workload opened and has held in six hot windows or more.
    pub held: Vec<SocketAddr>,
    /// Whether it is time to tell somebody: as hot as can be, enough computed, a connection held, and not told of within
    /// the hour.
    pub is_told: bool,
}

impl Watch {
    /// Takes in a reading. The connections are asked for only when the window counts as mining.
    pub fn take(&mut self, usage: Usage, contacts: impl FnOnce() -> Vec<Contact>) -> Glance {
        let before = self.last.replace(usage);
        let now = self.last.as_ref();
        let both = before.as_ref().zip(now);
        let window = both.and_then(|(before, now)| Window::between(before, now));
        let grown = |figure: fn(&Usage) -> u64| {
            both.map_or(0, |(before, now)| {
                figure(now).saturating_sub(figure(before))
            })
        };
        let (span, used) = (grown(|usage| usage.time), grown(|usage| usage.cpu));
        self.silent = self.silent.saturating_sub(1);
        let Some(window) = window else {
            self.cool(IDLE);
            return Glance {
                heat: self.heat,
                ..Glance::default()
            };
        };
        let score = score(&window);
        let (mut seen, mut held) = (Vec::new(), Vec::new());
        if score.probability < THRESHOLD {
            self.cool(OTHER);
        } else {
            self.heat = (self.heat + 1).min(HOT);
            self.spent = self.spent.saturating_add(used);
            seen = contacts();
            held = self.hold(&seen);
        }
        let is_told =
            self.heat == HOT && self.spent >= span && !held.is_empty() && self.silent == 0;
        if is_told {
            self.silent = AGAIN;
        }
        Glance {
            judged: Some((window, score)),
            heat: self.heat,
            contacts: seen,
            held,
            is_told,
        }
    }

    fn cool(&mut self, by: u32) {
        self.heat = self.heat.saturating_sub(by);
        if self.heat == 0 {
            self.spent = 0;
            self.held.clear();
        }
    }

    /// Counts far ends; those that were there long enough come back.
    fn hold(&mut self, contacts: &[Contact]) -> Vec<SocketAddr> {
        let mut now = BTreeMap::new();
        let mut long = Vec::new();
        for contact in contacts.iter().filter(|contact| !contact.accepted) {
            let ip = contact.far.ip().to_canonical();
            if now.len() >= MAX_FAR && !now.contains_key(&ip) {
                continue;
            }
            let windows = self.held.get(&ip).map_or(1, |before| before + 1);
            now.insert(ip, windows);
            if windows >= HOT && !long.contains(&contact.far) {
                long.push(contact.far);
            }
        }
        self.held = now;
        long
    }
}
