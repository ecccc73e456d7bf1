//! Which paths can satisfy a comparison of a path field, as patterns over the path that a program passed.
//!
//! Only absolute paths without empty, `.` and `..` components are matched: for those the path as passed is the name as
//! fields have it, byte for byte. A pattern may match more paths than the comparison, never fewer.

use crate::typed::{Check, Literal, Op, Operand, Rhs};
use vedette_event::FieldArg;

/// One element of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Element {
    Byte(u8),
    /// A byte whose case does not count; in lower case.
    Fold(u8),
    Any,
    /// Any bytes, also none.
    Star,
    /// Any bytes but `/`, also none.
    Inside,
}

/// A pattern for whole paths.
pub(super) type Pattern = Vec<Element>;

/// Longest pattern that is kept in full; what follows may be anything.
const MAX_ELEMENTS: usize = 200;

/// What a comparison asks of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing that could be matched.
    Anything,
    /// One of these; none: it cannot hold for any matched path.
    Patterns(Vec<Pattern>),
}

/// Which part of the path a field has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Directory,
    Name,
}

/// What `check` asks of the path of an open when it is true.
pub(super) fn asked(check: &Check) -> Asked {
    let Operand::Field(field) = &check.lhs else {
        return Asked::Anything;
    };
    let part = match (field.info().name, &field.arg) {
        ("fd.name" | "fd.nameraw" | "fs.path.name" | "fs.path.nameraw", FieldArg::None) => {
            Part::Whole
        }
        ("fd.directory", FieldArg::None) => Part::Directory,
        ("fd.filename", FieldArg::None) => Part::Name,
        _ => return Asked::Anything,
    };
    let list = match &check.rhs {
        Rhs::One(literal) => std::slice::from_ref(literal),
        // Whatever the modifier, at least one of the list has to hold.
        Rhs::List(_, list) => list,
        Rhs::None | Rhs::Operand(_) => return Asked::Anything,
    };
    let mut patterns = Vec::new();
    for literal in list {
        let Literal::Text(text) = literal else {
            return Asked::Anything;
        };
        match of(part, check.op, text) {
            Some(more) => patterns.extend(more),
            None => return Asked::Anything,
        }
    }
    for pattern in &mut patterns {
        if pattern.len() > MAX_ELEMENTS {
            pattern.truncate(MAX_ELEMENTS);
            pattern.push(Element::Star);
        }
    }
    Asked::Patterns(patterns)
}

fn bytes(text: &[u8]) -> Pattern {
    // Comparisons of text stop at the first NUL, and no path has one.
    crate::ops::cut(text)
        .iter()
        .map(|b| Element::Byte(*b))
        .collect()
}

fn join(parts: &[&[Element]]) -> Pattern {
    parts.concat()
}

const STAR: &[Element] = &[Element::Star];
const SLASH: &[Element] = &[Element::Byte(b'/')];
const INSIDE: &[Element] = &[Element::Inside];

fn of(part: Part, op: Op, text: &[u8]) -> Option<Vec<Pattern>> {
    let word = bytes(text);
    let empty = word.is_empty();
    Some(match (part, op) {
        (_, _) if empty && op != Op::Eq && op != Op::In => return None,
        (Part::Whole, Op::Eq | Op::In) => vec![word],
        (Part::Whole, Op::StartsWith) => vec![join(&[&word, STAR])],
        (Part::Whole, Op::Glob | Op::IGlob) => vec![glob(text, op == Op::IGlob)],
        (Part::Whole, Op::PMatch) => below(text)?,
        (Part::Directory, Op::Eq | Op::In) => directory(&word),
        // The directory leads the name, unless it is the root, which leads it too.
        (Part::Directory, Op::StartsWith) => vec![join(&[&word, STAR])],
        (Part::Directory, Op::PMatch) => below(text)?,
        (Part::Name, Op::Eq | Op::In) => vec![join(&[STAR, SLASH, &word])],
        (Part::Name, Op::StartsWith) => vec![join(&[STAR, SLASH, &word, STAR])],
        (Part::Name, Op::Glob) => vec![join(&[STAR, SLASH, &glob(text, false)])],
        (Part::Whole | Part::Name, Op::EndsWith) => vec![join(&[STAR, &word])],
        (_, Op::Contains) | (Part::Directory, Op::EndsWith) => vec![join(&[STAR, &word, STAR])],
        (_, Op::IContains) => {
            let fold: Pattern = crate::ops::cut(text)
                .iter()
                .map(|b| Element::Fold(b.to_ascii_lowercase()))
                .collect();
            vec![join(&[STAR, &fold, STAR])]
        }
        _ => return None,
    })
}

/// Names whose directory is `word`: what lies in it, and a directory of that name itself.
fn directory(word: &[Element]) -> Vec<Pattern> {
    if word == SLASH {
        return vec![join(&[SLASH, INSIDE])];
    }
    vec![join(&[word, SLASH, INSIDE]), word.to_vec()]
}

