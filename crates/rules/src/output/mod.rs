//! Output formats: `%field`, `%field[arg]`, `%12field`, `%transformer(…)` and text between them.
//!
//! Falco takes the longest stretch behind a `%` that is a field, so `%proc.names` is `%proc.name` and an `s`. A leading
//! `*` (print even when something is missing) is accepted and changes nothing, since missing values always show as
//! `<NA>`.

mod append;
mod render;

use vedette_event::FieldRef;

use crate::check::{Checker, Problem};
use crate::condition::{self, At, Field, Operand, TextId};
use crate::typed;

pub use append::{AppendOutput, ExtraField, SUGGESTED, appended};
pub use render::{Renderer, control_escaped};

/// Widest padding of a field; wider ones are a mistake that would cost memory at every alert.
pub const MAX_WIDTH: usize = 4096;

/// Longest name that is shortened letter by letter in search of a field; the catalogue has none half as long.
const MAX_NAME: usize = 128;

/// A format that was parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    parts: Vec<Part>,
    fields: Vec<FieldRef>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(Box<str>),
    Value {
        operand: typed::Operand,
        width: usize,
    },
}

/// Why a text is no format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Byte offset and length of what is wrong.
    pub range: std::ops::Range<usize>,
    /// What, in one sentence without a full stop.
    pub message: String,
    /// A field that may have been meant.
    pub suggestion: Option<String>,
    /// True for unknown fields, which `skip-if-unknown-filter` forgives.
    pub unknown: bool,
}

impl Format {
    /// Parses a format for events of the checker's source.
    ///
    /// # Errors
    /// [`FormatError`] for the first place that does not fit.
    pub fn parse(text: &str, checker: &mut Checker<'_>) -> Result<Self, FormatError> {
        if text.is_empty() {
            return Err(plain(0..0, "the output is empty"));
        }
        let skipped = usize::from(text.starts_with('*'));
        let mut format = Self {
            parts: Vec::new(),
            fields: Vec::new(),
        };
        let mut pos = skipped;
        while let Some(found) = text[pos..].find('%') {
            let percent = pos + found;
            format.push_text(&text[pos..percent]);
            let mut start = percent + 1;
            if start == text.len() {
                return Err(plain(percent..start, "the output ends with '%'"));
            }
            let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
            let width = text[start..start + digits]
                .parse()
                .unwrap_or(if digits > 0 { MAX_WIDTH + 1 } else { 0 });
            start += digits;
            if start == text.len() {
                return Err(plain(percent..start, "the output ends with a width"));
            }
            if width > MAX_WIDTH {
                return Err(plain(
                    percent..start,
                    format!("the width is larger than {MAX_WIDTH}"),
                ));
            }
            let (operand, len) = longest_operand(text, start, checker)?;
            format.push_fields(&operand);
            format.parts.push(Part::Value { operand, width });
            pos = start + len;
        }
        format.push_text(&text[pos..]);
        Ok(format)
    }

    /// The fields, in order of first appearance; those inside transformers too.
    pub fn fields(&self) -> &[FieldRef] {
        &self.fields
    }

    /// The field, when the format is nothing but one field.
    pub fn only_field(&self) -> Option<&FieldRef> {
        match self.parts.as_slice() {
            [
                Part::Value {
                    operand: typed::Operand::Field(field),
                    width: 0,
                },
            ] => Some(field),
            _ => None,
        }
    }

    fn push_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.parts.push(Part::Text(text.into()));
        }
    }

    fn push_fields(&mut self, operand: &typed::Operand) {
        match operand {
            typed::Operand::Field(field) => {
                if !self.fields.iter().any(|known| known.text == field.text) {
                    self.fields.push(field.clone());
                }
            }
            typed::Operand::Call(call) => call.args.iter().for_each(|arg| self.push_arg(arg)),
        }
    }

    fn push_arg(&mut self, arg: &typed::Arg) {
        match arg {
            typed::Arg::Operand(operand) => self.push_fields(operand),
            typed::Arg::Text(_) => {}
            typed::Arg::List(items) => items.iter().for_each(|item| self.push_arg(item)),
        }
    }
}

fn plain(range: std::ops::Range<usize>, message: impl Into<String>) -> FormatError {
    FormatError {
        range,
        message: message.into(),
        suggestion: None,
        unknown: false,
    }
}

/// The longest field or transformer at `start`, and its length.
fn longest_operand(
    text: &str,
    start: usize,
    checker: &mut Checker<'_>,
) -> Result<(typed::Operand, usize), FormatError> {
    let rest = &text[start..];
    let first = condition::parse_operand(rest, TextId::default());
    let mut why: Option<Problem> = None;
    if let Ok((operand, len)) = &first {
        match typed_operand(operand, checker) {
            Ok(operand) => return Ok((operand, *len)),
            Err(problem) => why = Some(*problem),
        }
    }
    // A field that is none may be one with letters behind it; brackets that do not fit may be text.
    let name_len = rest
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
        .count()
        .min(MAX_NAME);
    for len in (1..=name_len).rev() {
        let name = &rest[..len];
        if !name.as_bytes()[len - 1].is_ascii_alphanumeric() && !name.ends_with('_') {
            continue;
        }
        let field = Field {
            name: name.into(),
            arg: None,
            at: At::default(),
        };
        if let Ok(operand) = typed_operand(&Operand::Field(field), checker) {
            return Ok((operand, len));
        }
    }
    let end = match &first {
        Ok((_, len)) => start + len,
        Err(_) => start + rest.find(char::is_whitespace).unwrap_or(rest.len()),
    };
    let shown: String = text[start..end].chars().take(60).collect();
    Err(match why {
        Some(problem) => FormatError {
            range: start..end,
            message: problem.message,
            suggestion: problem.suggestion,
            unknown: true,
        },
        None => FormatError {
            unknown: true,
            ..plain(
                start..end,
                format!("'%' is followed by '{shown}', which is no field and no transformer"),
            )
        },
    })
}

/// Fields that are meant for conditions only may stand in outputs; they never have a value there.
fn typed_operand(
    operand: &Operand,
    checker: &mut Checker<'_>,
) -> Result<typed::Operand, Box<Problem>> {
    match operand {
        Operand::Field(field) => checker.field(field).map(typed::Operand::Field),
        Operand::Call(_) => checker.operand(operand),
    }
}
