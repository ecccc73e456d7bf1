//! What an evaluator remembers: tables of fixed size, filled in place.

use rustc_hash::FxHasher;
use std::hash::Hasher;

use vedette_event::StateKey;

use super::{ColumnPlan, Program};

/// How much an evaluator may remember. The defaults suit a node with some hundred busy processes; when more are busy at
/// the same time they share places and push each other out, which costs time and never changes a result.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes for what is remembered of processes. 8 MiB hold about 10,000 processes with the upstream rules.
    pub process_bytes: usize,
    /// Texts remembered for each column, made a power of two. 4,096 cover the files that a node works on at a time.
    pub texts: usize,
    /// Longest text remembered, in bytes; longer ones (rare among paths) are looked at anew each time.
    pub text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            process_bytes: 8 << 20,
            texts: 4096,
            text_bytes: 192,
        }
    }
}

/// Most places for processes; more processes than that are never busy at once.
const MAX_PROCESSES: usize = 1 << 14;
/// Places for processes at the start; the table doubles as higher slots turn up.
const FIRST_PROCESSES: usize = 64;

/// Bits of nodes and lists for each process. Place 0 serves events whose process is not known and is never remembered.
///
/// A place is a row of words: known bits and values of the process's nodes, then for each list whether it was met and
/// whether its remaining rules are known, then the remaining rules of each list.
#[derive(Debug)]
pub(super) struct Processes {
    owners: Vec<Option<StateKey>>,
    words: Vec<u64>,
    stride: usize,
    node_words: usize,
    list_words: usize,
    /// Where the remaining rules of each list begin in a row.
    remaining_at: Vec<u32>,
    most: usize,
}

impl Processes {
    pub(super) fn new(program: &Program, limits: &Limits) -> Self {
        let node_words = (program.process_bits as usize).div_ceil(64);
        let list_words = program.lists.len().div_ceil(64);
        let mut stride = 2 * node_words + 2 * list_words;
        let remaining_at = program
            .lists
            .iter()
            .map(|list| {
                let at = stride as u32;
                stride += list.words();
                at
            })
            .collect();
        let fit = limits.process_bytes / (8 * stride.max(1));
        let most = (1 << fit.max(1).ilog2()).min(MAX_PROCESSES);
        let rows = most.min(FIRST_PROCESSES);
        Self {
            owners: vec![None; rows + 1],
            words: vec![0; (rows + 1) * stride],
            stride,
            node_words,
            list_words,
            remaining_at,
            most,
        }
    }

    /// The row of a process, emptied when it was somebody else's or the process has changed.
    pub(super) fn row(&mut self, key: Option<StateKey>) -> usize {
        let Some(key) = key else {
            self.forget(0);
            return 0;
        };
        let slot = key.slot as usize;
        if slot + 1 >= self.owners.len() && self.owners.len() <= self.most {
            self.grow(slot);
        }
        let row = 1 + (slot & (self.owners.len() - 2));
        let base = row * self.stride;
        if self.owners[row] != Some(key) {
            self.owners[row] = Some(key);
            self.forget(base);
        }
        base
    }

    #[cold]
    fn grow(&mut self, slot: usize) {
        let rows = (slot + 1).next_power_of_two().min(self.most);
        if rows + 1 > self.owners.len() {
            self.owners.resize(rows + 1, None);
            self.words.resize((rows + 1) * self.stride, 0);
        }
    }

    fn forget(&mut self, base: usize) {
        self.words[base..base + self.node_words].fill(0);
        let lists = base + 2 * self.node_words;
        self.words[lists..lists + 2 * self.list_words].fill(0);
    }

    /// The value of a node, if it is known.
    #[inline]
    pub(super) fn node(&self, row: usize, bit: u32) -> Option<bool> {
        let word = row + bit as usize / 64;
        let mask = 1 << (bit % 64);
        (self.words[word] & mask != 0).then(|| self.words[word + self.node_words] & mask != 0)
    }

    #[inline]
    pub(super) fn set_node(&mut self, row: usize, bit: u32, value: bool) {
        set(
            &mut self.words,
            row + bit as usize / 64,
            self.node_words,
            bit,
            value,
        );
    }