/// Names that the components of `text` lead.
fn below(text: &[u8]) -> Option<Vec<Pattern>> {
    let mut pattern = Pattern::new();
    for component in text.split(|b| *b == b'/').filter(|c| !c.is_empty()) {
        pattern.push(Element::Byte(b'/'));
        if component
            .iter()
            .any(|b| matches!(b, b'?' | b'*' | b'[' | 0))
        {
            // What such a component leaves open, the whole rest may be.
            pattern.push(Element::Star);
            return Some(vec![pattern]);
        }
        pattern.extend(component.iter().map(|b| Element::Byte(*b)));
    }
    if pattern.is_empty() {
        return None;
    }
    Some(vec![join(&[&pattern, SLASH, STAR]), pattern])
}

/// A shell pattern; from a bracket on anything goes.
fn glob(text: &[u8], fold: bool) -> Pattern {
    let mut pattern = Pattern::new();
    let mut rest = crate::ops::cut(text).iter();
    while let Some(byte) = rest.next() {
        let literal = match byte {
            b'*' => {
                if pattern.last() != Some(&Element::Star) {
                    pattern.push(Element::Star);
                }
                continue;
            }
            b'?' => {
                pattern.push(Element::Any);
                continue;
            }
            b'[' => {
                pattern.push(Element::Star);
                return pattern;
            }
            b'\\' => {
                let Some(quoted) = rest.next() else {
                    pattern.push(Element::Star);
                    return pattern;
                };
                *quoted
            }
            plain => *plain,
        };
        pattern.push(if fold {
            Element::Fold(literal.to_ascii_lowercase())
        } else {
            Element::Byte(literal)
        });
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops;
    use vedette_event::{FieldRef, Value};

    /// Plain matching, to hold the automaton against.
    pub(in super::super) fn matches(pattern: &[Element], text: &[u8]) -> bool {
        match (pattern.first(), text.first()) {
            (None, _) => text.is_empty(),
            (Some(Element::Star), first) => {
                matches(&pattern[1..], text) || first.is_some() && matches(pattern, &text[1..])
            }
            (Some(Element::Inside), first) => {
                matches(&pattern[1..], text)
                    || first.is_some_and(|b| *b != b'/') && matches(pattern, &text[1..])
            }
            (Some(Element::Byte(want)), Some(b)) => want == b && matches(&pattern[1..], &text[1..]),
            (Some(Element::Fold(want)), Some(b)) => {
                *want == b.to_ascii_lowercase() && matches(&pattern[1..], &text[1..])
            }
            (Some(Element::Any), Some(_)) => matches(&pattern[1..], &text[1..]),
            (Some(_), None) => false,
        }
    }

    const PATHS: &[&str] = &[
        "/etc/shadow",
        "/etc/pam.d/login",
        "/etc",
        "/etcetera",
        "/x",
        "/proc/1/environ",
        "/home/a/.ssh/id_rsa",
        "/root/.bash_history",
        "/var/log/AUTH.log",
        "/dev/sda1",
    ];

    /// Whatever a comparison holds for, one of its patterns matches.
    #[test]
    fn patterns_match_at_least_what_the_comparison_does() {
        let part = |field: &str, path: &'static str| match field {
            "fd.directory" => match path.rfind('/') {
                Some(0) | None => "/",
                Some(at) => &path[..at],
            },
            "fd.filename" => path.rsplit('/').next().unwrap_or(path),
            _ => path,
        };
        let words = [
            "/etc/shadow",
            "/etc",
            "/",
            "shadow",
            "/etc/*",
            "*ssh*",
            "/proc/*/environ",
            "log",
            "auth",
            "/dev/sd",
            "/var/log",
            "ash_history",
            "/dev/sd?1",
            "/etc/[ps]*",
            "/root/",
            "x",
            "",
        ];
        let ops = [
            Op::Eq,
            Op::In,
            Op::StartsWith,
            Op::EndsWith,
            Op::Contains,
            Op::IContains,
            Op::Glob,
            Op::IGlob,
            Op::PMatch,
        ];
        let mut compared = 0;
        for field in ["fd.name", "fd.directory", "fd.filename"] {
            for op in ops {
                for word in words {
                    let literal = Literal::Text(word.as_bytes().into());
                    let check = Check {
                        lhs: Operand::Field(FieldRef::parse(field).unwrap()),
                        op,
                        rhs: Rhs::One(literal.clone()),
                    };
                    let Asked::Patterns(patterns) = asked(&check) else {
                        continue;
                    };
                    for path in PATHS {
                        let value = Value::Text(part(field, path).as_bytes());
                        let holds = match op {
                            Op::In => ops::is_member(value, &literal),
                            _ => ops::compare(op, value, &literal),
                        };
                        let matched = patterns.iter().any(|p| matches(p, path.as_bytes()));
                        assert!(!holds || matched, "{field} {op:?} {word:?} at {path}");
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 3000, "{compared}");
    }
}
