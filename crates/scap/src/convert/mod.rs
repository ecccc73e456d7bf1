//! Bringing events of older recorders up to date.
//!
//! Recorders before Falco 0.42 wrote two events for a system call, one at its start and one at its end, and each change
//! of an event's parameters got a new type. Today a call is one event, at its end, with everything in it. The converter
//! keeps what a call's start said per thread and puts it into the event of its end, and renames old types.
//!
//! Which event becomes what stands in [`table`]; [`plan`] compiles that into one step for each old shape, so that an
//! event is copied at most once however old it is. Events in today's form pass untouched.

mod plan;
mod table;

use rustc_hash::FxHashMap;
use vedette_event::{EventBuf, EventType, RawEvent};

use plan::{Action, Plan, Plans, Source};

/// Threads whose unfinished calls are kept. A machine has fewer threads inside calls than this; what goes beyond is a
/// capture whose ends were lost.
const MAX_THREADS: usize = 65_536;

/// Bytes kept for unfinished calls, all threads together.
const MAX_KEPT_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of one call's start. Two paths are the most that any of them holds; a longer one is not kept, and its end is
/// completed as if the start had been lost.
const MAX_KEPT_EVENT: usize = 16 * 1024;

/// What the converter did with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in today's form.
    Unchanged,
    /// It was old; [`Converter::event`] is the same event in today's form.
    Converted,
    /// It is the start of a call that Falco numbers but does not show to rules.
    Numbered,
    /// It is the start of a call that Falco neither numbers nor shows, or a shape that cannot be brought up to date.
    Dropped,
}

/// What came out of the converter.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// An event in today's form.
    Event(RawEvent<'a>),
    /// Nothing for rules, but it takes a number.
    Numbered,
    /// Nothing at all.
    Dropped,
}

/// The start of a call, kept until its end.
#[derive(Debug, Default)]
struct Kept {
    kind: u16,
    nparams: u16,
    /// Bytes of the length words at the start of `bytes`.
    split: usize,
    bytes: Vec<u8>,
    /// False once its end has taken it.
    live: bool,
}

/// Brings events of older recorders up to date, as Falco does when it replays a capture.
///
/// Memory is bounded: unfinished calls of at most 65,536 threads and 8 MiB are kept, beyond that all are forgotten and
/// counted.
#[derive(Debug)]
pub struct Converter {
    plans: &'static Plans,
    kept: FxHashMap<i64, Kept>,
    kept_bytes: usize,
    forgotten: u64,
    unconvertible: u64,
    out: EventBuf,
    scratch: Vec<u8>,
}

impl Default for Converter {
    fn default() -> Self {
        Self::new()
    }
}

impl Converter {
    /// A converter that knows of no unfinished call.
    pub fn new() -> Self {
        Self {
            plans: plan::plans(),
            kept: FxHashMap::default(),
            kept_bytes: 0,
            forgotten: 0,
            unconvertible: 0,
            out: EventBuf::default(),
            scratch: Vec::new(),
        }
    }

    /// Converts one event. Number, time, thread and processor stay as they are.
    pub fn convert<'a>(&'a mut self, event: RawEvent<'a>) -> Outcome<'a> {
        match self.feed(&event) {
            Verdict::Unchanged => Outcome::Event(event),
            Verdict::Converted => {
                Outcome::Event(self.event(event.num, event.ts, event.tid, event.cpu))
            }
            Verdict::Numbered => Outcome::Numbered,
            Verdict::Dropped => Outcome::Dropped,
        }
    }

    /// As [`Self::convert`], for callers that cannot hold a borrow: says what to do, and [`Self::event`] has the event.
    #[inline]
    pub fn feed(&mut self, event: &RawEvent<'_>) -> Verdict {
        if self.plans.is_current(event.kind, event.nparams()) {
            return Verdict::Unchanged;
        }
        self.feed_old(event)
    }

    /// True when events of this shape pass untouched, so that they need not be fed.
    #[inline]
    pub(crate) fn passes(&self, kind: EventType, nparams: u16) -> bool {
        self.plans.is_current(kind, usize::from(nparams))
    }

