//! Comparisons made ready: the right side in the form that answers fastest.

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;
use rustc_hash::FxHashSet;
use vedette_event::Value;

use crate::ops::path::PrefixTree;
use crate::ops::posix::Pattern;
use crate::ops::{self, Meeting};
use crate::typed::{Literal, Modifier, Op, Operand, Rhs};

use super::comparison::Comparison;

/// From this many needles on, one automaton beats one search after the other.
const AUTOMATON_NEEDLES: usize = 4;

/// A comparison of a program.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) lhs: Operand,
    pub(super) op: Op,
    pub(super) meeting: Meeting,
    pub(super) test: Test,
}

/// What one value of the left side has to satisfy.
#[derive(Debug)]
pub(super) enum Test {
    /// Nothing: the value is there.
    Nothing,
    /// An ordering with a number.
    Number(Op, i128),
    /// One of these numbers, sorted.
    Numbers(Box<[i128]>),
    /// One of these texts, or with `wanted` false none of them.
    Texts(Texts),
    /// This text, or with `wanted` false any other.
    Is { text: Box<[u8]>, wanted: bool },
    /// Starts with one of these.
    Prefixes(Prefixes),
    /// Contains this.
    Needle(Box<Finder<'static>>),
    /// Contains one of these.
    Needles(AhoCorasick),
    /// Lies below one of these paths.
    Paths(PrefixTree),
    /// Matches this expression; a pattern that is none matches nothing.
    Pattern(Option<Pattern>),
    /// Anything else with one literal.
    Plain(Op, Literal),
    /// At least one of these.
    Some(Box<[Test]>),
    /// All of these.
    Every(Box<[Test]>),
    /// Exactly one of these.
    ExactlyOne(Box<[Test]>),
    /// Not one of these.
    NoneOf(Box<[Test]>),
    /// Never: an empty list of literals.
    Never,
    /// The comparison with another operand, which has to be extracted first.
    Other(Operand),
}

impl Leaf {
    pub(super) fn new(comparison: Comparison) -> Self {
        let meeting = ops::meeting(&comparison.lhs);
        let Comparison { lhs, op, rhs, cut } = comparison;
        let test = match rhs {
            _ if op == Op::Exists => Test::Nothing,
            Rhs::None => Test::Never,
            Rhs::Operand(operand) => Test::Other(operand),
            Rhs::One(literal) => one(op, literal),
            Rhs::List(None, list) => any(op, list, cut),
            Rhs::List(Some(modifier), list) => modified(op, modifier, list),
        };
        Self {
            lhs,
            op,
            meeting,
            test,
        }
    }

