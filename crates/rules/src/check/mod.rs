//! From names and texts to fields and typed literals: what the catalogue knows decides what a comparison may be.

mod literal;
mod operators;
pub mod pattern;
mod services;
mod transform;

use crate::catalogue::{Catalogue, FieldProblem};
use crate::condition::{self, At, Check, Expr, Field, Operand, Rhs, Word, op_name};
use crate::diagnostic::Code;
use crate::typed::{self, Op};
use vedette_event::{EventType, FieldArg, FieldFlags, FieldRef, ParamType};

pub(crate) use literal::parse_u64;

/// Why a condition cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub at: At,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What could have stood there.
    pub expected: Option<String>,
    /// A name that may have been meant.
    pub suggestion: Option<String>,
    /// True for unknown fields and event types, which `skip-if-unknown-filter` forgives.
    pub unknown: bool,
}

impl Problem {
    fn new(at: At, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            expected: None,
            suggestion: None,
            unknown: false,
        }
    }

    fn expecting(mut self, what: impl Into<String>) -> Self {
        self.expected = Some(what.into());
        self
    }
}

/// Something that is allowed and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Under which code.
    pub code: Code,
    /// Where.
    pub at: At,
    /// What.
    pub message: String,
}

type Checked<T> = Result<T, Box<Problem>>;

/// Checks conditions of one source.
#[derive(Debug)]
pub struct Checker<'a> {
    catalogue: &'a Catalogue,
    source: &'a str,
    /// What is odd in what was checked so far.
    pub lints: Vec<Lint>,
}

impl<'a> Checker<'a> {
    /// A checker of conditions over events of `source`.
    pub fn new(catalogue: &'a Catalogue, source: &'a str) -> Self {
        Self {
            catalogue,
            source,
            lints: Vec::new(),
        }
    }

    /// Checks a condition without macros.
    ///
    /// # Errors
    /// The first [`Problem`].
    pub fn condition(&mut self, expr: &Expr) -> Checked<typed::Expr> {
        let mut all = |parts: &[Expr]| {
            parts
                .iter()
                .map(|part| self.condition(part))
                .collect::<Checked<Vec<_>>>()
        };
        Ok(match expr {
            Expr::And(parts) => typed::Expr::And(all(parts)?),
            Expr::Or(parts) => typed::Expr::Or(all(parts)?),
            Expr::Not(inner) => typed::Expr::Not(Box::new(self.condition(inner)?)),
            Expr::Check(check) => typed::Expr::Check(self.check(check)?),
            Expr::Macro(name) => {
                return Err(Box::new(Problem::new(
                    name.at,
                    format!("the macro \"{}\" is not resolved", name.text),
                )));
            }
        })
    }

    fn check(&mut self, check: &Check) -> Checked<typed::Check> {
        let lhs = self.operand(&check.lhs)?;
        if let typed::Operand::Field(field) = &lhs {
            self.lint_field(field, check);
        }
        let (ty, list) = operand_type(&lhs);
        if let Some(message) = operators::refusal(check.op, ty, list) {
            let names = operators::allowed(ty, list)
                .map(op_name)
                .collect::<Vec<_>>()
                .join(" ");
            return Err(Box::new(
                Problem::new(check.at, message).expecting(format!("one of {names}")),
            ));
        }
        let rhs = match &check.rhs {
            Rhs::None => typed::Rhs::None,
            Rhs::Value(word) => typed::Rhs::One(self.literal(check.op, ty, &lhs, word)?),
            Rhs::List(modifier, words, at) => {
                if modifier.is_some() && list {
                    let message = "oneof, anyof and allof need a single value on the left, and this is a list";
                    return Err(Box::new(
                        Problem::new(*at, message).expecting("in or intersects"),
                    ));
                }
                let literals: Checked<Vec<_>> = words
                    .iter()
                    .map(|word| self.literal(check.op, ty, &lhs, word))
                    .collect();
                typed::Rhs::List(*modifier, literals?)
            }
            Rhs::Val(field) => {
                let rhs = typed::Operand::Field(self.field(field)?);
                operators::right_side(check, &lhs, &rhs, field.at)?;
                typed::Rhs::Operand(rhs)
            }
            Rhs::Call(call) => {
                let rhs = typed::Operand::Call(self.call(call)?);
                operators::right_side(check, &lhs, &rhs, call.at)?;
                typed::Rhs::Operand(rhs)
            }
        };
        Ok(typed::Check {
            lhs,
            op: check.op,
            rhs,
        })
    }

    /// Looks up a field or types a transformer.
    ///
    /// # Errors
    /// The first [`Problem`].
    pub fn operand(&mut self, operand: &Operand) -> Checked<typed::Operand> {
        Ok(match operand {
            Operand::Field(field) => {
                let known = self.field(field)?;
                if known.info().flags.has(FieldFlags::PRINT_ONLY) {
                    let message = format!("{} can only be shown, not compared", field.text());
                    return Err(Box::new(Problem::new(field.at, message)));
                }
                typed::Operand::Field(known)
            }
            Operand::Call(call) => typed::Operand::Call(self.call(call)?),
        })
    }

