//! The parser: recursive descent, precedence `not` > `and` > `or`, chains kept flat.

mod comparison;

use super::lex::Cursor;
use super::{Arg, At, Call, Expr, Field, Operand, TRANSFORMERS, TextId, Word, escape};
use crate::typed::Transformer;

/// Deepest nesting of parentheses and transformers. Falco allows 1,000 calls of its parser within each other, of which a
/// pair of parentheses takes five.
pub const MAX_DEPTH: usize = 200;

/// A place where the text is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub at: At,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What could have stood there.
    pub expected: Option<String>,
}

/// Parses a whole condition.
///
/// # Errors
/// [`SyntaxError`] for the first place that does not fit.
pub fn parse(text: &str, id: TextId) -> Result<Expr, SyntaxError> {
    parse_naming(text, id, &[])
}

/// As [`parse`], with `names` (identifiers without a dot, which would be macros else) as fields too. Orderings of such a
/// field take words: `severity >= high`.
///
/// # Errors
/// [`SyntaxError`] for the first place that does not fit.
pub fn parse_naming(text: &str, id: TextId, names: &[&str]) -> Result<Expr, SyntaxError> {
    let mut parser = Parser {
        cursor: Cursor::new(text, id),
        depth: 0,
        names,
    };
    if text.trim().is_empty() {
        return parser.fail("the condition is empty", "a comparison, a macro or '('");
    }
    if let Some(nul) = text.find('\0') {
        parser.cursor.back_to(nul);
        return parser.fail("the condition holds a NUL character", "text");
    }
    let expr = parser.or()?;
    parser.cursor.blank();
    if !parser.cursor.at_end() {
        let message = format!("{} does not continue the condition", parser.shown());
        return parser.fail(message, "'and', 'or' or the end");
    }
    Ok(expr)
}

/// Parses a field or a transformer at the start of `text`, as output formats hold them, and says how many bytes it took.
///
/// # Errors
/// [`SyntaxError`] when there is neither.
pub fn parse_operand(text: &str, id: TextId) -> Result<(Operand, usize), SyntaxError> {
    let mut parser = Parser {
        cursor: Cursor::new(text, id),
        depth: 0,
        names: &[],
    };
    match parser.operand()? {
        Some(operand) => Ok((operand, parser.cursor.pos())),
        None => parser.fail("there is no field here", "a field or a transformer"),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
    /// Identifiers that are fields although they hold no dot.
    names: &'a [&'a str],
}

type Parsed<T> = Result<T, SyntaxError>;

