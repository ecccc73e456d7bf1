//! Text of strings, and the two ways in which values are printed: compact and indented.

use super::Text;

/// Appends `raw` with its escapes resolved. An escape that is none stays as it is written.
pub(super) fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    each_piece(raw, |piece| {
        out.extend_from_slice(piece);
        true
    });
}

/// Compares `raw`, escapes resolved, with `other`.
pub(super) fn unescaped_is(raw: &[u8], other: &[u8]) -> bool {
    let mut rest = other;
    let whole = each_piece(raw, |piece| match rest.strip_prefix(piece) {
        Some(tail) => {
            rest = tail;
            true
        }
        None => false,
    });
    whole && rest.is_empty()
}

/// Compares a step of a JSON pointer (`~1` is `/`, `~0` is `~`) with a key.
pub(super) fn pointer_step_is(step: &str, key: Text<'_>) -> bool {
    let mut resolved = [0u8; 256];
    let mut len = 0;
    let mut bytes = step.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let byte = match (byte, bytes.peek()) {
            (b'~', Some(b'1')) => {
                bytes.next();
                b'/'
            }
            (b'~', Some(b'0')) => {
                bytes.next();
                b'~'
            }
            _ => byte,
        };
        let Some(slot) = resolved.get_mut(len) else {
            return false;
        };
        *slot = byte;
        len += 1;
    }
    key.is(&resolved[..len])
}

/// Hands out `raw` piece by piece, escapes resolved, as long as `take` says so; true when it came to the end.
fn each_piece(raw: &[u8], mut take: impl FnMut(&[u8]) -> bool) -> bool {
    let mut at = 0;
    while at < raw.len() {
        let plain = memchr::memchr(b'\\', &raw[at..]).unwrap_or(raw.len() - at);
        if plain > 0 && !take(&raw[at..at + plain]) {
            return false;
        }
        at += plain;
        let Some(&escape) = raw.get(at + 1) else {
            return at >= raw.len() || take(&raw[at..]);
        };
        let simple = match escape {
            b'"' => b"\"",
            b'\\' => b"\\",
            b'/' => b"/",
            b'b' => b"\x08",
            b'f' => b"\x0c",
            b'n' => b"\n",
            b'r' => b"\r",
            b't' => b"\t",
            b'u' => {
                let (decoded, len) = unicode(&raw[at..]);
                let mut utf8 = [0; 4];
                let piece = match decoded {
                    Some(c) => c.encode_utf8(&mut utf8).as_bytes(),
                    None => &raw[at..at + len],
                };
                if !take(piece) {
                    return false;
                }
                at += len;
                continue;
            }
            _ => &[b'\\', escape][..],
        };
        if !take(simple) {
            return false;
        }
        at += 2;
    }
    true
}

/// Reads `\uXXXX` or a pair of them that stands for one character; also how many bytes it took.
fn unicode(raw: &[u8]) -> (Option<char>, usize) {
    let hex = |from: usize| -> Option<u32> {
        let digits = std::str::from_utf8(raw.get(from..from + 4)?).ok()?;
        digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let Some(first) = hex(2) else {
        return (None, 2);
    };
    if !(0xd800..0xe000).contains(&first) {
        return (char::from_u32(first), 6);
    }
    if raw.get(6..8) == Some(b"\\u")
        && let Some(second @ 0xdc00..0xe000) = hex(8)
        && first < 0xdc00
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code), 12);
    }
    (None, 6)
}

/// Appends `raw` without the white space between its tokens.
pub fn compact(raw: &[u8], out: &mut Vec<u8>) {
    tokens(raw, |token| out.extend_from_slice(token));
}

/// Appends `raw` spread over lines, two blanks a level, empty containers on one line: the shape in which Falco shows
/// whole records.
pub fn indent(raw: &[u8], out: &mut Vec<u8>) {
    let mut depth = 0usize;
    let mut empty = false;
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', depth * 2));
    };
    tokens(raw, |token| match token {
        b"}" | b"]" => {
            depth = depth.saturating_sub(1);
            if !empty {
                line(out, depth);
            }
            empty = false;
            out.extend_from_slice(token);
        }
        _ => {
            if empty {
                line(out, depth);
                empty = false;
            }
            out.extend_from_slice(token);
            match token {
                b"{" | b"[" => {
                    depth += 1;
                    empty = true;
                }
                b"," => line(out, depth),
                b":" => out.push(b' '),
                _ => {}
            }
        }
    });
}

