//! Conditions after loading: lists and macros expanded, exceptions folded in, every field known, every literal typed.
//!
//! The language front end produces these trees, the compiler and the naive evaluator consume them; nothing in between.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vedette_event::{EventType, FieldRef, ParamType, Priority};

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All of them (true when empty).
    And(Vec<Expr>),
    /// At least one of them (false when empty).
    Or(Vec<Expr>),
    /// Not.
    Not(Box<Expr>),
    /// A comparison.
    Check(Check),
}

/// A comparison. When the left side, or a right side that is a [`Rhs::Operand`], has no value, it is false.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Left side.
    pub lhs: Operand,
    /// Operator.
    pub op: Op,
    /// Right side.
    pub rhs: Rhs,
}

/// Something that has a value at an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A field.
    Field(FieldRef),
    /// A transformer over operands.
    Call(Call),
}

impl Operand {
    /// Type of its values, and whether there may be several.
    pub fn ty(&self) -> (ParamType, bool) {
        match self {
            Self::Field(field) => (
                field.info().ty,
                field.info().flags.has(vedette_event::FieldFlags::LIST),
            ),
            Self::Call(call) => (call.ty, call.list),
        }
    }
}

/// A transformer applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which.
    pub transformer: Transformer,
    /// Its arguments in order.
    pub args: Vec<Arg>,
    /// The key in square brackets behind it (`getopt(...)[c]`).
    pub key: Option<Box<str>>,
    /// Type of what it gives.
    pub ty: ParamType,
    /// Whether it gives a list.
    pub list: bool,
}

/// An argument of a transformer.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// A field or another transformer.
    Operand(Operand),
    /// A literal text or number as written.
    Text(Box<str>),
    /// A list in parentheses.
    List(Vec<Arg>),
}

/// Transformers of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the language's own words")]
pub enum Transformer {
    ToLower,
    ToUpper,
    B64,
    Basename,
    Len,
    Join,
    Concat,
    GetOpt,
}

/// Comparison operators; `==` is read as `=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the language's own words")]
pub enum Op {
    Exists,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Contains,
    IContains,
    BContains,
    StartsWith,
    BStartsWith,
    EndsWith,
    Glob,
    IGlob,
    Regex,
    In,
    Intersects,
    PMatch,
}

/// How a single-valued left side meets a list of literals: `proc.name startswith anyof (a, b)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the language's own words")]
pub enum Modifier {
    OneOf,
    AnyOf,
    AllOf,
}

/// Right side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Rhs {
    /// Nothing (`exists`).
    None,
    /// One literal.
    One(Literal),
    /// Literals for `in`, `intersects`, `pmatch`, or for a modifier.
    List(Option<Modifier>, Vec<Literal>),
    /// Another field (`val(...)`) or a transformer.
    Operand(Operand),
}

/// A literal, read according to the type of the left side.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// For unsigned types.
    U64(u64),
    /// For signed types.
    I64(i64),
    /// For booleans.
    Bool(bool),
    /// For `Double` (which the language compares as an integer).
    F64(f64),
    /// For text; for [`Op::Glob`], [`Op::Regex`] and [`Op::PMatch`] the pattern as written, already checked.
    Text(Box<[u8]>),
    /// For byte buffers; for `bcontains` and `bstartswith` decoded from hex.
    Bytes(Box<[u8]>),
    /// For addresses.
    Ip(IpAddr),
    /// For networks: address and prefix length in bits.
    Net(IpAddr, u8),
}

/// A rule that is ready to be compiled.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Name.
    pub name: String,
    /// Description as written.
    pub desc: String,
    /// Priority.
    pub priority: Priority,
    /// Event source: `syscall`, `k8s_audit`, …
    pub source: String,
    /// Tags, sorted, without duplicates.
    pub tags: BTreeSet<String>,
    /// Condition.
    pub condition: Expr,
    /// Event types at which the condition can be true; for sources other than `syscall` the type of plugin events.
    /// Computed by the front end (inference over `evt.type`, `and`/`or`/`not`).
    pub kinds: Vec<EventType>,
    /// Output as written (with appended parts), before formatting.
    pub output: String,
    /// Whether a capture is to be taken when it fires.
    pub capture: bool,
    /// Length of that capture in milliseconds, 0 for the default.
    pub capture_duration: u64,
}
