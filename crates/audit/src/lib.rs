//! Kubernetes audit, cloud trails and other JSON logs: from bytes to records, and from records to the fields that
//! rules ask for.
//!
//! [`Splitter`] takes bytes in any envelope and hands out [`Record`]s; a record implements [`vedette_event::Extract`],
//! so that the same rules engine that judges system calls judges log records. Everything here is pure: no clock, no IO.

pub mod anomaly;
mod fields;
pub mod findings;
pub mod format;
pub mod json;
pub mod lists;
mod record;
mod source;
mod split;
pub mod time;

pub use record::{Record, Zone};
pub use source::Source;
pub use split::{Fault, FaultKind, MAX_DOCUMENT, MAX_RECORD, Sink, Splitter};
