//! What an evaluator remembers: tables of fixed size, filled in place.

use rustc_hash::FxHasher;
use std::hash::Hasher;

use vedette_event::StateKey;

use super::Program;

/// How much an evaluator may remember. The defaults suit a node with some hundred busy processes; when more are busy at
/// the same time they share places and push each other out, which costs time and never changes a result.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes for what is remembered of processes. 8 MiB hold about 10,000 processes with the upstream rules.
    pub process_bytes: usize,
    /// Texts remembered for each column, a power of two. 1,024 cover the files that a node works on at a time.
    pub texts: usize,
    /// Longest text remembered, in bytes; longer ones (rare among paths) are looked at anew each time.
    pub text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            process_bytes: 8 << 20,
            texts: 1024,
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

/// Bits of the nodes that depend on one text field, for the texts seen last. Place 0 is for events where the field has
/// no value; every other text has the one place that its hash gives, and the whole text decides whether it is there.
#[derive(Debug)]
pub(super) struct Column {
    lengths: Vec<u32>,
    texts: Vec<u8>,
    words: Vec<u64>,
    half: usize,
    text_bytes: usize,
}

/// Length of a place that holds nothing yet.
const VACANT: u32 = u32::MAX;

impl Column {
    pub(super) fn new(nodes: u32, limits: &Limits) -> Self {
        let places = limits.texts.next_power_of_two();
        let half = (nodes as usize).div_ceil(64);
        Self {
            lengths: vec![VACANT; places + 1],
            texts: vec![0; (places + 1) * limits.text_bytes],
            words: vec![0; (places + 1) * 2 * half],
            half,
            text_bytes: limits.text_bytes,
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
        let place = 1 + (hasher.finish() as usize & (self.lengths.len() - 2));
        let at = place * self.text_bytes;
        let same =
            self.lengths[place] as usize == text.len() && self.texts[at..at + text.len()] == *text;
        if !same {
            self.lengths[place] = text.len() as u32;
            self.texts[at..at + text.len()].copy_from_slice(text);
            let row = place * 2 * self.half;
            self.words[row..row + self.half].fill(0);
        }
        Some(place as u32)
    }

    /// The text at a place; `None` at the place of missing values.
    pub(super) fn text(&self, place: u32) -> Option<&[u8]> {
        let at = place as usize * self.text_bytes;
        (place != Self::MISSING)
            .then(|| &self.texts[at..at + self.lengths[place as usize] as usize])
    }

    #[inline]
    pub(super) fn node(&self, place: u32, bit: u32) -> Option<bool> {
        let word = place as usize * 2 * self.half + bit as usize / 64;
        let mask = 1 << (bit % 64);
        (self.words[word] & mask != 0).then(|| self.words[word + self.half] & mask != 0)
    }

    #[inline]
    pub(super) fn set_node(&mut self, place: u32, bit: u32, value: bool) {
        let word = place as usize * 2 * self.half + bit as usize / 64;
        set(&mut self.words, word, self.half, bit, value);
    }
}