    /// Steps it takes to answer for one value, roughly, without extracting it.
    pub(super) fn cost(&self) -> u32 {
        self.test.cost()
    }
}

/// One literal.
fn one(op: Op, literal: Literal) -> Test {
    match (op, &literal) {
        (Op::In | Op::Intersects, _) => any(op, vec![literal], false),
        (Op::PMatch, Literal::Text(prefix)) => Test::Paths(PrefixTree::new([&**prefix])),
        (Op::Regex, Literal::Text(pattern)) => Test::Pattern(Pattern::new(pattern)),
        (Op::Regex, _) => Test::Never,
        // What C's string functions see of a literal that has a NUL is not the whole of it.
        (Op::Eq | Op::Ne, Literal::Text(text)) if !text.contains(&0) => Test::Is {
            text: (&**text).into(),
            wanted: op == Op::Eq,
        },
        (Op::StartsWith, Literal::Text(text)) if !text.contains(&0) => {
            Test::Prefixes(Prefixes::new(vec![text]))
        }
        (Op::Contains, Literal::Text(text)) => {
            Test::Needle(Box::new(Finder::new(&**text).into_owned()))
        }
        (Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge, _) => match number(&literal) {
            Some(number) => Test::Number(op, number),
            None => Test::Plain(op, literal),
        },
        _ => Test::Plain(op, literal),
    }
}

/// At least one of several literals. `cut` makes equality see only what lies before the first NUL, as `=` does.
fn any(op: Op, list: Vec<Literal>, cut: bool) -> Test {
    if list.is_empty() {
        return Test::Never;
    }
    match op {
        Op::In | Op::Intersects => {
            if let Some(numbers) = list.iter().map(number).collect::<Option<Vec<_>>>() {
                let mut numbers = numbers;
                numbers.sort_unstable();
                numbers.dedup();
                return Test::Numbers(numbers.into());
            }
            if let Some(texts) = texts(&list) {
                return Test::Texts(Texts::new(texts, cut, true));
            }
            Test::Some(list.into_iter().map(|l| Test::Plain(op, l)).collect())
        }
        Op::PMatch => match texts(&list) {
            Some(texts) => Test::Paths(PrefixTree::new(texts)),
            None => Test::Some(list.into_iter().map(|l| one(op, l)).collect()),
        },
        Op::StartsWith => match texts(&list) {
            Some(texts) => Test::Prefixes(Prefixes::new(texts)),
            None => Test::Some(list.into_iter().map(|l| one(op, l)).collect()),
        },
        Op::Contains if list.len() >= AUTOMATON_NEEDLES => {
            match texts(&list).and_then(|texts| AhoCorasick::new(texts).ok()) {
                Some(automaton) => Test::Needles(automaton),
                None => Test::Some(list.into_iter().map(|l| one(op, l)).collect()),
            }
        }
        _ => Test::Some(list.into_iter().map(|l| one(op, l)).collect()),
    }
}

fn modified(op: Op, modifier: Modifier, list: Vec<Literal>) -> Test {
    match (modifier, op) {
        _ if list.is_empty() => Test::Never,
        // Equality over a list goes by set membership, which sees the whole text.
        (Modifier::AnyOf, Op::Eq) => any(Op::In, list, false),
        (Modifier::AllOf, Op::Ne) => match texts(&list) {
            Some(texts) => Test::Texts(Texts::new(texts, false, false)),
            None => Test::NoneOf(list.into_iter().map(|l| Test::Plain(Op::In, l)).collect()),
        },
        (Modifier::AnyOf, _) => any(op, list, false),
        (Modifier::AllOf, _) => Test::Every(list.into_iter().map(|l| one(op, l)).collect()),
        (Modifier::OneOf, _) => Test::ExactlyOne(list.into_iter().map(|l| one(op, l)).collect()),
    }
}

fn number(literal: &Literal) -> Option<i128> {
    ops::number(match literal {
        Literal::U64(v) => Value::U64(*v),
        Literal::I64(v) => Value::I64(*v),
        Literal::Bool(v) => Value::Bool(*v),
        Literal::F64(v) => Value::F64(*v),
        _ => return None,
    })
}

/// The literals as texts, if all of them are.
fn texts(list: &[Literal]) -> Option<Vec<&[u8]>> {
    list.iter()
        .map(|literal| match literal {
            Literal::Text(text) => Some(&**text),
            _ => None,
        })
        .collect()
}

impl Test {
    /// Whether `value` satisfies it. [`Test::Other`] is not decided here and answers false.
    pub(super) fn holds(&self, value: Value<'_>) -> bool {
        match self {
            Self::Nothing => true,
            Self::Never | Self::Other(_) => false,
            Self::Number(op, literal) => {
                ops::number(value).is_some_and(|number| ops::holds(*op, number.cmp(literal)))
            }
            Self::Numbers(set) => {
                ops::number(value).is_some_and(|number| set.binary_search(&number).is_ok())
            }
            Self::Texts(texts) => texts.hold(value),
            Self::Is { text, wanted } => match value {
                // The same up to the first NUL, without looking for it.
                Value::Text(seen) => {
                    let rest = seen.strip_prefix(&**text);
                    rest.is_some_and(|rest| rest.first().is_none_or(|&c| c == 0)) == *wanted
                }
                Value::Bytes(seen) => (*seen == **text) == *wanted,
                _ => false,
            },
            Self::Prefixes(prefixes) => {
                seen(value, ops::cut).is_some_and(|text| prefixes.lead(text))
            }
            Self::Needle(finder) => {
                seen(value, ops::cut).is_some_and(|text| finder.find(text).is_some())
            }
            Self::Needles(automaton) => {
                seen(value, ops::cut).is_some_and(|text| automaton.is_match(text))
            }
            Self::Paths(tree) => match value {
                Value::Text(text) => tree.covers(ops::trim(text)),
                _ => false,
            },
            Self::Pattern(pattern) => match (pattern, value) {
                (Some(pattern), Value::Text(text)) => pattern.matches(ops::trim(text)),
                _ => false,
            },
            Self::Plain(op, literal) => match op {
                Op::In | Op::Intersects => ops::is_member(value, literal),
                _ => ops::compare(*op, value, literal),
            },
            Self::Some(tests) => tests.iter().any(|test| test.holds(value)),
            Self::Every(tests) => tests.iter().all(|test| test.holds(value)),
            Self::NoneOf(tests) => !tests.iter().any(|test| test.holds(value)),
            Self::ExactlyOne(tests) => {
                tests
                    .iter()
                    .filter(|test| test.holds(value))
                    .take(2)
                    .count()
                    == 1
            }
        }
    }

