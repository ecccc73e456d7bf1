//! Conditions evaluated by walking their trees, one comparison after the other.
//!
//! Slow and plain on purpose: this is what compiled programs are tested against, and what answers "why did it fire",
//! clause by clause with the values seen.

use std::fmt;

use rustc_hash::FxHashMap;
use vedette_event::{Extract, Extracted, Value};

use crate::ops::{self, posix::Pattern};
use crate::transform::{self, Scratch};
use crate::typed::{Check, Expr, Literal, Modifier, Op, Rhs};

/// Patterns kept compiled; rules have a handful, and more than this are compiled again each time.
const MAX_PATTERNS: usize = 1024;

/// Values of a list that an explanation shows; more are counted only.
const MAX_SEEN: usize = 64;

/// Bytes of a text that an explanation keeps; an attacker chooses how long texts are.
const MAX_SEEN_TEXT: usize = 1024;

/// The tree-walking evaluator, with buffers that it reuses.
#[derive(Debug, Default)]
pub struct Naive {
    scratch: Scratch,
    patterns: FxHashMap<Box<[u8]>, Option<Pattern>>,
}

/// A clause of a condition, evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause<'r> {
    /// Whether it was true.
    pub verdict: bool,
    /// What it says.
    pub kind: ClauseKind<'r>,
}

/// What a clause says.
#[derive(Clone, Debug, PartialEq)]
pub enum ClauseKind<'r> {
    /// All of these.
    And(Vec<Clause<'r>>),
    /// One of these.
    Or(Vec<Clause<'r>>),
    /// The opposite of this.
    Not(Box<Clause<'r>>),
    /// A comparison and what it saw.
    Check {
        /// The comparison.
        check: &'r Check,
        /// Values of the left side.
        left: Seen,
        /// Values of the right side when that is a field or a transformer.
        right: Option<Seen>,
    },
}

/// The values that a comparison saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// None: the comparison is false for that alone.
    Missing,
    /// One.
    One(SeenValue),
    /// Several: the first of them, and how many there were.
    Many(Vec<SeenValue>, usize),
}

/// A value on its own.
#[derive(Clone, Debug, PartialEq)]
pub enum SeenValue {
    /// A number, boolean or address, written out.
    Plain(String),
    /// Text or bytes, as they are, cut after a kibibyte.
    Text(Vec<u8>),
}

impl Naive {
    /// Whether `expr` is true at `event`.
    pub fn matches<E: Extract + ?Sized>(&mut self, expr: &Expr, event: &E) -> bool {
        match expr {
            Expr::And(parts) => parts.iter().all(|part| self.matches(part, event)),
            Expr::Or(parts) => parts.iter().any(|part| self.matches(part, event)),
            Expr::Not(part) => !self.matches(part, event),
            Expr::Check(check) => self.check(check, event, |_, _| ()),
        }
    }

    /// Evaluates every clause of `expr` at `event`, also those that the verdict does not depend on.
    pub fn explain<'r, E: Extract + ?Sized>(&mut self, expr: &'r Expr, event: &E) -> Clause<'r> {
        let mut all = |parts: &'r [Expr]| -> Vec<Clause<'r>> {
            parts.iter().map(|part| self.explain(part, event)).collect()
        };
        match expr {
            Expr::And(parts) => {
                let clauses = all(parts);
                let verdict = clauses.iter().all(|clause| clause.verdict);
                Clause {
                    verdict,
                    kind: ClauseKind::And(clauses),
                }
            }
            Expr::Or(parts) => {
                let clauses = all(parts);
                let verdict = clauses.iter().any(|clause| clause.verdict);
                Clause {
                    verdict,
                    kind: ClauseKind::Or(clauses),
                }
            }
            Expr::Not(part) => {
                let clause = self.explain(part, event);
                Clause {
                    verdict: !clause.verdict,
                    kind: ClauseKind::Not(Box::new(clause)),
                }
            }
            Expr::Check(check) => {
                let mut seen = (Seen::Missing, None);
                let verdict = self.check(check, event, |left, right| {
                    seen = (Seen::of(left), right.map(Seen::of));
                });
                let (left, right) = seen;
                Clause {
                    verdict,
                    kind: ClauseKind::Check { check, left, right },
                }
            }
        }
    }

    /// Evaluates a comparison and shows `look` what was extracted.
    fn check<E: Extract + ?Sized>(
        &mut self,
        check: &Check,
        event: &E,
        look: impl FnOnce(Extracted<'_>, Option<Extracted<'_>>),
    ) -> bool {
        let meeting = ops::meeting(&check.lhs);
        let mut left_room = self.scratch.take();
        let left = transform::extract(&check.lhs, event, &mut left_room, &mut self.scratch);
        let verdict = if let Rhs::Operand(operand) = &check.rhs {
            let mut right_room = self.scratch.take();
            let right = transform::extract(operand, event, &mut right_room, &mut self.scratch);
            look(left, Some(right));
            let verdict = !matches!(right, Extracted::Missing)
                && ops::meet(meeting, check.op, left, |value| {
                    ops::compare_extracted(check.op, value, right)
                });
            self.scratch.give(right_room);
            verdict
        } else {
            look(left, None);
            ops::meet(meeting, check.op, left, |value| self.test(check, value))
        };
        self.scratch.give(left_room);
        verdict
    }

    /// One value of the left side against the literals of the right.
    fn test(&mut self, check: &Check, value: Value<'_>) -> bool {
        match &check.rhs {
            Rhs::None | Rhs::Operand(_) => false,
            Rhs::One(literal) => self.literal(check.op, value, literal),
            Rhs::List(None, literals) => literals
                .iter()
                .any(|literal| self.literal(check.op, value, literal)),
            Rhs::List(Some(modifier), literals) => {
                self.modified(check.op, *modifier, value, literals)
            }
        }
    }

    fn modified(
        &mut self,
        op: Op,
        modifier: Modifier,
        value: Value<'_>,
        literals: &[Literal],
    ) -> bool {
        // An empty list satisfies no modifier, not even `allof`.
        if literals.is_empty() {
            return false;
        }
        match (modifier, op) {
            // Plain equality goes by set membership, which sees the whole text.
            (Modifier::AnyOf, Op::Eq) => literals.iter().any(|l| ops::is_member(value, l)),
            (Modifier::AllOf, Op::Ne) => !literals.iter().any(|l| ops::is_member(value, l)),
            (Modifier::AnyOf, _) => literals.iter().any(|l| self.literal(op, value, l)),
            (Modifier::AllOf, _) => literals.iter().all(|l| self.literal(op, value, l)),
            (Modifier::OneOf, _) => {
                literals
                    .iter()
                    .filter(|l| self.literal(op, value, l))
                    .take(2)
                    .count()
                    == 1
            }
        }
    }

    fn literal(&mut self, op: Op, value: Value<'_>, literal: &Literal) -> bool {
        match (op, value, literal) {
            (Op::In | Op::Intersects, _, _) => ops::is_member(value, literal),
            (Op::Regex, Value::Text(text), Literal::Text(pattern)) => {
                self.pattern(pattern, ops::trim(text))
            }
            _ => ops::compare(op, value, literal),
        }
    }

    fn pattern(&mut self, pattern: &[u8], text: &[u8]) -> bool {
        if !self.patterns.contains_key(pattern) && self.patterns.len() < MAX_PATTERNS {
            self.patterns.insert(pattern.into(), Pattern::new(pattern));
        }
        match self.patterns.get(pattern) {
            Some(compiled) => compiled.as_ref().is_some_and(|p| p.matches(text)),
            None => Pattern::new(pattern).is_some_and(|p| p.matches(text)),
        }
    }
}

