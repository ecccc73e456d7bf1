//! Questions and answers about activity.

use serde::Serialize;
use vedette_event::{Activity, ActivityKind};

use crate::query::Cursor;
use crate::{Filter, Order, Place, TimeRange};

/// A page of activity.
#[derive(Clone, Debug)]
pub struct ActivityQuery {
    /// Time of the events.
    pub range: TimeRange,
    /// Which of them; `kind = command` and `session = "…"` are filters like any other.
    pub filter: Filter,
    /// Newest or oldest first; severity means newest.
    pub order: Order,
    /// Where the page begins.
    pub cursor: Option<Cursor>,
    /// Most items; at least 1, at most [`crate::MAX_LIMIT`].
    pub limit: usize,
    /// Whether the total is wanted.
    pub count: bool,
}

/// An activity as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredActivity {
    /// Counts activities in the order in which they arrived, from 1, without gaps.
    pub sequence: u64,
    /// Where it happened.
    pub place: Place,
    /// The activity itself.
    pub activity: Activity,
}

/// Counts by kind of activity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the words say it")]
pub struct KindCounts {
    pub command: u64,
    pub connection: u64,
    pub file: u64,
    pub kubernetes: u64,
}

impl KindCounts {
    /// Adds `count` to one kind.
    pub fn add(&mut self, kind: ActivityKind, count: u64) {
        match kind {
            ActivityKind::Command => self.command += count,
            ActivityKind::Connection => self.connection += count,
            ActivityKind::File => self.file += count,
            ActivityKind::Kubernetes => self.kubernetes += count,
        }
    }

    /// All kinds together.
    pub fn total(self) -> u64 {
        self.command + self.connection + self.file + self.kubernetes
    }
}

/// A bucket of an activity histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ActivityBucket {
    /// Its start in nanoseconds since the Unix epoch.
    pub at: u64,
    /// Activity in it.
    #[serde(flatten)]
    pub counts: KindCounts,
}

/// What one interactive session did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Session {
    /// Its name, as in [`Activity::session`].
    pub session: String,
    /// Where.
    pub place: Place,
    /// Who: the first user seen in it; empty when unknown.
    pub user: String,
    /// Time of its first activity in the range.
    pub started: u64,
    /// Time of its last.
    pub last: u64,
    /// What it did.
    pub counts: KindCounts,
    /// The request to the Kubernetes API that belongs to it, when one is known.
    pub opened_by: Option<Box<StoredActivity>>,
}
