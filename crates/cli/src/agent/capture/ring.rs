//! The last events in memory, in pieces that a capture shares without copying them.

use std::collections::VecDeque;
use std::sync::Arc;

use vedette_event::{EventType, RawEvent, Via};

/// Bytes after which a piece is complete. Small against the ring, large against an event.
const PIECE: usize = 256 * 1024;

/// Where an event's parts are in a piece.
#[derive(Clone, Copy, Debug)]
struct Place {
    kind: EventType,
    num: u64,
    ts: u64,
    tid: i64,
    cpu: u16,
    nparams: u16,
    via: Via,
    /// First byte, end of the lengths, end of the data.
    at: [u32; 3],
}

/// Events in a row.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Piece {
    /// A piece of one event.
    pub(crate) fn of(event: &RawEvent<'_>) -> Self {
        let mut piece = Self::default();
        piece.push(event);
        piece
    }

    fn push(&mut self, event: &RawEvent<'_>) {
        let (lengths, data) = event.parts();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(lengths);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(data);
        self.places.push(Place {
            kind: event.kind,
            num: event.num,
            ts: event.ts,
            tid: event.tid,
            cpu: event.cpu,
            nparams: event.nparams() as u16,
            via: event.via,
            at: [start as u32, middle as u32, self.bytes.len() as u32],
        });
    }

    /// Its events, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = RawEvent<'_>> {
        self.places.iter().filter_map(|place| {
            let [start, middle, end] = place.at.map(|at| at as usize);
            let lengths = self.bytes.get(start..middle)?;
            let data = self.bytes.get(middle..end)?;
            RawEvent::new(
                place.num,
                place.ts,
                place.tid,
                place.cpu,
                place.kind,
                place.nparams,
                lengths,
                data,
            )
            .ok()
            .map(|event| event.by(place.via))
        })
    }

    fn size(&self) -> usize {
        self.bytes.len() + self.places.len() * size_of::<Place>()
    }

    fn last(&self) -> u64 {
        self.places.last().map_or(0, |place| place.ts)
    }
}

/// The last events, bounded in bytes and in time.
#[derive(Debug)]
pub(crate) struct Ring {
    complete: VecDeque<Arc<Piece>>,
    open: Piece,
    held: usize,
    most: usize,
    before: u64,
}

impl Ring {
    /// Holds at most `most` bytes of events, none older than `before` nanoseconds than needed.
    pub(crate) fn new(most: usize, before: u64) -> Self {
        Self {
            complete: VecDeque::new(),
            open: Piece::default(),
            held: 0,
            most: most.max(2 * PIECE),
            before,
        }
    }

    /// Keeps an event. The piece that it completes, if it does, comes back.
    pub(crate) fn push(&mut self, event: &RawEvent<'_>) -> Option<Arc<Piece>> {
        self.open.push(event);
        if self.open.size() >= PIECE {
            self.complete(event.ts)
        } else {
            None
        }
    }

    /// Completes the open piece, if there is anything in it.
    pub(crate) fn complete(&mut self, now: u64) -> Option<Arc<Piece>> {
        if self.open.places.is_empty() {
            return None;
        }
        let piece = Arc::new(std::mem::take(&mut self.open));
        self.held += piece.size();
        self.complete.push_back(Arc::clone(&piece));
        while let Some(oldest) = self.complete.front() {
            let old = oldest.last().saturating_add(self.before) < now;
            if self.held <= self.most - PIECE && !old {
                break;
            }
            self.held -= oldest.size();
            self.complete.pop_front();
        }
        Some(piece)
    }

    /// The complete pieces, oldest first.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &Arc<Piece>> {
        self.complete.iter()
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.held + self.open.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_event::EventBuf;

    fn chdir(buf: &mut EventBuf, ts: u64, path: &[u8]) {
        let kind = EventType::by_symbol("SYSCALL_CHDIR_X").expect("in the table");
        buf.start(kind);
        buf.push(&0i64.to_le_bytes()).push_text(path);
        let _ = ts;
    }

    #[test]
    fn the_last_events_come_back_as_they_were_within_the_bounds() {
        let mut ring = Ring::new(1 << 20, 5_000);
        let mut buf = EventBuf::default();
        let path = [b'x'; 1000];
        for ts in 0..10_000u64 {
            chdir(&mut buf, ts, &path);
            ring.push(&buf.event(ts, ts, 7, 1));
            assert!(ring.size() <= 1 << 20, "{}", ring.size());
        }
        ring.complete(10_000);
        let seen: Vec<u64> = ring
            .pieces()
            .flat_map(|piece| piece.events().map(|event| event.ts).collect::<Vec<_>>())
            .collect();
        assert!(seen.len() > 500 && seen.last() == Some(&9_999));
        assert!(seen.windows(2).all(|two| two[0] + 1 == two[1]));
        let piece = ring.pieces().next().expect("held");
        let event = piece.events().next().expect("held");
        assert_eq!((event.tid, event.cpu, event.kind.name()), (7, 1, "chdir"));
        assert_eq!(event.text(1), Some(&path[..]));
        // what is older than asked for goes, even where there is room
        chdir(&mut buf, 50_000, b"/");
        ring.push(&buf.event(0, 50_000, 7, 1));
        ring.complete(50_000);
        assert_eq!(ring.pieces().count(), 1);
    }
}
