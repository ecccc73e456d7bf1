//! Conditions as written: lexer, parser and the tree they give, before macros are spliced in and fields looked up.
//!
//! The language is Falco's, its oddities included (word operators that need a blank behind them, others that match by
//! prefix, a quote that an escaped backslash keeps open), because rules in the field rely on them.

mod escape;
mod lex;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub(crate) use lex::{is_bare_word, is_identifier};
pub use parse::{MAX_DEPTH, SyntaxError, parse, parse_naming, parse_operand};
pub use print::{Printer, quoted};

use crate::typed::{Modifier, Op, Transformer};

/// Number of a condition text; texts have places in files (see [`crate::resolve`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TextId(pub u32);

/// A stretch of a condition text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// Which text.
    pub text: TextId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A condition as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All of them; at least two.
    And(Vec<Self>),
    /// At least one of them; at least two.
    Or(Vec<Self>),
    /// Not.
    Not(Box<Self>),
    /// A comparison.
    Check(Check),
    /// A macro by name.
    Macro(Word),
}

/// A comparison as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Left side.
    pub lhs: Operand,
    /// Operator.
    pub op: Op,
    /// The operator as written, which tells `==` from `=`.
    pub op_text: &'static str,
    /// Right side.
    pub rhs: Rhs,
    /// The whole of it.
    pub at: At,
}

/// Right side of a comparison as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Rhs {
    /// Nothing (`exists`).
    None,
    /// One value.
    Value(Word),
    /// Values in parentheses, or one bare identifier behind a list operator.
    List(Option<Modifier>, Vec<Word>, At),
    /// `val(field)`.
    Val(Field),
    /// A transformer.
    Call(Call),
}

/// Something that has a value at an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A field.
    Field(Field),
    /// A transformer.
    Call(Call),
}

impl Operand {
    /// Where it stands.
    pub fn at(&self) -> At {
        match self {
            Self::Field(field) => field.at,
            Self::Call(call) => call.at,
        }
    }
}

/// A field by name, with the argument in square brackets.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Dotted name, which may end in an argument too (`evt.arg.flags`).
    pub name: Box<str>,
    /// What stands in brackets, without quotes.
    pub arg: Option<Box<str>>,
    /// Where it stands.
    pub at: At,
}

impl Field {
    /// Name and argument in one, as outputs and listings show it.
    pub fn text(&self) -> String {
        match &self.arg {
            Some(arg) => format!("{}[{arg}]", self.name),
            None => self.name.to_string(),
        }
    }
}

/// A transformer with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which.
    pub transformer: Transformer,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// What stands in brackets behind it.
    pub key: Option<Box<str>>,
    /// Where it stands.
    pub at: At,
}

/// An argument of a transformer.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// A field or another transformer.
    Operand(Operand),
    /// A quoted text or a number.
    Value(Word),
    /// A list in parentheses.
    List(Vec<Self>, At),
}

/// A value as written, without quotes and with escapes resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The text.
    pub text: Box<str>,
    /// Where it stands.
    pub at: At,
}

/// Transformers by name; the order is that in which the lexer tries them.
pub const TRANSFORMERS: &[(&str, Transformer)] = &[
    ("tolower", Transformer::ToLower),
    ("toupper", Transformer::ToUpper),
    ("b64", Transformer::B64),
    ("basename", Transformer::Basename),
    ("len", Transformer::Len),
    ("join", Transformer::Join),
    ("concat", Transformer::Concat),
    ("getopt", Transformer::GetOpt),
];

/// Name of a transformer.
pub fn transformer_name(transformer: Transformer) -> &'static str {
    TRANSFORMERS
        .iter()
        .find(|(_, t)| *t == transformer)
        .map_or("", |(name, _)| name)
}

/// Name of a modifier.
pub fn modifier_name(modifier: Modifier) -> &'static str {
    match modifier {
        Modifier::OneOf => "oneof",
        Modifier::AnyOf => "anyof",
        Modifier::AllOf => "allof",
    }
}

/// Operators that compare with a number, longest first so that a prefix does not win.
pub(crate) const NUM_OPS: &[(&str, Op)] =
    &[("<=", Op::Le), ("<", Op::Lt), (">=", Op::Ge), (">", Op::Gt)];

/// Operators that compare with a text. Those spelled in letters need a blank behind them.
pub(crate) const STR_OPS: &[(&str, Op)] = &[
    ("==", Op::Eq),
    ("=", Op::Eq),
    ("!=", Op::Ne),
    ("glob", Op::Glob),
    ("iglob", Op::IGlob),
    ("contains", Op::Contains),
    ("icontains", Op::IContains),
    ("bcontains", Op::BContains),
    ("startswith", Op::StartsWith),
    ("bstartswith", Op::BStartsWith),
    ("endswith", Op::EndsWith),
    ("regex", Op::Regex),
];

/// Operators that compare with a list; they match by prefix, without a word boundary.
pub(crate) const LIST_OPS: &[(&str, Op)] = &[
    ("intersects", Op::Intersects),
    ("in", Op::In),
    ("pmatch", Op::PMatch),
];

/// Modifiers of text operators.
pub(crate) const MODIFIERS: &[(&str, Modifier)] = &[
    ("oneof", Modifier::OneOf),
    ("anyof", Modifier::AnyOf),
    ("allof", Modifier::AllOf),
];

/// True when `text` is an operator as exceptions may name it: a plain one, or a text operator with a modifier.
pub fn is_operator(text: &str) -> bool {
    let plain = |word: &str| {
        word == "exists"
            || [NUM_OPS, STR_OPS, LIST_OPS]
                .iter()
                .any(|ops| ops.iter().any(|(name, _)| *name == word))
    };
    plain(text) || is_modified_operator(text)
}

/// True when `text` is a text operator followed by a modifier, such as `startswith anyof`.
pub fn is_modified_operator(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let (Some(op), Some(modifier), None) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    STR_OPS.iter().any(|(name, _)| *name == op)
        && MODIFIERS.iter().any(|(name, _)| *name == modifier)
}

/// True when what stands behind the operator is a list in parentheses.
pub fn takes_list(text: &str) -> bool {
    LIST_OPS.iter().any(|(name, _)| *name == text) || is_modified_operator(text)
}

/// Every operator's name, for messages.
pub fn operator_names() -> impl Iterator<Item = &'static str> {
    ["exists"].into_iter().chain(
        [NUM_OPS, STR_OPS, LIST_OPS]
            .into_iter()
            .flatten()
            .map(|(name, _)| *name),
    )
}

/// Name of an operator; `=` for equality.
pub fn op_name(op: Op) -> &'static str {
    match op {
        Op::Exists => "exists",
        Op::Eq => "=",
        _ => [NUM_OPS, STR_OPS, LIST_OPS]
            .into_iter()
            .flatten()
            .find(|(_, o)| *o == op)
            .map_or("", |(name, _)| name),
    }
}
