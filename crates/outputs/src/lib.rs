//! Where alerts go. One trait, one file an output.
//!
//! An [`Output`] delivers rendered alerts and may be slow or fail; [`Fanout`] gives each one its own thread, queue,
//! filter and counters, so that none of them holds up another or is lost without being counted.

mod fanout;
mod file;
mod http;
mod program;
mod spec;
mod spool;
mod stdout;
mod syslog;
mod trust;

use std::io;

use vedette_event::Priority;

pub use fanout::{Fanout, Full, Snapshot};
pub use file::File;
pub use http::Http;
pub use program::Program;
pub use spec::{Filter, Format, OUTPUTS, Spec, SpecError};
pub use spool::Spool;
pub use stdout::Stdout;
pub use syslog::Syslog;
pub use trust::trust;

/// An alert as an output delivers it.
#[derive(Clone, Debug)]
pub struct Line {
    /// The text or JSON, without a line break.
    pub text: String,
    /// Priority, for outputs that carry it apart from the text.
    pub priority: Priority,
}

/// Somewhere alerts can be delivered. Adding one is a file here, a row in [`OUTPUTS`] and a test.
pub trait Output: Send {
    /// Delivers the lines, in order. On success all of them count as delivered.
    ///
    /// # Errors
    /// What went wrong; the lines then count as failed. An output that can retry does so before it gives up.
    fn deliver(&mut self, lines: &[Line]) -> Result<(), Failure>;

    /// Most lines that one call should carry.
    fn batch(&self) -> usize {
        256
    }

    /// Called when the queue is empty for a while: write out buffers, try again what was put aside.
    ///
    /// # Errors
    /// What went wrong.
    fn idle(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Called when the process is asked to reopen its files (`SIGHUP`).
    ///
    /// # Errors
    /// What went wrong.
    fn reopen(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Lines that the output put aside to deliver later (a spool), and that it had to give up.
    fn put_aside(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// Why a delivery failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The operating system refused.
    #[error("{what}")]
    Io {
        /// What was tried, with the path or address.
        what: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The other side answered with a refusal.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