    /// Looks up a field.
    ///
    /// # Errors
    /// The [`Problem`] with it.
    pub fn field(&self, field: &Field) -> Checked<FieldRef> {
        self.catalogue.field(field, self.source).map_err(|why| {
            let text = field.text();
            Box::new(match why {
                FieldProblem::Argument(error) => Problem::new(field.at, format!("{text}: {error}")),
                FieldProblem::Parameter => Problem {
                    unknown: true,
                    ..Problem::new(field.at, format!("no event has a parameter as in {text}"))
                },
                FieldProblem::Unknown => match self.catalogue.sources_of(field) {
                    Some(sources) => Problem {
                        unknown: true,
                        ..Problem::new(
                            field.at,
                            format!(
                                "{text} is a field of source {}, not of {}",
                                sources.join(", "),
                                self.source
                            ),
                        )
                    },
                    None => Problem {
                        unknown: true,
                        suggestion: self.catalogue.suggest_field(&text, self.source),
                        ..Problem::new(field.at, format!("there is no field {text}"))
                    },
                },
            })
        })
    }

    fn literal(
        &mut self,
        op: Op,
        ty: ParamType,
        lhs: &typed::Operand,
        word: &Word,
    ) -> Checked<typed::Literal> {
        self.lint_value(op, word);
        if let typed::Operand::Field(field) = lhs
            && field.info().name == "evt.type"
            && !crate::kinds::is_event_name(&word.text)
        {
            return Err(Box::new(Problem {
                unknown: true,
                suggestion: crate::diagnostic::closest(&word.text, crate::kinds::event_names()),
                ..Problem::new(word.at, format!("there is no event type \"{}\"", word.text))
            }));
        }
        literal::typed(op, ty, word).map_err(Box::new)
    }

    fn lint_field(&mut self, field: &FieldRef, check: &Check) {
        let equality = matches!(
            check.op,
            Op::Eq | Op::Ne | Op::In | Op::Intersects | Op::PMatch
        );
        let words: &[Word] = match &check.rhs {
            Rhs::Value(word) => std::slice::from_ref(word),
            Rhs::List(_, words, _) => words,
            _ => &[],
        };
        let name = field.info().name;
        if equality
            && (name.starts_with("ka.") || name.starts_with("jevt."))
            && let Some(word) = words.iter().find(|word| &*word.text == "<NA>")
        {
            let message =
                format!("{name} never is the text <NA>; ask with 'exists' whether it has a value");
            self.lint(Code::UnsafeNaCheck, word.at, message);
        }
        if field.info().flags.has(FieldFlags::DEPRECATED) {
            self.lint(Code::DeprecatedItem, check.lhs.at(), deprecated(name));
        }
    }

    fn lint(&mut self, code: Code, at: At, message: String) {
        // A rule that does the same thing at ten places hears of it once.
        if !self
            .lints
            .iter()
            .any(|lint| lint.code == code && lint.message == message)
        {
            self.lints.push(Lint { code, at, message });
        }
    }

    fn lint_value(&mut self, op: Op, word: &Word) {
        let text: String = word.text.chars().filter(|c| !c.is_whitespace()).collect();
        if op == Op::Regex && pattern::is_plain(&word.text) {
            let message = format!(
                "the pattern '{}' may be simpler and faster with =, contains, startswith or endswith",
                word.text
            );
            self.lints.push(Lint {
                code: Code::WarnCompileCondition,
                at: word.at,
                message,
            });
        }
        if looks_like_field(&text) && self.catalogue.is_operand(&text, self.source) {
            let message =
                format!("'{text}' is compared as a text; the field's value is val({text})");
            self.lints.push(Lint {
                code: Code::WarnCompileCondition,
                at: word.at,
                message,
            });
        }
        let call = text.ends_with(')')
            && text.split_once('(').is_some_and(|(name, _)| {
                name == "val"
                    || condition::TRANSFORMERS
                        .iter()
                        .any(|(transformer, _)| *transformer == name)
            });
        if call {
            let message =
                format!("'{text}' is compared as a text; without quotes it would be a transformer");
            self.lints.push(Lint {
                code: Code::WarnCompileCondition,
                at: word.at,
                message,
            });
        }
    }
}

/// What is said of a deprecated field.
pub(crate) fn deprecated(name: &str) -> String {
    match name {
        "evt.dir" => {
            "evt.dir is deprecated: only exit events are left, so 'evt.dir = <' is always true and \
                      'evt.dir = >' never is"
                .to_owned()
        }
        _ => format!(
            "{name} is deprecated: enter events are gone, and times between them and exit events with them"
        ),
    }
}

/// Cheap test before a catalogue look-up: a known first segment, dots, nothing that names lack.
fn looks_like_field(text: &str) -> bool {
    let Some((head, _)) = text.split_once('.') else {
        return false;
    };
    vedette_event::classes().iter().any(|class| {
        class.fields.iter().any(|field| {
            field
                .name
                .strip_prefix(head)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    })
}

/// Type of an operand's values and whether there may be several. Raw event parameters have the type of the first event
/// parameter of that name.
pub(crate) fn operand_type(operand: &typed::Operand) -> (ParamType, bool) {
    let (ty, list) = operand.ty();
    if ty == ParamType::Dyn
        && let typed::Operand::Field(field) = operand
        && let FieldArg::Key(name) = &field.arg
    {
        let param = EventType::all()
            .filter_map(EventType::info)
            .flat_map(|info| info.params)
            .find(|param| *param.name == **name);
        return (param.map_or(ty, |param| param.ty), list);
    }
    (ty, list)
}
