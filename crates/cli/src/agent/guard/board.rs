//! How prevention stands, for the metrics: written by the keeper, read by the event loop.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the metrics say.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    /// `bpf_lsm`, `fanotify`, `kill` or `none`.
    pub(crate) tier: &'static str,
    /// The last proof.
    pub(crate) proved: Result<(), String>,
    /// When, in seconds since the Unix epoch.
    pub(crate) proved_at: u64,
    pub(crate) containers: usize,
    pub(crate) asked: u64,
    pub(crate) audited: u64,
    pub(crate) expired: u64,
    pub(crate) lost: u64,
    pub(crate) slowest: Duration,
    pub(crate) refused: BTreeMap<&'static str, u64>,
    pub(crate) actions: BTreeMap<(String, &'static str), u64>,
}

/// The status, shared with the event loop.
#[derive(Debug)]
pub(crate) struct Board {
    status: Mutex<Status>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            status: Mutex::new(Status {
                tier: "none",
                proved: Err("not tried yet".to_owned()),
                proved_at: 0,
                containers: 0,
                asked: 0,
                audited: 0,
                expired: 0,
                lost: 0,
                slowest: Duration::ZERO,
                refused: BTreeMap::new(),
                actions: BTreeMap::new(),
            }),
        }
    }
}

impl Board {
    pub(super) fn lock(&self) -> MutexGuard<'_, Status> {
        // every change is one assignment: sound even when its writer panicked
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read(&self) -> Status {
        self.lock().clone()
    }

    pub(crate) fn count_action(&self, kind: &str, outcome: &'static str) {
        *self
            .lock()
            .actions
            .entry((kind.to_owned(), outcome))
            .or_default() += 1;
    }
}
