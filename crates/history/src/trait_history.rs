//! What a store of findings and activity can be asked and told.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vedette_event::Record;

use crate::{
    ActivityBucket, ActivityQuery, Appended, Facets, Filter, FindingQuery, Group, Histogram, Page,
    Partial, PlaceCount, Session, Stats, Status, StoredActivity, StoredFinding, Tail, TimeRange,
};

/// Why a question has no answer or a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The question makes no sense.
    #[error("{0}")]
    Question(String),
    /// A document is not in the state that the change expects: someone else was faster.
    #[error("{collection}/{key} has changed meanwhile (it is at version {version})")]
    Conflict {
        /// Collection.
        collection: String,
        /// Key.
        key: String,
        /// Version now; 0 when there is no document.
        version: u64,
    },
    /// There is no room left; nothing was changed.
    #[error("no room left on the disk that holds {}", path.display())]
    Full {
        /// Directory of the store.
        path: PathBuf,
    },
    /// The disk or the database failed; nothing was changed.
    #[error("{doing}")]
    Io {
        /// What was being done, in words: "writing segment 7".
        doing: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is on disk cannot be right.
    #[error("damaged: {0}")]
    Corrupt(String),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

/// Result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// How long records are kept. Whole segments go, oldest first, so a little more may stay than asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Days to keep findings.
    pub findings_days: u32,
    /// Days to keep activity.
    pub activity_days: u32,
    /// Most bytes of findings.
    pub findings_bytes: u64,
    /// Most bytes of activity.
    pub activity_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            findings_days: 90,
            activity_days: 14,
            findings_bytes: 20 << 30,
            activity_bytes: 20 << 30,
        }
    }
}

/// Findings and activity. Calls block; a server makes them from threads that may.
pub trait History: Send + Sync {
    /// Keeps records; those whose id is there already count as duplicates. Answers after the new ones are on disk.
    fn append(&self, records: Vec<Record>) -> Result<Appended>;

    /// A page of findings.
    fn findings(&self, query: &FindingQuery) -> Result<Page<StoredFinding>>;

    /// The finding with this id.
    fn finding(&self, id: &str) -> Result<Option<StoredFinding>>;

    /// Changes where a finding stands and adds a note; `None` when there is no such finding.
    fn triage(
        &self,
        id: &str,
        status: Option<Status>,
        note: Option<&str>,
        by: &str,
        at: u64,
    ) -> Result<Option<StoredFinding>>;

    /// Findings by time and severity, in at most `buckets` buckets (see [`crate::buckets`]).
    fn histogram(&self, range: TimeRange, filter: &Filter, buckets: usize) -> Result<Histogram>;

    /// The most frequent values of each field, at most `limit` of each. Fields are those of [`History::facet_fields`];
    /// another is [`Error::Question`].
    fn facets(
        &self,
        range: TimeRange,
        filter: &Filter,
        fields: &[&str],
        limit: usize,
    ) -> Result<Facets>;

    /// Fields that [`History::facets`] takes: those whose filters cost no reading of whole records either.
    fn facet_fields(&self) -> &'static [&'static str];

    /// Exact counts for every place with findings; [`crate::tree`] makes the Insights tree of them.
    fn places(
        &self,
        range: TimeRange,
        filter: &Filter,
    ) -> Result<(Vec<PlaceCount>, Option<Partial>)>;

    /// Findings grouped by rule and workload, the most urgent and most recent first, at most `limit`.
    fn groups(
        &self,
        range: TimeRange,
        filter: &Filter,
        limit: usize,
    ) -> Result<(Vec<Group>, Option<Partial>)>;

    /// Sequence number of the last finding.
    fn sequence(&self) -> u64;

    /// Findings after a sequence number in order of arrival, at most `limit`.
    fn since(&self, sequence: u64, filter: &Filter, limit: usize) -> Result<Tail>;

    /// Waits until there is a finding after `sequence`, or until the time is up; gives the last sequence number. One
    /// thread that waits and tells the others is enough for any number of streams.
    fn wait(&self, sequence: u64, patience: Duration) -> u64;

    /// Findings whose lineage begins with this process: those that it caused itself. `started` is its start time in
    /// nanoseconds since the Unix epoch; at most `limit`, newest first.
    fn findings_of_process(
        &self,
        node: &str,
        pid: i64,
        started: u64,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<StoredFinding>>;

    /// A page of activity.
    fn activity(&self, query: &ActivityQuery) -> Result<Page<StoredActivity>>;

    /// Activity by time and kind; the step in nanoseconds comes first.
    fn activity_histogram(
        &self,
        range: TimeRange,
        filter: &Filter,
        buckets: usize,
    ) -> Result<(u64, Vec<ActivityBucket>, Option<Partial>)>;

    /// Interactive sessions with activity in the range, the latest first, at most `limit`.
    fn sessions(&self, range: TimeRange, filter: &Filter, limit: usize) -> Result<Vec<Session>>;

    /// Activity of the processes that this process started, and its own (`parent` or `process` is the one named), oldest
    /// first, at most `limit`.
    fn activity_of_process(
        &self,
        node: &str,
        pid: i64,
        started: u64,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<StoredActivity>>;

    /// Applies the retention at time `now` (nanoseconds since the Unix epoch) and tidies up; call it every few minutes.
    fn maintain(&self, retention: &Retention, now: u64) -> Result<()>;

    /// What is kept and what it takes.
    fn stats(&self) -> Result<Stats>;
}
