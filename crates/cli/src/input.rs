//! Opens captures and logs: files or standard input, decompressed on a thread of their own where that pays.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;

/// Bytes that one step of the decompressing thread hands over.
const CHUNK: usize = 256 * 1024;
/// Bytes of the file that are buffered before decompression. Less than a capture's reader asks for at once, so that what
/// is not compressed goes past this buffer instead of being copied out of it.
const RAW: usize = 64 * 1024;
/// Steps that may wait; with [`CHUNK`] this bounds the memory of one input.
const CHUNKS: usize = 4;
/// Compressed inputs below this size are not worth a thread.
const WORTH_A_THREAD: u64 = 512 * 1024;

/// How far an input has been read, for a progress bar.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes of the file that were read so far.
    pub(crate) read: AtomicU64,
    /// Size of the file; 0 when not known (standard input).
    pub(crate) total: AtomicU64,
}

/// Opens `path` (`-` for standard input). Gzip is recognised by its first bytes and undone.
pub(crate) fn open(
    path: &Path,
    progress: &Arc<Progress>,
    threads: bool,
) -> anyhow::Result<Box<dyn Read + Send>> {
    let what = || format!("opening {}", path.display());
    let (raw, size): (Box<dyn Read + Send>, u64) = if path.as_os_str() == "-" {
        (Box::new(io::stdin()), u64::MAX)
    } else {
        let file = File::open(path).with_context(what)?;
        let size = file.metadata().with_context(what)?.len();
        progress.total.fetch_add(size, Relaxed);
        (Box::new(file), size)
    };
    let mut counted = BufReader::with_capacity(
        RAW,
        Counted {
            inner: raw,
            progress: Arc::clone(progress),
        },
    );
    let head = io::BufRead::fill_buf(&mut counted).with_context(what)?;
    if !head.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(counted));
    }
    let decoder = MultiGzDecoder::new(counted);
    if !threads || size < WORTH_A_THREAD {
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(Ahead::start(decoder)))
}

struct Counted<R> {
    inner: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let size = self.inner.read(room)?;
        self.progress.read.fetch_add(size as u64, Relaxed);
        Ok(size)
    }
}

/// Reads ahead on another thread. Buffers go back and forth, so nothing is allocated per chunk.
struct Ahead {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: SyncSender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
}

impl Ahead {
    fn start(mut source: impl Read + Send + 'static) -> Self {
        let (full_in, full) = sync_channel(CHUNKS);
        let (empty, empty_out) = sync_channel::<Vec<u8>>(CHUNKS + 1);
        for _ in 0..CHUNKS {
            // The queue has room for every buffer that exists, so this cannot fail or wait.
            let _ = empty.try_send(vec![0; CHUNK]);
        }
        thread::spawn(move || {
            while let Ok(mut chunk) = empty_out.recv() {
                chunk.resize(CHUNK, 0);
                let (size, error) = fill(&mut source, &mut chunk);
                chunk.truncate(size);
                let last = size < CHUNK;
                if full_in.send(Ok(chunk)).is_err() {
                    return;
                }
                if let Some(error) = error {
                    let _ = full_in.send(Err(error));
                    return;
                }
                if last {
                    return;
                }
            }
        });
        Self {
            full,
            empty,
            chunk: Vec::new(),
            at: 0,
        }
    }
}

/// Reads until `room` is full, the source ends or fails; what came before the failure counts.
fn fill(source: &mut impl Read, room: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut size = 0;
    while size < room.len() {
        match source.read(&mut room[size..]) {
            Ok(0) => break,
            Ok(more) => size += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (size, Some(error)),
        }
    }
    (size, None)
}

impl Read for Ahead {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            let used = std::mem::take(&mut self.chunk);
            if used.capacity() > 0 {
                let _ = self.empty.try_send(used);
            }
            self.at = 0;
            match self.full.recv() {
                Ok(Ok(chunk)) => self.chunk = chunk,
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(0),
            }
        }
        let size = room.len().min(self.chunk.len() - self.at);
        room[..size].copy_from_slice(&self.chunk[self.at..self.at + size]);
        self.at += size;
        Ok(size)
    }
}