impl Parser<'_> {
    fn fail<T>(&self, message: impl Into<String>, expected: impl Into<String>) -> Parsed<T> {
        Err(SyntaxError {
            at: self.cursor.here(),
            message: message.into(),
            expected: Some(expected.into()),
        })
    }

    /// The word at the cursor, in quotes, or "the end".
    fn shown(&self) -> String {
        // Long words are cut: the caret shows the rest.
        const LONGEST: usize = 40;
        let here = self.cursor.here();
        let word: String = self.cursor.rest()[..(here.end - here.start) as usize]
            .chars()
            .take(LONGEST)
            .collect();
        if word.is_empty() {
            "the end".into()
        } else {
            format!("'{word}'")
        }
    }

    fn or(&mut self) -> Parsed<Expr> {
        self.chain("or", Self::and, Expr::Or)
    }

    fn and(&mut self) -> Parsed<Expr> {
        self.chain("and", Self::not, Expr::And)
    }

    fn chain(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Parsed<Expr>,
        join: fn(Vec<Expr>) -> Expr,
    ) -> Parsed<Expr> {
        self.cursor.blank();
        let first = part(self)?;
        self.cursor.blank();
        if !self.cursor.rest().starts_with(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.cursor.take(word) {
            let next = if self.cursor.blank() {
                part(self)?
            } else if self.cursor.take("(") {
                self.embedded()?
            } else {
                return self.fail(
                    format!("'{word}' runs into {}", self.shown()),
                    "a blank or '('",
                );
            };
            parts.push(next);
            self.cursor.blank();
        }
        Ok(join(parts))
    }

    fn not(&mut self) -> Parsed<Expr> {
        self.cursor.blank();
        let mut negated = false;
        while self.cursor.not_blank() {
            negated = !negated;
        }
        let inner = if self.cursor.take("not(") {
            negated = !negated;
            self.embedded()?
        } else {
            self.check()?
        };
        Ok(if negated {
            Expr::Not(Box::new(inner))
        } else {
            inner
        })
    }

    /// What stands behind an opening parenthesis, with the closing one.
    fn embedded(&mut self) -> Parsed<Expr> {
        self.deeper()?;
        self.cursor.blank();
        let inner = self.or()?;
        self.cursor.blank();
        if !self.cursor.take(")") {
            return self.fail(
                format!("{} where a parenthesis must close", self.shown()),
                "')', 'and' or 'or'",
            );
        }
        self.depth -= 1;
        Ok(inner)
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(
                format!("nested deeper than {MAX_DEPTH} levels"),
                "fewer parentheses",
            );
        }
        Ok(())
    }

    fn check(&mut self) -> Parsed<Expr> {
        self.cursor.blank();
        if self.cursor.take("(") {
            return self.embedded();
        }
        let start = self.cursor.pos();
        if let Some(lhs) = self.operand()? {
            return self.comparison(lhs, start).map(Expr::Check);
        }
        if let Some(name) = self.cursor.identifier() {
            return Ok(Expr::Macro(Word {
                text: name.into(),
                at: self.cursor.since(start),
            }));
        }
        self.fail(
            format!("{} where a condition must begin", self.shown()),
            "a field, a transformer, a macro or '('",
        )
    }

    /// A field or a transformer, if one begins here.
    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let start = self.cursor.pos();
        if let Some(name) = self.cursor.field_name() {
            return self
                .field(name, start)
                .map(|field| Some(Operand::Field(field)));
        }
        if let Some(name) = self.cursor.identifier() {
            if self.names.contains(&name) {
                return self
                    .field(name, start)
                    .map(|field| Some(Operand::Field(field)));
            }
            self.cursor.back_to(start);
        }
        match self.transformer() {
            Some(transformer) => self
                .call(transformer, start)
                .map(|call| Some(Operand::Call(call))),
            None => Ok(None),
        }
    }

    fn transformer(&mut self) -> Option<Transformer> {
        TRANSFORMERS.iter().find_map(|(name, transformer)| {
            let after = self.cursor.rest().strip_prefix(name)?;
            after.starts_with('(').then(|| {
                self.cursor.take(name);
                self.cursor.take("(");
                *transformer
            })
        })
    }

    fn field(&mut self, name: &str, start: usize) -> Parsed<Field> {
        let arg = self.bracket()?;
        Ok(Field {
            name: name.into(),
            arg,
            at: self.cursor.since(start),
        })
    }

    fn bracket(&mut self) -> Parsed<Option<Box<str>>> {
        if !self.cursor.take("[") {
            return Ok(None);
        }
        let arg: Box<str> = if let Some(text) = self.quoted()? {
            text.into()
        } else if let Some(text) = self.cursor.bare_arg() {
            text.into()
        } else {
            return self.fail(
                format!("{} in brackets", self.shown()),
                "a number, a name or a quoted text",
            );
        };
        if !self.cursor.take("]") {
            return self.fail(
                format!("{} where a bracket must close", self.shown()),
                "']'",
            );
        }
        Ok(Some(arg))
    }

    fn quoted(&mut self) -> Parsed<Option<String>> {
        let start = self.cursor.pos();
        let Some((inner, quote)) = self.cursor.quoted() else {
            return Ok(None);
        };
        escape::unescape(inner, quote)
            .map(Some)
            .map_err(|(offset, message)| {
                let from = start + 1 + offset;
                let at = At {
                    start: from as u32,
                    end: from as u32 + 2,
                    ..self.cursor.since(start)
                };
                let expected = Some(r"one of \b \f \n \r \t \\ \/ or the quote itself".to_owned());
                SyntaxError {
                    at,
                    message,
                    expected,
                }
            })
    }

    /// The arguments of a transformer and its closing parenthesis.
    fn call(&mut self, transformer: Transformer, start: usize) -> Parsed<Call> {
        self.deeper()?;
        let mut args = Vec::new();
        loop {
            args.push(self.arg()?);
            self.cursor.blank();
            if !self.cursor.take(",") {
                break;
            }
        }
        if !self.cursor.take(")") {
            return self.fail(
                format!("{} where the transformer must close", self.shown()),
                "')' or ','",
            );
        }
        let key = self.bracket()?;
        self.depth -= 1;
        Ok(Call {
            transformer,
            args,
            key,
            at: self.cursor.since(start),
        })
    }

    fn arg(&mut self) -> Parsed<Arg> {
        self.cursor.blank();
        let start = self.cursor.pos();
        if self.cursor.take("(") {
            return self.arg_list(start);
        }
        match self.plain_arg()? {
            Some(arg) => Ok(arg),
            None => self.fail(
                format!("{} as an argument", self.shown()),
                "a field, a transformer, a quoted text, a number or a list in parentheses",
            ),
        }
    }

    fn plain_arg(&mut self) -> Parsed<Option<Arg>> {
        let start = self.cursor.pos();
        if let Some(number) = self.cursor.number() {
            return Ok(Some(Arg::Value(Word {
                text: number.into(),
                at: self.cursor.since(start),
            })));
        }
        if let Some(text) = self.quoted()? {
            return Ok(Some(Arg::Value(Word {
                text: text.into(),
                at: self.cursor.since(start),
            })));
        }
        Ok(self.operand()?.map(Arg::Operand))
    }

    fn arg_list(&mut self, start: usize) -> Parsed<Arg> {
        let mut items = Vec::new();
        self.cursor.blank();
        if self.cursor.take(")") {
            return Ok(Arg::List(items, self.cursor.since(start)));
        }
        loop {
            self.cursor.blank();
            match self.plain_arg()? {
                Some(arg) => items.push(arg),
                None => {
                    return self.fail(
                        format!("{} in a list", self.shown()),
                        "a field, a transformer, a quoted text or a number",
                    );
                }
            }
            self.cursor.blank();
            if self.cursor.take(",") {
                continue;
            }
            if self.cursor.take(")") {
                return Ok(Arg::List(items, self.cursor.since(start)));
            }
            return self.fail(format!("{} in a list", self.shown()), "',' or ')'");
        }
    }
}
