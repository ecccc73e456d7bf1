//! Regular expressions in POSIX extended syntax, matched against the whole of a text.

use regex::bytes::{Regex, RegexBuilder};

/// Compiled form above this many bytes is refused; far beyond what any sensible pattern needs.
const SIZE_LIMIT: usize = 4 << 20;

/// A pattern that must match the whole text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles `pattern`; `None` when it is not a valid expression.
    ///
    /// `^` and `$` also match at line ends and `.` matches no line end, as in RE2's POSIX mode.
    pub fn new(pattern: &[u8]) -> Option<Self> {
        let pattern = std::str::from_utf8(pattern).ok()?;
        let whole = format!(r"\A(?:{})\z", translate(pattern));
        RegexBuilder::new(&whole)
            .multi_line(true)
            .size_limit(SIZE_LIMIT)
            .build()
            .ok()
            .map(Self)
    }

    /// True when the whole of `text` matches; bytes that are not UTF-8 count as U+FFFD.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.0.is_match(String::from_utf8_lossy(text).as_bytes())
    }
}

/// Rewrites what POSIX reads as plain characters and the `regex` crate as syntax: braces that do not count
/// repetitions, and inside brackets the crate's nested classes and set operators.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '[' => match bracket(rest, &mut out) {
                Some(length) => {
                    rest = &rest[length..];
                    continue;
                }
                None => 1,
            },
            '{' if !counts_repetitions(rest) => {
                out.push('\\');
                1
            }
            c => c.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// `{n}`, `{n,}`, `{n,m}`.
fn counts_repetitions(rest: &str) -> bool {
    let Some((inside, _)) = rest[1..].split_once('}') else {
        return false;
    };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    !low.is_empty() && low.bytes().chain(high.bytes()).all(|c| c.is_ascii_digit())
}

/// Writes the bracket expression at the start of `rest`; gives its length, `None` when it does not end.
fn bracket(rest: &str, out: &mut String) -> Option<usize> {
    let from = out.len();
    let mut chars = rest.char_indices().skip(1).peekable();
    out.push('[');
    if chars.next_if(|(_, c)| *c == '^').is_some() {
        out.push('^');
    }
    let mut first = true;
    while let Some((at, c)) = chars.next() {
        match c {
            ']' if !first => {
                out.push(']');
                return Some(at + 1);
            }
            '[' if rest[at + 1..].starts_with(':') => {
                let Some(end) = rest[at..].find(":]") else {
                    break;
                };
                out.push_str(&rest[at..at + end + 2]);
                while chars.next_if(|(next, _)| *next < at + end + 2).is_some() {}
            }
            '\\' => {
                out.push('\\');
                out.extend(chars.next().map(|(_, c)| c));
            }
            '-' => {
                // A range only between two members; first, last or doubled it stands for itself.
                let last = chars.peek().is_none_or(|(_, c)| *c == ']');
                let doubled = out.ends_with('-') || chars.peek().is_some_and(|(_, c)| *c == '-');
                out.push_str(if first || last || doubled { r"\-" } else { "-" });
            }
            '[' | ']' | '&' | '~' | '^' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        first = false;
    }
    out.truncate(from);
    None
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_match_the_whole_text() {
        let table: &[(&str, &[u8], bool)] = &[
            ("^[a-z]{2,4}$", b"cat", true),
            ("[a-z]{2,4}", b"cat5", false),
            ("a|bc", b"bc", true),
            ("a|bc", b"abc", false),
            (".*", b"a\nb", false),
            ("(.|\n)*", b"a\nb", true),
            ("[[:alpha:]_]+", b"a_b", true),
            ("[[:alpha:]_]+", b"a1", false),
            ("[[]x", b"[x", true),
            ("[]a]+", b"]a", true),
            ("[a&&b]+", b"a&b", true),
            ("[a--]", b"a", true),
            ("a{x}", b"a{x}", true),
            ("a{,2}", b"a{,2}", true),
            (r"\.so", b".so", true),
            (r"\.so", b"xso", false),
            ("", b"", true),
            ("\u{fffd}", b"\xff", true),
        ];
        for (pattern, text, expected) in table {
            let compiled = Pattern::new(pattern.as_bytes()).expect(pattern);
            assert_eq!(compiled.matches(text), *expected, "{pattern} on {text:?}");
        }
        assert!(Pattern::new(b"(").is_none());
        assert!(Pattern::new(b"[a").is_none());
        assert!(Pattern::new(b"\xff").is_none());
    }
}
