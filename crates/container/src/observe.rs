//! Watches events for containers that are new, and makes the events that introduce them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use vedette_event::{EventBuf, EventType, RawEvent};

use crate::watch::Watch;
use crate::{Located, Metadata, Runtimes, locate};

/// Most containers that are remembered; the ones seen longest ago go first.
const MAX_KNOWN: usize = 8192;
/// How often a container whose files are not there yet is looked for again, at its later events.
const MAX_TRIES: u8 = 12;
/// Nanoseconds of event time between the first and the second look; doubled before each further one, so that the last
/// comes after four seconds.
const FIRST_PAUSE: u64 = 1_000_000;
/// Pause between two looks while events wait.
const STEP: Duration = Duration::from_millis(1);
/// Most of each second that events may wait. A container that nobody describes must not stop the stream.
const MAX_WAIT: Duration = Duration::from_millis(200);

/// What became of the containers so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Containers that a runtime's files describe.
    pub found: u64,
    /// Containers of which nothing but the id is known so far.
    pub unknown: u64,
    /// Containers that were forgotten because there were too many.
    pub evicted: u64,
    /// Time that events waited for runtimes.
    pub waited: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    found: bool,
    tries: u8,
    /// Whether its events have waited for its runtime already.
    waited: bool,
    /// Event time before which it is not looked for again.
    next: u64,
    seen: u64,
}

/// Introduces containers. Feed it every event; it looks at those that make or replace processes.
#[derive(Debug)]
pub struct Observer {
    runtimes: Runtimes,
    known: HashMap<String, Known>,
    kinds: Kinds,
    stats: Stats,
    clock: u64,
    wait: Duration,
    watch: Watch,
    /// When the current second of waiting began, and how much of it is used up.
    second: Instant,
    used: Duration,
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
            wait: Duration::ZERO,
            watch: Watch::default(),
            second: Instant::now(),
            used: Duration::ZERO,
            buf: EventBuf::default(),
        }
    }

    /// Lets the first event of a container wait at most so long for its runtime to write down what it is.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// From now on also looks at containers when their runtimes make them, on a thread of its own, so that those are known
    /// which are gone when their first event is handled.
    pub fn watch(&mut self) {
        self.watch = Watch::start(self.runtimes.clone());
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Looks at an event. When it is the first of a container that a runtime describes, the answer is the `container`
    /// event to be handled before it.
    pub fn observe(&mut self, event: &RawEvent<'_>) -> Option<RawEvent<'_>> {
        if !self.kinds.process.contains(&event.kind) {
            return None;
        }
        // What a runtime's own helper does in the container's control group comes before its files are complete; the
        // first program is what must not go by unknown.
        let is_exec = self.kinds.process[..2].contains(&event.kind);
        let metadata = self.introduce(event.param(CGROUPS)?, event.ts, is_exec)?;
        Some(self.event(&metadata, event.ts))
    }

    /// As [`Self::observe`], for a process that was there before the first event, by its control groups.
    pub fn introduce_at_start(&mut self, cgroups: &[u8]) -> Option<RawEvent<'_>> {
        let metadata = self.introduce(cgroups, 0, false)?;
        Some(self.event(&metadata, 0))
    }

    /// The container of these control groups, if it is new and described. `now` is the event's time, `is_exec` whether a
    /// program was started: the first time this waits, where the container is one for certain.
    pub fn introduce(&mut self, cgroups: &[u8], now: u64, is_exec: bool) -> Option<Metadata> {
        let located = locate(cgroups)?;
        self.clock += 1;
        let clock = self.clock;
        let known = self.known.get_mut(located.id.as_str());
        let is_new = known.is_none();
        let mut wait = is_exec && located.is_certain;
        if let Some(known) = known {
            known.seen = clock;
            wait &= !known.waited;
            if known.found || (!wait && (known.tries >= MAX_TRIES || now < known.next)) {
                return None;
            }
        }
        let mut metadata = self.find(&located);
        if metadata.is_none() && wait {
            metadata = self.wait_for(&located);
        }
        let known = self.known.entry(located.id).or_insert(Known {
            found: false,
            tries: 0,
            waited: false,
            next: 0,
            seen: clock,
        });
        known.waited |= wait;
        known.next = now.saturating_add(FIRST_PAUSE << known.tries);
        known.tries = (known.tries + 1).min(MAX_TRIES);
        known.found = metadata.is_some();
        if metadata.is_some() {
            self.stats.found += 1;
        }
        if located.is_certain {
            match (metadata.is_some(), is_new) {
                (false, true) => self.stats.unknown += 1,
                (true, false) => self.stats.unknown = self.stats.unknown.saturating_sub(1),
                _ => {}
            }
        }
        if self.known.len() > MAX_KNOWN {
            self.evict();
        }
        metadata
    }

    fn find(&self, located: &Located) -> Option<Metadata> {
        self.watch
            .take(&located.id)
            .or_else(|| self.runtimes.find(located))
    }

    /// Looks again until the time for it is used up.
    fn wait_for(&mut self, located: &Located) -> Option<Metadata> {
        let begun = Instant::now();
        if begun.duration_since(self.second) >= Duration::from_secs(1) {
            self.second = begun;
            self.used = Duration::ZERO;
        }
        let patience = self.wait.min(MAX_WAIT.saturating_sub(self.used));
        let mut found = None;
        while found.is_none() && begun.elapsed() < patience {
            std::thread::sleep(STEP);
            found = self.find(located);
        }
        self.used += begun.elapsed();
        self.stats.waited += begun.elapsed();
        found
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
