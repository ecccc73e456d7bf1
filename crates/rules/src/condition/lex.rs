//! The cursor: what Falco's lexer takes at a place, and nothing more.

use super::{At, TextId};

/// White space between tokens. Backspace is among it, vertical tab and form feed are not.
const BLANKS: &[u8] = b" \t\x08\r\n";

/// White space as POSIX classes understand it, which is what ends bare words.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    id: TextId,
    pos: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, id: TextId) -> Self {
        Self { text, id, pos: 0 }
    }

    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    pub(super) fn back_to(&mut self, pos: usize) {
        self.pos = pos;
    }

    pub(super) fn at_end(&self) -> bool {
        self.pos >= self.text.len()
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    pub(super) fn since(&self, start: usize) -> At {
        At {
            text: self.id,
            start: start as u32,
            end: self.pos as u32,
        }
    }

    /// The word or sign at the cursor, for messages.
    pub(super) fn here(&self) -> At {
        let rest = self.rest();
        let len = rest
            .char_indices()
            .find(|(i, c)| *i > 0 && (c.is_whitespace() || "(),=".contains(*c)))
            .map_or(rest.len(), |(i, _)| i);
        At {
            text: self.id,
            start: self.pos as u32,
            end: (self.pos + len) as u32,
        }
    }

    /// Skips blanks; true when there was one.
    pub(super) fn blank(&mut self) -> bool {
        let count = self
            .rest()
            .bytes()
            .take_while(|b| BLANKS.contains(b))
            .count();
        self.pos += count;
        count > 0
    }

    /// Takes exactly this text.
    pub(super) fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.pos += token.len();
        }
        found
    }

    fn advance(&mut self, len: usize) -> Option<&'a str> {
        if len == 0 {
            return None;
        }
        let found = &self.rest()[..len];
        self.pos += len;
        Some(found)
    }

    /// `not` and the white space behind it.
    pub(super) fn not_blank(&mut self) -> bool {
        let Some(after) = self.rest().strip_prefix("not") else {
            return false;
        };
        let blanks = after.bytes().take_while(|&b| is_space(b)).count();
        if blanks > 0 {
            self.pos += 3 + blanks;
        }
        blanks > 0
    }

    /// A letter, then letters, digits and underscores.
    pub(super) fn identifier(&mut self) -> Option<&'a str> {
        self.advance(identifier_len(self.rest().as_bytes()))
    }

    /// Identifiers joined by dots, at least two.
    pub(super) fn field_name(&mut self) -> Option<&'a str> {
        let bytes = self.rest().as_bytes();
        let mut len = identifier_len(bytes);
        let mut segments = usize::from(len > 0);
        while segments > 0 && bytes.get(len) == Some(&b'.') {
            let next = identifier_len(&bytes[len + 1..]);
            if next == 0 {
                break;
            }
            len += 1 + next;
            segments += 1;
        }
        if segments < 2 {
            None
        } else {
            self.advance(len)
        }
    }

    /// What may stand in brackets without quotes.
    pub(super) fn bare_arg(&mut self) -> Option<&'a str> {
        let len = self
            .rest()
            .bytes()
            .take_while(|&b| !matches!(b, b'[' | b']' | b'"' | b'\'') && !is_space(b))
            .count();
        self.advance(len)
    }

    /// A value without quotes.
    pub(super) fn bare_word(&mut self) -> Option<&'a str> {
        let len = self
            .rest()
            .bytes()
            .take_while(|&b| !matches!(b, b'(' | b')' | b'"' | b'\'' | b'=' | b',') && !is_space(b))
            .count();
        self.advance(len)
    }

    /// A decimal number with optional sign, point and exponent, or a hexadecimal one.
    pub(super) fn number(&mut self) -> Option<&'a str> {
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| {
            bytes[from.min(bytes.len())..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        if bytes.len() > 2 && bytes[0] == b'0' && bytes[1].eq_ignore_ascii_case(&b'x') {
            let hex = bytes[2..]
                .iter()
                .take_while(|b| b.is_ascii_alphanumeric())
                .count();
            if hex > 0 {
                return self.advance(2 + hex);
            }
        }
        let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
        let whole = digits(sign);
        if whole == 0 {
            return None;
        }
        let mut len = sign + whole;
        if bytes.get(len) == Some(&b'.') {
            len += 1 + digits(len + 1);
        }
        if matches!(bytes.get(len), Some(b'e' | b'E'))
            && matches!(bytes.get(len + 1), Some(b'+' | b'-'))
        {
            let exponent = digits(len + 2);
            if exponent > 0 {
                len += 2 + exponent;
            }
        }
        self.advance(len)
    }

    /// A quoted text, escapes still in it, and its quote. A quote behind a backslash does not end it, whatever stands
    /// before the backslash. Takes nothing when the closing quote is missing.
    pub(super) fn quoted(&mut self) -> Option<(&'a str, char)> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let bytes = rest.as_bytes();
        let close = (1..bytes.len())
            .find(|&i| bytes[i] == quote as u8 && (i == 1 || bytes[i - 1] != b'\\'))?;
        self.pos += close + 1;
        Some((&rest[1..close], quote))
    }
}

fn identifier_len(bytes: &[u8]) -> usize {
    if !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    bytes
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
        .count()
}

/// True when the whole text is an identifier, and so can name a macro.
pub(crate) fn is_identifier(text: &str) -> bool {
    !text.is_empty() && identifier_len(text.as_bytes()) == text.len()
}

/// True when the whole text can stand without quotes, and so can name a list.
pub(crate) fn is_bare_word(text: &str) -> bool {
    let mut cursor = Cursor::new(text, TextId(0));
    cursor.bare_word().is_some() && cursor.at_end()
}
