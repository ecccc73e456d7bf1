//! The journal: everything that was taken in, on disk before it is acknowledged, in the order in which it came.
//!
//! A directory of segments `journal-N.log`. An entry that was cut by a crash was never acknowledged and is cut off at the
//! next start. Segments that have been judged are removed by [`Journal::release`].

mod replace;
mod segment;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::source::Meta;

pub(crate) use replace::{read_if_there, replace};
pub use segment::Entry;
pub(crate) use segment::MAX_PAYLOAD;
use segment::{MAGIC, MAX_NOTE, number, path, read_entry, sound_end};

/// Bounds of a journal.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Size at which a new segment is begun.
    pub segment: u64,
    /// Most bytes on disk; what comes when it is full is refused, so that the other side keeps it.
    pub total: u64,
}

impl Default for Limits {
    /// Segments of 32 MiB, a gibibyte in all.
    fn default() -> Self {
        Self {
            segment: 32 << 20,
            total: 1 << 30,
        }
    }
}

/// A place between two entries.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// Number of the segment.
    pub segment: u64,
    /// Offset in it.
    pub offset: u64,
}

/// Why the journal did not take something in.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file system refused: no room, no right, no such directory.
    #[error("journal: {what}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// As much waits to be judged as may.
    #[error("journal: {0} bytes wait to be judged, which is the most that may")]
    Full(u64),
    /// Larger than any entry may be.
    #[error("journal: an entry of {0} bytes is too large")]
    TooLarge(usize),
    /// Another process has the journal.
    #[error("journal: {0} is in use by another process")]
    InUse(String),
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> JournalError {
    let what = what.into();
    move |source| JournalError::Io { what, source }
}

#[derive(Debug)]
struct Tail {
    file: Arc<File>,
    /// End of what was written.
    end: Position,
    /// End of what is on disk for certain.
    durable: Position,
    /// First segment that is still there.
    first: u64,
    /// Bytes of all segments before the last.
    before: u64,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    limits: Limits,
    tail: Mutex<Tail>,
    /// Held while a write is forced to disk, so that those who wait share one.
    sync: Mutex<()>,
    grown: Condvar,
    /// Keeps other processes out for as long as it is open.
    _lock: File,
}

/// The journal of a state directory. Clones are the same journal.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Shared>);

