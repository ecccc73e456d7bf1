//! Prevention and response from user space.
//!
//! [`Gate`] holds the start of programs in containers until it has decided, by fanotify permission events: the tier for
//! kernels that refuse BPF security modules. [`act`] kills, pauses and stops. Neither decides by itself: decisions are
//! [`vedette_detect::policy::drift`]'s, facts about files come from the kernel through [`Inspect`].
//!
//! What a process waits for in here is bounded: whoever answers never opens a file below a guarded mount, and an answer
//! that takes longer than [`Settings::deadline`] is given by a watchdog. When this process dies the kernel closes the
//! group and lets everything through.

pub mod act;
mod answer;
mod canary;
mod hash;
mod marks;
mod mounts;
mod process;
mod table;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use vedette_detect::policy::drift::{Decision, Effective, Operation, Source};

pub use answer::{Gate, Stats};
pub use canary::in_namespace_of_its_own;
pub use process::{control_groups, listed_groups, live_process, mount_namespace, start_ticks};

/// What the kernel knows of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Where it comes from, without regard to whose root file system it is on: another container's image, or an overlay
    /// that a process mounted for itself, is [`Source::Image`] here.
    pub source: Source,
    /// Device of the file system that it was opened on, as `stat(2)` gives it for that file system's root. `stat` of the
    /// file itself says otherwise where an overlay's layers lie on several file systems.
    pub device: u64,
    /// No name is left.
    pub deleted: bool,
    /// A regular file.
    pub regular: bool,
}

/// Tells where an open file comes from.
pub trait Inspect: Send + Sync {
    /// Facts of the file behind a descriptor of this process. Must not open anything.
    fn inspect(&self, file: BorrowedFd<'_>) -> io::Result<FileFacts>;
}

/// What to answer when nobody decided in time, or the facts cannot be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Otherwise {
    /// Let it run: availability first.
    #[default]
    Allow,
    /// Refuse it: prevention first.
    Deny,
}

/// How the gate is set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Longest that a process waits.
    pub deadline: Duration,
    /// What to answer then.
    pub otherwise: Otherwise,
    /// Let the kernel remember files of the image that may run, so that their next start costs nothing. A file that is
    /// written is forgotten, but not one that is written through a shared mapping: only with a second mechanism behind
    /// (see `docs/drift.md`).
    pub kernel_cache: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(500),
            otherwise: Otherwise::Allow,
            kernel_cache: false,
        }
    }
}

/// A container to guard.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its full id, or any name that is unique.
    pub id: Arc<str>,
    /// A process in it.
    pub pid: u32,
    /// What holds for it.
    pub effective: Arc<Effective>,
}

/// Something that was decided other than to let it run unremarked.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Nanoseconds since the Unix epoch.
    pub time: u64,
    /// [`Container::id`].
    pub container: Arc<str>,
    /// Process, in the host's namespace.
    pub pid: u32,
    /// What it was about to do.
    pub operation: Operation,
    /// Where the file comes from.
    pub source: Source,
    /// Path of the file, as the container sees it.
    pub path: String,
    /// Path of the program that did it.
    pub process: String,
    /// What was decided and why.
    pub decision: Decision,
    /// Whether it was refused: audited attempts are not, and what came too late is not.
    pub refused: bool,
    /// From reading the event to the answer.
    pub took: Duration,
}

/// Why there is no gate, or a container is not guarded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refuses fanotify, or has none: needs CAP_SYS_ADMIN and CONFIG_FANOTIFY_ACCESS_PERMISSIONS.
    #[error("the kernel refuses fanotify permission events")]
    Fanotify(#[source] io::Error),
    /// A mount of the container cannot be guarded.
    #[error("cannot guard {mount} of the container")]
    Mark {
        /// Where it is mounted, as the container sees it.
        mount: String,
        /// Why.
        source: io::Error,
    },
    /// The process is gone, or /proc does not show it.
    #[error("cannot read what process {pid} has mounted")]
    Process {
        /// Which one.
        pid: u32,
        /// Why.
        source: io::Error,
    },
    /// The process still sees the host's root file system: its runtime has not set the container up yet.
    #[error("process {0} is not in its container yet")]
    NotYet(u32),
    /// A thread cannot be started.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    /// The proof that prevention works failed.
    #[error("{0}")]
    Canary(String),
}
