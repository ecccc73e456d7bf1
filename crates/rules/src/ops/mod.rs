//! What each operator means on values: the leaves that the naive evaluator and compiled programs share.
//!
//! Text follows C: comparisons stop at the first NUL, only set membership and path prefixes see the whole text. Values
//! of types that cannot be compared make every comparison false, `!=` included.

pub mod glob;
pub mod path;
pub mod posix;

use std::cmp::Ordering;
use std::net::IpAddr;

use memchr::{memchr, memchr2_iter, memmem};
use vedette_event::{Extracted, FieldArg, Value, Values};

use crate::typed::{Literal, Op, Operand};

/// How several values of a left side meet one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// A list: `in` wants every element, `intersects` at least one.
    List,
    /// The two sides of a connection: either may satisfy the comparison, but `!=` must hold for both.
    Sides,
    /// Anything else with several values (all ancestors): one of them is enough, for `!=` too.
    Any,
}

/// How the values of `operand` meet a comparison.
pub fn meeting(operand: &Operand) -> Meeting {
    match operand {
        _ if operand.ty().1 => Meeting::List,
        Operand::Field(field)
            if field.arg == FieldArg::None
                && matches!(
                    field.info().name,
                    "fd.ip" | "fd.port" | "fd.net" | "fd.proto"
                ) =>
        {
            Meeting::Sides
        }
        _ => Meeting::Any,
    }
}

