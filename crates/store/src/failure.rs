//! Errors of disk and database as the ones that callers know.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use vedette_history::Error;

/// Says what was being done when an error came.
pub(crate) trait Doing<T> {
    /// Turns the error into one for callers; `dir` is named when the disk is full.
    fn doing(self, dir: &Path, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, dir: &Path, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Error::Full { path: dir.into() },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Error::Corrupt(format!("{} while {}", error, what()))
            }
            _ => Error::Io {
                doing: what(),
                source: error.into(),
            },
        })
    }
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, dir: &Path, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::Full { path: dir.into() }
            }
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Error::Corrupt(format!("{error} while {}", what()))
            }
            _ => Error::Io {
                doing: what(),
                source: error.into(),
            },
        })
    }
}

/// An error for contents that cannot be right.
pub(crate) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
