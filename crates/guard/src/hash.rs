//! SHA-256 of files that are about to run, each hashed once as long as it does not change.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;

use sha2::{Digest, Sha256};

/// Largest file that is hashed while a process waits; at 200 MB/s this takes a third of a second. Larger ones are
/// compared by name only.
pub(crate) const MAX_HASHED: u64 = 64 << 20;
/// Files that are remembered.
const MAX_KNOWN: usize = 16_384;

/// What names a file's content: device, inode, size, and both times in nanoseconds.
type Key = (u64, u64, u64, i64, i64, i64, i64);

/// Remembers hashes.
#[derive(Debug, Default)]
pub(crate) struct Hashes {
    known: HashMap<Key, [u8; 32]>,
}

impl Hashes {
    /// The hash of an open file. `None` when it is too large or cannot be read.
    pub(crate) fn of(&mut self, file: BorrowedFd<'_>) -> Option<[u8; 32]> {
        let file = File::from(file.try_clone_to_owned().ok()?);
        let meta = file.metadata().ok()?;
        if !meta.is_file() || meta.len() > MAX_HASHED {
            return None;
        }
        let key = (
            meta.dev(),
            meta.ino(),
            meta.len(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec(),
        );
        if let Some(hash) = self.known.get(&key) {
            return Some(*hash);
        }
        let hash = sum(file).ok()?;
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(key, hash);
        Some(hash)
    }
}

fn sum(file: File) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    let mut file = file.take(MAX_HASHED);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_file_is_hashed_again_when_it_changed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "test").unwrap();
        let mut hashes = Hashes::default();
        let hex = |hash: Option<[u8; 32]>| vedette_detect::policy::feed::hex(&hash.unwrap());
        let expected = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(hex(hashes.of(file.as_file().as_fd())), expected);
        assert_eq!(hex(hashes.of(file.as_file().as_fd())), expected);
        std::fs::write(file.path(), "test2").unwrap();
        let opened = File::open(file.path()).unwrap();
        assert_ne!(hex(hashes.of(opened.as_fd())), expected);
        assert_eq!(hashes.known.len(), 2);
    }
}
