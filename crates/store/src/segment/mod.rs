//! Segments: immutable files of some ten thousand records in order of time.
//!
//! ```text
//! "VSEG0001"
//! blocks          records in full, compressed (see `block`)
//! columns         per column the codes, then the dictionary
//! rows            time, id, sequence, place in the blocks, process, parent: one array each
//! bloom           which ids may be here
//! blocks' table   offset and length of each block
//! footer          JSON: where everything stands, with checksums
//! length, checksum of the footer, "VSEGEND1"
//! ```
//! All numbers are little-endian.

mod bloom;
mod read;
mod write;

use serde::{Deserialize, Serialize};

pub(crate) use read::Segment;
pub(crate) use write::write;

const MAGIC: &[u8; 8] = b"VSEG0001";
const END: &[u8; 8] = b"VSEGEND1";

/// Every how many rows the footer has a time, so that a time is found by reading little.
const SPARSE: usize = 1024;

/// Largest footer that is read: a few hundred bytes a column and eight a thousand rows.
const MAX_FOOTER: u32 = 16 << 20;

/// Most bytes of a dictionary, decompressed: as many as [`crate::memory::FLUSH_ROWS`] long values take.
const MAX_DICTIONARY: usize = 256 << 20;

/// A stretch of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Section {
    offset: u64,
    length: u64,
    crc: u32,
}

/// A column's stretches.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ColumnMeta {
    name: String,
    width: u8,
    values: u32,
    codes: Section,
    dictionary: Section,
}

/// What the end of the file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Footer {
    table: String,
    pub(crate) rows: u32,
    pub(crate) first_time: u64,
    pub(crate) last_time: u64,
    pub(crate) first_sequence: u64,
    pub(crate) last_sequence: u64,
    columns: Vec<ColumnMeta>,
    time: Section,
    id: Section,
    sequence: Section,
    pointer: Section,
    process: Section,
    parent: Section,
    bloom: Section,
    blocks: Section,
    data: Section,
    /// Time of every [`SPARSE`]th row.
    sparse: Vec<u64>,
}
