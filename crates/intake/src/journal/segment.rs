//! A segment's file: its name, and the entries in it.
//!
//! A segment is a row of entries `magic u32 · checksum u32 · note length u32 · payload length u32 · note · payload`,
//! little endian, the checksum a CRC-32 over everything behind it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::Position;
use crate::source::Meta;

/// Begins every entry: `vjn1`.
pub(super) const MAGIC: u32 = 0x316e_6a76;
/// Bytes before the note.
pub(super) const HEAD: u64 = 16;
/// Largest note; ours have some hundred bytes.
pub(super) const MAX_NOTE: usize = 64 << 10;
/// Largest payload of an entry, the largest input that a source takes in at once.
pub(crate) const MAX_PAYLOAD: usize = 64 << 20;

/// An entry, read back.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Its note.
    pub meta: Meta,
    /// What was taken in.
    pub payload: Vec<u8>,
    /// The place behind it.
    pub end: Position,
}

pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("journal-{number:010}.log"))
}

pub(super) fn number(name: &str) -> Option<u64> {
    name.strip_prefix("journal-")?
        .strip_suffix(".log")?
        .parse()
        .ok()
}

/// Offset behind the last whole entry.
pub(super) fn sound_end(file: &File) -> io::Result<u64> {
    let mut at = 0;
    while let Some(size) = read_entry(file, at, None)? {
        at += size;
    }
    Ok(at)
}

/// Reads the entry at `offset` and gives its size; `None` where no whole entry stands.
pub(super) fn read_entry(
    file: &File,
    offset: u64,
    entry: Option<&mut Entry>,
) -> io::Result<Option<u64>> {
    let mut head = [0; HEAD as usize];
    if !read_whole(file, &mut head, offset)? {
        return Ok(None);
    }
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (note, payload) = (word(8) as usize, word(12) as usize);
    if word(0) != MAGIC || note > MAX_NOTE || payload > MAX_PAYLOAD {
        return Ok(None);
    }
    let mut scratch = Entry::default();
    let entry = entry.unwrap_or(&mut scratch);
    let mut text = vec![0; note];
    entry.payload.clear();
    entry.payload.resize(payload, 0);
    if !read_whole(file, &mut text, offset + HEAD)?
        || !read_whole(file, &mut entry.payload, offset + HEAD + note as u64)?
    {
        return Ok(None);
    }
    let mut sum = crc32fast::Hasher::new();
    sum.update(&head[8..]);
    sum.update(&text);
    sum.update(&entry.payload);
    if sum.finalize() != word(4) {
        return Ok(None);
    }
    entry.meta = serde_json::from_slice(&text).unwrap_or_default();
    Ok(Some(HEAD + (note + payload) as u64))
}

/// Fills `room` from `offset`; false when the file ends before.
pub(super) fn read_whole(file: &File, room: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(room, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
