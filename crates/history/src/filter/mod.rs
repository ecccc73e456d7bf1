//! The filter language: conditions of the rules language over fields of the catalogue and the [`names::NAMES`].
//!
//! `k8s.ns.name = "shop" and severity >= high and not rule in (a, b)`. A word alone, or words without any operator, are
//! looked for in the message.

pub mod names;
pub mod plan;

use std::sync::Arc;

use vedette_event::FieldRef;
use vedette_rules::catalogue::Catalogue;
use vedette_rules::check::{Checker, Problem};
use vedette_rules::condition::{self, At, Expr, Field, Operand, Rhs, TextId, Word};
use vedette_rules::diagnostic::closest;
use vedette_rules::naive::Naive;
use vedette_rules::typed::{self, Op};

use crate::Subject;

/// Longest filter that is read, in bytes: longer ones are made by programs, and those should ask twice.
pub const MAX_TEXT: usize = 16 << 10;

/// A filter, checked.
#[derive(Clone, Debug)]
pub struct Filter {
    text: Arc<str>,
    expr: Arc<typed::Expr>,
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("column {column}: {message}")]
pub struct FilterError {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where it begins, in characters from 1.
    pub column: usize,
    /// One past its end, in characters from 1.
    pub end_column: usize,
    /// What could have stood there, or a name that may have been meant.
    pub hint: Option<String>,
}

impl Default for Filter {
    fn default() -> Self {
        Self::all()
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr
    }
}

impl Filter {
    /// The filter that everything passes.
    pub fn all() -> Self {
        Self {
            text: "".into(),
            expr: Arc::new(typed::Expr::And(Vec::new())),
        }
    }

    /// Reads a filter; an empty text passes everything.
    ///
    /// # Errors
    /// [`FilterError`] for the first place that does not fit.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.trim().is_empty() {
            return Ok(Self::all());
        }
        if text.len() > MAX_TEXT {
            return Err(FilterError {
                message: format!("the filter is longer than {MAX_TEXT} bytes"),
                column: 1,
                end_column: 1,
                hint: None,
            });
        }
        let all_names: Vec<&str> = names::NAMES.iter().map(|(name, _)| *name).collect();
        let expr = match condition::parse_naming(text, TextId(0), &all_names) {
            Ok(expr) => expr,
            Err(_) if is_words(text) => said(Word {
                text: text.trim().trim_matches('"').into(),
                at: At::default(),
            }),
            Err(error) => {
                let hint = misspelt(text, error.at).or(error.expected);
                return Err(at(text, error.at, error.message, hint));
            }
        };
        let checked = check(&expr).map_err(|problem| {
            let hint = problem
                .suggestion
                .map(|name| format!("did you mean {name}?"))
                .or(problem.expected);
            at(text, problem.at, problem.message, hint)
        })?;
        Ok(Self {
            text: text.into(),
            expr: Arc::new(checked),
        })
    }

    /// As it was written; empty for the one that everything passes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True when everything passes.
    pub fn is_all(&self) -> bool {
        matches!(&*self.expr, typed::Expr::And(parts) if parts.is_empty())
    }

    /// The checked condition.
    pub fn expr(&self) -> &typed::Expr {
        &self.expr
    }

    /// What passes both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        if self.is_all() {
            return other.clone();
        }
        if other.is_all() {
            return self.clone();
        }
        Self {
            text: format!("({}) and ({})", self.text, other.text).into(),
            expr: Arc::new(typed::Expr::And(vec![
                (*self.expr).clone(),
                (*other.expr).clone(),
            ])),
        }
    }

    /// The filter `name = "value"`; `name` must be of the catalogue or of [`names::NAMES`].
    ///
    /// # Errors
    /// [`FilterError`] when there is no such field.
    pub fn equals(name: &str, value: &str) -> Result<Self, FilterError> {
        Self::parse(&format!("{name} = {}", condition::quoted(value)))
    }

    /// Whether a record passes.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.matches_with(&mut Naive::default(), subject)
    }

    /// As [`Filter::matches`], with an evaluator that keeps its patterns between records.
    pub fn matches_with(&self, naive: &mut Naive, subject: &Subject<'_>) -> bool {
        self.is_all() || naive.matches(&self.expr, subject)
    }
}

/// Words without any sign or word of the language are meant to be looked for.
fn is_words(text: &str) -> bool {
    let text = text.trim();
    let quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    if quoted {
        return !text[1..text.len() - 1].contains('"');
    }
    !text.contains(['=', '<', '>', '(', ')', '"', '\'', '['])
        && !text
            .split_whitespace()
            .any(|word| matches!(word, "and" | "or" | "not") || condition::is_operator(word))
}

/// `message icontains word`.
fn said(word: Word) -> Expr {
    let at = word.at;
    Expr::Check(condition::Check {
        lhs: Operand::Field(Field {
            name: "message".into(),
            arg: None,
            at,
        }),
        op: Op::IContains,
        op_text: "icontains",
        rhs: Rhs::Value(word),
        at,
    })
}

fn at(text: &str, at: At, message: String, hint: Option<String>) -> FilterError {
    let column = |byte: u32| {
        let mut byte = (byte as usize).min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        text[..byte].chars().count() + 1
    };
    let start = column(at.start);
    FilterError {
        message,
        column: start,
        end_column: column(at.end).max(start),
        hint,
    }
}

