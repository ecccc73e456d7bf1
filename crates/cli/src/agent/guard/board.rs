//! What the keeper and the event loop both know: how prevention stands, for the metrics, and which containers the keeper
//! was told of.

use std::collections::{BTreeMap, HashMap};
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

/// Containers that are remembered as told; more are told again.
const MAX_TOLD: usize = 8192;

/// Both, shared.
#[derive(Debug)]
pub(crate) struct Board {
    status: Mutex<Status>,
    /// By id, and whether the runtime had described it by then.
    told: Mutex<HashMap<String, bool>>,
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
            told: Mutex::default(),
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

    fn containers(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the keeper knows a container, as well as it is known now.
    pub(super) fn is_told(&self, id: &str, described: bool) -> bool {
        matches!(self.containers().get(id), Some(before) if *before || !described)
    }

    /// The keeper was told.
    pub(super) fn told(&self, id: &str, described: bool) {
        let mut told = self.containers();
        if told.len() >= MAX_TOLD {
            told.clear();
        }
        told.insert(id.to_owned(), described);
    }

    /// The keeper has lost sight of a container: its next process is told again.
    pub(super) fn forget(&self, id: &str) {
        self.containers().remove(id);
    }
}