/// Applies `test` to what was extracted as `meeting` and `op` say. A missing value makes every comparison false.
pub fn meet(
    meeting: Meeting,
    op: Op,
    extracted: Extracted<'_>,
    mut test: impl FnMut(Value<'_>) -> bool,
) -> bool {
    match extracted {
        Extracted::Missing => false,
        Extracted::One(value) => op == Op::Exists || test(value),
        Extracted::Many(values) => match (meeting, op) {
            (Meeting::List, Op::Exists) => true,
            (Meeting::List, Op::In) => values.iter().all(test),
            (Meeting::List, Op::Intersects) => values.iter().any(test),
            // The type check allows no other operator on lists.
            (Meeting::List, _) => false,
            (_, Op::Exists) => !values.is_empty(),
            (Meeting::Sides, Op::Ne) => !values.is_empty() && values.iter().all(test),
            _ => values.iter().any(test),
        },
    }
}

/// The part of a text that C's string functions see: up to the first NUL.
pub fn cut(text: &[u8]) -> &[u8] {
    memchr(0, text).map_or(text, |end| &text[..end])
}

/// A text without closing NULs.
pub fn trim(text: &[u8]) -> &[u8] {
    let length = text
        .iter()
        .rposition(|c| *c != 0)
        .map_or(0, |last| last + 1);
    &text[..length]
}

/// True when `value` equals `literal` as a member of a set (`in`, `intersects`), or lies in it for a network.
pub fn is_member(value: Value<'_>, literal: &Literal) -> bool {
    match as_value(literal) {
        Ok(literal) => same_member(value, literal),
        Err((net, prefix)) => matches!(value, Value::Ip(ip) if in_net(ip, net, prefix)),
    }
}

/// True when two values are the same member of a set.
pub fn same_member(value: Value<'_>, other: Value<'_>) -> bool {
    match (value, other) {
        (Value::Text(a), Value::Text(b)) => trim(a) == trim(b),
        (Value::Text(a) | Value::Bytes(a), Value::Text(b) | Value::Bytes(b)) => a == b,
        (Value::Ip(a), Value::Ip(b)) => a == b,
        _ => order(value, other) == Some(Ordering::Equal),
    }
}

/// `value op literal` for every operator but `exists`, `regex` (which needs a compiled [`posix::Pattern`]) and the
/// list operators, for which a single literal is a list of one.
pub fn compare(op: Op, value: Value<'_>, literal: &Literal) -> bool {
    match (as_value(literal), value) {
        (Ok(other), _) => compare_values(op, value, other),
        (Err((net, prefix)), Value::Ip(ip)) => match op {
            Op::Eq | Op::In | Op::Intersects => in_net(ip, net, prefix),
            Op::Ne => !in_net(ip, net, prefix),
            _ => false,
        },
        (Err(_), _) => false,
    }
}

/// `value op other` for every operator but `exists` and `regex`.
pub fn compare_values(op: Op, value: Value<'_>, other: Value<'_>) -> bool {
    match op {
        Op::In | Op::Intersects => same_member(value, other),
        Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => match (value, other) {
            (Value::Ip(a), Value::Ip(b)) => match op {
                Op::Eq => a == b,
                Op::Ne => a != b,
                _ => false,
            },
            _ => order(value, other).is_some_and(|order| holds(op, order)),
        },
        _ => match (value, other) {
            (Value::Text(a), Value::Text(b)) => text(op, a, cut(b)),
            (Value::Text(a), Value::Bytes(b)) => text(op, a, b),
            (Value::Bytes(a), Value::Text(b) | Value::Bytes(b)) => bytes(op, a, b),
            _ => false,
        },
    }
}

/// Whether an ordering satisfies `=`, `!=`, `<`, `<=`, `>` or `>=`.
pub fn holds(op: Op, order: Ordering) -> bool {
    match op {
        Op::Eq => order.is_eq(),
        Op::Ne => order.is_ne(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
        _ => false,
    }
}

fn order(value: Value<'_>, other: Value<'_>) -> Option<Ordering> {
    match (value, other) {
        (Value::Text(a), Value::Text(b) | Value::Bytes(b)) => Some(cut(a).cmp(cut(b))),
        (Value::Bytes(a), Value::Text(b) | Value::Bytes(b)) => Some(a.cmp(b)),
        _ => Some(number(value)?.cmp(&number(other)?)),
    }
}

/// The number behind a value, if it is one. Ratios count as their whole part: the language compares them so.
pub fn number(value: Value<'_>) -> Option<i128> {
    match value {
        Value::U64(v) => Some(v.into()),
        Value::I64(v) => Some(v.into()),
        Value::Bool(v) => Some(v.into()),
        Value::F64(v) => Some((v as i64).into()),
        Value::Text(_) | Value::Bytes(_) | Value::Ip(_) => None,
    }
}

fn text(op: Op, text: &[u8], other: &[u8]) -> bool {
    match op {
        Op::PMatch => path::covers(other, trim(text)),
        Op::Contains => memmem::find(cut(text), other).is_some(),
        Op::IContains => icontains(cut(text), other),
        Op::StartsWith => cut(text).starts_with(other),
        Op::EndsWith => cut(text).ends_with(other),
        Op::Glob => glob::matches(other, cut(text), false),
        Op::IGlob => glob::matches(other, cut(text), true),
        Op::BContains | Op::BStartsWith => bytes(op, text, other),
        _ => false,
    }
}

fn bytes(op: Op, text: &[u8], other: &[u8]) -> bool {
    match op {
        Op::Contains | Op::BContains => memmem::find(text, other).is_some(),
        Op::StartsWith | Op::BStartsWith => text.starts_with(other),
        Op::EndsWith => text.ends_with(other),
        _ => false,
    }
}

/// Substring search that ignores the case of ASCII letters.
pub fn icontains(text: &[u8], needle: &[u8]) -> bool {
    let Some(&first) = needle.first() else {
        return true;
    };
    let Some(last) = text.len().checked_sub(needle.len()) else {
        return false;
    };
    memchr2_iter(
        first.to_ascii_lowercase(),
        first.to_ascii_uppercase(),
        &text[..=last],
    )
    .any(|at| text[at..at + needle.len()].eq_ignore_ascii_case(needle))
}

/// True when `ip` lies in the network; addresses of the other family never do.
pub fn in_net(ip: IpAddr, net: IpAddr, prefix: u8) -> bool {
    match (ip, net) {
        (IpAddr::V4(ip), IpAddr::V4(net)) => {
            let shift = 32_u32.saturating_sub(prefix.into());
            let top = |v: u32| v.checked_shr(shift).unwrap_or(0);
            top(ip.to_bits()) == top(net.to_bits())
        }
        (IpAddr::V6(ip), IpAddr::V6(net)) => {
            let shift = 128_u32.saturating_sub(prefix.into());
            let top = |v: u128| v.checked_shr(shift).unwrap_or(0);
            top(ip.to_bits()) == top(net.to_bits())
        }
        _ => false,
    }
}

/// A literal as a value; networks are no values and come back as the error.
fn as_value(literal: &Literal) -> Result<Value<'_>, (IpAddr, u8)> {
    Ok(match literal {
        Literal::U64(v) => Value::U64(*v),
        Literal::I64(v) => Value::I64(*v),
        Literal::Bool(v) => Value::Bool(*v),
        Literal::F64(v) => Value::F64(*v),
        Literal::Text(v) => Value::Text(v),
        Literal::Bytes(v) => Value::Bytes(v),
        Literal::Ip(v) => Value::Ip(*v),
        Literal::Net(ip, prefix) => return Err((*ip, *prefix)),
    })
}

/// Compares with what a right-side operand gave: set membership for `in` and `intersects`, else with its first value.
pub fn compare_extracted(op: Op, value: Value<'_>, other: Extracted<'_>) -> bool {
    match (op, other) {
        (_, Extracted::Missing) => false,
        (_, Extracted::One(other)) => compare_values(op, value, other),
        (Op::In | Op::Intersects, Extracted::Many(others)) => {
            others.iter().any(|other| same_member(value, other))
        }
        (_, Extracted::Many(others)) => {
            Values::get(others, 0).is_some_and(|other| compare_values(op, value, other))
        }
    }
}

#[cfg(test)]
mod tests;
