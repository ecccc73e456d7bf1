//! Findings, activity and state on disk: [`Store`] implements the traits of `vedette-history`.
//!
//! * State, the latest records and the manifest are in SQLite (write-ahead log, one writer, every answer after the
//!   disk has it).
//! * Records go on into segments: immutable files of 65,536 records, sorted by time, with a dictionary and codes for
//!   every field that filters and screens ask for, and the records in full in compressed blocks.
//! * Questions are answered from codes and dictionaries. A filter over such fields is evaluated once per dictionary
//!   value; records are read only to show them, or for conditions on other fields, and then up to a bound that the
//!   answer names.
//!
//! `docs/storage.md` has formats, guarantees and figures.

mod ask;
pub mod backup;
mod block;
mod cache;
mod columns;
mod failure;
mod maintain;
mod memory;
mod part;
mod prepare;
mod recover;
mod scan;
mod schema;
mod segment;
mod shared;
mod state;
mod store;
mod table;
mod triage;
mod writer;

pub use store::Store;
