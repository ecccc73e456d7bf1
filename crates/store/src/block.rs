//! Records in full: blocks of JSON texts, compressed together.
//!
//! A block is the unit that is read to see one record, so it is small; and it is the unit of compression, so it is not
//! tiny.

use std::cell::RefCell;
use std::io;

use crate::failure::damaged;

/// Most records of a block. 256 records of a kibibyte or two are decompressed in about a millisecond.
pub(crate) const MAX_ROWS: usize = 256;

/// A block is closed when its records reach this many bytes.
pub(crate) const MAX_RAW: usize = 1 << 20;

/// Largest record that is kept, in bytes of JSON. Agents cut what attackers can make long far below.
pub(crate) const MAX_RECORD: usize = 1 << 20;

/// Fast enough for ingest on a fraction of a core; higher levels gain a tenth and cost three times as much.
const LEVEL: i32 = 1;

thread_local! {
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses bytes; the length stands in front so that decompression knows its bound.
pub(crate) fn compress(raw: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with(|slot| {
        let mut slot = slot.borrow_mut();
        let compressor = if let Some(compressor) = &mut *slot {
            compressor
        } else {
            let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
            compressor.include_checksum(true)?;
            slot.insert(compressor)
        };
        let mut out = (raw.len() as u32).to_le_bytes().to_vec();
        out.extend_from_slice(&compressor.compress(raw)?);
        Ok(out)
    })
}

/// Reads what [`compress`] wrote, if it holds at most `most` bytes.
pub(crate) fn decompress(bytes: &[u8], most: usize) -> io::Result<Vec<u8>> {
    let (length, bytes) = bytes
        .split_first_chunk()
        .ok_or_else(|| damaged("compressed bytes without a length"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > most {
        return Err(damaged("compressed bytes that say they are too many"));
    }
    let raw = zstd::bulk::decompress(bytes, length)?;
    if raw.len() == length {
        Ok(raw)
    } else {
        Err(damaged("compressed bytes of another length than they say"))
    }
}

/// A block as it is written.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
}

/// Collects records for a block.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    ends: Vec<u32>,
    raw: Vec<u8>,
}

impl Builder {
    pub(crate) fn push(&mut self, record: &[u8]) {
        self.raw.extend_from_slice(record);
        self.ends.push(self.raw.len() as u32);
    }

    /// Appends what `write` writes, unless it fails or writes more than [`MAX_RECORD`] bytes; then nothing.
    pub(crate) fn write(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        let before = self.raw.len();
        let outcome = write(&mut self.raw).and_then(|()| {
            let length = self.raw.len() - before;
            if length > MAX_RECORD {
                return Err(format!(
                    "it is {length} bytes long, and at most {MAX_RECORD} are kept"
                ));
            }
            Ok(())
        });
        match outcome {
            Ok(()) => self.ends.push(self.raw.len() as u32),
            Err(_) => self.raw.truncate(before),
        }
        outcome
    }

    pub(crate) fn rows(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.ends.len() >= MAX_ROWS || self.raw.len() >= MAX_RAW
    }

    /// Writes the block and begins the next one.
    pub(crate) fn finish(&mut self) -> io::Result<Block> {
        let rows = self.ends.len() as u32;
        let mut plain = rows.to_le_bytes().to_vec();
        plain.extend(self.ends.iter().flat_map(|end| end.to_le_bytes()));
        plain.append(&mut self.raw);
        self.ends.clear();
        Ok(Block {
            bytes: compress(&plain)?,
        })
    }
}

/// A block that was read.
#[derive(Debug)]
pub(crate) struct Open {
    plain: Vec<u8>,
    rows: usize,
}

impl Open {
    pub(crate) fn read(bytes: &[u8]) -> io::Result<Self> {
        let most = MAX_RAW + MAX_RECORD + 4 * (MAX_ROWS + 1);
        let plain = decompress(bytes, most)?;
        let rows = plain
            .first_chunk()
            .map_or(0, |count| u32::from_le_bytes(*count) as usize);
        if rows > MAX_ROWS || plain.len() < 4 * (rows + 1) {
            return Err(damaged("a block without its table"));
        }
        Ok(Self { plain, rows })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The JSON of a record.
    pub(crate) fn get(&self, index: usize) -> io::Result<&[u8]> {
        let end = |index: usize| -> Option<usize> {
            let at = 4 * (index + 1);
            let end = self.plain.get(at..at + 4)?.first_chunk()?;
            Some(u32::from_le_bytes(*end) as usize)
        };
        let data = self.plain.get(4 * (self.rows + 1)..).unwrap_or_default();
        let found = (index < self.rows).then(|| {
            let from = if index == 0 { 0 } else { end(index - 1)? };
            data.get(from..end(index)?)
        });
        found
            .flatten()
            .ok_or_else(|| damaged("a block that is shorter than its table says"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_back_and_damage_is_seen() {
        let mut builder = Builder::default();
        for record in [&b"{}"[..], b"", b"{\"a\":1}"] {
            builder.push(record);
        }
        let block = builder.finish().unwrap();
        assert_eq!(builder.rows(), 0);
        let open = Open::read(&block.bytes).unwrap();
        assert_eq!(open.rows(), 3);
        assert_eq!(open.get(0).unwrap(), b"{}");
        assert_eq!(open.get(1).unwrap(), b"");
        assert_eq!(open.get(2).unwrap(), b"{\"a\":1}");
        assert!(open.get(3).is_err());
        for at in 0..block.bytes.len() {
            let mut bytes = block.bytes.clone();
            bytes[at] ^= 0x20;
            // Some bits of the frame's header do not matter; what is read must be right all the same.
            if let Ok(open) = Open::read(&bytes) {
                assert_eq!(open.get(2).unwrap(), b"{\"a\":1}", "byte {at}");
            }
            assert!(Open::read(&block.bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
