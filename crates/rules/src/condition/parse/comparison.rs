//! Comparisons: the operator behind a left side, and what each family of operators takes on the right.

use super::{Parsed, Parser};
use crate::condition::{
    Check, LIST_OPS, MODIFIERS, NUM_OPS, Operand, Rhs, STR_OPS, Word, operator_names,
};
use crate::typed::{Modifier, Op};

impl Parser<'_> {
    pub(super) fn comparison(&mut self, lhs: Operand, start: usize) -> Parsed<Check> {
        self.cursor.blank();
        if self.cursor.take("exists") {
            let at = self.cursor.since(start);
            return Ok(Check {
                lhs,
                op: Op::Exists,
                op_text: "exists",
                rhs: Rhs::None,
                at,
            });
        }
        let (op_text, op, rhs) = if let Some((text, op)) = self.plain_op(NUM_OPS) {
            let named = matches!(&lhs, Operand::Field(field) if self.names.contains(&&*field.name));
            let rhs = if named {
                self.text_side()?
            } else {
                self.number_side()?
            };
            (text, op, rhs)
        } else if let Some((text, op)) = self.text_op() {
            (text, op, self.text_side()?)
        } else if let Some((text, op)) = self.plain_op(LIST_OPS) {
            (text, op, self.list_side()?)
        } else {
            let names: Vec<&str> = operator_names().collect();
            let message = if self.cursor.at_end() {
                "the field stands alone; compare it, or ask whether it 'exists'".to_owned()
            } else {
                format!("{} is no operator", self.shown())
            };
            return self.fail(message, format!("one of {}", names.join(" ")));
        };
        Ok(Check {
            lhs,
            op,
            op_text,
            rhs,
            at: self.cursor.since(start),
        })
    }

    fn plain_op(&mut self, ops: &'static [(&'static str, Op)]) -> Option<(&'static str, Op)> {
        ops.iter().copied().find(|(name, _)| self.cursor.take(name))
    }

    /// The first operator that matches by prefix decides, even when the blank that a word operator needs is missing.
    fn text_op(&mut self) -> Option<(&'static str, Op)> {
        let start = self.cursor.pos();
        let found = self.plain_op(STR_OPS)?;
        if found.0.starts_with(|c: char| c.is_ascii_alphabetic()) && !self.cursor.blank() {
            self.cursor.back_to(start);
            return None;
        }
        Some(found)
    }

    fn number_side(&mut self) -> Parsed<Rhs> {
        self.cursor.blank();
        if let Some(rhs) = self.operand_side()? {
            return Ok(rhs);
        }
        let start = self.cursor.pos();
        match self.cursor.number() {
            Some(number) => Ok(Rhs::Value(Word {
                text: number.into(),
                at: self.cursor.since(start),
            })),
            None => self.fail(
                format!("{} is no number", self.shown()),
                "a number, val(field) or a transformer",
            ),
        }
    }

    fn text_side(&mut self) -> Parsed<Rhs> {
        self.cursor.blank();
        if let Some(modifier) = self.modifier() {
            let start = self.cursor.pos();
            let words = self.word_list()?;
            return Ok(Rhs::List(Some(modifier), words, self.cursor.since(start)));
        }
        if let Some(rhs) = self.operand_side()? {
            return Ok(rhs);
        }
        match self.word()? {
            Some(word) => Ok(Rhs::Value(word)),
            None => self.no_value("a value, a quoted text, val(field) or a transformer"),
        }
    }

    fn no_value<T>(&self, expected: &str) -> Parsed<T> {
        let open = self.cursor.rest().starts_with(['"', '\'']);
        let message = if open {
            "the quote is not closed (a quote behind a backslash does not close it)".to_owned()
        } else {
            format!("{} where a value must stand", self.shown())
        };
        self.fail(message, expected)
    }

    /// A modifier, when a list follows it; otherwise the word is a value like any other.
    fn modifier(&mut self) -> Option<Modifier> {
        let start = self.cursor.pos();
        let found = MODIFIERS.iter().find(|(name, _)| self.cursor.take(name));
        if let Some((_, modifier)) = found {
            let blank = self.cursor.blank();
            let here = self.cursor.pos();
            let list = self.cursor.rest().starts_with('(')
                || blank
                    && self
                        .cursor
                        .identifier()
                        .is_some_and(|word| !matches!(word, "and" | "or"));
            if list {
                self.cursor.back_to(here);
                return Some(*modifier);
            }
        }
        self.cursor.back_to(start);
        None
    }

    fn list_side(&mut self) -> Parsed<Rhs> {
        self.cursor.blank();
        if !self.cursor.rest().starts_with('(')
            && let Some(rhs) = self.operand_side()?
        {
            return Ok(rhs);
        }
        let start = self.cursor.pos();
        let words = self.word_list()?;
        Ok(Rhs::List(None, words, self.cursor.since(start)))
    }

    /// Values in parentheses, or one identifier.
    fn word_list(&mut self) -> Parsed<Vec<Word>> {
        let start = self.cursor.pos();
        if !self.cursor.take("(") {
            return match self.cursor.identifier() {
                Some(name) => Ok(vec![Word {
                    text: name.into(),
                    at: self.cursor.since(start),
                }]),
                None => self.fail(
                    format!("{} where a list must stand", self.shown()),
                    "values in parentheses, a list's name, val(field) or a transformer",
                ),
            };
        }
        let mut words = Vec::new();
        self.cursor.blank();
        if self.cursor.take(")") {
            return Ok(words);
        }
        loop {
            self.cursor.blank();
            match self.word()? {
                Some(word) => words.push(word),
                None => return self.no_value("a value or a quoted text"),
            }
            self.cursor.blank();
            if self.cursor.take(",") {
                continue;
            }
            if self.cursor.take(")") {
                return Ok(words);
            }
            return self.fail(
                format!("{} in a list of values", self.shown()),
                "',' or ')'",
            );
        }
    }

    fn word(&mut self) -> Parsed<Option<Word>> {
        let start = self.cursor.pos();
        let text: Option<Box<str>> = match self.quoted()? {
            Some(text) => Some(text.into()),
            None => self.cursor.bare_word().map(Into::into),
        };
        Ok(text.map(|text| Word {
            text,
            at: self.cursor.since(start),
        }))
    }

    /// `val(field)` or a transformer on the right.
    fn operand_side(&mut self) -> Parsed<Option<Rhs>> {
        let start = self.cursor.pos();
        if self.cursor.take("val(") {
            self.cursor.blank();
            let field_start = self.cursor.pos();
            let Some(name) = self.cursor.field_name() else {
                return self.fail(format!("{} inside val(…)", self.shown()), "a field");
            };
            let field = self.field(name, field_start)?;
            self.cursor.blank();
            if !self.cursor.take(")") {
                return self.fail(format!("{} where val(…) must close", self.shown()), "')'");
            }
            return Ok(Some(Rhs::Val(field)));
        }
        match self.transformer() {
            Some(transformer) => Ok(Some(Rhs::Call(self.call(transformer, start)?))),
            None => Ok(None),
        }
    }
}
