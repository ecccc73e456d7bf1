//! Texts that know where in which file each of their parts was written, through YAML folding, appending and list
//! substitution.

use vedette_yaml::{Node, Span, Style};

use crate::diagnostic::{FileId, Files, Place};

/// A text put together from YAML scalars and generated parts.
#[derive(Clone, Debug, Default)]
pub struct Text {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    /// First byte in the text.
    at: usize,
    origin: Origin,
}

#[derive(Clone, Copy, Debug)]
enum Origin {
    /// Letter by letter from a scalar. Folding only ever changes white space, so places are counted in other characters.
    Scalar {
        place: Place,
        style: Style,
        solid: usize,
    },
    /// Generated on behalf of a place.
    Fixed(Place),
    /// Substituted for a word of a scalar.
    Word {
        place: Place,
        style: Style,
        solid: usize,
    },
}

fn solid_chars(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

impl Text {
    /// The text of a scalar node; empty for other nodes.
    pub fn of_scalar(file: FileId, node: &Node) -> Self {
        let mut text = Self::default();
        if let (Some(content), Some(style)) = (node.as_str(), node.style()) {
            let place = Place {
                file,
                span: node.span,
            };
            text.push(
                content,
                Origin::Scalar {
                    place,
                    style,
                    solid: 0,
                },
            );
        }
        text
    }

    /// A generated text that stands for `place`.
    pub fn generated(content: &str, place: Place) -> Self {
        let mut text = Self::default();
        text.push(content, Origin::Fixed(place));
        text
    }

    fn push(&mut self, content: &str, origin: Origin) {
        self.pieces.push(Piece {
            at: self.text.len(),
            origin,
        });
        self.text.push_str(content);
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Puts `other` behind, with a blank between.
    pub fn append(&mut self, other: &Self) {
        self.text.push(' ');
        self.join(other);
    }

    /// Puts `other` behind, with nothing between.
    pub fn join(&mut self, other: &Self) {
        let base = self.text.len();
        self.text.push_str(&other.text);
        self.pieces.extend(other.pieces.iter().map(|p| Piece {
            at: p.at + base,
            origin: p.origin,
        }));
    }

    /// Puts generated text behind.
    pub fn push_generated(&mut self, content: &str, place: Place) {
        self.push(content, Origin::Fixed(place));
    }

    /// Removes white space at both ends, as Falco does with outputs.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        self.substitute(&[(0..start, String::new())]);
        self.text.truncate(self.text.trim_end().len());
        self
    }

    /// Replaces ranges, given in order and without overlaps, in one pass. What is put in stands for the place where its
    /// range starts, white space aside.
    pub fn substitute(&mut self, edits: &[(std::ops::Range<usize>, String)]) {
        let old = std::mem::take(self);
        let mut walk = Walk {
            text: &old,
            at: 0,
            piece: 0,
            solid: 0,
        };
        for (range, with) in edits {
            walk.copy(range.start, Some(&mut *self));
            let blanks = old.text[range.clone()].len() - old.text[range.clone()].trim_start().len();
            walk.copy(range.start + blanks, None);
            let origin = match walk.origin() {
                Some(Origin::Scalar {
                    place,
                    style,
                    solid,
                }) => Some(Origin::Word {
                    place,
                    style,
                    solid,
                }),
                other => other,
            };
            walk.copy(range.end, None);
            match origin {
                Some(origin) => self.push(with, origin),
                None => self.text.push_str(with),
            }
        }
        walk.copy(old.text.len(), Some(self));
    }

    fn piece_at(&self, at: usize) -> Option<usize> {
        self.pieces.partition_point(|p| p.at <= at).checked_sub(1)
    }

    /// Where the bytes `start..end` were written.
    pub fn place(&self, start: usize, end: usize, files: &Files<'_>) -> Option<Place> {
        let index = self.piece_at(start)?;
        let piece = self.pieces[index];
        let limit = self
            .pieces
            .get(index + 1)
            .map_or(self.text.len(), |next| next.at);
        let (place, style, from, len) = match piece.origin {
            Origin::Fixed(place) => return Some(place),
            Origin::Word {
                place,
                style,
                solid,
            } => (place, style, solid, 1),
            Origin::Scalar {
                place,
                style,
                solid,
            } => {
                let upto = self.floor(start.min(self.text.len()));
                let stop = self.floor(end.min(limit).max(upto));
                let from = solid + solid_chars(&self.text[piece.at..upto]);
                (
                    place,
                    style,
                    from,
                    solid_chars(&self.text[upto..stop]).max(1),
                )
            }
        };
        Some(locate(place, style, from, len, files))
    }

    fn floor(&self, mut at: usize) -> usize {
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Goes through a text once, from left to right.
struct Walk<'a> {
    text: &'a Text,
    at: usize,
    piece: usize,
    /// Solid characters between the start of the piece and `at`.
    solid: usize,
}

impl Walk<'_> {
    /// Origin of the place reached.
    fn origin(&mut self) -> Option<Origin> {
        let pieces = &self.text.pieces;
        while pieces
            .get(self.piece + 1)
            .is_some_and(|next| next.at <= self.at)
        {
            self.piece += 1;
            self.solid = 0;
        }
        Some(match pieces.get(self.piece)?.origin {
            Origin::Scalar {
                place,
                style,
                solid,
            } => Origin::Scalar {
                place,
                style,
                solid: solid + self.solid,
            },
            other => other,
        })
    }

    /// Goes on to `to`, copying what is passed.
    fn copy(&mut self, to: usize, mut out: Option<&mut Text>) {
        while self.at < to {
            let origin = self.origin();
            let end = self
                .text
                .pieces
                .get(self.piece + 1)
                .map_or(to, |next| next.at.min(to));
            let passed = &self.text.text[self.at..end];
            match (&mut out, origin) {
                (Some(out), Some(origin)) => out.push(passed, origin),
                (Some(out), None) => out.text.push_str(passed),
                (None, _) => {}
            }
            self.solid += solid_chars(passed);
            self.at = end;
        }
    }
}

/// The place of `len` solid characters after the first `from` of a scalar.
fn locate(place: Place, style: Style, from: usize, len: usize, files: &Files<'_>) -> Place {
    let text = files.text(place.file);
    let Some(raw) = text.get(place.span.start..place.span.end) else {
        return place;
    };
    let mut solids = solid_starts(raw, style);
    let (Some(start), rest) = (solids.nth(from), solids) else {
        return place;
    };
    let last = if len > 1 {
        rest.take(len - 1).last().unwrap_or(start)
    } else {
        start
    };
    let start = place.span.start + start;
    let last = place.span.start + last;
    let end = last + text[last..].chars().next().map_or(0, char::len_utf8);
    Place {
        file: place.file,
        span: span_at(text, start, end),
    }
}

/// The span of a range of a text, with line and column counted.
pub(crate) fn span_at(text: &str, start: usize, end: usize) -> Span {
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    Span {
        start,
        end,
        line: before.bytes().filter(|&b| b == b'\n').count() as u32 + 1,
        column: before[line_start..].chars().count() as u32 + 1,
    }
}

/// Byte offsets of the characters of a scalar as written that are no white space once it is read.
fn solid_starts(raw: &str, style: Style) -> impl Iterator<Item = usize> + '_ {
    let quote = match style {
        Style::SingleQuoted => Some('\''),
        Style::DoubleQuoted => Some('"'),
        _ => None,
    };
    let mut chars = raw.char_indices().peekable();
    if quote.is_some() {
        chars.next();
    }
    std::iter::from_fn(move || {
        loop {
            let (at, c) = chars.next()?;
            if quote == Some('\'') && c == '\'' {
                // Two quotes are one; a single one ends the scalar.
                chars.next_if(|(_, next)| *next == '\'')?;
                return Some(at);
            }
            if quote == Some('"') && c == '"' {
                return None;
            }
            if quote == Some('"') && c == '\\' {
                let (_, escaped) = chars.next()?;
                let digits = match escaped {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                for _ in 0..digits {
                    chars.next_if(|(_, d)| d.is_ascii_hexdigit());
                }
                if matches!(escaped, 'n' | 't' | 'r' | 'v' | 'f' | ' ' | '\n' | '\t') {
                    continue;
                }
                return Some(at);
            }
            if !c.is_whitespace() {
                return Some(at);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(yaml: &str) -> (Text, Vec<(String, String)>) {
        let parsed = vedette_yaml::parse(yaml);
        let node = parsed.documents[0].root.get("c").unwrap();
        (
            Text::of_scalar(FileId(0), node),
            vec![("f".into(), yaml.into())],
        )
    }

    /// What stands in the file where `word` of the text was written.
    fn found(yaml: &str, word: &str) -> (u32, u32, String) {
        let (text, files) = scalar(yaml);
        let start = text.as_str().find(word).unwrap();
        let span = text
            .place(start, start + word.len(), &Files(&files))
            .unwrap()
            .span;
        (
            span.line,
            span.column,
            yaml[span.start..span.end].to_owned(),
        )
    }

    #[test]
    fn places_survive_every_scalar_style() {
        for (yaml, line, column) in [
            ("c: a b target d", 1, 8),
            ("c: >\n  a b\n\n  c  target\n  d\n", 4, 6),
            ("c: >- # why\n  a\n    target\n", 3, 5),
            ("c: |\n  a\n  target d\n", 3, 3),
            ("c: 'it''s target'", 1, 11),
            ("c: \"a \\\"b\\\"\\n \\x41 target\"", 1, 20),
            ("c: é 注\n   target", 2, 4),
        ] {
            assert_eq!(
                found(yaml, "target"),
                (line, column, "target".into()),
                "{yaml:?}"
            );
        }
    }

    #[test]
    fn substituted_words_point_at_what_they_replace() {
        let yaml = "c: x in (mylist) and target\n";
        let (mut text, files) = scalar(yaml);
        let at = text.as_str().find("mylist").unwrap();
        text.substitute(&[(at..at + 6, "one, two, three".into())]);
        assert_eq!(text.as_str(), "x in (one, two, three) and target");
        let files = Files(&files);
        for (word, column) in [("two", 10), ("target", 22), ("in", 6)] {
            let at = text.as_str().find(word).unwrap();
            assert_eq!(
                text.place(at, at + word.len(), &files).unwrap().span.column,
                column,
                "{word}"
            );
        }
    }
}