    /// The remaining rules of a list, if they are known.
    #[inline]
    pub(super) fn remaining(&self, row: usize, list: usize, words: usize) -> Option<&[u64]> {
        let word = row + 2 * self.node_words + self.list_words + list / 64;
        if self.words[word] >> (list % 64) & 1 == 0 {
            return None;
        }
        let at = row + self.remaining_at[list] as usize;
        Some(&self.words[at..at + words])
    }

    /// Notes that a list was met; true when it had been met before.
    pub(super) fn met(&mut self, row: usize, list: usize) -> bool {
        let word = &mut self.words[row + 2 * self.node_words + list / 64];
        let before = *word >> (list % 64) & 1 != 0;
        *word |= 1 << (list % 64);
        before
    }

    /// Room for the remaining rules of a list, which are known from now on.
    pub(super) fn set_remaining(&mut self, row: usize, list: usize, rules: &[u64]) {
        let word = row + 2 * self.node_words + self.list_words + list / 64;
        self.words[word] |= 1 << (list % 64);
        let at = row + self.remaining_at[list] as usize;
        self.words[at..at + rules.len()].copy_from_slice(rules);
    }
}

/// Sets a bit as known in `words[word]` and its value `apart` words behind.
#[inline]
fn set(words: &mut [u64], word: usize, apart: usize, bit: u32, value: bool) {
    let mask = 1 << (bit % 64);
    words[word] |= mask;
    if value {
        words[word + apart] |= mask;
    } else {
        words[word + apart] &= !mask;
    }
}

/// Texts with the same hash that are remembered side by side.
const WAYS: usize = 4;

/// What depends on one text field, for the texts seen last: values of nodes, and for each group which rules are decided
/// and which of them are false. Place 0 is for events where the field has no value; every other text has one of the
/// places that its hash gives, and the whole text decides whether it is there.
///
/// A place is a row of words: the known bits of nodes and groups, the values of nodes, the two sets of rules of each
/// group.
#[derive(Debug)]
pub(super) struct Column {
    /// Length and some bits of the hash of each text, to turn most others away at one glance.
    tags: Vec<u32>,
    texts: Vec<u8>,
    words: Vec<u64>,
    /// Which of its places each set gives up next.
    victims: Vec<u8>,
    stride: usize,
    nodes: u32,
    known_words: usize,
    /// Where the sets of each group begin in a row.
    group_at: Vec<u32>,
    text_bytes: usize,
}

/// Tag of a place that holds nothing yet: no text is that long.
const VACANT: u32 = u32::MAX;

/// Lengths have this many bits in a tag.
const LENGTH_BITS: u32 = 16;

impl Column {
    pub(super) fn new(plan: &ColumnPlan, limits: &Limits) -> Self {
        let sets = (limits.texts / WAYS).max(1).next_power_of_two();
        let places = sets * WAYS + 1;
        let text_bytes = limits.text_bytes.min((1 << LENGTH_BITS) - 2);
        let known_words = (plan.nodes as usize + plan.groups.len()).div_ceil(64);
        let mut stride = known_words + (plan.nodes as usize).div_ceil(64);
        let group_at = plan
            .groups
            .iter()
            .map(|words| {
                let at = stride as u32;
                stride += 2 * *words as usize;
                at
            })
            .collect();
        Self {
            tags: vec![VACANT; places],
            texts: vec![0; places * text_bytes],
            words: vec![0; places * stride],
            victims: vec![0; sets],
            stride,
            nodes: plan.nodes,
            known_words,
            group_at,
            text_bytes,
        }
    }

    /// Place of events where the field has no value.
    pub(super) const MISSING: u32 = 0;

