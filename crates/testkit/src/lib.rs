//! Events written down as text, the markdown files beside rules that say what they must and must not find, and a made-up
//! workload and a made-up cluster's history for measurements.
//!
//! `docs/rule-tests.md` is the reference of both notations.

pub mod history;
mod markdown;
mod script;
mod words;
pub mod workload;

pub use markdown::{Case, Input, MarkdownError, parse as parse_markdown};
pub use script::{FlagValue, Process, Script, ScriptError, Step, parse as parse_script};
