//! Patterns in field arguments.

/// True when `pattern` with `*`, `?` and `[…]` matches the whole of `text`, as `fnmatch` without flags.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the latest `*` does not fit: after the star, one byte further in the text.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && t == text.len() {
            return true;
        }
        let step = match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') if t < text.len() => Some(1),
            Some(b'[') if t < text.len() => match class(&pattern[p..], text[t]) {
                Some((length, true)) => Some(length),
                Some((_, false)) => None,
                None => (text[t] == b'[').then_some(1),
            },
            Some(b'\\') if p + 1 < pattern.len() => {
                (text.get(t) == Some(&pattern[p + 1])).then_some(2)
            }
            Some(&byte) => (text.get(t) == Some(&byte)).then_some(1),
            None => None,
        };
        if let Some(length) = step {
            p += length;
            t += 1;
        } else if let Some((after, from)) = retry.filter(|&(_, from)| from < text.len()) {
            retry = Some((after, from + 1));
            p = after;
            t = from + 1;
        } else {
            return false;
        }
    }
}

/// Length of the bracket expression that `pattern` begins with, and whether `byte` is in it.
fn class(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let mut at = if negated { 2 } else { 1 };
    let first = at;
    let mut found = false;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((at + 1, found != negated));
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(b'-'), Some(&high)) if high != b']' => {
                found |= (low..=high).contains(&byte);
                at += 3;
            }
            _ => {
                found |= low == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, want) in [
            ("/etc", "/etc", true),
            ("/etc", "/etc/x", false),
            ("/proc*", "/proc/1", true),
            ("/root*", "/", false),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[", "[", true),
            ("\\*", "*", true),
        ] {
            assert_eq!(
                glob(pattern.as_bytes(), text.as_bytes()),
                want,
                "{pattern} {text}"
            );
        }
    }
}