    /// The place of a text; `None` when it is too long to be remembered.
    pub(super) fn place(&mut self, text: &[u8]) -> Option<u32> {
        if text.len() > self.text_bytes {
            return None;
        }
        let mut hasher = FxHasher::default();
        hasher.write(text);
        let hash = hasher.finish();
        let tag = (hash >> 56 << LENGTH_BITS) as u32 | text.len() as u32;
        let set = hash as usize & (self.victims.len() - 1);
        let first = 1 + set * WAYS;
        for place in first..first + WAYS {
            let at = place * self.text_bytes;
            if self.tags[place] == tag && self.texts[at..at + text.len()] == *text {
                return Some(place as u32);
            }
        }
        let victim = usize::from(self.victims[set]);
        self.victims[set] = ((victim + 1) % WAYS) as u8;
        let place = first + victim;
        let at = place * self.text_bytes;
        let row = place * self.stride;
        self.tags[place] = tag;
        self.texts[at..at + text.len()].copy_from_slice(text);
        self.words[row..row + self.known_words].fill(0);
        Some(place as u32)
    }

    /// The text at a place; `None` at the place of missing values.
    pub(super) fn text(&self, place: u32) -> Option<&[u8]> {
        let at = place as usize * self.text_bytes;
        let length = (self.tags[place as usize] & ((1 << LENGTH_BITS) - 1)) as usize;
        (place != Self::MISSING).then(|| &self.texts[at..at + length])
    }

    /// The value of a node, if it is known.
    #[inline]
    pub(super) fn node(&self, place: u32, bit: u32) -> Option<bool> {
        let word = place as usize * self.stride + bit as usize / 64;
        let mask = 1 << (bit % 64);
        (self.words[word] & mask != 0).then(|| self.words[word + self.known_words] & mask != 0)
    }

    #[inline]
    pub(super) fn set_node(&mut self, place: u32, bit: u32, value: bool) {
        let word = place as usize * self.stride + bit as usize / 64;
        set(&mut self.words, word, self.known_words, bit, value);
    }

    /// The rules of a group that are decided, and those of them that are false: two sets of `words` words.
    pub(super) fn group(
        &mut self,
        place: u32,
        group: u32,
        words: usize,
    ) -> (&mut [u64], &mut [u64]) {
        let row = place as usize * self.stride;
        let bit = self.nodes + group;
        let known = &mut self.words[row + bit as usize / 64];
        let fresh = *known >> (bit % 64) & 1 == 0;
        *known |= 1 << (bit % 64);
        let at = row + self.group_at[group as usize] as usize;
        let sets = &mut self.words[at..at + 2 * words];
        if fresh {
            sets.fill(0);
        }
        sets.split_at_mut(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_event::FieldRef;

    /// Texts of one set with the same tag are told apart, and pushed out one after the other.
    #[test]
    fn texts_with_the_same_tag_are_told_apart() {
        let field = FieldRef::parse("fd.name").expect("a field");
        let plan = ColumnPlan {
            field,
            nodes: 1,
            groups: vec![1],
        };
        let limits = Limits {
            texts: 1,
            text_bytes: 8,
            ..Limits::default()
        };
        let mut column = Column::new(&plan, &limits);
        let mut same: Vec<[u8; 4]> = Vec::new();
        let mut wanted = None;
        for number in 0_u32.. {
            let text = number.to_be_bytes();
            let place = column.place(&text).expect("short enough") as usize;
            if *wanted.get_or_insert(column.tags[place]) == column.tags[place] {
                same.push(text);
                if same.len() == WAYS + 1 {
                    break;
                }
            }
        }
        let mut column = Column::new(&plan, &limits);
        for (turn, text) in same.iter().enumerate() {
            let place = column.place(text).expect("short enough");
            assert_eq!(column.node(place, 0), None);
            column.set_node(place, 0, turn % 2 == 0);
            assert_eq!(column.text(place), Some(&text[..]));
        }
        for (turn, text) in same.iter().enumerate().skip(1) {
            let place = column.place(text).expect("short enough");
            assert_eq!(column.node(place, 0), Some(turn % 2 == 0), "still there");
        }
        let place = column.place(&same[0]).expect("short enough");
        assert_eq!(column.node(place, 0), None, "pushed out");
        assert_eq!(column.place(b"too long a text"), None);
        assert_eq!(column.text(Column::MISSING), None);
    }
}
