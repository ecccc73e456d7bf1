//! From text to documents, with every bound that hostile input needs.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::{Kind, Node, Span, Style, loose};

/// Bounds on what one call may build.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deepest nesting of collections.
    pub depth: usize,
    /// Most nodes in all documents together, expanded aliases included. This is what stops "billion laughs".
    pub nodes: usize,
}

impl Default for Limits {
    /// 128 levels and 4 million nodes, about 500 MB in the worst case and far beyond real files.
    fn default() -> Self {
        Self {
            depth: 128,
            nodes: 4_000_000,
        }
    }
}

/// One YAML document.
#[derive(Clone, Debug)]
pub struct Document {
    /// The root node.
    pub root: Node,
    /// Number of the document in the text, from 0.
    pub index: usize,
}

/// A place where the text is not YAML, or goes past a limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {message}", span.line, span.column)]
pub struct Error {
    /// Where.
    pub span: Span,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Number of the document that was cut short.
    pub document: usize,
}

/// What a text held: documents in order, and what could not be read.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The documents that could be read, empty ones included as null scalars.
    pub documents: Vec<Document>,
    /// What could not be read. A broken document costs only itself: reading goes on at the next `---`.
    pub errors: Vec<Error>,
}

/// Parses `text` with the default limits.
pub fn parse(text: &str) -> Parsed {
    parse_with(text, Limits::default())
}

/// Parses `text`; every document that is sound is returned, every other one gives an error.
pub fn parse_with(text: &str, limits: Limits) -> Parsed {
    let mut out = Parsed::default();
    let mut budget = limits.nodes;
    let mut base = Position { byte: 0, line: 0 };
    loop {
        let rest = &text[base.byte..];
        let before = (budget, out.documents.len());
        let mut result = parse_stretch(rest, None, base, limits, &mut budget, &mut out);
        if let Some((error, _)) = &result
            && error.message.starts_with("invalid indentation")
            && let Some(loosened) = loose::loosen(rest)
        {
            budget = before.0;
            out.documents.truncate(before.1);
            result = parse_stretch(&loosened, Some(rest), base, limits, &mut budget, &mut out);
        }
        let Some(error) = result else {
            return out;
        };
        let fatal = budget == 0;
        let (error, broken_from) = error;
        out.errors.push(error);
        match next_document(text, broken_from, base) {
            Some(next) if !fatal => base = next,
            _ => return out,
        }
    }
}

#[derive(Clone, Copy)]
struct Position {
    byte: usize,
    line: usize,
}

/// The line after `from` that starts with `---`.
fn next_document(text: &str, from: usize, base: Position) -> Option<Position> {
    let mut byte = text[from..].find('\n').map(|i| from + i + 1)?;
    loop {
        let line = &text[byte..];
        if line.starts_with("---") && line[3..].chars().next().is_none_or(char::is_whitespace) {
            let lines = text[base.byte..byte]
                .bytes()
                .filter(|&b| b == b'\n')
                .count();
            return Some(Position {
                byte,
                line: base.line + lines,
            });
        }
        byte += line.find('\n')? + 1;
    }
}

/// Translates the parser's character offsets into bytes without walking the text again for each node.
struct Offsets {
    /// Byte offset of every 64th character; empty when the text is ASCII and the two are the same.
    marks: Vec<usize>,
}

impl Offsets {
    const STEP: usize = 64;

    fn new(text: &str) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices()
                .step_by(Self::STEP)
                .map(|(byte, _)| byte)
                .collect()
        };
        Self { marks }
    }

    fn byte(&self, text: &str, chars: usize) -> usize {
        if self.marks.is_empty() {
            return chars.min(text.len());
        }
        let Some(&from) = self.marks.get(chars / Self::STEP) else {
            return text.len();
        };
        text[from..]
            .char_indices()
            .nth(chars % Self::STEP)
            .map_or(text.len(), |(byte, _)| from + byte)
    }
}

struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value, in a mapping.
    key: Option<Node>,
}

