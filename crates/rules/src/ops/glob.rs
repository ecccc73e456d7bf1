//! Shell patterns as `fnmatch(3)` reads them without flags: `*` also matches `/` and a leading dot, a backslash quotes.

/// True when the whole of `text` matches `pattern`; `fold` ignores the case of ASCII letters.
///
/// Linear in space, at worst `pattern × text` steps: a failed attempt only ever goes back to the last star.
pub fn matches(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to resume after the last star: pattern position behind it, text position it has swallowed up to.
    let mut resume: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            resume = Some((p, t));
            continue;
        }
        if t == text.len() && p == pattern.len() {
            return true;
        }
        if t < text.len()
            && let Some(next) = one(pattern, p, text[t], fold)
        {
            p = next;
            t += 1;
            continue;
        }
        match resume {
            Some((after, swallowed)) if swallowed < text.len() => {
                resume = Some((after, swallowed + 1));
                p = after;
                t = swallowed + 1;
            }
            _ => return false,
        }
    }
}

/// Matches the pattern element at `p` with one byte; gives the position behind the element.
fn one(pattern: &[u8], p: usize, byte: u8, fold: bool) -> Option<usize> {
    let same = |a: u8, b: u8| lower(a, fold) == lower(b, fold);
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'\\' => same(*pattern.get(p + 1)?, byte).then_some(p + 2),
        b'[' => match bracket(pattern, p + 1, byte, fold) {
            Some((hit, next)) => hit.then_some(next),
            // Without a closing bracket the opening one stands for itself.
            None => (byte == b'[').then_some(p + 1),
        },
        literal => same(literal, byte).then_some(p + 1),
    }
}

/// Reads the bracket expression whose inside starts at `p`: whether `byte` is in it, and the position behind it.
fn bracket(pattern: &[u8], mut p: usize, byte: u8, fold: bool) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(p), Some(b'!' | b'^'));
    if negated {
        p += 1;
    }
    let byte = lower(byte, fold);
    let mut hit = false;
    let mut first = true;
    loop {
        let c = *pattern.get(p)?;
        if c == b']' && !first {
            return Some((hit != negated, p + 1));
        }
        first = false;
        if c == b'['
            && pattern.get(p + 1) == Some(&b':')
            && let Some((class, next)) = class_at(pattern, p + 2)
        {
            hit |= in_class(class, byte, fold);
            p = next;
            continue;
        }
        let (low, next) = member(pattern, p)?;
        p = next;
        let ranged =
            pattern.get(p) == Some(&b'-') && pattern.get(p + 1).is_some_and(|c| *c != b']');
        if ranged {
            let (high, next) = member(pattern, p + 1)?;
            p = next;
            hit |= (lower(low, fold)..=lower(high, fold)).contains(&byte);
        } else {
            hit |= lower(low, fold) == byte;
        }
    }
}

/// One member of a bracket expression, with `\` quoting.
fn member(pattern: &[u8], p: usize) -> Option<(u8, usize)> {
    match *pattern.get(p)? {
        b'\\' => Some((*pattern.get(p + 1)?, p + 2)),
        c => Some((c, p + 1)),
    }
}

/// The name in `[:name:]`, `p` behind the first colon.
fn class_at(pattern: &[u8], p: usize) -> Option<(&[u8], usize)> {
    let length = pattern[p..].iter().position(|c| !c.is_ascii_lowercase())?;
    let end = p + length;
    (pattern[end..].starts_with(b":]")).then(|| (&pattern[p..end], end + 2))
}

fn in_class(class: &[u8], byte: u8, fold: bool) -> bool {
    match class {
        b"alpha" => byte.is_ascii_alphabetic(),
        b"digit" => byte.is_ascii_digit(),
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"upper" => byte.is_ascii_uppercase() || fold && byte.is_ascii_lowercase(),
        b"lower" => byte.is_ascii_lowercase(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"punct" => byte.is_ascii_punctuation(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        b"cntrl" => byte.is_ascii_control(),
        b"print" => byte == b' ' || byte.is_ascii_graphic(),
        b"graph" => byte.is_ascii_graphic(),
        _ => false,
    }
}

fn lower(byte: u8, fold: bool) -> u8 {
    if fold {
        byte.to_ascii_lowercase()
    } else {
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        let table: &[(&str, &str, bool)] = &[
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "/etc/.hidden", true),
            ("/usr/*/l?b*", "/usr/x86_64/lib/libc.so", true),
            ("/usr/*/l?b*", "/usr/bin/ls", false),
            ("*.so", "libc.so", true),
            ("*.so", "libc.so.6", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[abc]x", "bx", true),
            ("[!abc]x", "bx", false),
            ("[^abc]x", "dx", true),
            ("[a-f]9", "c9", true),
            ("[a-f]9", "g9", false),
            ("[]]", "]", true),
            ("[!]]", "]", false),
            ("[a-]", "-", true),
            ("[[:digit:]]*", "7z", true),
            ("[[:alpha:]]", "7", false),
            ("[[:digit:]x]", "x", true),
            ("[abc", "[abc", true),
            ("[abc", "a", false),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"a\", "a", false),
            (r"[\]]", "]", true),
            ("Abc", "abc", false),
        ];
        for (pattern, text, expected) in table {
            let got = matches(pattern.as_bytes(), text.as_bytes(), false);
            assert_eq!(got, *expected, "{pattern} on {text}");
        }
        assert!(matches(b"/USR/*/L?B*", b"/usr/x/lib", true));
        assert!(matches(b"[A-F]", b"c", true));
        assert!(matches(b"[[:upper:]]", b"c", true));
        assert!(!matches(b"abc", b"abd", true));
    }

    #[test]
    fn many_stars_stay_polynomial() {
        let pattern = b"*a".repeat(40);
        let text = b"a".repeat(39);
        assert!(!matches(&pattern, &text, false));
    }
}
