//! What can be wrong with a capture, and where.

use std::io;

/// A capture cannot be read further. Everything before this place was handed out.
#[derive(Debug, thiserror::Error)]
#[error("{kind}, at byte {at}{}", near(*file_at))]
pub struct Error {
    /// What is wrong.
    #[source]
    pub kind: ErrorKind,
    /// Place in the (decompressed) stream of blocks, in bytes.
    pub at: u64,
    /// For a compressed capture, how many bytes of the file had been decompressed by then.
    pub file_at: Option<u64>,
}

fn near(file_at: Option<u64>) -> String {
    file_at.map_or_else(String::new, |at| {
        format!(" of the decompressed capture (byte {at} of the file)")
    })
}

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The first bytes are not those of a capture.
    #[error("not a capture file: it does not start with a section header")]
    NotACapture,
    /// A section header with a wrong byte order mark.
    #[error("section header with byte order mark {0:#010x}, expected 0x1a2b3c4d in either order")]
    ByteOrder(u32),
    /// Written by a future, incompatible recorder.
    #[error("capture format {0}.{1} is newer than 1.x")]
    Version(u16, u16),
    /// The file ends inside a block.
    #[error("the capture is cut off: {part} needs {needed} bytes, {left} are left")]
    Cut {
        /// What was being read.
        part: &'static str,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are there.
        left: u64,
    },
    /// A block says it is shorter than what it must hold.
    #[error("block {block:#x} is {length} bytes long, it needs at least {least}")]
    BlockTooShort {
        /// Type of the block.
        block: u32,
        /// Length that it claims.
        length: u32,
        /// Shortest length it could have.
        least: u32,
    },
    /// A block that has to be held in memory is longer than the bound.
    #[error("block {block:#x} is {length} bytes long, at most {limit} are read")]
    BlockTooLong {
        /// Type of the block.
        block: u32,
        /// Length that it claims.
        length: u32,
        /// The bound ([`crate::MAX_EVENT_BLOCK`]).
        limit: u32,
    },
    /// The length at the end of a block is not the one at its start.
    #[error("block {block:#x} starts with length {header} but ends with {trailer}")]
    Trailer {
        /// Type of the block.
        block: u32,
        /// Length at its start.
        header: u32,
        /// Length at its end.
        trailer: u32,
    },
    /// An entry of a list does not fit its block, or is of an unknown kind.
    #[error("damaged {0} entry")]
    Entry(&'static str),
    /// The compressed stream is damaged or cut.
    #[error("cannot decompress: {0}")]
    Inflate(#[source] io::Error),
    /// The input cannot be read.
    #[error("cannot read: {0}")]
    Io(#[source] io::Error),
}