impl Seen {
    fn of(extracted: Extracted<'_>) -> Self {
        match extracted {
            Extracted::Missing => Self::Missing,
            Extracted::One(value) => Self::One(SeenValue::of(value)),
            Extracted::Many(values) => Self::Many(
                values.iter().take(MAX_SEEN).map(SeenValue::of).collect(),
                values.len(),
            ),
        }
    }
}

impl SeenValue {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::U64(v) => Self::Plain(v.to_string()),
            Value::I64(v) => Self::Plain(v.to_string()),
            Value::Bool(v) => Self::Plain(v.to_string()),
            Value::F64(v) => Self::Plain(v.to_string()),
            Value::Ip(v) => Self::Plain(v.to_string()),
            Value::Text(v) | Value::Bytes(v) => {
                Self::Text(v[..v.len().min(MAX_SEEN_TEXT)].to_vec())
            }
        }
    }
}

/// For people, safe to print: texts are quoted and whatever is not printable ASCII is escaped.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no value"),
            Self::One(value) => value.fmt(f),
            Self::Many(values, total) => {
                f.write_str("(")?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    value.fmt(f)?;
                }
                if *total > values.len() {
                    write!(f, ", and {} more", total - values.len())?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for SeenValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.write_str(text),
            Self::Text(text) => write!(f, "\"{}\"", text.escape_ascii()),
        }
    }
}

/// The whole tree, one clause a line, indented; comparisons with the values they saw.
impl fmt::Display for Clause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Clause<'_> {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let mark = if self.verdict { "true " } else { "false" };
        write!(f, "{mark} {:width$}", "", width = 2 * depth)?;
        let parts = match &self.kind {
            ClauseKind::And(parts) => {
                writeln!(f, "all of")?;
                parts.as_slice()
            }
            ClauseKind::Or(parts) => {
                writeln!(f, "one of")?;
                parts.as_slice()
            }
            ClauseKind::Not(part) => {
                writeln!(f, "not")?;
                std::slice::from_ref(&**part)
            }
            ClauseKind::Check { check, left, right } => {
                write!(f, "{check}  [{left}")?;
                if let Some(right) = right {
                    write!(f, " against {right}")?;
                }
                return writeln!(f, "]");
            }
        };
        parts.iter().try_for_each(|part| part.write(f, depth + 1))
    }
}

#[cfg(test)]
mod tests;
