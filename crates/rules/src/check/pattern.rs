//! Patterns of the `regex` operator: POSIX extended syntax as RE2 reads it, matched against the whole value.

use regex::bytes::RegexBuilder;

/// Most bytes that one compiled pattern may take.
pub const MAX_COMPILED: usize = 4 << 20;

/// Largest count in braces.
const MAX_REPEAT: u32 = 1000;

/// Translates a pattern into the syntax of the `regex` crate, anchored at both ends, after checking that it is one and
/// compiles within [`MAX_COMPILED`]. `^` and `$` also stand for the ends of lines, as RE2's POSIX mode has it.
///
/// # Errors
/// What is wrong, in one sentence without a full stop.
pub fn to_rust(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    out.push_str(r"\A(?m:");
    let mut chars = pattern.char_indices().peekable();
    // Whether the last thing was a repetition, which must not be repeated again.
    let mut repeated = false;
    while let Some((at, c)) = chars.next() {
        let was_repeated = std::mem::take(&mut repeated);
        match c {
            '\\' => {
                let (_, escaped) = chars.next().ok_or("a backslash stands at the end")?;
                out.push_str(&escape(escaped, &mut chars)?);
            }
            '[' => class(&mut chars, &mut out)?,
            '*' | '+' | '?' => {
                if was_repeated {
                    return Err(format!("'{c}' repeats what is repeated already"));
                }
                repeated = true;
                out.push(c);
            }
            '{' => match braces(&pattern[at..])? {
                Some(len) => {
                    if was_repeated {
                        return Err("a count in braces repeats what is repeated already".into());
                    }
                    repeated = true;
                    out.push_str(&pattern[at..at + len]);
                    for _ in 1..len {
                        chars.next();
                    }
                }
                None => out.push_str(r"\{"),
            },
            '}' => out.push_str(r"\}"),
            '(' if matches!(chars.peek(), Some((_, '?'))) => {
                return Err("'(?' is not part of POSIX syntax".into());
            }
            c => out.push(c),
        }
    }
    out.push_str(r")\z");
    RegexBuilder::new(&out)
        .size_limit(MAX_COMPILED)
        .build()
        .map(|_| out)
        .map_err(|why| match why {
            regex::Error::CompiledTooBig(_) => "it takes too much memory".to_owned(),
            other => other.to_string().lines().last().map_or_else(
                || "it is not sound".to_owned(),
                |line| line.trim_start_matches("error: ").to_owned(),
            ),
        })
}

type Chars<'a> = std::iter::Peekable<std::str::CharIndices<'a>>;

fn escape(escaped: char, chars: &mut Chars<'_>) -> Result<String, String> {
    Ok(match escaped {
        'a' | 'f' | 'n' | 'r' | 't' | 'v' => format!("\\{escaped}"),
        'x' => {
            let mut digits = String::new();
            if chars.next_if(|(_, c)| *c == '{').is_some() {
                for (_, c) in chars.by_ref() {
                    if c == '}' {
                        break;
                    }
                    digits.push(c);
                }
            } else {
                for _ in 0..2 {
                    digits.extend(
                        chars
                            .next_if(|(_, c)| c.is_ascii_hexdigit())
                            .map(|(_, c)| c),
                    );
                }
            }
            if digits.is_empty()
                || digits.len() > 8
                || !digits.chars().all(|c| c.is_ascii_hexdigit())
            {
                return Err("\\x needs hexadecimal digits".into());
            }
            format!("\\x{{{digits}}}")
        }
        c if c.is_ascii_alphanumeric() => {
            return Err(format!(
                "\\{c} is not part of POSIX syntax; use classes such as [[:digit:]]"
            ));
        }
        c if c.is_ascii() => format!("\\x{{{:x}}}", c as u32),
        c => c.to_string(),
    })
}