/// Splits text that is known to be JSON into tokens: strings, runs of other bytes, single marks.
fn tokens(raw: &[u8], mut take: impl FnMut(&[u8])) {
    let mut at = 0;
    while at < raw.len() {
        let len = match raw[at] {
            b' ' | b'\n' | b'\r' | b'\t' => {
                at += 1;
                continue;
            }
            b'"' => string_len(&raw[at..]),
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            _ => raw[at..]
                .iter()
                .position(|b| b" \n\r\t\"{}[],:".contains(b))
                .unwrap_or(raw.len() - at),
        };
        take(&raw[at..at + len]);
        at += len;
    }
}

/// Length of the string literal at the start of `raw`, quotes included.
fn string_len(raw: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = raw
        .get(at..)
        .and_then(|rest| memchr::memchr2(b'"', b'\\', rest))
    {
        at += found;
        if raw[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    raw.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Kind, SyntaxKind, Tape};

    fn unescaped(raw: &str) -> String {
        let mut out = Vec::new();
        unescape(raw.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_are_resolved_and_what_is_none_stays() {
        assert_eq!(unescaped(r#"a\"b\\c\/\n\t"#), "a\"b\\c/\n\t");
        assert_eq!(unescaped(r"\u003c\u00e9\ud83d\ude00"), "<é😀");
        assert_eq!(unescaped(r"\ud83d \uzz \x \"), r"\ud83d \uzz \x \");
        assert!(unescaped_is(br"\u003ca", b"<a"));
        assert!(!unescaped_is(br"\u003ca", b"<ab"));
    }

    #[test]
    fn values_print_compact_and_indented() {
        let raw = br#"{ "a" : [ 1 , "x y" ], "b":{}, "c":[ ] }"#;
        let mut out = Vec::new();
        compact(raw, &mut out);
        assert_eq!(out, br#"{"a":[1,"x y"],"b":{},"c":[]}"#);
        out.clear();
        indent(raw, &mut out);
        let lines = "{\n  \"a\": [\n    1,\n    \"x y\"\n  ],\n  \"b\": {},\n  \"c\": []\n}";
        assert_eq!(String::from_utf8(out).unwrap(), lines);
    }

    #[test]
    fn pointers_find_keys_with_slashes() {
        let text = br#"{"annotations":{"a.io/b":"x","m~n":[10,{"k":null}]}}"#;
        let mut tape = Tape::default();
        assert_eq!(tape.parse(text, 0), Ok(text.len()));
        let root = tape.root(text).unwrap();
        let annotations = root.get("annotations").unwrap();
        assert!(annotations.step("a.io~1b").unwrap().is_text("x"));
        let list = annotations.step("m~0n").unwrap();
        assert_eq!(list.get("0").unwrap().as_u64(), Some(10));
        assert_eq!(list.get("1").unwrap().get("k").unwrap().kind(), Kind::Null);
        assert!(list.get("2").is_none());
    }

    #[test]
    fn broken_text_is_refused_where_it_breaks() {
        let mut tape = Tape::default();
        let mut kind = |text: &str| {
            tape.parse(text.as_bytes(), 0)
                .map_err(|e| (e.offset, e.kind))
        };
        assert_eq!(kind("{\"a\":tru"), Err((8, SyntaxKind::Incomplete)));
        assert_eq!(kind("{\"a\" 1}"), Err((5, SyntaxKind::NoColon)));
        assert_eq!(kind("{\"a\":1 2}"), Err((7, SyntaxKind::NoComma)));
        assert_eq!(kind("[1}"), Err((2, SyntaxKind::NoComma)));
        assert_eq!(kind("{a}"), Err((1, SyntaxKind::NoKey)));
        assert_eq!(kind("[\"a\nb\"]"), Err((3, SyntaxKind::LineInText)));
        assert_eq!(kind("[x]"), Err((1, SyntaxKind::NoValue)));
        assert_eq!(kind("[\"\\"), Err((3, SyntaxKind::Incomplete)));
        assert_eq!(kind("{\"a\":1,}"), Err((7, SyntaxKind::NoKey)));
        let deep = "[".repeat(200);
        assert_eq!(kind(&deep), Err((128, SyntaxKind::TooDeep)));
        assert_eq!(kind(" [] x"), Ok(3));
    }
}
