//! Event blocks: decoded, brought into order and up to date, and numbered as Falco numbers them.

use std::io::Read;

use vedette_event::{EventType, Malformed, RawEvent, Via};

use super::{MAX_EVENT_BLOCK, Reader};
use crate::block::{self, EventBlock, FRAME};
use crate::bytes::ByteOrder;
use crate::convert::Verdict;
use crate::error::ErrorKind;
use crate::event::{self, Decoded, NotAnEvent};

/// An event that is to be handed out.
#[derive(Debug)]
pub(super) struct Current {
    pub event: Decoded,
    /// How far behind the window its block's body begins.
    pub back: usize,
    pub place: Place,
    pub shown: bool,
}

/// Where the bytes of an event are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Window,
    Swapped,
    Converter,
}

impl<R: Read> Reader<R> {
    /// The current event, borrowed.
    #[inline]
    pub(super) fn current_event(&self) -> Result<RawEvent<'_>, Malformed> {
        let event = &self.current.event;
        match self.current.place {
            Place::Window => {
                let body = self.window.behind(self.current.back, event.data.end);
                raw(event, self.num, body)
            }
            Place::Swapped => raw(event, self.num, &self.swapped),
            Place::Converter => Ok(self
                .converter
                .event(self.num, event.ts, event.tid, event.cpu)
                .by(via(event))),
        }
    }

    /// Makes an event the current one; `false` when there is nothing to hand out for it.
    #[inline]
    pub(super) fn event_block(
        &mut self,
        id: u32,
        length: u32,
        block: EventBlock,
    ) -> Result<bool, ErrorKind> {
        let len = length as usize;
        let fits = (FRAME as u32..=MAX_EVENT_BLOCK).contains(&length) && self.window.ensure(len);
        let held = self.window.bytes();
        if !fits || held[4..8] != held[len - 4..len] {
            // Says what is wrong with it.
            return self
                .whole_block(id, length, FRAME as u32, MAX_EVENT_BLOCK)
                .map(|_| false);
        }
        self.window.consume(len);
        let body = len - FRAME;
        let back = body + 4;
        self.stats.events += 1;
        let bytes = self.window.behind(back, body);
        match event::decode(bytes, block, self.order) {
            Ok(event) => self.current.event = event,
            Err(why) => {
                self.not_an_event(why, length);
                return Ok(false);
            }
        }
        self.current.back = back;
        self.current.place = Place::Window;
        if self.order == ByteOrder::Big && !self.swap(back, body) {
            self.not_an_event(NotAnEvent::Malformed, length);
            return Ok(false);
        }
        let event = &self.current.event;
        let passes = self.converter.passes(event.kind, event.nparams);
        if self.options.convert && !passes && !self.convert() {
            return Ok(false);
        }
        self.num += 1;
        if self.leading {
            self.leading = tells_what_was_known(self.current.event.kind);
        }
        let shown = !self.leading && self.current.event.flags & block::STATE_ONLY == 0;
        self.current.shown = shown;
        self.stats.shown += u64::from(shown);
        Ok(true)
    }

    /// Brings the current event into little-endian order.
    #[cold]
    fn swap(&mut self, back: usize, body: usize) -> bool {
        let event = &mut self.current.event;
        self.swapped.clear();
        let bytes = self.window.behind(back, body);
        let done = event::swap(event, bytes, &mut self.swapped).is_ok();
        event.lengths = 0..event.lengths.len();
        event.data = event.lengths.len()..self.swapped.len();
        self.current.place = Place::Swapped;
        done
    }

    /// Brings the current event up to date; `false` when there is nothing to hand out for it.
    #[inline(never)]
    fn convert(&mut self) -> bool {
        let event = &self.current.event;
        let bytes = match self.current.place {
            Place::Swapped => &self.swapped[..],
            _ => self.window.behind(self.current.back, event.data.end),
        };
        let verdict = match raw(event, 0, bytes) {
            Ok(raw) => self.converter.feed(&raw),
            Err(_) => Verdict::Dropped,
        };
        match verdict {
            Verdict::Unchanged => true,
            Verdict::Converted => {
                self.stats.converted += 1;
                self.current.event.kind = self.converter.event(0, 0, 0, 0).kind;
                self.current.place = Place::Converter;
                true
            }
            Verdict::Numbered => {
                self.stats.starts += 1;
                self.num += 1;
                self.leading = false;
                false
            }
            Verdict::Dropped => {
                self.stats.starts += u64::from(self.current.event.kind.is_enter());
                false
            }
        }
    }

    #[cold]
    fn not_an_event(&mut self, why: NotAnEvent, length: u32) {
        let at = self.window.at() - u64::from(length);
        match why {
            NotAnEvent::Unknown => self.stats.unknown_events += 1,
            NotAnEvent::Malformed => {
                self.stats.malformed_events += 1;
                self.stats.first_malformed.get_or_insert(at);
            }
        }
    }
}

/// The event that was decoded from `body`. Its lengths were checked then.
#[inline]
fn raw<'a>(event: &Decoded, num: u64, body: &'a [u8]) -> Result<RawEvent<'a>, Malformed> {
    let lengths = body.get(event.lengths.clone()).ok_or(Malformed::Lengths)?;
    let data = body.get(event.data.clone()).ok_or(Malformed::Data)?;
    let wide = lengths.len() > 2 * usize::from(event.nparams);
    let (num, ts, tid, cpu) = (num, event.ts, event.tid, event.cpu);
    Ok(RawEvent::checked_before(num, ts, tid, cpu, event.kind, wide, lengths, data).by(via(event)))
}

/// Which way it came, as the dump flags say.
#[inline]
fn via(event: &Decoded) -> Via {
    if event.flags & block::IO_URING == 0 {
        Via::Call
    } else {
        Via::IoUring
    }
}

/// Event types that a recorder writes first to say which containers, users and groups there are. While nothing else has
/// come they only feed the state tables.
pub(crate) fn tells_what_was_known(kind: EventType) -> bool {
    kind.info().is_some_and(|info| {
        matches!(
            info.symbol,
            "CONTAINER_E"
                | "CONTAINER_JSON_E"
                | "CONTAINER_JSON_2_E"
                | "USER_ADDED_E"
                | "USER_DELETED_E"
                | "GROUP_ADDED_E"
                | "GROUP_DELETED_E"
        )
    })
}
