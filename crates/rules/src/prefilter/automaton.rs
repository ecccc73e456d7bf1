//! Patterns compiled into one table that reads a path byte by byte, small enough for the kernel to walk.
//!
//! The table is the subset construction over all patterns at once. Where it would grow beyond its bounds it answers
//! "every pattern matches", which is what an over-approximation may always answer.

use rustc_hash::FxHashMap;

use super::pattern::{Element, Pattern};

/// Columns of a table: classes of bytes that no pattern tells apart.
pub const COLUMNS: usize = 128;

/// The state in which every pattern matches; it is never left.
pub const TOP: u16 = 0;

/// The state before the first byte.
pub const START: u16 = 1;

/// Which bytes share a column. The last column is for bytes that found no column of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) [u8; 256]);

const LAST: u8 = (COLUMNS - 1) as u8;

impl Bytes {
    /// A column for each byte that a pattern names, column 0 for all others.
    pub(super) fn of<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Self {
        let mut named = [false; 256];
        named[usize::from(b'/')] = true;
        for element in patterns.flatten() {
            match element {
                Element::Byte(byte) => named[usize::from(*byte)] = true,
                Element::Fold(byte) => {
                    named[usize::from(*byte)] = true;
                    named[usize::from(byte.to_ascii_uppercase())] = true;
                }
                Element::Any | Element::Star | Element::Inside => {}
            }
        }
        let mut columns = [0; 256];
        let mut next = 1;
        for (byte, named) in named.into_iter().enumerate() {
            if named {
                columns[byte] = next;
                next = (next + 1).min(LAST);
            }
        }
        Self(columns)
    }

    /// A byte of each column; `None` for columns that stand for nothing, and for the last one.
    fn examples(&self) -> [Option<u8>; COLUMNS] {
        let mut out = [None; COLUMNS];
        for (byte, column) in self.0.iter().enumerate() {
            if *column != LAST {
                out[usize::from(*column)] = Some(byte as u8);
            }
        }
        out
    }
}

/// A table over some patterns.
#[derive(Clone, Debug)]
pub(super) struct Automaton {
    /// Next state by state and column.
    pub(super) next: Vec<[u16; COLUMNS]>,
    /// Of each state, which set of patterns matches when the path ends there.
    pub(super) label: Vec<u8>,
    /// The sets: patterns by index, sorted. Label 0 is every pattern, label 1 none.
    pub(super) sets: Vec<Vec<u16>>,
}

/// Label of [`TOP`].
pub(super) const EVERY: u8 = 0;

/// A place in a pattern: pattern number and element number.
type Place = (u16, u16);

struct Builder<'p> {
    patterns: &'p [Pattern],
    states: FxHashMap<Vec<Place>, u16>,
    queue: Vec<Vec<Place>>,
    most: usize,
    /// A pattern that went past its last star leads to [`TOP`]: for patterns that match anywhere, of which any set may
    /// come together.
    collapse: bool,
}

impl Automaton {
    /// The table of `patterns` with at most `most` states and `labels` labels.
    pub(super) fn new(
        patterns: &[Pattern],
        bytes: &Bytes,
        most: usize,
        labels: usize,
        collapse: bool,
    ) -> Self {
        let mut builder = Builder {
            patterns,
            states: FxHashMap::default(),
            queue: Vec::new(),
            most,
            collapse,
        };
        let mut start = Vec::new();
        for pattern in 0..patterns.len() {
            builder.reach(pattern as u16, 0, &mut start);
        }
        // TOP stands at the head of the queue without a set of its own.
        builder.queue.push(Vec::new());
        let first = builder.state(start);
        debug_assert_eq!(first, START);
        let mut automaton = Self {
            next: vec![[TOP; COLUMNS]],
            label: vec![EVERY],
            sets: vec![(0..patterns.len() as u16).collect(), Vec::new()],
        };
        let examples = bytes.examples();
        let mut at = usize::from(START);
        while at < builder.queue.len() {
            let places = std::mem::take(&mut builder.queue[at]);
            let mut row = [TOP; COLUMNS];
            for (column, example) in examples.iter().enumerate() {
                if let Some(byte) = example {
                    row[column] = builder.step(&places, *byte);
                }
            }
            automaton.next.push(row);
            let label = automaton.label_of(builder.ended(&places), labels);
            automaton.label.push(label);
            at += 1;
        }
        automaton
    }

    fn label_of(&mut self, ended: Vec<u16>, labels: usize) -> u8 {
        if let Some(known) = self.sets.iter().position(|set| *set == ended) {
            return known as u8;
        }
        if self.sets.len() >= labels {
            return EVERY;
        }
        self.sets.push(ended);
        (self.sets.len() - 1) as u8
    }
}