/// Reads documents until the end or the first error, which it returns with the start of the broken document.
///
/// With `original`, `text` is a rewriting of it in which every byte kept its place but lines did not, so that lines and
/// columns are counted there.
fn parse_stretch(
    text: &str,
    original: Option<&str>,
    base: Position,
    limits: Limits,
    budget: &mut usize,
    out: &mut Parsed,
) -> Option<(Error, usize)> {
    let mut broken_from = base.byte;
    let offsets = Offsets::new(text);
    let mut anchors: HashMap<usize, (Node, usize)> = HashMap::new();
    let mut stack: Vec<Open> = Vec::new();
    let lines = original.map(loose::Lines::of);
    let span_at = |start: saphyr_parser::Marker, end: saphyr_parser::Marker| {
        let from = offsets.byte(text, start.index());
        let (line, column) = match &lines {
            Some(lines) => lines.position(from),
            None => (start.line(), start.col()),
        };
        Span {
            start: base.byte + from,
            end: base.byte + offsets.byte(text, end.index()),
            line: (base.line + line) as u32,
            column: column as u32 + 1,
        }
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let document = out.documents.len() + out.errors.len();
        let (event, at) = match event {
            Ok(found) => found,
            Err(error) => {
                let span = span_at(*error.marker(), *error.marker());
                return Some((
                    Error {
                        span,
                        message: error.info().to_owned(),
                        document,
                    },
                    broken_from,
                ));
            }
        };
        let span = span_at(at.start, at.end);
        let fail = |message: String| {
            Some((
                Error {
                    span,
                    message,
                    document,
                },
                broken_from,
            ))
        };
        let done = match event {
            Event::Alias(id) => {
                let Some((node, size)) = anchors.get(&id) else {
                    return fail("the alias stands before its anchor is complete".into());
                };
                if *size > *budget {
                    *budget = 0;
                    return fail(format!(
                        "aliases expand to more than {} nodes",
                        limits.nodes
                    ));
                }
                *budget -= size;
                Some((
                    Node {
                        span,
                        aliased: true,
                        ..node.clone()
                    },
                    0,
                ))
            }
            Event::Scalar(value, style, anchor, tag) => {
                if *budget == 0 {
                    return fail(format!("more than {} nodes", limits.nodes));
                }
                *budget -= 1;
                let node = Node {
                    kind: Kind::Scalar(value.into_owned(), style_of(style)),
                    span,
                    tag: tag.map(|t| tag_of(&t)),
                    aliased: false,
                };
                Some((node, anchor))
            }
            Event::SequenceStart(anchor, tag) => {
                if let Some(message) = refuse(stack.len(), limits, budget) {
                    return fail(message);
                }
                stack.push(open(Kind::Seq(Vec::new()), span, anchor, tag.as_deref()));
                None
            }
            Event::MappingStart(anchor, tag) => {
                if let Some(message) = refuse(stack.len(), limits, budget) {
                    return fail(message);
                }
                stack.push(open(Kind::Map(Vec::new()), span, anchor, tag.as_deref()));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => stack.pop().map(|mut open| {
                open.node.span.end = span.end.max(open.node.span.start);
                // Growing doubles; a tree that is kept should not hold room for entries that never come.
                match &mut open.node.kind {
                    Kind::Seq(items) => items.shrink_to_fit(),
                    Kind::Map(entries) => entries.shrink_to_fit(),
                    Kind::Scalar(..) => {}
                }
                (open.node, open.anchor)
            }),
            Event::DocumentStart(_) => {
                anchors.clear();
                broken_from = span.end.max(base.byte);
                None
            }
            _ => None,
        };
        let Some((node, anchor)) = done else { continue };
        if anchor != 0 {
            let size = size_of(&node);
            anchors.insert(anchor, (node.clone(), size));
        }
        match stack.last_mut() {
            None => out.documents.push(Document {
                root: node,
                index: document,
            }),
            Some(open) => match &mut open.node.kind {
                Kind::Seq(items) => items.push(node),
                Kind::Map(entries) => match open.key.take() {
                    None => open.key = Some(node),
                    Some(key) => entries.push((key, node)),
                },
                Kind::Scalar(..) => {}
            },
        }
    }
    None
}

fn open(kind: Kind, span: Span, anchor: usize, tag: Option<&Tag>) -> Open {
    Open {
        node: Node {
            kind,
            span,
            tag: tag.map(tag_of),
            aliased: false,
        },
        anchor,
        key: None,
    }
}

/// Takes one collection out of the budget, or says why it may not be opened.
fn refuse(depth: usize, limits: Limits, budget: &mut usize) -> Option<String> {
    if depth >= limits.depth {
        return Some(format!("nested deeper than {} levels", limits.depth));
    }
    if *budget == 0 {
        return Some(format!("more than {} nodes", limits.nodes));
    }
    *budget -= 1;
    None
}

fn size_of(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(..) => 1,
        Kind::Seq(items) => 1 + items.iter().map(size_of).sum::<usize>(),
        Kind::Map(entries) => {
            1 + entries
                .iter()
                .map(|(k, v)| size_of(k) + size_of(v))
                .sum::<usize>()
        }
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

fn tag_of(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_know_their_place_also_behind_wide_characters() {
        let text = "a: \"é\"\nb:\n  - x # 注\n  - {c: 1}\n";
        let parsed = parse(text);
        assert_eq!(parsed.errors, []);
        let root = &parsed.documents[0].root;
        let item = &root.get("b").unwrap().as_seq().unwrap()[1];
        let one = item.get("c").unwrap();
        assert_eq!(&text[one.span.start..one.span.end], "1");
        assert_eq!((one.span.line, one.span.column), (4, 9));
    }

    #[test]
    fn a_broken_document_costs_only_itself() {
        let parsed = parse("a: 1\n---\nb: [1\n---\nc: 3\n");
        assert_eq!(parsed.errors.len(), 1, "{parsed:?}");
        assert_eq!(parsed.errors[0].document, 1);
        let last = parsed.documents.last().unwrap();
        assert_eq!(last.root.get("c").unwrap().as_i64(), Some(3));
        assert_eq!(last.root.span.line, 5);
    }

    #[test]
    fn closing_brackets_may_stand_as_far_left_as_their_key() {
        let text = "- list: é\n  items: [\n    \"x\", # one\n    \"y\"  # ] 'two'\n\n  ]\n- text: |\n    [\n    ]\n  c: {a: b\n}\n  \
                    d: 注\n---\ne: 1\n";
        let parsed = parse(text);
        assert_eq!(parsed.errors, []);
        let [first, second] = parsed.documents[0].root.as_seq().unwrap() else {
            panic!()
        };
        let items = first.get("items").unwrap().as_seq().unwrap();
        assert_eq!(
            items
                .iter()
                .map(|n| n.as_str().unwrap())
                .collect::<Vec<_>>(),
            ["x", "y"]
        );
        assert_eq!(second.get("text").unwrap().as_str(), Some("[\n]\n"));
        let d = second.get("d").unwrap();
        assert_eq!(
            (d.span.line, d.span.column, &text[d.span.start..d.span.end]),
            (12, 6, "注")
        );
        assert_eq!(parsed.documents[1].root.get("e").unwrap().span.line, 14);
    }

    #[test]
    fn aliases_cannot_explode() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let list = vec![format!("*a{}", i - 1); 10].join(", ");
            text += &format!("a{i}: &a{i} [{list}]\n");
        }
        let parsed = parse(&text);
        assert!(
            parsed.errors[0].message.contains("aliases expand"),
            "{:?}",
            parsed.errors
        );
    }

    #[test]
    fn depth_is_bounded() {
        for text in ["[".repeat(10_000), "- ".repeat(10_000)] {
            let parsed = parse(&text);
            assert_eq!(parsed.documents.len(), 0);
            assert_eq!(parsed.errors.len(), 1, "{:?}", parsed.errors);
        }
    }
}
