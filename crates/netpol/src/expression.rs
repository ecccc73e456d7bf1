//! Calico's selector language: parsed, evaluated, printed in canonical form.
//!
//! Grammar as documented for `projectcalico.org/v3` selectors: comparisons of a label with a quoted string,
//! membership in a set of strings, `has(label)`, `all()`, `global()`, and `!`, `&&`, `||` with parentheses.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha224};

/// Longest selector that is read, in bytes; Calico's own API takes 1024, rendered ones can be longer.
pub const MAX_LENGTH: usize = 16 * 1024;
/// Deepest nesting of parentheses and negations, so that hostile text cannot exhaust the stack.
pub const MAX_DEPTH: usize = 64;

/// A parsed selector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Expression {
    /// `all()` or nothing.
    All,
    /// `global()`: true of everything; where a namespace selector is expected it means "in no namespace".
    Global,
    /// `k == 'v'`.
    Equal(Arc<str>, Arc<str>),
    /// `k != 'v'`, true when the label is missing.
    NotEqual(Arc<str>, Arc<str>),
    /// `k contains 'v'`.
    Contains(Arc<str>, Arc<str>),
    /// `k starts with 'v'`.
    StartsWith(Arc<str>, Arc<str>),
    /// `k ends with 'v'`.
    EndsWith(Arc<str>, Arc<str>),
    /// `k in { … }`, sorted, each once.
    In(Arc<str>, Vec<Arc<str>>),
    /// `k not in { … }`, true when the label is missing.
    NotIn(Arc<str>, Vec<Arc<str>>),
    /// `has(k)`.
    Has(Arc<str>),
    /// `!…`.
    Not(Box<Expression>),
    /// `… && …`.
    And(Vec<Expression>),
    /// `… || …`.
    Or(Vec<Expression>),
}

/// Where a selector stops making sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {}: expected {expected}", at + 1)]
pub struct ExpressionError {
    /// Byte offset into the text.
    pub at: usize,
    /// What should have stood there.
    pub expected: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 10] = ["==", "!=", "&&", "||", "!", "(", ")", "{", "}", ","];

fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, ExpressionError> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        if next == ' ' || next == '\t' || next == '\n' || next == '\r' {
            at += 1;
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            out.push((at, Token::Symbol(symbol)));
            at += symbol.len();
        } else if next == '\'' || next == '"' {
            let Some(length) = rest[1..].find(next) else {
                return Err(ExpressionError {
                    at,
                    expected: "a closing quote",
                });
            };
            out.push((at, Token::Text(&rest[1..=length])));
            at += length + 2;
        } else {
            let length = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || "_./-".contains(c)))
                .unwrap_or(rest.len());
            if length == 0 {
                return Err(ExpressionError {
                    at,
                    expected: "a label, a quoted string or an operator",
                });
            }
            out.push((at, Token::Word(&rest[..length])));
            at += length;
        }
    }
    Ok(out)
}

