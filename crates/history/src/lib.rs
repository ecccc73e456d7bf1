//! What is asked of recorded findings and activity, and what the answers look like.
//!
//! Pure: [`History`] and [`State`] are traits that an edge (`vedette-store`) implements; [`Filter`] is the one filter
//! language of API, screens and command line, with the predicate that every implementation must agree with. The server
//! builds on this room alone and never sees a database.

mod activity;
mod answer;
pub mod filter;
mod insights;
mod place;
mod query;
mod state;
mod subject;
mod trait_history;

pub use activity::{ActivityBucket, ActivityQuery, KindCounts, Session, StoredActivity};
pub use answer::{
    Appended, Bucket, Counts, FacetValue, Facets, Group, Histogram, Node, NodeKind, Page, Partial,
    PlaceCount, Refused, Stats, Status, StoredFinding, TableStats, Tail, Triage, TriageNote,
};
pub use filter::{Filter, FilterError};
pub use insights::{View, tree};
pub use place::{Place, WorkloadKind, workload_of_pod};
pub use query::{BadCursor, Cursor, FindingQuery, MAX_LIMIT, Order, Position, TimeRange, buckets};
pub use state::{Change, Document, Entry, Expect, State};
pub use subject::{ColumnValue, Subject};
pub use trait_history::{Error, History, Result, Retention};
