//! One ring buffer of the kernel, read in place.
//!
//! libbpf's own consumer calls back once for each record of one ring; merging several rings by time needs to look at the
//! head of each first, so the rings are mapped here. The protocol is the kernel's (`kernel/bpf/ringbuf.c`): a page with
//! the consumer's position that only we write, a page with the producer's position, then the data, mapped twice in a row
//! so that a record that wraps is still contiguous.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A record that is still being written, or that was given up: top bits of its length word.
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
/// Bytes of a record's own header, and the alignment of records.
const RECORD_HEADER: u64 = 8;

/// A mapped ring.
#[derive(Debug)]
pub(crate) struct Ring {
    consumer: Mapping,
    producer: Mapping,
    page: usize,
    /// Bytes of data, a power of two.
    size: u64,
    /// Where we read next; published by [`Ring::release`].
    position: u64,
    /// What we last saw of the producer.
    produced: u64,
}

#[derive(Debug)]
struct Mapping {
    at: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(fd: BorrowedFd<'_>, len: usize, prot: i32, offset: usize) -> io::Result<Self> {
        // SAFETY: a fresh mapping at an address that the kernel chooses; nothing else refers to it.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                prot,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let at = NonNull::new(at.cast()).ok_or_else(|| io::Error::other("mmap gave no address"))?;
        Ok(Self { at, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, made by `new` with this length, and slices of it never outlive the ring.
        unsafe {
            libc::munmap(self.at.as_ptr().cast(), self.len);
        }
    }
}

impl Ring {
    /// Maps a ring of `size` bytes.
    pub(crate) fn map(fd: BorrowedFd<'_>, size: usize) -> io::Result<Self> {
        // SAFETY: no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).map_err(|_| io::Error::last_os_error())?;
        let consumer = Mapping::new(fd, page, libc::PROT_READ | libc::PROT_WRITE, 0)?;
        let producer = Mapping::new(fd, page + 2 * size, libc::PROT_READ, page)?;
        let mut ring = Self {
            consumer,
            producer,
            page,
            size: size as u64,
            position: 0,
            produced: 0,
        };
        ring.position = ring.consumer_position().load(Ordering::Acquire);
        Ok(ring)
    }

    fn consumer_position(&self) -> &AtomicU64 {
        // SAFETY: the page is mapped for as long as `self`, is aligned, and holds the position in its first eight bytes.
        unsafe { self.consumer.at.cast().as_ref() }
    }

    fn producer_position(&self) -> &AtomicU64 {
        // SAFETY: as above; the kernel writes it, we only load.
        unsafe { self.producer.at.cast().as_ref() }
    }

    /// The next finished record, without taking it. Records that were given up are passed over.
    pub(crate) fn peek(&mut self) -> Option<&[u8]> {
        loop {
            if self.position == self.produced {
                self.produced = self.producer_position().load(Ordering::Acquire);
                if self.position == self.produced {
                    return None;
                }
            }
            let offset = (self.position & (self.size - 1)) as usize;
            // SAFETY: `offset` lies inside the data, records are aligned to eight bytes, and the length word of every
            // record below the producer's position is initialised.
            let word: &AtomicU32 =
                unsafe { self.producer.at.add(self.page + offset).cast().as_ref() };
            let word = word.load(Ordering::Acquire);
            if word & BUSY != 0 {
                return None;
            }
            let len = u64::from(word & !DISCARDED);
            if RECORD_HEADER + len > self.size {
                // Not possible unless memory is corrupt; stopping here is the one safe answer.
                return None;
            }
            if word & DISCARDED != 0 {
                self.position += Self::span(len);
                continue;
            }
            // SAFETY: the data is mapped twice in a row, so `offset + header + len` lies inside the mapping; the kernel
            // does not write this record again until `release` publishes a position behind it, which borrows `self`
            // mutably and so ends this slice's life.
            return Some(unsafe {
                std::slice::from_raw_parts(
                    self.producer
                        .at
                        .as_ptr()
                        .add(self.page + offset + RECORD_HEADER as usize),
                    len as usize,
                )
            });
        }
    }

    /// Passes over the record that `peek` showed, `len` bytes long.
    pub(crate) fn advance(&mut self, len: usize) {
        self.position += Self::span(len as u64);
    }

    /// Gives everything that was passed over back to the kernel.
    pub(crate) fn release(&mut self) {
        self.consumer_position()
            .store(self.position, Ordering::Release);
    }

    /// Bytes that wait to be read.
    pub(crate) fn waiting(&self) -> u64 {
        self.producer_position()
            .load(Ordering::Acquire)
            .saturating_sub(self.position)
    }

    fn span(len: u64) -> u64 {
        (len + RECORD_HEADER).next_multiple_of(8)
    }
}
