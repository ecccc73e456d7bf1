//! One event as it stands in a capture or comes from the kernel: a header and undecoded parameters.

use crate::types::{EventFlags, EventType};

/// Most parameters of any event type in the table.
pub const MAX_PARAMS: usize = 32;

/// Which way an operation reached the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// By a system call, or by no operation of a process at all.
    #[default]
    Call,
    /// By a request to io_uring: the event is that of the system call which does the same, but none was made.
    IoUring,
}

/// A borrowed event. Nothing is decoded until it is asked for, nothing is allocated.
///
/// Layout of the borrowed parts: `lengths` holds `nparams` little-endian words of 16 bits (32 bits for event types with
/// [`EventFlags::LARGE_PAYLOAD`]), `data` the parameter bytes back to back.
#[derive(Clone, Copy, Debug)]
pub struct RawEvent<'a> {
    /// Number of the event in its stream, from 1.
    pub num: u64,
    /// Time in nanoseconds since the Unix epoch.
    pub ts: u64,
    /// Thread that caused it; `-1` (all bits set) when there is none.
    pub tid: i64,
    /// Processor it was seen on.
    pub cpu: u16,
    /// What happened.
    pub kind: EventType,
    /// Which way it came.
    pub via: Via,
    nparams: u16,
    wide: bool,
    lengths: &'a [u8],
    data: &'a [u8],
}

/// Why bytes are not an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The length words themselves are cut.
    Lengths,
    /// The lengths add up to more than there is.
    Data,
}

impl<'a> RawEvent<'a> {
    /// Puts an event together, checking that every parameter lies inside `data`.
    ///
    /// # Errors
    /// [`Malformed`] when the lengths are cut or reach past `data`.
    #[allow(
        clippy::too_many_arguments,
        reason = "it is the header of the format, word for word"
    )]
    pub fn new(
        num: u64,
        ts: u64,
        tid: i64,
        cpu: u16,
        kind: EventType,
        nparams: u16,
        lengths: &'a [u8],
        data: &'a [u8],
    ) -> Result<Self, Malformed> {
        let wide = kind
            .info()
            .is_some_and(|info| info.flags.has(EventFlags::LARGE_PAYLOAD));
        let word = if wide { 4 } else { 2 };
        let lengths = lengths
            .get(..usize::from(nparams) * word)
            .ok_or(Malformed::Lengths)?;
        let event = Self {
            num,
            ts,
            tid,
            cpu,
            kind,
            via: Via::Call,
            nparams,
            wide,
            lengths,
            data,
        };
        let mut total = 0usize;
        for index in 0..usize::from(nparams) {
            total = total
                .checked_add(event.length(index))
                .ok_or(Malformed::Data)?;
        }
        if total > data.len() {
            Err(Malformed::Data)
        } else {
            Ok(event)
        }
    }

    /// Puts together an event whose lengths were checked before, as [`Self::new`] does, so that a reader that decodes and
    /// hands out in two steps checks once. `lengths` has exactly `nparams` words, `wide` says that they have 32 bits.
    /// Parameters that reach past `data` after all are absent.
    #[allow(
        clippy::too_many_arguments,
        reason = "it is the header of the format, word for word"
    )]
    #[inline]
    pub fn checked_before(
        num: u64,
        ts: u64,
        tid: i64,
        cpu: u16,
        kind: EventType,
        wide: bool,
        lengths: &'a [u8],
        data: &'a [u8],
    ) -> Self {
        Self {
            num,
            ts,
            tid,
            cpu,
            kind,
            via: Via::Call,
            nparams: (lengths.len() / if wide { 4 } else { 2 }) as u16,
            wide,
            lengths,
            data,
        }
    }

    /// The same event, which came this way.
    #[must_use]
    #[inline]
    pub fn by(mut self, via: Via) -> Self {
        self.via = via;
        self
    }

    #[inline]
    fn length(&self, index: usize) -> usize {
        if self.wide {
            let words = self.lengths.as_chunks().0;
            words
                .get(index)
                .map_or(0, |&word| u32::from_le_bytes(word) as usize)
        } else {
            let words = self.lengths.as_chunks().0;
            words
                .get(index)
                .map_or(0, |&word| usize::from(u16::from_le_bytes(word)))
        }
    }

    /// Number of parameters that are present.
    #[inline]
    pub fn nparams(&self) -> usize {
        usize::from(self.nparams)
    }

    /// Bytes of parameter `index`; `None` when the event does not carry it, empty when it carries nothing there.
    #[inline]
    pub fn param(&self, index: usize) -> Option<&'a [u8]> {
        // One check for all words up to this one. Wide words are rare: containers and plugins.
        if self.wide {
            let words = self.lengths.as_chunks().0.get(..=index)?;
            let (&last, before) = words.split_last()?;
            let at: usize = before
                .iter()
                .map(|&word| u32::from_le_bytes(word) as usize)
                .sum();
            self.data.get(at..at + u32::from_le_bytes(last) as usize)
        } else {
            let words = self.lengths.as_chunks().0.get(..=index)?;
            let (&last, before) = words.split_last()?;
            let at: usize = before
                .iter()
                .map(|&word| usize::from(u16::from_le_bytes(word)))
                .sum();
            self.data
                .get(at..at + usize::from(u16::from_le_bytes(last)))
        }
    }

    /// Every parameter in order.
    pub fn params(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        let mut at = 0;
        (0..self.nparams()).map(move |i| {
            let from = at;
            at += self.length(i);
            self.data.get(from..at).unwrap_or_default()
        })
    }

    /// Index of the parameter with this name in the type's table row.
    pub fn param_index(&self, name: &str) -> Option<usize> {
        self.kind.info()?.params.iter().position(|p| p.name == name)
    }

    /// A parameter of text up to its first NUL; `None` when it is absent or empty.
    #[inline]
    pub fn text(&self, index: usize) -> Option<&'a [u8]> {
        let bytes = self.param(index)?;
        if bytes.is_empty() {
            return None;
        }
        Some(memchr(bytes).map_or(bytes, |end| &bytes[..end]))
    }

    /// An unsigned integer parameter of 1, 2, 4 or 8 bytes.
    #[inline]
    pub fn unsigned(&self, index: usize) -> Option<u64> {
        let bytes = self.param(index)?;
        match bytes.len() {
            1 => Some(u64::from(bytes[0])),
            2 => bytes
                .try_into()
                .ok()
                .map(|b| u64::from(u16::from_le_bytes(b))),
            4 => bytes
                .try_into()
                .ok()
                .map(|b| u64::from(u32::from_le_bytes(b))),
            8 => bytes.try_into().ok().map(u64::from_le_bytes),
            _ => None,
        }
    }

    /// A signed integer parameter of 1, 2, 4 or 8 bytes.
    #[inline]
    pub fn signed(&self, index: usize) -> Option<i64> {
        let bytes = self.param(index)?;
        match bytes.len() {
            1 => Some(i64::from(bytes[0] as i8)),
            2 => bytes
                .try_into()
                .ok()
                .map(|b| i64::from(i16::from_le_bytes(b))),
            4 => bytes
                .try_into()
                .ok()
                .map(|b| i64::from(i32::from_le_bytes(b))),
            8 => bytes.try_into().ok().map(i64::from_le_bytes),
            _ => None,
        }
    }
}

