//! One record of the ring: the mirror of `struct header` in `bpf/include/record.h`.

use vedette_event::{EventType, RawEvent, Via};

/// Bytes before the length words.
pub(crate) const HEADER_BYTES: usize = 24;

/// Which way an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A system call.
    Native,
    /// A system call of a 32-bit program.
    Compat,
    /// An operation that was submitted through io_uring and never was a system call.
    IoUring,
    /// A tracepoint: exec, fork, exit.
    Tracepoint,
    /// An open that happened earlier and that nobody wanted then; told because an event names its descriptor.
    Kept,
}

/// The fixed part of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// Nanoseconds since boot.
    pub(crate) time: u64,
    pub(crate) tid: i64,
    pub(crate) kind: EventType,
    pub(crate) nparams: u16,
    pub(crate) cpu: u16,
    pub(crate) origin: Origin,
}

/// Time of a record, to order it by.
pub(crate) fn time_of(bytes: &[u8]) -> u64 {
    bytes
        .get(..8)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

/// Takes a record apart: event number `num`, on a machine whose boot clock began `epoch` nanoseconds after the Unix
/// epoch. `None` when it is cut or says something impossible, which would be a fault of the kernel side.
pub fn parse(bytes: &[u8], num: u64, epoch: u64) -> Option<(RawEvent<'_>, Origin)> {
    let (head, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let header = header(head)?;
    let lengths = usize::from(header.nparams) * 2;
    let (lengths, data) = rest.split_at_checked(lengths)?;
    let event = RawEvent::new(
        num,
        header.time.wrapping_add(epoch),
        header.tid,
        header.cpu,
        header.kind,
        header.nparams,
        lengths,
        data,
    )
    .ok()?;
    let via = match header.origin {
        Origin::IoUring => Via::IoUring,
        _ => Via::Call,
    };
    Some((event.by(via), header.origin))
}

fn header(head: &[u8]) -> Option<Header> {
    let u16_at = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    Some(Header {
        time: time_of(head),
        tid: i64::from_le_bytes(head[8..16].try_into().ok()?),
        kind: EventType(u16_at(16)),
        nparams: u16_at(18),
        cpu: u16_at(20),
        origin: match u16_at(22) {
            0 => Origin::Native,
            1 => Origin::Compat,
            2 => Origin::IoUring,
            3 => Origin::Tracepoint,
            4 => Origin::Kept,
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(1000u64.to_le_bytes());
        out.extend(42i64.to_le_bytes());
        out.extend(5u16.to_le_bytes());
        out.extend(2u16.to_le_bytes());
        out.extend(3u16.to_le_bytes());
        out.extend(1u16.to_le_bytes());
        out.extend(8u16.to_le_bytes());
        out.extend(8u16.to_le_bytes());
        out.extend((-9i64).to_le_bytes());
        out.extend(7i64.to_le_bytes());
        out
    }

    #[test]
    fn a_record_is_an_event() {
        let bytes = record();
        let (event, origin) = parse(&bytes, 1, 500).unwrap();
        assert_eq!((event.ts, event.tid, event.cpu), (1500, 42, 3));
        assert_eq!(event.kind.name(), "close");
        assert_eq!((event.signed(0), event.signed(1)), (Some(-9), Some(7)));
        assert_eq!(origin, Origin::Compat);
    }

    #[test]
    fn every_cut_is_refused() {
        let bytes = record();
        for len in 0..bytes.len() {
            assert!(parse(&bytes[..len], 1, 0).is_none(), "{len}");
        }
        let mut bytes = record();
        bytes[22] = 9;
        assert!(parse(&bytes, 1, 0).is_none());
    }
}
