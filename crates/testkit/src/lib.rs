//! Events written down as text, and the markdown files beside rules that say what they must and must not find.
//!
//! `docs/rule-tests.md` is the reference of both notations.

mod markdown;
mod script;
mod words;

pub use markdown::{Case, Input, MarkdownError, parse as parse_markdown};
pub use script::{FlagValue, Process, Script, ScriptError, Step, parse as parse_script};