    /// The event that was converted last, with the given header.
    pub fn event(&self, num: u64, ts: u64, tid: i64, cpu: u16) -> RawEvent<'_> {
        self.out.event(num, ts, tid, cpu)
    }

    /// Starts of calls that were forgotten because too many were unfinished.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Events of a shape that no recorder is known to have written: dropped when their type is old, else passed as
    /// they are.
    pub fn unconvertible(&self) -> u64 {
        self.unconvertible
    }

    /// Bytes of memory that unfinished calls hold, without the table itself.
    pub fn memory(&self) -> usize {
        self.kept_bytes + self.scratch.capacity()
    }

    /// Forgets every unfinished call: another capture begins.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.kept_bytes = 0;
    }

    fn feed_old(&mut self, event: &RawEvent<'_>) -> Verdict {
        let plans = self.plans;
        let Some(plan) = plans.get(event.kind, event.nparams()) else {
            self.unconvertible += 1;
            return if plans.is_old(event.kind) {
                Verdict::Dropped
            } else {
                Verdict::Unchanged
            };
        };
        match plan.action {
            Action::Drop => Verdict::Dropped,
            Action::Pass => Verdict::Numbered,
            Action::Keep { numbered } => {
                if plan.changed {
                    self.build(plan, event);
                    let out = std::mem::take(&mut self.out);
                    self.keep(
                        event.tid,
                        &out.event(event.num, event.ts, event.tid, event.cpu),
                    );
                    self.out = out;
                } else {
                    self.keep(event.tid, event);
                }
                if numbered {
                    Verdict::Numbered
                } else {
                    Verdict::Dropped
                }
            }
            Action::Emit => {
                self.build(plan, event);
                Verdict::Converted
            }
        }
    }

    /// Keeps the start of a call. A thread is in one call at a time, so an older one is over.
    fn keep(&mut self, tid: i64, event: &RawEvent<'_>) {
        let (lengths, data) = event.parts();
        let len = lengths.len() + data.len();
        if let Some(kept) = self.kept.get_mut(&tid) {
            // The usual case: the thread is known, and its buffer is large enough.
            if kept.bytes.capacity() >= len {
                kept.set(event);
                return;
            }
        }
        if len > MAX_KEPT_EVENT {
            if let Some(kept) = self.kept.get_mut(&tid) {
                kept.live = false;
            }
            self.forgotten += 1;
            return;
        }
        let held = self.kept.get(&tid).map_or(0, |kept| kept.bytes.capacity());
        let full = held == 0 && self.kept.len() >= MAX_THREADS;
        if full || self.kept_bytes + len.saturating_sub(held) > MAX_KEPT_BYTES {
            self.forgotten += self.kept.values().filter(|kept| kept.live).count() as u64;
            self.clear();
        }
        let kept = self.kept.entry(tid).or_default();
        let before = kept.bytes.capacity();
        kept.bytes.clear();
        kept.bytes.reserve_exact(len);
        kept.set(event);
        self.kept_bytes += kept.bytes.capacity() - before;
    }

    /// Puts the new event together in `out`.
    fn build(&mut self, plan: &Plan, event: &RawEvent<'_>) {
        self.out.start(plan.kind);
        let mut kept = None;
        if let Some(kind) = plan.start
            && let Some(start) = self.kept.get_mut(&event.tid)
            && start.live
            && start.kind == kind.0
        {
            start.live = false;
            kept = start.event();
        }
        for source in &plan.sources {
            let found = match *source {
                Source::Old { index, width } => event
                    .param(usize::from(index))
                    .map(|bytes| cut(bytes, width)),
                Source::Start { index, width, .. } => kept
                    .as_ref()
                    .and_then(|start| start.param(usize::from(index)))
                    .map(|bytes| cut(bytes, width)),
                Source::Empty | Source::Default(_) => None,
                Source::ContainerJson => {
                    container_json(event, &mut self.scratch);
                    Some(&self.scratch[..])
                }
            };
            match (found, source) {
                (Some(bytes), _) => self.out.push(bytes),
                (None, Source::Start { default, .. } | Source::Default(default)) => {
                    self.out.push(default)
                }
                (None, _) => self.out.push(&[]),
            };
        }
    }
}

/// A number that moves into a narrower parameter loses its high bytes, as in Falco.
fn cut(bytes: &[u8], width: Option<u8>) -> &[u8] {
    match width {
        Some(width) if bytes.len() > usize::from(width) => &bytes[..usize::from(width)],
        _ => bytes,
    }
}

impl Kept {
    fn set(&mut self, event: &RawEvent<'_>) {
        let (lengths, data) = event.parts();
        self.kind = event.kind.0;
        self.nparams = event.nparams() as u16;
        self.split = lengths.len();
        self.bytes.clear();
        self.bytes.extend_from_slice(lengths);
        self.bytes.extend_from_slice(data);
        self.live = true;
    }

    fn event(&self) -> Option<RawEvent<'_>> {
        let (lengths, data) = self.bytes.split_at_checked(self.split)?;
        RawEvent::new(
            0,
            0,
            0,
            0,
            EventType(self.kind),
            self.nparams,
            lengths,
            data,
        )
        .ok()
    }
}

/// The oldest container events have four parameters; today's has one JSON text.
fn container_json(event: &RawEvent<'_>, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(b"{\"id\":");
    json_text(event.text(0), out);
    out.extend_from_slice(b",\"type\":");
    out.extend_from_slice(event.unsigned(1).unwrap_or(0).to_string().as_bytes());
    out.extend_from_slice(b",\"name\":");
    json_text(event.text(2), out);
    out.extend_from_slice(b",\"image\":");
    json_text(event.text(3), out);
    out.extend_from_slice(b"}\0");
}

fn json_text(text: Option<&[u8]>, out: &mut Vec<u8>) {
    out.push(b'"');
    for ch in String::from_utf8_lossy(text.unwrap_or_default()).chars() {
        match ch {
            '"' | '\\' => out.extend_from_slice(&[b'\\', ch as u8]),
            ch if ch < ' ' => out.extend_from_slice(format!("\\u{:04x}", ch as u32).as_bytes()),
            ch => out.extend_from_slice(ch.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests;
