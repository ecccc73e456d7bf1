//! The node type and the small set of questions that every reader asks of it.

use crate::Span;

/// How a scalar was written; a plain `true` and a quoted `"true"` are different things to most readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single quotes.
    SingleQuoted,
    /// In double quotes.
    DoubleQuoted,
    /// A block scalar introduced by `|`.
    Literal,
    /// A block scalar introduced by `>`.
    Folded,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A scalar with its text after unescaping and folding.
    Scalar(String, Style),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping in the order written; duplicate keys are kept (the last one wins for [`Node::get`]).
    Map(Vec<(Node, Node)>),
}

/// A node of a YAML document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it stands. An expanded alias keeps the place of the alias itself, its children the anchor's.
    pub span: Span,
    /// Explicit tag such as `!!str`, written out as `tag:yaml.org,2002:str`, when one was given.
    pub tag: Option<String>,
    /// True when this node was reached through an alias (`*name`).
    pub aliased: bool,
}

impl Node {
    /// The text of a scalar, whatever its style.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// The style of a scalar.
    pub fn style(&self) -> Option<Style> {
        match self.kind {
            Kind::Scalar(_, style) => Some(style),
            _ => None,
        }
    }

    /// The items of a sequence.
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under `key` of a mapping; with duplicate keys the last one, as most loaders do.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value nodes under `key`.
    pub fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        self.as_map()?
            .iter()
            .rev()
            .find(|(k, _)| k.as_str() == Some(key))
            .map(|(k, v)| (k, v))
    }

    /// True for a plain `null`, `~`, `Null`, `NULL` or nothing at all.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text, Style::Plain)
            if self.tag.is_none() && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// A plain YAML 1.2 core boolean (`true`/`false` and their capitalised forms).
    pub fn as_bool(&self) -> Option<bool> {
        match (&self.kind, self.tag.is_none()) {
            (Kind::Scalar(text, Style::Plain), true) => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// A plain decimal integer.
    pub fn as_i64(&self) -> Option<i64> {
        match (&self.kind, self.tag.is_none()) {
            (Kind::Scalar(text, Style::Plain), true) => text.parse().ok(),
            _ => None,
        }
    }

    /// What a person would call this node: `"a string"`, `"a list"`, `"a map"`, `"nothing"`.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar(_, Style::Plain) if self.as_bool().is_some() => "a boolean",
            Kind::Scalar(_, Style::Plain) if self.as_i64().is_some() => "a number",
            Kind::Scalar(..) => "a string",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}
