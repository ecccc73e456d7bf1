//! Event blocks: from a block's body to the parts of an event.

use std::ops::Range;

use vedette_event::{EventFlags, EventType, MAX_PARAMS, ParamType};

use crate::block::EventBlock;
use crate::bytes::{ByteOrder, Cursor};

/// Bytes of an event header: time, thread, length, type, number of parameters.
pub(crate) const EVENT_HEADER: usize = 26;

/// Bytes of the header before the number of parameters was added.
const SHORT_HEADER: usize = 22;

/// An event's header, and where in the body its parts stand.
#[derive(Clone, Debug)]
pub(crate) struct Decoded {
    pub cpu: u16,
    /// Dump flags; 0 when the block has none.
    pub flags: u32,
    pub ts: u64,
    pub tid: i64,
    pub kind: EventType,
    pub nparams: u16,
    /// Length words, in the body.
    pub lengths: Range<usize>,
    /// Parameters, in the body.
    pub data: Range<usize>,
}

impl Decoded {
    /// No event yet.
    pub(crate) fn none() -> Self {
        Self {
            cpu: 0,
            flags: 0,
            ts: 0,
            tid: 0,
            kind: EventType(0),
            nparams: 0,
            lengths: 0..0,
            data: 0..0,
        }
    }
}

/// Why a block's body is not an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAnEvent {
    /// A type that the table does not have: a newer recorder.
    Unknown,
    /// The lengths contradict each other.
    Malformed,
}

/// Decodes the header, finds the parts, and checks that the parameters lie inside them.
#[inline]
pub(crate) fn decode(
    body: &[u8],
    block: EventBlock,
    order: ByteOrder,
) -> Result<Decoded, NotAnEvent> {
    if order == ByteOrder::Little && !block.short_header && !block.flagged {
        return decode_plain(body);
    }
    decode_any(body, block, order)
}

/// What nearly every event is: a header of today's form in little-endian order, without flags.
#[inline]
fn decode_plain(body: &[u8]) -> Result<Decoded, NotAnEvent> {
    const BAD: NotAnEvent = NotAnEvent::Malformed;
    // One check of the length for the whole header, then places that are known to be inside.
    let head: &[u8; 2 + EVENT_HEADER] = body.first_chunk().ok_or(BAD)?;
    let [c0, c1, rest @ ..] = head;
    let (ts, rest) = rest.split_first_chunk().ok_or(BAD)?;
    let (tid, rest) = rest.split_first_chunk().ok_or(BAD)?;
    let (len, rest) = rest.split_first_chunk().ok_or(BAD)?;
    let (kind, rest) = rest.split_first_chunk().ok_or(BAD)?;
    let (nparams, _) = rest.split_first_chunk().ok_or(BAD)?;
    let kind = EventType(u16::from_le_bytes(*kind));
    let nparams = u32::from_le_bytes(*nparams) as usize;
    let end = 2 + u32::from_le_bytes(*len) as usize;
    let info = kind.info().ok_or(NotAnEvent::Unknown)?;
    let wide = info.flags.has(EventFlags::LARGE_PAYLOAD);
    let begin = head.len();
    let split = begin + nparams.min(MAX_PARAMS) * if wide { 4 } else { 2 };
    if nparams > MAX_PARAMS || split > end || end > body.len() {
        return Err(BAD);
    }
    let lengths = &body[begin..split];
    let total: usize = if wide {
        lengths
            .as_chunks()
            .0
            .iter()
            .map(|&word| u32::from_le_bytes(word) as usize)
            .sum()
    } else {
        lengths
            .as_chunks()
            .0
            .iter()
            .map(|&word| usize::from(u16::from_le_bytes(word)))
            .sum()
    };
    if total > end - split {
        return Err(BAD);
    }
    Ok(Decoded {
        cpu: u16::from_le_bytes([*c0, *c1]),
        flags: 0,
        ts: u64::from_le_bytes(*ts),
        tid: i64::from_le_bytes(*tid),
        kind,
        nparams: nparams as u16,
        lengths: begin..split,
        data: split..end,
    })
}

