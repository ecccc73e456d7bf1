//! YAML text as a tree of nodes that each know where they stand in the text.
//!
//! Everything that a person writes for Vedette (rules, manifests, policies, configuration) is YAML, and
//! every complaint about it must point at a line and a column, so this crate keeps positions and leaves
//! scalars as text: what a scalar *means* (YAML 1.1 or 1.2 booleans, quantities, rule conditions) is the
//! reader's business.
//! It never touches a file and never panics on any input; nesting, node count and alias expansion are
//! bounded by [`Limits`].

mod loose;
mod node;
mod parse;

pub use node::{Kind, Node, Style};
pub use parse::{Document, Error, Limits, Parsed, parse, parse_with};

/// Where a node or an error stands in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte. For block collections this may reach into the white space that follows.
    pub end: usize,
    /// Line of `start`, counted from 1.
    pub line: u32,
    /// Column of `start` in characters, counted from 1.
    pub column: u32,
}