/// Names of character classes.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// A bracket expression, of which the opening bracket is taken.
fn class(chars: &mut Chars<'_>, out: &mut String) -> Result<(), String> {
    const OPEN: &str = "a bracket is not closed";
    out.push('[');
    if chars.next_if(|(_, c)| *c == '^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        let (_, c) = chars.next().ok_or(OPEN)?;
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(());
            }
            '[' if matches!(chars.peek(), Some((_, ':'))) => {
                let mut name = String::new();
                for (_, c) in chars.by_ref() {
                    name.push(c);
                    if c == ']' {
                        break;
                    }
                }
                let word = name
                    .trim_start_matches([':', '^'])
                    .trim_end_matches([':', ']']);
                if !name.ends_with(":]") || !CLASSES.contains(&word) {
                    return Err(format!("there is no class '[{name}'"));
                }
                out.push('[');
                out.push_str(&name);
            }
            '\\' => {
                let (_, escaped) = chars.next().ok_or(OPEN)?;
                out.push_str(&escape(escaped, chars)?);
            }
            // These mean something to the regex crate that they do not mean here.
            '[' | ']' | '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '-' if matches!(chars.peek(), Some((_, '-'))) => out.push_str(r"\-"),
            c => out.push(c),
        }
        first = false;
    }
}

/// Length of a count such as `{2,5}` at the start of `text`; `None` when the brace is just a brace.
fn braces(text: &str) -> Result<Option<usize>, String> {
    let Some(end) = text.find('}') else {
        return Ok(None);
    };
    let inner = &text[1..end];
    let (low, high) = inner
        .split_once(',')
        .map_or((inner, None), |(low, high)| (low, Some(high)));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(low) || high.is_some_and(|high| !high.is_empty() && !digits(high)) {
        return Ok(None);
    }
    let too_large = |s: &str| !s.is_empty() && s.parse::<u32>().map_or(true, |n| n > MAX_REPEAT);
    if too_large(low) || high.is_some_and(too_large) {
        return Err(format!("a count is larger than {MAX_REPEAT}"));
    }
    Ok(Some(end + 1))
}

/// True when a pattern has nothing that the simpler text operators lack.
pub(super) fn is_plain(pattern: &str) -> bool {
    let chars: Vec<char> = pattern.chars().collect();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        let anchor = i == 0 && c == '^' || i + 1 == chars.len() && c == '$';
        let any = c == '.'
            && (i == 0 && chars.len() > 1 || i + 2 == chars.len())
            && matches!(chars.get(i + 1), Some('+' | '*' | '?'));
        if any {
            i += 2;
            continue;
        }
        if !anchor && ".+*?^$()[]{}|\\".contains(c) {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_re2() {
        for (pattern, text, matches) in [
            ("^[a-z]{2,4}$", "bash", true),
            ("[a-z]{2,4}", "abash", false),
            ("a|b", "ab", false),
            ("a{", "a{", true),
            ("a{,3}", "a{,3}", true),
            ("[]a]+", "]a", true),
            ("[a&&b]+", "&a", true),
            ("[[:digit:]]+", "42", true),
            (r"/bin/\.x", "/bin/.x", true),
            (r"\x41\x{42}", "AB", true),
            ("a.c", "a\nc", false),
            ("^a$\n^b$", "a\nb", true),
            ("", "", true),
        ] {
            let rust = to_rust(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"));
            let regex = RegexBuilder::new(&rust).build().unwrap();
            assert_eq!(
                regex.is_match(text.as_bytes()),
                matches,
                "{pattern} against {text:?}"
            );
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for pattern in [
            r"\d+",
            r"\bx",
            "(?i)a",
            "a**",
            "a*?",
            "(a",
            "a)",
            "*a",
            "[a",
            r"a\",
            "a{1001}",
            "[[:nope:]]",
            r"\1",
        ] {
            assert!(to_rust(pattern).is_err(), "{pattern}");
        }
        assert!(to_rust(&"(a{1000}){1000}".repeat(2)).is_err());
    }

    #[test]
    fn plain_patterns_are_recognised() {
        for plain in ["abc", "^abc$", ".*abc", "abc.*", ".+abc.+", "^.*"] {
            assert!(is_plain(plain), "{plain}");
        }
        assert!(!is_plain("a.c") && !is_plain("[ab]"));
    }
}