/// Every other form.
fn decode_any(body: &[u8], block: EventBlock, order: ByteOrder) -> Result<Decoded, NotAnEvent> {
    const BAD: NotAnEvent = NotAnEvent::Malformed;
    let mut at = Cursor::new(body, order);
    let cpu = at.u16().ok_or(BAD)?;
    let flags = if block.flagged {
        at.u32().ok_or(BAD)?
    } else {
        0
    };
    let begin = at.at();
    let ts = at.u64().ok_or(BAD)?;
    let tid = at.i64().ok_or(BAD)?;
    let len = at.u32().ok_or(BAD)? as usize;
    let kind = EventType(at.u16().ok_or(BAD)?);
    let info = kind.info().ok_or(NotAnEvent::Unknown)?;
    let wide = info.flags.has(EventFlags::LARGE_PAYLOAD);
    let word = if wide { 4 } else { 2 };
    let (nparams, parts) = if block.short_header {
        // Two meta events were written with a length that is 3 too large.
        let len = match info.symbol {
            "NOTIFICATION_E" | "INFRASTRUCTURE_EVENT_E" => len.saturating_sub(3),
            _ => len,
        };
        let parts = parts_of(body, begin, len, SHORT_HEADER)?;
        let most = info.params.len();
        let nparams = infer_nparams(&body[parts.clone()], most, word, order).ok_or(BAD)?;
        (nparams, parts)
    } else {
        let nparams = at.u32().ok_or(BAD)? as usize;
        if nparams > MAX_PARAMS {
            return Err(BAD);
        }
        (nparams, parts_of(body, begin, len, EVENT_HEADER)?)
    };
    let split = parts.start + nparams * word;
    let lengths = body.get(parts.start..split).ok_or(BAD)?;
    let total = total_length(lengths, nparams, word, order).ok_or(BAD)?;
    if split > parts.end || total > parts.end - split {
        return Err(BAD);
    }
    Ok(Decoded {
        cpu,
        flags,
        ts,
        tid,
        kind,
        nparams: nparams as u16,
        lengths: parts.start..split,
        data: split..parts.end,
    })
}

/// Length words and parameters: what an event of `len` bytes from `begin` on has after its header.
fn parts_of(
    body: &[u8],
    begin: usize,
    len: usize,
    header: usize,
) -> Result<Range<usize>, NotAnEvent> {
    let end = begin.checked_add(len).ok_or(NotAnEvent::Malformed)?;
    if len < header || end > body.len() {
        return Err(NotAnEvent::Malformed);
    }
    Ok(begin + header..end)
}

/// What the first `count` length words add up to.
fn total_length(lengths: &[u8], count: usize, word: usize, order: ByteOrder) -> Option<usize> {
    let mut at = Cursor::new(lengths, order);
    (0..count)
        .map(|_| length_word(&mut at, word))
        .try_fold(0usize, |sum, len| sum.checked_add(len?))
}

/// How many parameters an event has that does not say so: the most, up to the table's count, whose lengths add up to
/// exactly what is there.
fn infer_nparams(parts: &[u8], most: usize, word: usize, order: ByteOrder) -> Option<usize> {
    (0..=most).rev().find(|&count| {
        let Some(lengths) = parts.get(..count * word) else {
            return false;
        };
        total_length(lengths, count, word, order).and_then(|total| total.checked_add(lengths.len()))
            == Some(parts.len())
    })
}

#[inline]
fn length_word(at: &mut Cursor<'_>, word: usize) -> Option<usize> {
    if word == 4 {
        at.u32().map(|len| len as usize)
    } else {
        at.u16().map(usize::from)
    }
}

/// Brings the length words and parameters of an event from a big-endian file into the order that
/// [`vedette_event::RawEvent`] has: all numbers little-endian, addresses in network order. Appends the length words and
/// then the parameters to `out`.
pub(crate) fn swap(event: &Decoded, body: &[u8], out: &mut Vec<u8>) -> Result<(), NotAnEvent> {
    let params = event.kind.info().map_or(&[][..], |info| info.params);
    let count = usize::from(event.nparams);
    let word = event
        .lengths
        .len()
        .checked_div(count)
        .filter(|&word| word == 4)
        .map_or(2, |_| 4);
    let mut lengths = Cursor::new(&body[event.lengths.clone()], ByteOrder::Big);
    let mut data = Cursor::new(&body[event.data.clone()], ByteOrder::Big);
    let base = out.len();
    out.resize(base + event.lengths.len(), 0);
    for index in 0..count {
        let len = length_word(&mut lengths, word).ok_or(NotAnEvent::Malformed)?;
        let slot = base + index * word;
        out[slot..slot + word].copy_from_slice(&(len as u32).to_le_bytes()[..word]);
        let from = out.len();
        out.extend_from_slice(data.take(len).ok_or(NotAnEvent::Malformed)?);
        if let Some(param) = params.get(index) {
            swap_param(param.ty, &mut out[from..]);
        }
    }
    Ok(())
}

