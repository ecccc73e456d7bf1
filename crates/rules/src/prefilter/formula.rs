//! What is left of a condition once everything that is known beforehand is put in: a formula over path patterns.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::typed::{Check, Expr};

use super::facts::{Known, decide};
use super::pattern::{Asked, Pattern, asked};

/// What remains. It is true wherever the condition can be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Formula {
    Never,
    Always,
    /// One of these patterns matches.
    Path(Box<[u16]>),
    And(Vec<Formula>),
    Or(Vec<Formula>),
}

/// Patterns of all formulas, equal ones once.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    pub(super) all: Vec<Pattern>,
    known: FxHashMap<Pattern, u16>,
    /// What was found for a comparison, by its address: the rules outlive this, and are asked once for each class.
    seen: FxHashMap<*const Check, Formula>,
}

/// Most patterns; comparisons beyond them are taken to hold. Falco's own rules have about 500.
const MAX_PATTERNS: usize = 8192;

impl Patterns {
    fn of(&mut self, check: &Check) -> Formula {
        if let Some(known) = self.seen.get(&std::ptr::from_ref(check)) {
            return known.clone();
        }
        let formula = match asked(check) {
            Asked::Patterns(patterns) => self.path(patterns),
            Asked::Anything => Formula::Always,
        };
        self.seen.insert(check, formula.clone());
        formula
    }

    fn path(&mut self, patterns: Vec<Pattern>) -> Formula {
        if patterns.is_empty() {
            return Formula::Never;
        }
        if self.all.len() + patterns.len() > MAX_PATTERNS {
            return Formula::Always;
        }
        let numbers: FxHashSet<u16> = patterns
            .into_iter()
            .map(|pattern| {
                *self.known.entry(pattern).or_insert_with_key(|pattern| {
                    self.all.push(pattern.clone());
                    (self.all.len() - 1) as u16
                })
            })
            .collect();
        let mut numbers: Vec<u16> = numbers.into_iter().collect();
        numbers.sort_unstable();
        Formula::Path(numbers.into())
    }
}

impl Formula {
    /// Whether it can be true when the path matches these patterns; `None` is all of them.
    pub(super) fn holds(&self, matched: Option<&[u16]>) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Path(patterns) => matched
                .is_none_or(|matched| matched.iter().any(|m| patterns.binary_search(m).is_ok())),
            Self::And(parts) => parts.iter().all(|part| part.holds(matched)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(matched)),
        }
    }
}

/// What remains of `expr` when `known` tells what is known of each comparison's left side.
///
/// `paths` collects path patterns; without it comparisons of paths are taken to hold.
pub(super) fn residual<'a>(
    expr: &Expr,
    known: &impl Fn(&Check) -> Known<'a>,
    paths: &mut Option<&mut Patterns>,
) -> Formula {
    walk(expr, false, known, paths)
}

fn walk<'a>(
    expr: &Expr,
    negated: bool,
    known: &impl Fn(&Check) -> Known<'a>,
    paths: &mut Option<&mut Patterns>,
) -> Formula {
    match expr {
        Expr::Not(part) => walk(part, !negated, known, paths),
        Expr::And(parts) | Expr::Or(parts) => {
            let and = matches!(expr, Expr::And(_)) != negated;
            let (neutral, decisive) = if and {
                (Formula::Always, Formula::Never)
            } else {
                (Formula::Never, Formula::Always)
            };
            let mut left = Vec::new();
            for part in parts {
                let part = walk(part, negated, known, paths);
                if part == decisive {
                    return decisive;
                }
                if part != neutral && !left.contains(&part) {
                    left.push(part);
                }
            }
            match left.len() {
                0 => neutral,
                1 => left.remove(0),
                _ if and => Formula::And(left),
                _ => Formula::Or(left),
            }
        }
        Expr::Check(check) => {
            let always = match decide(check, &known(check)) {
                Some(answer) => answer != negated,
                None => match (negated, paths) {
                    // A pattern may match too much, so nothing follows from a match that is denied.
                    (false, Some(paths)) => {
                        return paths.of(check);
                    }
                    _ => true,
                },
            };
            if always {
                Formula::Always
            } else {
                Formula::Never
            }
        }
    }
}
