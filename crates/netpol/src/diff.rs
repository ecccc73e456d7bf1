//! What changed between two connectivity maps: flows newly allowed, newly denied, and allowed otherwise than before.

use std::collections::BTreeMap;

use crate::list::{Connectivity, Entry, Peer};
use crate::model::Workload;
use crate::net::{AddressKey, IpRange, atoms};
use crate::traffic::ConnSet;

/// What happened to the connections of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Some before, others now.
    Changed,
    /// None before.
    Added,
    /// None now.
    Removed,
}

impl Change {
    /// As a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

/// One line of a difference.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What happened.
    pub change: Change,
    /// Who connects.
    pub from: Peer,
    /// To whom.
    pub to: Peer,
    /// What was allowed.
    pub before: ConnSet,
    /// What is allowed.
    pub after: ConnSet,
    /// Which of the two workloads came or went, in words; empty when both were there all the time.
    pub info: String,
}

/// Compares two maps. Ranges of addresses are cut until both maps agree on the pieces.
pub fn diff(before: &Connectivity, after: &Connectivity) -> Vec<Difference> {
    let mut pieces = Pieces::default();
    for (map, slot) in [(before, 0), (after, 1)] {
        for entry in map.entries() {
            pieces.note(&entry, slot);
        }
    }
    let mut out = Vec::new();
    for ((from, to), sides) in pieces.cut() {
        let [before_set, after_set] = sides;
        if before_set == after_set {
            continue;
        }
        let change = match (before_set.is_empty(), after_set.is_empty()) {
            (true, _) => Change::Added,
            (_, true) => Change::Removed,
            _ => Change::Changed,
        };
        let info = info(change, &from, &to, before, after);
        out.push(Difference {
            change,
            from,
            to,
            before: before_set,
            after: after_set,
            info,
        });
    }
    out.sort_by_cached_key(|d| (d.change, d.from.to_string(), d.to.to_string()));
    out
}

/// Ranges that reach a workload, or that it reaches, of one map each.
type Sides = [Vec<(IpRange, ConnSet)>; 2];

#[derive(Default)]
struct Pieces {
    pairs: BTreeMap<(Peer, Peer), [ConnSet; 2]>,
    /// By the peer at the other end, and whether addresses are the source.
    outside: BTreeMap<(Peer, bool), Sides>,
}

impl Pieces {
    fn note(&mut self, entry: &Entry<'_>, slot: usize) {
        if entry.allowed.is_empty() {
            return;
        }
        let (other, range, incoming) = match (entry.from, entry.to) {
            (Peer::External(range), other) => (other, range, true),
            (other, Peer::External(range)) => (other, range, false),
            (from, to) => {
                let sides = self.pairs.entry((from.clone(), to.clone())).or_default();
                sides[slot] = entry.allowed.clone();
                return;
            }
        };
        let sides = self.outside.entry((other.clone(), incoming)).or_default();
        sides[slot].push((*range, entry.allowed.clone()));
    }

    fn cut(self) -> impl Iterator<Item = ((Peer, Peer), [ConnSet; 2])> {
        let outside = self
            .outside
            .into_iter()
            .flat_map(|((other, incoming), sides)| {
                let borders: Vec<IpRange> =
                    sides.iter().flatten().map(|(range, _)| *range).collect();
                let mut out = Vec::new();
                for v6 in [false, true] {
                    if !borders.iter().any(|b| b.v6 == v6) {
                        continue;
                    }
                    for piece in atoms(&borders, v6) {
                        let at = |side: &[(IpRange, ConnSet)]| {
                            let key = AddressKey {
                                v6,
                                number: piece.first,
                            };
                            side.iter()
                                .find(|(r, _)| {
                                    r.v6 == v6 && r.first <= key.number && key.number <= r.last
                                })
                                .map(|(_, set)| set.clone())
                                .unwrap_or_default()
                        };
                        let peer = Peer::External(piece);
                        let pair = if incoming {
                            (peer, other.clone())
                        } else {
                            (other.clone(), peer)
                        };
                        out.push((pair, [at(&sides[0]), at(&sides[1])]));
                    }
                }
                out
            });
        self.pairs.into_iter().chain(outside)
    }
}

fn info(
    change: Change,
    from: &Peer,
    to: &Peer,
    before: &Connectivity,
    after: &Connectivity,
) -> String {
    let (without, word) = match change {
        Change::Added => (before, "added"),
        Change::Removed => (after, "removed"),
        Change::Changed => return String::new(),
    };
    let gone = |peer: &Peer| -> Option<Workload> {
        match peer {
            Peer::Workload(w) if !without.peers().contains(peer) => Some(w.clone()),
            _ => None,
        }
    };
    match (gone(from), gone(to)) {
        (Some(a), Some(b)) => format!("workload {a} and {b} {word}"),
        (Some(one), None) | (None, Some(one)) => format!("workload {one} {word}"),
        (None, None) => String::new(),
    }
}