/// `PPM_AF_*` of a Unix socket.
const UNIX: u8 = 1;
/// `PPM_AF_*` of IPv4.
const INET: u8 = 2;
/// `PPM_AF_*` of IPv6.
const INET6: u8 = 10;

fn swap_param(ty: ParamType, bytes: &mut [u8]) {
    use ParamType as T;
    match ty {
        T::I16 | T::U16 | T::Flags16 | T::EnumFlags16 | T::SyscallId | T::Port => {
            reverse(bytes, 0, 2);
        }
        T::I32
        | T::U32
        | T::Flags32
        | T::EnumFlags32
        | T::Fd32
        | T::Pid32
        | T::SigSet
        | T::Mode
        | T::Uid
        | T::Gid
        | T::Bool => reverse(bytes, 0, 4),
        T::I64 | T::U64 | T::Errno | T::Fd | T::Pid | T::RelTime | T::AbsTime | T::Double => {
            reverse(bytes, 0, 8);
        }
        T::SockAddr => match bytes.first() {
            Some(&INET) => reverse(bytes, 5, 2),
            Some(&INET6) => reverse(bytes, 17, 2),
            _ => {}
        },
        T::SockTuple => match bytes.first() {
            Some(&INET) => {
                reverse(bytes, 5, 2);
                reverse(bytes, 11, 2);
            }
            Some(&INET6) => {
                reverse(bytes, 17, 2);
                reverse(bytes, 35, 2);
            }
            Some(&UNIX) => {
                reverse(bytes, 1, 8);
                reverse(bytes, 9, 8);
            }
            _ => {}
        },
        T::FdList => {
            reverse(bytes, 0, 2);
            for entry in bytes.get_mut(2..).unwrap_or_default().chunks_exact_mut(10) {
                reverse(entry, 0, 8);
                reverse(entry, 8, 2);
            }
        }
        T::Dyn => {
            let width = bytes.len().saturating_sub(1);
            if matches!(width, 2 | 4 | 8) {
                reverse(bytes, 1, width);
            }
        }
        T::I8
        | T::U8
        | T::Flags8
        | T::EnumFlags8
        | T::SigType
        | T::CharBuf
        | T::ByteBuf
        | T::FsPath
        | T::FsRelPath
        | T::CharBufArray
        | T::CharBufPairArray
        | T::Ipv4Addr
        | T::Ipv6Addr
        | T::IpAddr
        | T::IpNet => {}
    }
}

/// Reverses a number of `width` bytes at `at`, when it is there whole.
fn reverse(bytes: &mut [u8], at: usize, width: usize) {
    if let Some(number) = bytes.get_mut(at..at + width) {
        number.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_count_is_inferred_from_lengths() {
        // Two parameters of 1 and 2 bytes.
        let parts = [1, 0, 2, 0, b'a', b'b', b'c'];
        assert_eq!(infer_nparams(&parts, 5, 2, ByteOrder::Little), Some(2));
        assert_eq!(infer_nparams(&[], 5, 2, ByteOrder::Little), Some(0));
        assert_eq!(infer_nparams(&[9, 0], 5, 2, ByteOrder::Little), None);
    }

    #[test]
    fn addresses_keep_network_order_and_ports_do_not() {
        let mut tuple = [INET, 10, 0, 0, 1, 0x1f, 0x90, 10, 0, 0, 2, 0x01, 0xbb];
        swap_param(ParamType::SockTuple, &mut tuple);
        assert_eq!(
            tuple,
            [INET, 10, 0, 0, 1, 0x90, 0x1f, 10, 0, 0, 2, 0xbb, 0x01]
        );
        let mut short = [INET, 1];
        swap_param(ParamType::SockTuple, &mut short);
        assert_eq!(short, [INET, 1], "a cut parameter is left alone");
    }
}