#[inline]
fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&b| b == 0)
}

/// Builds the bytes of one event: for converters, recorders and tests. Reuse it to avoid allocating.
#[derive(Clone, Debug, Default)]
pub struct EventBuf {
    lengths: Vec<u8>,
    data: Vec<u8>,
    nparams: u16,
    wide: bool,
    kind: u16,
}

impl EventBuf {
    /// Starts over with an event of this type and no parameters.
    pub fn start(&mut self, kind: EventType) {
        self.lengths.clear();
        self.data.clear();
        self.nparams = 0;
        self.kind = kind.0;
        self.wide = kind
            .info()
            .is_some_and(|info| info.flags.has(EventFlags::LARGE_PAYLOAD));
    }

    /// Appends a parameter. Bytes beyond what a length word can say are cut off.
    pub fn push(&mut self, bytes: &[u8]) -> &mut Self {
        if self.wide {
            let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            self.lengths.extend_from_slice(&len.to_le_bytes());
            self.data.extend_from_slice(&bytes[..len as usize]);
        } else {
            let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            self.lengths.extend_from_slice(&len.to_le_bytes());
            self.data.extend_from_slice(&bytes[..usize::from(len)]);
        }
        self.nparams += 1;
        self
    }

    /// Appends text with its closing NUL.
    pub fn push_text(&mut self, text: &[u8]) -> &mut Self {
        let mut owned = Vec::with_capacity(text.len() + 1);
        owned.extend_from_slice(text);
        owned.push(0);
        self.push(&owned)
    }

    /// The event, borrowed.
    pub fn event(&self, num: u64, ts: u64, tid: i64, cpu: u16) -> RawEvent<'_> {
        RawEvent {
            num,
            ts,
            tid,
            cpu,
            kind: EventType(self.kind),
            via: Via::Call,
            nparams: self.nparams,
            wide: self.wide,
            lengths: &self.lengths,
            data: &self.data,
        }
    }

    /// Length words and parameter bytes, as a capture writer needs them.
    pub fn parts(&self) -> (&[u8], &[u8]) {
        (&self.lengths, &self.data)
    }
}

impl<'a> RawEvent<'a> {
    /// Length words and parameter bytes, as a capture writer needs them.
    pub fn parts(&self) -> (&'a [u8], &'a [u8]) {
        (self.lengths, self.data)
    }
}
