//! What is known of a field before an event is looked at, and what that decides.

use rustc_hash::FxHashSet;
use vedette_event::Value;

use crate::ops;
use crate::typed::{Check, Literal, Op, Rhs};

/// What is known of a field.
#[derive(Clone, Debug)]
pub(super) enum Known<'a> {
    /// Nothing.
    Nothing,
    /// Its value.
    Flag(bool),
    /// It is a number from the first to the last.
    Between(i128, i128),
    /// It is one of these texts, or, when `missing` says so, has no value.
    OneOf {
        texts: &'a [&'a [u8]],
        missing: bool,
    },
    /// It is none of these texts.
    NoneOf(&'a FxHashSet<Box<[u8]>>),
}

/// What a comparison comes to under what is known; `None` when both answers are possible.
pub(super) fn decide(check: &Check, known: &Known<'_>) -> Option<bool> {
    match known {
        Known::Nothing => None,
        Known::Flag(flag) => {
            one(check).map(|literal| ops::compare(check.op, Value::Bool(*flag), literal))
        }
        Known::Between(low, high) => between(check, *low, *high),
        Known::OneOf { texts, missing } => {
            let mut answers = texts.iter().map(|text| of_text(check, text));
            let first = answers.next()??;
            let same = answers.all(|answer| answer == Some(first));
            (same && !(*missing && first)).then_some(first)
        }
        Known::NoneOf(set) => none_of(check, set),
    }
}

fn one(check: &Check) -> Option<&Literal> {
    match (&check.rhs, check.op) {
        (_, Op::Exists | Op::Regex) => None,
        (Rhs::One(literal), _) => Some(literal),
        _ => None,
    }
}

fn of_text(check: &Check, text: &[u8]) -> Option<bool> {
    let value = Value::Text(text);
    match &check.rhs {
        Rhs::One(_) => one(check).map(|literal| ops::compare(check.op, value, literal)),
        Rhs::List(None, list) if check.op == Op::In => {
            Some(list.iter().any(|literal| ops::is_member(value, literal)))
        }
        _ => None,
    }
}

fn between(check: &Check, low: i128, high: i128) -> Option<bool> {
    let number = |literal: &Literal| match literal {
        Literal::U64(v) => Some(i128::from(*v)),
        Literal::I64(v) => Some(i128::from(*v)),
        _ => None,
    };
    let equal = |n: i128| {
        if n < low || n > high {
            Some(false)
        } else {
            (low == high).then_some(true)
        }
    };
    match &check.rhs {
        Rhs::List(None, list) if check.op == Op::In => {
            let outside = list
                .iter()
                .all(|literal| number(literal).is_some_and(|n| equal(n) == Some(false)));
            outside.then_some(false)
        }
        Rhs::One(literal) => {
            let n = number(literal)?;
            let (first, last) = (low.cmp(&n), high.cmp(&n));
            match check.op {
                Op::Eq => equal(n),
                Op::Ne => equal(n).map(|same| !same),
                // The orderings in between lie between those of the ends.
                Op::Lt | Op::Le | Op::Gt | Op::Ge => {
                    let answer = ops::holds(check.op, first);
                    (answer == ops::holds(check.op, last)).then_some(answer)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn none_of(check: &Check, set: &FxHashSet<Box<[u8]>>) -> Option<bool> {
    let known = |literal: &Literal| matches!(literal, Literal::Text(text) if set.contains(text));
    match (&check.rhs, check.op) {
        (Rhs::One(literal), Op::Eq) if known(literal) => Some(false),
        (Rhs::List(None, list), Op::In) if list.iter().all(known) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::typed::Operand;
    use vedette_event::FieldRef;

    fn check(field: &str, op: Op, rhs: Rhs) -> Check {
        Check {
            lhs: Operand::Field(FieldRef::parse(field).unwrap()),
            op,
            rhs,
        }
    }

    #[test]
    fn ranges_decide_what_they_can() {
        let number = |op, n| check("evt.rawres", op, Rhs::One(Literal::I64(n)));
        for (op, n, low, high, want) in [
            (Op::Ge, 0, 0, 100, Some(true)),
            (Op::Ge, 0, -100, -1, Some(false)),
            (Op::Ge, 0, -1, 1, None),
            (Op::Eq, -1, -1, -1, Some(true)),
            (Op::Eq, -1, 0, 9, Some(false)),
            (Op::Ne, -1, 0, 9, Some(true)),
            (Op::Lt, 0, 0, 9, Some(false)),
            (Op::Eq, 3, 0, 9, None),
        ] {
            let known = Known::Between(low, high);
            assert_eq!(
                decide(&number(op, n), &known),
                want,
                "{op:?} {n} in {low}..={high}"
            );
        }
        let list = check(
            "evt.rawres",
            Op::In,
            Rhs::List(None, vec![Literal::I64(0), Literal::I64(1)]),
        );
        assert_eq!(decide(&list, &Known::Between(-9, -1)), Some(false));
        assert_eq!(decide(&list, &Known::Between(0, 0)), None);
    }

    #[test]
    fn texts_decide_when_all_agree() {
        let is = |op, text: &str| {
            check(
                "fd.type",
                op,
                Rhs::One(Literal::Text(text.as_bytes().into())),
            )
        };
        let files = Known::OneOf {
            texts: &[b"file", b"directory"],
            missing: true,
        };
        assert_eq!(decide(&is(Op::Eq, "ipv4"), &files), Some(false));
        assert_eq!(decide(&is(Op::Eq, "file"), &files), None);
        // Without a value the comparison is false, with one it is true.
        assert_eq!(decide(&is(Op::Ne, "ipv4"), &files), None);
        let names: FxHashSet<Box<[u8]>> = [Box::from(&b"tar"[..])].into_iter().collect();
        assert_eq!(
            decide(&is(Op::Eq, "tar"), &Known::NoneOf(&names)),
            Some(false)
        );
        assert_eq!(decide(&is(Op::Eq, "cat"), &Known::NoneOf(&names)), None);
        assert_eq!(decide(&is(Op::Ne, "tar"), &Known::NoneOf(&names)), None);
    }
}
