//! Watches events for containers that are new, and makes the events that introduce them.

use std::collections::HashMap;

use vedette_event::{EventBuf, EventType, RawEvent};

use crate::{Metadata, Runtimes, locate};

/// Most containers that are remembered; the ones seen longest ago go first.
const MAX_KNOWN: usize = 8192;
/// How often a container whose files are not there yet is looked for again, once for each of its events.
const MAX_TRIES: u8 = 8;

/// What became of the containers so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Containers that a runtime's files describe.
    pub found: u64,
    /// Containers of which nothing but the id is known, after all tries.
    pub unknown: u64,
    /// Containers that were forgotten because there were too many.
    pub evicted: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    found: bool,
    tries: u8,
    seen: u64,
}

/// Introduces containers. Feed it every event; it looks at those that make or replace processes.
#[derive(Debug)]
pub struct Observer {
    runtimes: Runtimes,
    known: HashMap<String, Known>,
    kinds: Kinds,
    /// Counters.
    pub stats: Stats,
    clock: u64,
    buf: EventBuf,
}

#[derive(Clone, Copy, Debug)]
struct Kinds {
    introduction: EventType,
    /// The events that carry control groups.
    process: [EventType; 6],
}

impl Kinds {
    fn new() -> Self {
        let kind = |symbol| EventType::by_symbol(symbol).expect("it is in the event table");
        Self {
            introduction: kind("ASYNCEVENT_E"),
            process: [
                "SYSCALL_EXECVE_19_X",
                "SYSCALL_EXECVEAT_X",
                "SYSCALL_CLONE_20_X",
                "SYSCALL_CLONE3_X",
                "SYSCALL_FORK_20_X",
                "SYSCALL_VFORK_20_X",
            ]
            .map(kind),
        }
    }
}

/// Position of the control groups in the events of the exec and clone families.
const CGROUPS: usize = 14;

impl Observer {
    /// Watches for containers of these runtimes.
    pub fn new(runtimes: Runtimes) -> Self {
        Self {
            runtimes,
            known: HashMap::new(),
            kinds: Kinds::new(),
            stats: Stats::default(),
            clock: 0,
            buf: EventBuf::default(),
        }
    }

    /// Looks at an event. When it is the first of a container that a runtime describes, the answer is the `container`
    /// event to be handled before it.
    pub fn observe(&mut self, event: &RawEvent<'_>) -> Option<RawEvent<'_>> {
        if !self.kinds.process.contains(&event.kind) {
            return None;
        }
        let metadata = self.introduce(event.param(CGROUPS)?)?;
        Some(self.event(&metadata, event.ts))
    }

    /// As [`Self::observe`], for a process that was there before the first event, by its control groups.
    pub fn introduce_at_start(&mut self, cgroups: &[u8]) -> Option<RawEvent<'_>> {
        let metadata = self.introduce(cgroups)?;
        Some(self.event(&metadata, 0))
    }

    /// The container of these control groups, if it is new and described.
    pub fn introduce(&mut self, cgroups: &[u8]) -> Option<Metadata> {
        let located = locate(cgroups)?;
        self.clock += 1;
        let clock = self.clock;
        let entry = self.known.entry(located.id.clone()).or_insert(Known {
            found: false,
            tries: 0,
            seen: clock,
        });
        entry.seen = clock;
        if entry.found || entry.tries >= MAX_TRIES {
            return None;
        }
        entry.tries += 1;
        let last = entry.tries == MAX_TRIES;
        let metadata = self.runtimes.find(&located);
        entry.found = metadata.is_some();
        if metadata.is_some() {
            self.stats.found += 1;
        } else if last {
            self.stats.unknown += 1;
        }
        if self.known.len() > MAX_KNOWN {
            self.evict();
        }
        metadata
    }

    fn evict(&mut self) {
        // a quarter at once, so that this is rare
        let mut seen: Vec<u64> = self.known.values().map(|k| k.seen).collect();
        seen.sort_unstable();
        let keep_from = seen[seen.len() / 4];
        let before = self.known.len();
        self.known.retain(|_, k| k.seen >= keep_from);
        self.stats.evicted += (before - self.known.len()) as u64;
    }

    fn event(&mut self, metadata: &Metadata, ts: u64) -> RawEvent<'_> {
        let mut data = metadata.to_json().into_bytes();
        data.push(0);
        self.buf.start(self.kinds.introduction);
        self.buf
            .push(&0u32.to_le_bytes())
            .push_text(b"container")
            .push(&data);
        self.buf.event(0, ts, 0, 0)
    }
}
