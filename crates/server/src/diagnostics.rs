//! Remarks about a text that somebody edits, in the shape that editors want.

use serde::Serialize;
use vedette_rules::diagnostic::Diagnostic;
use vedette_yaml::Span;

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// One past the last column on that line.
    pub end_column: u32,
    /// What is wrong.
    pub message: String,
    /// What could stand there.
    pub hint: Option<String>,
}

/// Remark of the rules engine about this text.
pub(crate) fn of_rules(diagnostic: &Diagnostic, text: &str) -> Remark {
    let hint = diagnostic
        .suggestion
        .as_ref()
        .map(|name| format!("did you mean {name}?"))
        .or_else(|| {
            diagnostic
                .expected
                .as_ref()
                .map(|what| format!("expected {what}"))
        });
    at(
        if diagnostic.is_error() {
            "error"
        } else {
            "warning"
        },
        diagnostic.place.span,
        text,
        diagnostic.message.clone(),
        hint,
    )
}

/// A remark about a stretch of the text.
pub(crate) fn at(
    severity: &'static str,
    span: Span,
    text: &str,
    message: String,
    hint: Option<String>,
) -> Remark {
    let piece = text.get(span.start..span.end).unwrap_or_default();
    let width = piece
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        .max(1);
    Remark {
        severity,
        line: span.line,
        column: span.column,
        end_column: span
            .column
            .saturating_add(u32::try_from(width).unwrap_or(1)),
        message,
        hint,
    }
}

/// A remark about a stretch of a text; for checkers outside of this room.
pub fn remark(severity: &'static str, span: Span, text: &str, message: String) -> Remark {
    at(severity, span, text, message, None)
}

/// Nodes that a text from outside may have, expanded aliases included: some 25 MB, and far beyond real rule files.
const MAX_NODES: usize = 200_000;

/// Complaints of the YAML reader.
pub(crate) fn of_yaml(text: &str) -> Vec<Remark> {
    parse(text)
        .errors
        .iter()
        .map(|error| at("error", error.span, text, error.message.clone(), None))
        .collect()
}

/// Reads YAML from outside within bounds.
pub(crate) fn parse(text: &str) -> vedette_yaml::Parsed {
    let limits = vedette_yaml::Limits {
        nodes: MAX_NODES,
        ..vedette_yaml::Limits::default()
    };
    vedette_yaml::parse_with(text, limits)
}
