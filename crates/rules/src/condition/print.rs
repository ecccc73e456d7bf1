//! Conditions as text again: on one line, every group of `and`/`or` in parentheses, values quoted where they must be.

use std::fmt::Write;

use super::{Arg, Call, Check, Expr, Field, Operand, Rhs, escape, modifier_name, transformer_name};

/// A value as it must be written to be read back: in quotes when a bare word could not hold it.
pub fn quoted(value: &str) -> String {
    let escaped = escape::escape(value);
    if escaped.starts_with('"') && escaped != value || super::is_bare_word(value) {
        escaped
    } else {
        format!("\"{escaped}\"")
    }
}

/// Writes conditions.
#[derive(Debug, Default)]
pub struct Printer {
    out: String,
}

impl Printer {
    /// The condition as text.
    pub fn print(expr: &Expr) -> String {
        let mut printer = Self::default();
        printer.expr(expr);
        printer.out
    }

    /// A field or transformer as text.
    pub fn print_operand(operand: &Operand) -> String {
        let mut printer = Self::default();
        printer.operand(operand);
        printer.out
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::And(parts) => self.joined(parts, " and "),
            Expr::Or(parts) => self.joined(parts, " or "),
            Expr::Not(inner) => {
                self.out.push_str("not ");
                self.expr(inner);
            }
            Expr::Check(check) => self.check(check),
            Expr::Macro(name) => self.out.push_str(&name.text),
        }
    }

    fn joined(&mut self, parts: &[Expr], word: &str) {
        self.out.push('(');
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.out.push_str(word);
            }
            self.expr(part);
        }
        self.out.push(')');
    }

    fn check(&mut self, check: &Check) {
        self.operand(&check.lhs);
        let _ = write!(self.out, " {}", check.op_text);
        match &check.rhs {
            Rhs::None => {}
            Rhs::Value(word) => {
                let _ = write!(self.out, " {}", quoted(&word.text));
            }
            Rhs::List(modifier, words, _) => {
                if let Some(modifier) = modifier {
                    let _ = write!(self.out, " {}", modifier_name(*modifier));
                }
                let words: Vec<String> = words.iter().map(|w| quoted(&w.text)).collect();
                let _ = write!(self.out, " ({})", words.join(", "));
            }
            Rhs::Val(field) => {
                self.out.push_str(" val(");
                self.field(field);
                self.out.push(')');
            }
            Rhs::Call(call) => {
                self.out.push(' ');
                self.call(call);
            }
        }
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Field(field) => self.field(field),
            Operand::Call(call) => self.call(call),
        }
    }

    fn field(&mut self, field: &Field) {
        self.out.push_str(&field.name);
        if let Some(arg) = &field.arg {
            let _ = write!(self.out, "[{}]", quoted(arg));
        }
    }

    fn call(&mut self, call: &Call) {
        let _ = write!(self.out, "{}(", transformer_name(call.transformer));
        self.args(&call.args);
        self.out.push(')');
        if let Some(key) = &call.key {
            let _ = write!(self.out, "[{}]", quoted(key));
        }
    }

    fn args(&mut self, args: &[Arg]) {
        for (i, arg) in args.iter().enumerate() {
            if i > 0 {
                self.out.push_str(", ");
            }
            match arg {
                Arg::Operand(operand) => self.operand(operand),
                // Bare words are no arguments: what is not a number must keep its quotes.
                Arg::Value(word) if is_number(&word.text) => self.out.push_str(&word.text),
                Arg::Value(word) => {
                    let text = quoted(&word.text);
                    let quotes = if text.starts_with('"') { "" } else { "\"" };
                    let _ = write!(self.out, "{quotes}{text}{quotes}");
                }
                Arg::List(items, _) => {
                    self.out.push('(');
                    self.args(items);
                    self.out.push(')');
                }
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    let mut cursor = super::lex::Cursor::new(text, super::TextId(0));
    cursor.number().is_some() && cursor.at_end()
}