/// When the error stands behind a word that is nearly the name of a field, says which.
fn misspelt(text: &str, at: At) -> Option<String> {
    let before = text.get(..at.start as usize)?.trim_end();
    let start = before
        .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
        .map_or(0, |i| i + 1);
    let word = &before[start..];
    let known = names::NAMES.iter().map(|(name, _)| *name);
    closest(word, known)
        .filter(|name| name != word)
        .map(|name| format!("did you mean {name}?"))
}

fn check(expr: &Expr) -> Result<typed::Expr, Problem> {
    let all = |parts: &[Expr]| parts.iter().map(check).collect::<Result<Vec<_>, _>>();
    Ok(match expr {
        Expr::And(parts) => typed::Expr::And(all(parts)?),
        Expr::Or(parts) => typed::Expr::Or(all(parts)?),
        Expr::Not(inner) => typed::Expr::Not(Box::new(check(inner)?)),
        Expr::Macro(word) => check(&said(word.clone()))?,
        Expr::Check(comparison) => comparison_of(comparison)?,
    })
}

fn comparison_of(check: &condition::Check) -> Result<typed::Expr, Problem> {
    if let Operand::Field(field) = &check.lhs
        && field.arg.is_none()
        && let Some(named) = names::find(&field.name)
    {
        return named_comparison(check, field, named);
    }
    Ok(typed::Expr::Check(typed_check(check)?))
}

/// Checks a comparison of catalogue fields. Filters look at records of every source, so the field decides the source.
fn typed_check(check: &condition::Check) -> Result<typed::Check, Problem> {
    thread_local! {
        static CATALOGUE: Catalogue = Catalogue::default();
    }
    CATALOGUE.with(|catalogue| {
        let source = field_of(&check.lhs)
            .and_then(|field| catalogue.sources_of(field))
            .and_then(|sources| sources.first().copied())
            .unwrap_or(vedette_rules::catalogue::SYSCALL);
        let mut checker = Checker::new(catalogue, source);
        match checker.condition(&Expr::Check(check.clone())) {
            Ok(typed::Expr::Check(checked)) => Ok(checked),
            // The checker turns comparisons into comparisons.
            Ok(_) => Err(problem(check.at, "this is no comparison".to_owned(), None)),
            Err(mut problem) => {
                if problem.unknown && problem.suggestion.is_none() {
                    problem.suggestion = field_of(&check.lhs).and_then(|field| {
                        closest(
                            &field.name,
                            vedette_event::all_fields().map(|(_, info)| info.name),
                        )
                    });
                }
                Err(*problem)
            }
        }
    })
}

fn field_of(operand: &Operand) -> Option<&Field> {
    match operand {
        Operand::Field(field) => Some(field),
        Operand::Call(call) => call.args.iter().find_map(|arg| match arg {
            condition::Arg::Operand(operand) => field_of(operand),
            _ => None,
        }),
    }
}

fn problem(at: At, message: String, expected: Option<String>) -> Problem {
    Problem {
        at,
        message,
        expected,
        suggestion: None,
        unknown: false,
    }
}

fn named_comparison(
    check: &condition::Check,
    field: &Field,
    named: names::Named,
) -> Result<typed::Expr, Problem> {
    let mut check = check.clone();
    let words: &mut [Word] = match &mut check.rhs {
        Rhs::Value(word) => std::slice::from_mut(word),
        Rhs::List(_, words, _) => words,
        _ => &mut [],
    };
    for word in words {
        match names::word_rank(named, &word.text) {
            Some(Ok(rank)) => word.text = rank.to_string().into(),
            Some(Err(expected)) => {
                let message = format!("'{}' is no {}", word.text, field.name);
                return Err(problem(word.at, message, Some(expected)));
            }
            None => {}
        }
    }
    // `tag != x` shall mean that no tag is x; the language would be content with one that is not.
    let negated = check.op == Op::Ne && matches!(named, names::Named::Tag | names::Named::Action);
    if negated {
        check.op = Op::Eq;
        check.op_text = "=";
    }
    check.lhs = Operand::Field(Field {
        name: names::stand_in(named).into(),
        arg: None,
        at: field.at,
    });
    let mut checked = typed_check(&check)?;
    if let Some(reference) = names::reference(&field.name, named) {
        checked.lhs = typed::Operand::Field(reference);
    }
    let checked = typed::Expr::Check(checked);
    Ok(if negated {
        typed::Expr::Not(Box::new(checked))
    } else {
        checked
    })
}

/// Every field that a checked condition asks for.
pub fn fields_of<'e>(expr: &'e typed::Expr, out: &mut Vec<&'e FieldRef>) {
    fn operand<'e>(from: &'e typed::Operand, out: &mut Vec<&'e FieldRef>) {
        match from {
            typed::Operand::Field(field) => out.push(field),
            typed::Operand::Call(call) => call.args.iter().for_each(|arg| argument(arg, out)),
        }
    }
    fn argument<'e>(from: &'e typed::Arg, out: &mut Vec<&'e FieldRef>) {
        match from {
            typed::Arg::Operand(from) => operand(from, out),
            typed::Arg::Text(_) => {}
            typed::Arg::List(items) => items.iter().for_each(|item| argument(item, out)),
        }
    }
    match expr {
        typed::Expr::And(parts) | typed::Expr::Or(parts) => {
            for part in parts {
                fields_of(part, out);
            }
        }
        typed::Expr::Not(part) => fields_of(part, out),
        typed::Expr::Check(check) => {
            operand(&check.lhs, out);
            if let typed::Rhs::Operand(rhs) = &check.rhs {
                operand(rhs, out);
            }
        }
    }
}

#[cfg(test)]
mod tests;
