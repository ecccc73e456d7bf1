//! The Falco rules language: load rule files, check them against the field catalogue, compile, evaluate, format.
//!
//! Pure: text and events in, diagnostics and matches out. The way of a rule: [`source`] reads objects from YAML,
//! [`collection`] defines, appends and replaces, [`resolve`] expands lists, macros and exceptions, [`check`] looks fields
//! up and types literals, [`kinds`] infers event types, [`load`] puts it together and answers with [`typed::Rule`]s.

pub mod catalogue;
pub mod check;
pub mod collection;
pub mod condition;
pub mod describe;
pub mod diagnostic;
pub mod fmt;
pub mod kinds;
pub mod load;
pub mod naive;
pub mod ops;
pub mod output;
pub mod prefilter;
pub mod program;
pub mod resolve;
mod show;
pub mod source;
pub mod transform;
pub mod typed;
pub mod version;

pub use load::{Loaded, Options, load};
