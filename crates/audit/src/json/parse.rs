//! The tape: one forward pass over the text, one node for each value and key.

use super::Json;

/// Deepest nesting that is read. Kubernetes objects stay below 30, schemas of custom resources below 60; deeper text is
/// an attack on whoever recurses over it.
pub const MAX_DEPTH: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeKind {
    Object,
    Array,
    Plain,
    Escaped,
    Number,
    True,
    False,
    Null,
}

/// A value or key. `start..end` is its text (without quotes for strings), `next` the node behind its subtree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) next: u32,
}

/// Why text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// Offset of the byte that does not fit, from the start of the text.
    pub offset: usize,
    /// What is wrong there.
    pub kind: SyntaxKind,
}

/// What is wrong with text that is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntaxKind {
    /// The text ends inside a value.
    Incomplete,
    /// A value was expected.
    NoValue,
    /// A key in double quotes, or the end of the object, was expected.
    NoKey,
    /// A colon was expected.
    NoColon,
    /// A comma or the end of the array or object was expected.
    NoComma,
    /// A line ends inside a string.
    LineInText,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// Reusable buffers of the parser.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    open: Vec<u32>,
    spaced: bool,
}

/// What the parser expects next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Value,
    FirstItem,
    FirstKey,
    Key,
    Comma,
}

impl Tape {
    /// Reads the one value that starts at `from` (white space before it is skipped) and gives the offset behind it.
    /// What was on the tape is forgotten.
    ///
    /// # Errors
    /// [`Syntax`] with the offset of the first byte that does not fit.
    pub fn parse(&mut self, text: &[u8], from: usize) -> Result<usize, Syntax> {
        self.nodes.clear();
        self.open.clear();
        self.spaced = false;
        let mut at = skip_space(text, from);
        let mut want = Want::Value;
        loop {
            let Some(&byte) = text.get(at) else {
                return Err(fault(text.len(), SyntaxKind::Incomplete));
            };
            match (want, byte) {
                (_, b' ' | b'\n' | b'\r' | b'\t') => {
                    self.spaced = true;
                    at = skip_space(text, at);
                    continue;
                }
                (Want::Value | Want::FirstItem, b'{') => {
                    self.begin(NodeKind::Object, at)?;
                    at += 1;
                    want = Want::FirstKey;
                    continue;
                }
                (Want::Value | Want::FirstItem, b'[') => {
                    self.begin(NodeKind::Array, at)?;
                    at += 1;
                    want = Want::FirstItem;
                    continue;
                }
                (Want::Value | Want::FirstItem, b'"') => at = self.string(text, at)?,
                (Want::FirstItem, b']') | (Want::FirstKey, b'}') => {
                    at += 1;
                    self.finish(at);
                }
                (Want::Comma, b']' | b'}') => {
                    let open = self.open.last().map(|&i| self.nodes[i as usize].kind);
                    let fits = if byte == b']' {
                        open == Some(NodeKind::Array)
                    } else {
                        open == Some(NodeKind::Object)
                    };
                    if !fits {
                        return Err(fault(at, SyntaxKind::NoComma));
                    }
                    at += 1;
                    self.finish(at);
                }
                (Want::Value | Want::FirstItem, _) => at = self.scalar(text, at)?,
                (Want::FirstKey | Want::Key, b'"') => {
                    at = self.string(text, at)?;
                    let colon = skip_space(text, at);
                    match text.get(colon) {
                        Some(b':') => {}
                        Some(_) => return Err(fault(colon, SyntaxKind::NoColon)),
                        None => return Err(fault(colon, SyntaxKind::Incomplete)),
                    }
                    self.spaced |= colon != at;
                    at = colon + 1;
                    want = Want::Value;
                    continue;
                }
                (Want::FirstKey | Want::Key, _) => return Err(fault(at, SyntaxKind::NoKey)),
                (Want::Comma, b',') => {
                    at += 1;
                    let open = self.open.last().map(|&i| self.nodes[i as usize].kind);
                    want = if open == Some(NodeKind::Object) {
                        Want::Key
                    } else {
                        Want::Value
                    };
                    continue;
                }
                (Want::Comma, _) => return Err(fault(at, SyntaxKind::NoComma)),
            }
            // A value is complete.
            if self.open.is_empty() {
                return Ok(at);
            }
            want = Want::Comma;
        }
    }

    /// The value that was read last.
    pub fn root<'a>(&'a self, text: &'a [u8]) -> Option<Json<'a>> {
        (!self.nodes.is_empty()).then_some(Json {
            text,
            nodes: &self.nodes,
            at: 0,
            spaced: self.spaced,
        })
    }

    fn begin(&mut self, kind: NodeKind, at: usize) -> Result<(), Syntax> {
        if self.open.len() >= MAX_DEPTH {
            return Err(fault(at, SyntaxKind::TooDeep));
        }
        self.open.push(self.nodes.len() as u32);
        self.push(kind, at, at);
        Ok(())
    }

    fn finish(&mut self, end: usize) {
        let next = self.nodes.len() as u32;
        if let Some(open) = self.open.pop() {
            let node = &mut self.nodes[open as usize];
            node.end = end as u32;
            node.next = next;
        }
    }

    fn push(&mut self, kind: NodeKind, start: usize, end: usize) {
        self.nodes.push(Node {
            kind,
            start: start as u32,
            end: end as u32,
            next: self.nodes.len() as u32 + 1,
        });
    }

    fn string(&mut self, text: &[u8], quote: usize) -> Result<usize, Syntax> {
        let start = quote + 1;
        let mut at = start;
        let mut kind = NodeKind::Plain;
        loop {
            match memchr::memchr3(b'"', b'\\', b'\n', &text[at..]) {
                None => return Err(fault(text.len(), SyntaxKind::Incomplete)),
                Some(found) => {
                    at += found;
                    match text[at] {
                        b'"' => break,
                        b'\\' => {
                            kind = NodeKind::Escaped;
                            at += 2;
                            if at > text.len() {
                                return Err(fault(text.len(), SyntaxKind::Incomplete));
                            }
                        }
                        _ => return Err(fault(at, SyntaxKind::LineInText)),
                    }
                }
            }
        }
        self.push(kind, start, at);
        Ok(at + 1)
    }

    fn scalar(&mut self, text: &[u8], at: usize) -> Result<usize, Syntax> {
        let rest = &text[at..];
        for (word, kind) in [
            (b"true".as_slice(), NodeKind::True),
            (b"false", NodeKind::False),
            (b"null", NodeKind::Null),
        ] {
            if rest.starts_with(word) {
                self.push(kind, at, at + word.len());
                return Ok(at + word.len());
            }
            if word.starts_with(rest) {
                return Err(fault(text.len(), SyntaxKind::Incomplete));
            }
        }
        if !matches!(rest[0], b'-' | b'0'..=b'9') {
            return Err(fault(at, SyntaxKind::NoValue));
        }
        let len = rest
            .iter()
            .position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        if rest[..len] == *b"-" {
            return Err(fault(at, SyntaxKind::NoValue));
        }
        self.push(NodeKind::Number, at, at + len);
        Ok(at + len)
    }
}

fn fault(offset: usize, kind: SyntaxKind) -> Syntax {
    Syntax { offset, kind }
}

/// Offset of the next byte from `at` on that is no white space.
pub(crate) fn skip_space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}