struct Reader<'a> {
    tokens: Vec<(usize, Token<'a>)>,
    next: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).map(|(_, token)| *token)
    }

    fn take(&mut self, token: Token<'_>) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn fail<T>(&self, expected: &'static str) -> Result<T, ExpressionError> {
        let at = self.tokens.get(self.next).map_or(self.end, |(at, _)| *at);
        Err(ExpressionError { at, expected })
    }

    fn need(
        &mut self,
        symbol: &'static str,
        expected: &'static str,
    ) -> Result<(), ExpressionError> {
        if self.take(Token::Symbol(symbol)) {
            Ok(())
        } else {
            self.fail(expected)
        }
    }

    fn string(&mut self) -> Result<Arc<str>, ExpressionError> {
        if let Some(Token::Text(text)) = self.peek() {
            self.next += 1;
            Ok(text.into())
        } else {
            self.fail("a quoted string")
        }
    }

    fn any_of(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.all_of(depth)?];
        while self.take(Token::Symbol("||")) {
            parts.push(self.all_of(depth)?);
        }
        Ok(match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                Expression::Or(parts)
            }
        })
    }

    fn all_of(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.operand(depth)?];
        while self.take(Token::Symbol("&&")) {
            parts.push(self.operand(depth)?);
        }
        Ok(match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                Expression::And(parts)
            }
        })
    }

    fn operand(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        if depth == 0 {
            return self.fail("at most 64 levels of parentheses and negations");
        }
        if self.take(Token::Symbol("!")) {
            return Ok(Expression::Not(Box::new(self.operand(depth - 1)?)));
        }
        if self.take(Token::Symbol("(")) {
            let inner = self.any_of(depth - 1)?;
            self.need(")", "a closing parenthesis")?;
            return Ok(inner);
        }
        let Some(Token::Word(word)) = self.peek() else {
            return self.fail("a label, all(), has(label), `!` or `(`");
        };
        self.next += 1;
        if matches!(word, "all" | "global" | "has") && self.take(Token::Symbol("(")) {
            let found = match (word, self.peek()) {
                ("has", Some(Token::Word(key))) => {
                    self.next += 1;
                    Expression::Has(key.into())
                }
                ("has", _) => return self.fail("a label"),
                ("global", _) => Expression::Global,
                _ => Expression::All,
            };
            self.need(")", "a closing parenthesis")?;
            return Ok(found);
        }
        self.comparison(word.into())
    }

    fn comparison(&mut self, key: Arc<str>) -> Result<Expression, ExpressionError> {
        const OPERATORS: &str =
            "`==`, `!=`, `in`, `not in`, `contains`, `starts with` or `ends with` after the label";
        let operator = self.peek();
        self.next += 1;
        match operator {
            Some(Token::Symbol("==")) => Ok(Expression::Equal(key, self.string()?)),
            Some(Token::Symbol("!=")) => Ok(Expression::NotEqual(key, self.string()?)),
            Some(Token::Word("contains")) => Ok(Expression::Contains(key, self.string()?)),
            Some(Token::Word("startswith")) => Ok(Expression::StartsWith(key, self.string()?)),
            Some(Token::Word("endswith")) => Ok(Expression::EndsWith(key, self.string()?)),
            Some(Token::Word("starts")) if self.take(Token::Word("with")) => {
                Ok(Expression::StartsWith(key, self.string()?))
            }
            Some(Token::Word("ends")) if self.take(Token::Word("with")) => {
                Ok(Expression::EndsWith(key, self.string()?))
            }
            Some(Token::Word("in")) => Ok(Expression::In(key, self.set()?)),
            Some(Token::Word("not")) if self.take(Token::Word("in")) => {
                Ok(Expression::NotIn(key, self.set()?))
            }
            _ => {
                self.next -= 1;
                self.fail(OPERATORS)
            }
        }
    }

    fn set(&mut self) -> Result<Vec<Arc<str>>, ExpressionError> {
        self.need("{", "a set such as { \"a\", \"b\" }")?;
        let mut values = Vec::new();
        if !self.take(Token::Symbol("}")) {
            loop {
                values.push(self.string()?);
                if self.take(Token::Symbol("}")) {
                    break;
                }
                self.need(",", "a comma or a closing brace")?;
            }
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }
}

impl Expression {
    /// Parses a selector; nothing at all means `all()`.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        if text.len() > MAX_LENGTH {
            return Err(ExpressionError {
                at: MAX_LENGTH,
                expected: "a selector of at most 16384 bytes",
            });
        }
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            return Ok(Self::All);
        }
        let mut reader = Reader {
            tokens,
            next: 0,
            end: text.len(),
        };
        let out = reader.any_of(MAX_DEPTH)?;
        if reader.peek().is_some() {
            return reader.fail("`&&`, `||` or the end");
        }
        Ok(out)
    }

    /// Evaluates against a way to look labels up.
    pub fn matches<'l>(&self, get: &impl Fn(&str) -> Option<&'l str>) -> bool {
        match self {
            Self::All | Self::Global => true,
            Self::Equal(key, value) => get(key) == Some(&**value),
            Self::NotEqual(key, value) => get(key) != Some(&**value),
            Self::Contains(key, value) => get(key).is_some_and(|have| have.contains(&**value)),
            Self::StartsWith(key, value) => get(key).is_some_and(|have| have.starts_with(&**value)),
            Self::EndsWith(key, value) => get(key).is_some_and(|have| have.ends_with(&**value)),
            Self::In(key, values) => {
                get(key).is_some_and(|have| values.iter().any(|v| **v == *have))
            }
            Self::NotIn(key, values) => {
                get(key).is_none_or(|have| values.iter().all(|v| **v != *have))
            }
            Self::Has(key) => get(key).is_some(),
            Self::Not(inner) => !inner.matches(get),
            Self::And(parts) => parts.iter().all(|part| part.matches(get)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(get)),
        }
    }

    /// Calls `f` with every label key named.
    pub fn keys(&self, f: &mut impl FnMut(&Arc<str>)) {
        match self {
            Self::All | Self::Global => {}
            Self::Equal(key, _)
            | Self::NotEqual(key, _)
            | Self::Contains(key, _)
            | Self::StartsWith(key, _)
            | Self::EndsWith(key, _)
            | Self::In(key, _)
            | Self::NotIn(key, _)
            | Self::Has(key) => f(key),
            Self::Not(inner) => inner.keys(f),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.keys(f)),
        }
    }

    /// The identifier that Calico's dataplane derives for the selector; its IP sets on a node carry it
    /// (`cali40s:…`). Source: SHA-224 of `s:` and the canonical form, in unpadded URL-safe base64.
    pub fn uid(&self) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let digest = Sha224::digest(format!("s:{self}"));
        let mut out = String::from("s:");
        for chunk in digest.chunks(3) {
            let word = chunk
                .iter()
                .chain([&0u8; 2])
                .take(3)
                .fold(0u32, |word, &byte| word << 8 | u32::from(byte));
            for place in 0..=chunk.len() {
                out.push(char::from(
                    ALPHABET[(word >> (18 - 6 * place) & 63) as usize],
                ));
            }
        }
        out
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.0.contains('"') { '\'' } else { '"' };
        write!(f, "{quote}{}{quote}", self.0)
    }
}