impl Journal {
    /// Opens the journal in `dir`, which is made if it is missing, and cuts off what a crash left unfinished.
    ///
    /// # Errors
    /// When the directory cannot be used or belongs to a running process.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self, JournalError> {
        let shown = dir.display();
        fs::create_dir_all(dir).map_err(io_error(format!("making {shown}")))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join("lock"))
            .map_err(io_error(format!("opening {shown}/lock")))?;
        if lock.try_lock().is_err() {
            return Err(JournalError::InUse(shown.to_string()));
        }
        let mut numbers: Vec<u64> = fs::read_dir(dir)
            .map_err(io_error(format!("reading {shown}")))?
            .filter_map(|entry| number(entry.ok()?.file_name().to_str()?))
            .collect();
        numbers.sort_unstable();
        let (first, last) = match (numbers.first(), numbers.last()) {
            (Some(first), Some(last)) => (*first, *last),
            _ => (1, 1),
        };
        let mut before = 0;
        for number in numbers.iter().filter(|number| **number != last) {
            before += fs::metadata(path(dir, *number)).map_or(0, |meta| meta.len());
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path(dir, last))
            .map_err(io_error(format!("opening segment {last} in {shown}")))?;
        let sound = sound_end(&file).map_err(io_error(format!("reading segment {last}")))?;
        file.set_len(sound)
            .and_then(|()| file.sync_all())
            .map_err(io_error(format!("cutting segment {last}")))?;
        let end = Position {
            segment: last,
            offset: sound,
        };
        Ok(Self(Arc::new(Shared {
            dir: dir.to_owned(),
            limits,
            tail: Mutex::new(Tail {
                file: Arc::new(file),
                end,
                durable: end,
                first,
                before,
            }),
            sync: Mutex::new(()),
            grown: Condvar::new(),
            _lock: lock,
        })))
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        // Nobody panics while holding it in a state that others could not go on from.
        self.0.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a piece of input. When this returns, it is on disk.
    ///
    /// # Errors
    /// When it could not be made durable; then it is not in the journal.
    pub fn append(&self, meta: &Meta, payload: &[u8]) -> Result<Position, JournalError> {
        let note = serde_json::to_vec(meta).unwrap_or_default();
        if payload.len() > MAX_PAYLOAD || note.len() > MAX_NOTE {
            return Err(JournalError::TooLarge(payload.len()));
        }
        let mut checked = Vec::with_capacity(8 + note.len());
        checked.extend((note.len() as u32).to_le_bytes());
        checked.extend((payload.len() as u32).to_le_bytes());
        checked.extend(&note);
        let mut sum = crc32fast::Hasher::new();
        sum.update(&checked);
        sum.update(payload);
        let mut head = Vec::with_capacity(8 + checked.len());
        head.extend(MAGIC.to_le_bytes());
        head.extend(sum.finalize().to_le_bytes());
        head.extend(checked);

        let size = (head.len() + payload.len()) as u64;
        let end = {
            let mut tail = self.tail();
            let held = tail.before + tail.end.offset;
            if held + size > self.0.limits.total {
                return Err(JournalError::Full(held));
            }
            if tail.end.offset > 0 && tail.end.offset + size > self.0.limits.segment {
                self.next_segment(&mut tail)?;
            }
            let at = tail.end.offset;
            let written = tail
                .file
                .write_all_at(&head, at)
                .and_then(|()| tail.file.write_all_at(payload, at + head.len() as u64));
            if let Err(error) = written {
                // Half an entry must not stand before the next one.
                let _ = tail.file.set_len(at);
                return Err(io_error("writing an entry")(error));
            }
            tail.end.offset = at + size;
            tail.end
        };
        self.sync(end)?;
        Ok(end)
    }

    fn next_segment(&self, tail: &mut Tail) -> Result<(), JournalError> {
        let number = tail.end.segment + 1;
        tail.file
            .sync_data()
            .map_err(io_error("forcing a segment to disk"))?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(path(&self.0.dir, number))
            .map_err(io_error(format!("making segment {number}")))?;
        // The name must outlive a crash as well as what is in it.
        File::open(&self.0.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(io_error("forcing the directory to disk"))?;
        tail.before += tail.end.offset;
        tail.file = Arc::new(file);
        tail.end = Position {
            segment: number,
            offset: 0,
        };
        tail.durable = tail.end;
        Ok(())
    }

    /// Forces everything up to `end` to disk; callers that wait at the same time share one write.
    fn sync(&self, end: Position) -> Result<(), JournalError> {
        let turn = self.0.sync.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, written) = {
            let tail = self.tail();
            if tail.durable >= end {
                return Ok(());
            }
            (Arc::clone(&tail.file), tail.end)
        };
        file.sync_data()
            .map_err(io_error("forcing an entry to disk"))?;
        let mut tail = self.tail();
        tail.durable = tail.durable.max(written);
        drop(tail);
        drop(turn);
        self.0.grown.notify_all();
        Ok(())
    }

    /// The place behind the last entry that is on disk.
    pub fn durable_end(&self) -> Position {
        self.tail().durable
    }

    /// The place before the first entry that is kept.
    pub fn start(&self) -> Position {
        Position {
            segment: self.tail().first,
            offset: 0,
        }
    }

    /// Bytes on disk.
    pub fn size(&self) -> u64 {
        let tail = self.tail();
        tail.before + tail.end.offset
    }

    /// Waits until there is something behind `position`, or for `time`. True when there is.
    pub fn wait(&self, position: Position, time: Duration) -> bool {
        let tail = self.tail();
        let waited = self
            .0
            .grown
            .wait_timeout_while(tail, time, |tail| tail.durable <= position);
        waited.is_ok_and(|(tail, _)| tail.durable > position)
    }

    /// Removes segments that lie wholly before `position`.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn release(&self, position: Position) -> Result<(), JournalError> {
        let mut tail = self.tail();
        while tail.first < position.segment.min(tail.end.segment) {
            let gone = path(&self.0.dir, tail.first);
            let size = fs::metadata(&gone).map_or(0, |meta| meta.len());
            match fs::remove_file(&gone) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error(format!("removing {}", gone.display()))(error));
                }
                _ => {}
            }
            tail.before = tail.before.saturating_sub(size);
            tail.first += 1;
        }
        Ok(())
    }

    /// Reads entries from `position` on.
    pub fn reader(&self, position: Position) -> Reader {
        let start = self.start();
        Reader {
            journal: self.clone(),
            at: position.max(start),
            file: None,
        }
    }
}

/// Reads the entries of a journal one after the other.
#[derive(Debug)]
pub struct Reader {
    journal: Journal,
    at: Position,
    file: Option<(u64, File)>,
}

