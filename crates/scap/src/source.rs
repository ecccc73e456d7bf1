//! Bytes of a capture: gzip undone when there is one, in a sliding window.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// Bytes that are asked for at once. Large enough that system calls do not count, small enough for the second-level
/// cache.
const CHUNK: usize = 256 * 1024;

/// Bytes of compressed input that are buffered.
const COMPRESSED_CHUNK: usize = 64 * 1024;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The input with its first two bytes put back, counting what was taken.
#[derive(Debug)]
struct Input<R> {
    head: [u8; 2],
    head_at: usize,
    head_len: usize,
    inner: R,
    taken: u64,
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let head = &self.head[self.head_at..self.head_len];
        let count = if head.is_empty() {
            self.inner.read(buf)?
        } else {
            let count = head.len().min(buf.len());
            buf[..count].copy_from_slice(&head[..count]);
            self.head_at += count;
            count
        };
        self.taken += count as u64;
        Ok(count)
    }
}

#[derive(Debug)]
enum Source<R> {
    Raw(Input<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Input<R>>>>),
}

/// A window over the decompressed bytes that slides forward. It grows only when a caller asks for more than it holds.
#[derive(Debug)]
pub(crate) struct Window<R> {
    source: Source<R>,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// Place of `buf[start]` in the decompressed stream.
    at: u64,
    /// No more bytes will come.
    done: bool,
    /// Why no more bytes come, when it is not the end.
    failure: Option<io::Error>,
}

impl<R: Read> Window<R> {
    pub(crate) fn new(mut inner: R) -> Self {
        let mut head = [0; 2];
        let mut head_len = 0;
        let mut failure = None;
        while head_len < head.len() {
            match inner.read(&mut head[head_len..]) {
                Ok(0) => break,
                Ok(count) => head_len += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let input = Input {
            head,
            head_at: 0,
            head_len,
            inner,
            taken: 0,
        };
        let source = if head_len == 2 && head == GZIP_MAGIC {
            let buffered = BufReader::with_capacity(COMPRESSED_CHUNK, input);
            Source::Gzip(Box::new(MultiGzDecoder::new(buffered)))
        } else {
            Source::Raw(input)
        };
        Self {
            source,
            buf: Vec::new(),
            start: 0,
            end: 0,
            at: 0,
            done: failure.is_some(),
            failure,
        }
    }

    /// True when at least `count` bytes are in the window now, after reading as needed.
    #[inline]
    pub(crate) fn ensure(&mut self, count: usize) -> bool {
        self.end - self.start >= count || self.fill(count)
    }

    #[cold]
    fn fill(&mut self, count: usize) -> bool {
        if self.done {
            return false;
        }
        // What is kept is less than one block, so moving it costs little.
        self.buf.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < count {
            if self.end == self.buf.len() {
                // A length that only claims to be large costs no memory: the window grows as bytes come.
                let room = count.max(CHUNK).min((self.buf.len() * 2).max(CHUNK));
                self.buf.resize(room, 0);
            }
            let free = &mut self.buf[self.end..];
            let read = match &mut self.source {
                Source::Raw(input) => input.read(free),
                Source::Gzip(decoder) => decoder.read(free),
            };
            match read {
                Ok(0) => self.done = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error);
                    self.done = true;
                }
            }
            if self.done {
                break;
            }
        }
        self.end - self.start >= count
    }

    /// Bytes in the window.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Bytes consumed last, which stay readable until the next [`Self::ensure`]: `back` bytes before the window's
    /// start, `len` bytes long.
    #[inline]
    pub(crate) fn behind(&self, back: usize, len: usize) -> &[u8] {
        let from = self.start - back;
        &self.buf[from..from + len]
    }

    /// Moves the window forward over bytes it holds.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start, "only what is held");
        self.start += count;
        self.at += count as u64;
    }

    /// Moves forward over `count` bytes, held or not; says how many there were.
    pub(crate) fn skip(&mut self, count: u64) -> u64 {
        let mut left = count;
        while left > 0 && self.ensure(1) {
            let step = left.min((self.end - self.start) as u64);
            self.consume(step as usize);
            left -= step;
        }
        count - left
    }

    /// Place of the window's start in the decompressed stream.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// For a compressed file, how many of its bytes were decompressed.
    pub(crate) fn file_at(&self) -> Option<u64> {
        match &self.source {
            Source::Raw(_) => None,
            Source::Gzip(decoder) => {
                let buffered = decoder.get_ref();
                Some(buffered.get_ref().taken - buffered.buffer().len() as u64)
            }
        }
    }

    /// True when bytes stopped coming before the end.
    pub(crate) fn failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Why bytes stopped coming before the end, once. `true` when decompression is to blame.
    pub(crate) fn take_failure(&mut self) -> Option<(io::Error, bool)> {
        let compressed = matches!(self.source, Source::Gzip(_));
        self.failure.take().map(|error| {
            let inflate = compressed
                && matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput
                        | io::ErrorKind::InvalidData
                        | io::ErrorKind::UnexpectedEof
                );
            (error, inflate)
        })
    }

    /// Bytes of memory that the window holds.
    pub(crate) fn capacity(&self) -> usize {
        self.buf.capacity()
    }
}