impl fmt::Display for Expression {
    /// The canonical form: double quotes unless the value has one, sorted sets, parentheses around every
    /// conjunction and disjunction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |f: &mut fmt::Formatter<'_>, values: &[Arc<str>]| {
            f.write_str("{")?;
            for (at, value) in values.iter().enumerate() {
                let comma = if at > 0 { ", " } else { "" };
                write!(f, "{comma}{}", Quoted(value))?;
            }
            f.write_str("}")
        };
        match self {
            Self::All => f.write_str("all()"),
            Self::Global => f.write_str("global()"),
            Self::Equal(key, value) => write!(f, "{key} == {}", Quoted(value)),
            Self::NotEqual(key, value) => write!(f, "{key} != {}", Quoted(value)),
            Self::Contains(key, value) => write!(f, "{key} contains {}", Quoted(value)),
            Self::StartsWith(key, value) => write!(f, "{key} starts with {}", Quoted(value)),
            Self::EndsWith(key, value) => write!(f, "{key} ends with {}", Quoted(value)),
            Self::In(key, values) => {
                write!(f, "{key} in ")?;
                set(f, values)
            }
            Self::NotIn(key, values) => {
                write!(f, "{key} not in ")?;
                set(f, values)
            }
            Self::Has(key) => write!(f, "has({key})"),
            Self::Not(inner) => write!(f, "!{inner}"),
            Self::And(parts) | Self::Or(parts) => {
                let between = if matches!(self, Self::And(_)) {
                    " && "
                } else {
                    " || "
                };
                f.write_str("(")?;
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        f.write_str(between)?;
                    }
                    write!(f, "{part}")?;
                }
                f.write_str(")")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negation_binds_tighter_than_conjunction_and_that_tighter_than_disjunction() {
        let parsed = Expression::parse("!a == 'x' && b in {'2','1'} || has(c)").unwrap();
        assert_eq!(
            parsed.to_string(),
            "((!a == \"x\" && b in {\"1\", \"2\"}) || has(c))"
        );
    }

    #[test]
    fn a_printed_selector_reads_back_the_same() {
        for text in [
            "a not in {'x'}",
            "! (a contains '\"')",
            "global() || a ends with \"'\"",
        ] {
            let parsed = Expression::parse(text).unwrap();
            assert_eq!(Expression::parse(&parsed.to_string()).unwrap(), parsed);
        }
    }

    #[test]
    fn hostile_depth_is_refused() {
        let text = format!("{}a == 'b'{}", "(".repeat(5000), ")".repeat(5000));
        assert!(Expression::parse(&text).is_err());
        assert!(Expression::parse(&format!("{}has(a)", "!".repeat(5000))).is_err());
    }

    #[test]
    fn errors_point_at_the_place() {
        let error = Expression::parse("a == 'b' && ").unwrap_err();
        assert_eq!(error.at, 12);
        let error = Expression::parse("a ~ 'b'").unwrap_err();
        assert_eq!(error.at, 2);
    }
}
