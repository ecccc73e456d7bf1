//! JSON read into a flat tape of nodes that borrow the text: nothing is copied, nothing is allocated per value.
//!
//! A log record is asked for a few dozen of its hundreds of values, so text is only unescaped, and numbers are only
//! read, when somebody asks. Subtrees are skipped in one step because every node knows where its subtree ends.

mod parse;
mod text;

pub(crate) use parse::skip_space;
pub use parse::{MAX_DEPTH, Syntax, SyntaxKind, Tape};
pub use text::{compact, indent};

use parse::{Node, NodeKind};

/// A value inside parsed text.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a> {
    text: &'a [u8],
    nodes: &'a [Node],
    at: usize,
    /// White space outside strings was seen somewhere in the document, so raw text is not compact.
    spaced: bool,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "JSON's own words")]
pub enum Kind {
    Null,
    Bool(bool),
    Number,
    Text,
    Array,
    Object,
}

/// Text of a string value or key.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Text<'a> {
    /// The bytes, when they stand in the input as they are.
    pub fn plain(self) -> Option<&'a [u8]> {
        (!self.escaped).then_some(self.raw)
    }

    /// Appends the bytes, escapes resolved.
    pub fn write(self, out: &mut Vec<u8>) {
        if self.escaped {
            text::unescape(self.raw, out);
        } else {
            out.extend_from_slice(self.raw);
        }
    }

    /// The text as an owned string; bytes that are no UTF-8 are replaced.
    pub fn to_owned_string(self) -> String {
        let mut out = Vec::with_capacity(self.raw.len());
        self.write(&mut out);
        String::from_utf8(out)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }

    /// Compares with `other` without copying.
    pub fn is(self, other: &[u8]) -> bool {
        if self.escaped {
            text::unescaped_is(self.raw, other)
        } else {
            self.raw == other
        }
    }

    /// True when there is no character.
    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }
}

impl<'a> Json<'a> {
    fn node(self) -> Node {
        self.nodes[self.at]
    }

    fn at(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        let node = self.node();
        match node.kind {
            NodeKind::Object => Kind::Object,
            NodeKind::Array => Kind::Array,
            NodeKind::Plain | NodeKind::Escaped => Kind::Text,
            NodeKind::Number => Kind::Number,
            NodeKind::True => Kind::Bool(true),
            NodeKind::False => Kind::Bool(false),
            NodeKind::Null => Kind::Null,
        }
    }

    /// The text as it stands in the input, quotes included.
    pub fn raw(self) -> &'a [u8] {
        let node = self.node();
        let quotes = u32::from(matches!(node.kind, NodeKind::Plain | NodeKind::Escaped));
        &self.text[(node.start - quotes) as usize..(node.end + quotes) as usize]
    }

    /// Offset of the first byte of the value in the parsed text.
    pub fn offset(self) -> usize {
        self.node().start as usize
    }

    /// True when [`Self::raw`] may hold white space between tokens.
    pub fn is_spaced(self) -> bool {
        self.spaced
    }

    /// The text of a string.
    pub fn text(self) -> Option<Text<'a>> {
        let node = self.node();
        let escaped = match node.kind {
            NodeKind::Plain => false,
            NodeKind::Escaped => true,
            _ => return None,
        };
        Some(Text {
            raw: &self.text[node.start as usize..node.end as usize],
            escaped,
        })
    }

    /// True for a string with exactly this text.
    pub fn is_text(self, other: &str) -> bool {
        self.text().is_some_and(|text| text.is(other.as_bytes()))
    }

    /// The value as an owned string when it is a string.
    pub fn to_text(self) -> Option<String> {
        self.text().map(Text::to_owned_string)
    }

    /// A whole number without sign; fractions are cut off.
    pub fn as_u64(self) -> Option<u64> {
        if self.node().kind != NodeKind::Number {
            return None;
        }
        let text = std::str::from_utf8(self.raw()).ok()?;
        text.parse()
            .ok()
            .or_else(|| text.parse::<f64>().ok().map(|float| float as u64))
    }

    /// A boolean.
    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Member `key` of an object (the first of several), or element `key` of an array when `key` is a number.
    pub fn get(self, key: &str) -> Option<Self> {
        match self.node().kind {
            NodeKind::Object => self.member(key.as_bytes()),
            NodeKind::Array => self.items().nth(key.parse().ok()?),
            _ => None,
        }
    }

    /// Looking for members is half of the work on a record: most keys are passed over by their length alone.
    fn member(self, wanted: &[u8]) -> Option<Self> {
        let end = self.node().next as usize;
        let mut at = self.at + 1;
        while at < end {
            let [key, value] = self.nodes.get(at..at + 2)? else {
                return None;
            };
            let raw = self.text.get(key.start as usize..key.end as usize)?;
            let found = if key.kind == NodeKind::Escaped {
                text::unescaped_is(raw, wanted)
            } else {
                raw == wanted
            };
            if found {
                return Some(self.at(at + 1));
            }
            at = value.next as usize;
        }
        None
    }

    /// As [`Self::get`] for a step of a JSON pointer (RFC 6901), in which `~1` is `/` and `~0` is `~`.
    pub fn step(self, step: &str) -> Option<Self> {
        if !step.contains('~') {
            return self.get(step);
        }
        self.members()
            .find(|(key, _)| text::pointer_step_is(step, *key))
            .map(|(_, value)| value)
    }

    /// Follows `keys` from member to member.
    pub fn path(self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self, |value, key| value.get(key))
    }

    /// Text found along `keys`.
    pub fn text_at(self, keys: &[&str]) -> Option<Text<'a>> {
        self.path(keys)?.text()
    }

    /// Members of an object in order; nothing for other values.
    pub fn members(self) -> impl Iterator<Item = (Text<'a>, Self)> {
        let node = self.node();
        let (mut at, end) = match node.kind {
            NodeKind::Object => (self.at + 1, node.next as usize),
            _ => (0, 0),
        };
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let key = self.at(at).text()?;
            let value = self.at(at + 1);
            at = self.nodes[at + 1].next as usize;
            Some((key, value))
        })
    }

    /// Elements of an array in order; nothing for other values.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let node = self.node();
        let (mut at, end) = match node.kind {
            NodeKind::Array => (self.at + 1, node.next as usize),
            _ => (0, 0),
        };
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let value = self.at(at);
            at = self.nodes[at].next as usize;
            Some(value)
        })
    }

    /// True for an array.
    pub fn is_array(self) -> bool {
        self.node().kind == NodeKind::Array
    }

    /// True for an object.
    pub fn is_object(self) -> bool {
        self.node().kind == NodeKind::Object
    }
}