impl Builder<'_> {
    /// Adds a place and those behind it that need no byte.
    fn reach(&self, pattern: u16, mut element: u16, out: &mut Vec<Place>) {
        let elements = &self.patterns[usize::from(pattern)];
        loop {
            out.push((pattern, element));
            match elements.get(usize::from(element)) {
                Some(Element::Star | Element::Inside) => element += 1,
                _ => return,
            }
        }
    }

    fn state(&mut self, mut places: Vec<Place>) -> u16 {
        places.sort_unstable();
        places.dedup();
        let anywhere = |place: &Place| {
            let elements = &self.patterns[usize::from(place.0)];
            let last = elements.len().saturating_sub(1);
            place.1 as usize == elements.len() && elements.get(last) == Some(&Element::Star)
        };
        if self.collapse && places.iter().any(anywhere) {
            return TOP;
        }
        if let Some(known) = self.states.get(&places) {
            return *known;
        }
        if self.queue.len() >= self.most {
            return TOP;
        }
        let state = self.queue.len() as u16;
        self.queue.push(places.clone());
        self.states.insert(places, state);
        state
    }

    fn step(&mut self, places: &[Place], byte: u8) -> u16 {
        let mut out = Vec::new();
        for (pattern, element) in places {
            let elements = &self.patterns[usize::from(*pattern)];
            let stays = match elements.get(usize::from(*element)) {
                Some(Element::Byte(want)) if *want == byte => false,
                Some(Element::Fold(want)) if *want == byte.to_ascii_lowercase() => false,
                Some(Element::Any) => false,
                Some(Element::Star) => true,
                Some(Element::Inside) if byte != b'/' => true,
                _ => continue,
            };
            self.reach(
                *pattern,
                if stays { *element } else { *element + 1 },
                &mut out,
            );
        }
        self.state(out)
    }

    /// The patterns that are at their end.
    fn ended(&self, places: &[Place]) -> Vec<u16> {
        let mut ended: Vec<u16> = places
            .iter()
            .filter(|(pattern, element)| {
                usize::from(*element) == self.patterns[usize::from(*pattern)].len()
            })
            .map(|(pattern, _)| *pattern)
            .collect();
        ended.dedup();
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Element::{Any, Byte, Inside, Star};
    use super::*;

    fn word(text: &str) -> Pattern {
        text.bytes()
            .map(|b| match b {
                b'*' => Star,
                b'?' => Any,
                b'~' => Inside,
                b => Byte(b),
            })
            .collect()
    }

    fn run(automaton: &Automaton, bytes: &Bytes, text: &str) -> Vec<u16> {
        let state = text.bytes().fold(START, |state, byte| {
            automaton.next[usize::from(state)][usize::from(bytes.0[usize::from(byte)])]
        });
        automaton.sets[usize::from(automaton.label[usize::from(state)])].clone()
    }

    #[test]
    fn a_table_knows_which_patterns_match() {
        let patterns: Vec<Pattern> = ["/etc/*", "/etc/shadow", "/proc/*/environ", "/dev/~", "/?"]
            .iter()
            .map(|text| word(text))
            .collect();
        let bytes = Bytes::of(patterns.iter());
        let table = Automaton::new(&patterns, &bytes, 1000, 255, false);
        for (path, want) in [
            ("/etc/passwd", &[0][..]),
            ("/etc/shadow", &[0, 1]),
            ("/etc/shadow-", &[0]),
            ("/proc/1/2/environ", &[2]),
            ("/proc/environ", &[]),
            ("/dev/null", &[3]),
            ("/dev/shm/x", &[]),
            ("/x", &[4]),
            ("", &[]),
        ] {
            assert_eq!(run(&table, &bytes, path), want, "{path}");
        }
    }

    #[test]
    fn a_table_that_would_grow_too_large_matches_more() {
        let patterns: Vec<Pattern> = ["/etc/shadow", "/etc/pam.d/*"]
            .iter()
            .map(|t| word(t))
            .collect();
        let bytes = Bytes::of(patterns.iter());
        let table = Automaton::new(&patterns, &bytes, 8, 255, false);
        assert!(table.next.len() <= 8);
        assert_eq!(run(&table, &bytes, "/etc/shadow"), [0, 1]);
        assert!(run(&table, &bytes, "/var").is_empty());
    }

    #[test]
    fn patterns_that_match_anywhere_come_together() {
        let patterns: Vec<Pattern> = ["*ssh*", "*.log", "*/id_rsa"]
            .iter()
            .map(|t| word(t))
            .collect();
        let bytes = Bytes::of(patterns.iter());
        let table = Automaton::new(&patterns, &bytes, 1000, 255, true);
        assert_eq!(run(&table, &bytes, "/a/.ssh/x"), [0, 1, 2]);
        assert_eq!(run(&table, &bytes, "/a/x.log"), [1]);
        assert_eq!(run(&table, &bytes, "/a/id_rsa"), [2]);
        assert!(run(&table, &bytes, "/a/xid_rsa").is_empty());
    }
}