    fn cost(&self) -> u32 {
        match self {
            Self::Nothing | Self::Never | Self::Number(..) => 1,
            Self::Numbers(_) | Self::Is { .. } => 3,
            Self::Plain(Op::Eq | Op::Ne | Op::StartsWith | Op::EndsWith, _) => 3,
            Self::Texts(_) | Self::Prefixes(_) => 6,
            Self::Needle(_) => 10,
            Self::Paths(_) | Self::Needles(_) => 20,
            Self::Plain(..) => 15,
            Self::Pattern(_) => 100,
            Self::Other(_) => 30,
            Self::Some(tests)
            | Self::Every(tests)
            | Self::ExactlyOne(tests)
            | Self::NoneOf(tests) => tests.iter().map(Self::cost).sum(),
        }
    }
}

/// The text of a value, through `view` unless it is a byte buffer.
fn seen(value: Value<'_>, view: fn(&[u8]) -> &[u8]) -> Option<&[u8]> {
    match value {
        Value::Text(text) => Some(view(text)),
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// A set of texts.
#[derive(Debug)]
pub(super) struct Texts {
    set: FxHashSet<Box<[u8]>>,
    /// Bit `n` says that a text of length `n` (63: or longer) is there; turns most values away without hashing.
    lengths: u64,
    cut: bool,
    wanted: bool,
}

impl Texts {
    fn new(texts: Vec<&[u8]>, cut: bool, wanted: bool) -> Self {
        let lengths = texts.iter().fold(0, |bits, text| bits | length_bit(text));
        let set = texts.into_iter().map(Into::into).collect();
        Self {
            set,
            lengths,
            cut,
            wanted,
        }
    }

    fn hold(&self, value: Value<'_>) -> bool {
        let view = if self.cut { ops::cut } else { ops::trim };
        let member = seen(value, view)
            .is_some_and(|text| self.lengths & length_bit(text) != 0 && self.set.contains(text));
        member == self.wanted
    }
}

fn length_bit(text: &[u8]) -> u64 {
    1 << text.len().min(63)
}

/// A set of prefixes, sorted, none the prefix of another: the only candidate for a text is then the greatest that is
/// not above it.
#[derive(Debug)]
pub(super) struct Prefixes(Box<[Box<[u8]>]>);

impl Prefixes {
    fn new(mut texts: Vec<&[u8]>) -> Self {
        texts.sort_unstable();
        texts.dedup_by(|later, earlier| later.starts_with(earlier));
        Self(texts.into_iter().map(Into::into).collect())
    }

    fn lead(&self, text: &[u8]) -> bool {
        let above = self.0.partition_point(|prefix| **prefix <= *text);
        above > 0 && text.starts_with(&self.0[above - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_sets_find_the_one_candidate() {
        let prefixes = Prefixes::new(vec![b"/usr/lib", b"/usr", b"/etc/", b"b"]);
        assert_eq!(prefixes.0.len(), 3, "/usr covers /usr/lib");
        for (text, expected) in [
            ("/usr", true),
            ("/usr/share", true),
            ("/us", false),
            ("/etc", false),
            ("/etc/passwd", true),
            ("a", false),
            ("bzz", true),
            ("z", false),
            ("", false),
        ] {
            assert_eq!(prefixes.lead(text.as_bytes()), expected, "{text}");
        }
        assert!(Prefixes::new(vec![b""]).lead(b""));
    }
}
