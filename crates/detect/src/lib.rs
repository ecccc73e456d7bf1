//! Rules over any event source: events in, alerts out.
//!
//! A [`RuleSet`] is compiled once and shared; each stream of events has a [`Detector`] of its own, which remembers what
//! it may and can be given another rule set between two events.

mod activity;
mod detector;
pub mod policy;
mod finding;
mod redact;
mod ruleset;

pub use activity::ActivityLog;
pub use detector::{Count, Detector};
pub use finding::Describer;
pub use redact::{HIDDEN, Redactor};
pub use ruleset::{RuleSet, Settings, TimeStyle};
pub use vedette_rules::program::Mode;