impl Reader {
    /// The next entry that is on disk; `None` when there is none yet. Buffers of `entry` are used again.
    ///
    /// # Errors
    /// When a segment cannot be read. A damaged entry ends its segment: reading goes on with the next one.
    pub fn next(&mut self, entry: &mut Entry) -> Result<bool, JournalError> {
        loop {
            let end = self.journal.durable_end();
            if self.at >= end {
                return Ok(false);
            }
            if self.file.as_ref().map(|(number, _)| *number) != Some(self.at.segment) {
                let place = path(&self.journal.0.dir, self.at.segment);
                match File::open(&place) {
                    Ok(file) => self.file = Some((self.at.segment, file)),
                    Err(error)
                        if error.kind() == io::ErrorKind::NotFound
                            && self.at.segment < end.segment =>
                    {
                        self.skip_segment();
                        continue;
                    }
                    Err(error) => {
                        return Err(io_error(format!("opening {}", place.display()))(error));
                    }
                }
            }
            let Some((_, file)) = &self.file else {
                return Ok(false);
            };
            match read_entry(file, self.at.offset, Some(entry)) {
                Ok(Some(size)) => {
                    self.at.offset += size;
                    entry.end = self.at;
                    return Ok(true);
                }
                Ok(None) if self.at.segment < end.segment => self.skip_segment(),
                Ok(None) => return Ok(false),
                Err(error) => return Err(io_error("reading an entry")(error)),
            }
        }
    }

    /// The place behind the last entry that was read.
    pub fn position(&self) -> Position {
        self.at
    }

    fn skip_segment(&mut self) {
        self.at = Position {
            segment: self.at.segment + 1,
            offset: 0,
        };
        self.file = None;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn meta(text: &str) -> Meta {
        Meta {
            origin: text.to_owned(),
            ..Meta::default()
        }
    }

    fn all(journal: &Journal, from: Position) -> Vec<(String, Vec<u8>)> {
        let mut reader = journal.reader(from);
        let mut entry = Entry::default();
        let mut out = Vec::new();
        while reader.next(&mut entry).unwrap() {
            out.push((entry.meta.origin.clone(), entry.payload.clone()));
        }
        out
    }

    #[test]
    fn what_was_appended_is_read_back_after_a_crash_and_half_an_entry_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), Limits::default()).unwrap();
        journal.append(&meta("a"), b"one").unwrap();
        let second = journal.append(&meta("b"), b"two").unwrap();
        assert!(matches!(
            Journal::open(dir.path(), Limits::default()),
            Err(JournalError::InUse(_))
        ));
        drop(journal);
        let place = path(dir.path(), 1);
        for garbage in [&b"vjn1\x01"[..], &[7; 40]] {
            let mut file = OpenOptions::new().append(true).open(&place).unwrap();
            file.write_all(garbage).unwrap();
            drop(file);
            let journal = Journal::open(dir.path(), Limits::default()).unwrap();
            assert_eq!(journal.durable_end(), second);
            let read = all(&journal, Position::default());
            assert_eq!(
                read,
                [
                    ("a".to_owned(), b"one".to_vec()),
                    ("b".to_owned(), b"two".to_vec())
                ]
            );
        }
    }

    #[test]
    fn segments_follow_one_another_and_judged_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits {
            segment: 200,
            total: 1000,
        };
        let journal = Journal::open(dir.path(), limits).unwrap();
        let mut positions = Vec::new();
        let full = loop {
            match journal.append(&meta("m"), &[b'x'; 90]) {
                Ok(position) => positions.push(position),
                Err(error) => break error,
            }
        };
        assert!(matches!(full, JournalError::Full(_)), "{full}");
        assert_eq!(all(&journal, Position::default()).len(), positions.len());
        let judged = positions[positions.len() / 2];
        journal.release(judged).unwrap();
        assert_eq!(
            all(&journal, judged).len(),
            positions.len() - positions.len() / 2 - 1
        );
        journal.append(&meta("m"), b"room again").unwrap();
        assert!(journal.size() <= 1000);
        drop(journal);
        let again = Journal::open(dir.path(), limits).unwrap();
        assert_eq!(
            all(&again, judged).last().unwrap().1,
            b"room again".to_vec()
        );
    }

    #[test]
    fn many_writers_share_the_disk_and_a_reader_is_woken() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), Limits::default()).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let journal = journal.clone();
                scope.spawn(move || {
                    for _ in 0..20 {
                        journal.append(&meta("w"), &[writer]).unwrap();
                    }
                });
            }
            let mut reader = journal.reader(Position::default());
            let mut entry = Entry::default();
            let mut read = 0;
            while read < 80 && journal.wait(reader.position(), Duration::from_secs(20)) {
                while reader.next(&mut entry).unwrap() {
                    read += 1;
                }
            }
            assert_eq!(read, 80);
        });
    }
}
