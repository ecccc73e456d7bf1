//! One followed file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::boundary::cut;
use crate::journal::MAX_PAYLOAD;

/// Bytes of a file's beginning by which it is told from another one with the same inode.
const FACE: usize = 256;
/// Bytes that are read at a time, unless one record is larger.
const PIECE: usize = 1 << 20;
/// How long nothing must have been added before a record without a line's end counts as whole.
const QUIET: Duration = Duration::from_millis(1500);

/// How far a file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Bytes that were taken in.
    pub(super) offset: u64,
    /// CRC-32 of the first bytes, `face_size` of them.
    face: u32,
    face_size: usize,
}

impl Mark {
    /// True when the file that `meta` describes is this one and was read to its end.
    pub(super) fn is_end_of(&self, meta: &fs::Metadata) -> bool {
        (meta.dev(), meta.ino(), meta.len()) == (self.device, self.inode, self.offset)
    }
}

/// What a look at a file gives.
#[derive(Debug)]
pub(super) enum Step {
    /// Whole records, and how far the file is read with them.
    Piece(Vec<u8>, Mark),
    /// Nothing new.
    Nothing,
    /// This file is read to its end and another one stands at its path.
    Replaced,
}

/// A file that is read on as it grows.
#[derive(Debug)]
pub(super) struct Followed {
    file: File,
    mark: Mark,
    packed: bool,
    /// Size at the last look, and when it last changed.
    size: u64,
    changed: Instant,
}

fn face(file: &File, most: usize) -> io::Result<(u32, usize)> {
    let mut bytes = vec![0; most.min(FACE)];
    let mut size = 0;
    while size < bytes.len() {
        match file.read_at(&mut bytes[size..], size as u64)? {
            0 => break,
            more => size += more,
        }
    }
    Ok((crc32fast::hash(&bytes[..size]), size))
}

impl Followed {
    /// Opens a file at its beginning, or at its end.
    pub(super) fn open(path: &Path, at_end: bool) -> io::Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        let mut magic = [0; 2];
        let packed = file.read_exact_at(&mut magic, 0).is_ok() && magic == [0x1f, 0x8b];
        let offset = if at_end { meta.len() } else { 0 };
        let (face, face_size) = face(&file, offset as usize)?;
        Ok(Self {
            mark: Mark {
                device: meta.dev(),
                inode: meta.ino(),
                offset,
                face,
                face_size,
            },
            file,
            packed,
            size: meta.len(),
            changed: meta
                .modified()
                .ok()
                .and_then(|at| Instant::now().checked_sub(at.elapsed().ok()?))
                .unwrap_or_else(Instant::now),
        })
    }

    /// Opens a file where `mark` says; `None` when it is another file.
    pub(super) fn resume(path: &Path, mark: &Mark) -> io::Result<Option<Self>> {
        let mut followed = Self::open(path, false)?;
        let same = (followed.mark.device, followed.mark.inode) == (mark.device, mark.inode)
            && followed.size >= mark.offset
            && face(&followed.file, mark.face_size)? == (mark.face, mark.face_size);
        if !same {
            return Ok(None);
        }
        followed.mark = mark.clone();
        Ok(Some(followed))
    }

    /// True when everything that is there was taken in, and nothing was added for a while.
    pub(super) fn is_done(&self) -> bool {
        self.mark.offset == self.size && self.changed.elapsed() >= QUIET
    }

    /// Notes that what was read up to `mark` is in the journal.
    pub(super) fn taken(&mut self, mark: &Mark) {
        self.mark = mark.clone();
    }

    /// The next records.
    pub(super) fn step(&mut self, path: &Path) -> io::Result<Step> {
        let size = self.file.metadata()?.len();
        if size != self.size {
            self.size = size;
            self.changed = Instant::now();
        }
        // Cut, or cut and written again: then the beginning is another one.
        let cut_off = size < self.mark.offset
            || face(&self.file, self.mark.face_size)? != (self.mark.face, self.mark.face_size);
        if cut_off {
            self.mark.offset = 0;
            (self.mark.face, self.mark.face_size) = face(&self.file, 0)?;
        }
        // Whether another file stands at the path is asked before reading to the end: what was written to this one
        // before it was renamed is then seen.
        let replaced = match fs::metadata(path) {
            Ok(meta) => (meta.dev(), meta.ino()) != (self.mark.device, self.mark.inode),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        let quiet = replaced || self.changed.elapsed() >= QUIET;
        let piece = if self.packed {
            self.unpack(quiet)?
        } else {
            self.read(quiet)?
        };
        Ok(match piece {
            Some((payload, offset)) => Step::Piece(payload, self.marked(offset)?),
            // Who writes may do so for a while after the renaming, until it is told to open the new file.
            None if replaced && self.changed.elapsed() >= QUIET => Step::Replaced,
            None => Step::Nothing,
        })
    }

    fn marked(&self, offset: u64) -> io::Result<Mark> {
        let mut mark = self.mark.clone();
        mark.offset = offset;
        if mark.face_size < FACE {
            (mark.face, mark.face_size) = face(&self.file, offset as usize)?;
        }
        Ok(mark)
    }

    /// Reads whole records from where the mark stands.
    fn read(&self, quiet: bool) -> io::Result<Option<(Vec<u8>, u64)>> {
        let from = self.mark.offset;
        let mut room = PIECE;
        loop {
            let wanted = (self.size.saturating_sub(from)).min(room as u64) as usize;
            if wanted == 0 {
                return Ok(None);
            }
            let mut bytes = vec![0; wanted];
            let mut size = 0;
            while size < wanted {
                match self.file.read_at(&mut bytes[size..], from + size as u64)? {
                    0 => break,
                    more => size += more,
                }
            }
            bytes.truncate(size);
            let at_end = from + size as u64 >= self.size;
            let end = cut(&bytes, quiet && at_end);
            if end > 0 {
                bytes.truncate(end);
                return Ok(Some((bytes, from + end as u64)));
            }
            if at_end && size < MAX_PAYLOAD {
                // A rotated file gets no more: its torn end is taken as it is, and counted as damaged by who reads it.
                let torn = quiet && size > 0 && self.is_gone();
                return Ok(torn.then_some((bytes, from + size as u64)));
            }
            if room >= MAX_PAYLOAD {
                // No record is so large; what this is goes on as damage, piece by piece.
                return Ok(Some((bytes, from + size as u64)));
            }
            room = (room * 4).min(MAX_PAYLOAD);
        }
    }

    /// True when no name leads to the file any more, or it was renamed: nobody will end its last record.
    fn is_gone(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| meta.nlink() == 0)
    }

    /// A packed file is taken as a whole, once nothing is added any more.
    fn unpack(&self, quiet: bool) -> io::Result<Option<(Vec<u8>, u64)>> {
        if self.mark.offset > 0 || !quiet {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let mut file = &self.file;
        io::Seek::seek(&mut file, io::SeekFrom::Start(0))?;
        flate2::read::MultiGzDecoder::new(io::BufReader::new(file))
            .take(MAX_PAYLOAD as u64 + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() > MAX_PAYLOAD {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "unpacks to more than is taken in at once",
            ));
        }
        Ok(Some((bytes, self.size)))
    }
}
