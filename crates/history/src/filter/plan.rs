//! What of a filter an index can answer.
//!
//! A store that keeps some fields as columns (a dictionary of values, and per record which of them it has) evaluates
//! each [`Plan::Column`] once per dictionary value instead of once per record. [`Plan::Residual`] needs the record.

use vedette_event::{EventType, Extract, Extracted, FieldRef, StateKey, Values};
use vedette_rules::naive::Naive;
use vedette_rules::typed::Expr;

use super::{Filter, fields_of};
use crate::ColumnValue;

/// A filter, cut up by who can answer what.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan<'e> {
    /// Always or never true.
    Constant(bool),
    /// All of them.
    And(Vec<Self>),
    /// One of them.
    Or(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
    /// A condition that depends on one column alone.
    Column {
        /// Index among the columns handed to [`Plan::of`].
        column: usize,
        /// The condition.
        expr: &'e Expr,
    },
    /// A condition that depends on something else.
    Residual(&'e Expr),
}

impl<'e> Plan<'e> {
    /// Cuts up a filter for a store with these columns (names of fields as written in filters).
    pub fn of(filter: &'e Filter, columns: &[&str]) -> Self {
        Self::cut(filter.expr(), columns)
    }

    fn cut(expr: &'e Expr, columns: &[&str]) -> Self {
        match expr {
            Expr::And(parts) if parts.is_empty() => return Self::Constant(true),
            Expr::Or(parts) if parts.is_empty() => return Self::Constant(false),
            _ => {}
        }
        let mut fields = Vec::new();
        fields_of(expr, &mut fields);
        let first = fields.first().map(|field| &*field.text);
        if let Some(first) = first
            && fields.iter().all(|field| &*field.text == first)
            && let Some(column) = columns.iter().position(|name| *name == first)
        {
            return Self::Column { column, expr };
        }
        let all = |parts: &'e [Expr]| parts.iter().map(|part| Self::cut(part, columns)).collect();
        match expr {
            Expr::And(parts) => Self::And(all(parts)),
            Expr::Or(parts) => Self::Or(all(parts)),
            Expr::Not(part) => Self::Not(Box::new(Self::cut(part, columns))),
            Expr::Check(_) => Self::Residual(expr),
        }
    }

    /// True when no record need be read.
    pub fn is_exact(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Column { .. } => true,
            Self::And(parts) | Self::Or(parts) => parts.iter().all(Self::is_exact),
            Self::Not(part) => part.is_exact(),
            Self::Residual(_) => false,
        }
    }

    /// The columns it asks for.
    pub fn columns(&self, out: &mut Vec<usize>) {
        match self {
            Self::Constant(_) | Self::Residual(_) => {}
            Self::Column { column, .. } => out.push(*column),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|p| p.columns(out)),
            Self::Not(part) => part.columns(out),
        }
    }
}

/// Whether a condition over one column holds for a value of it.
///
/// `name` is the column's; severity and priority want the words of [`crate::Subject::text`].
pub fn holds(naive: &mut Naive, expr: &Expr, name: &str, value: &ColumnValue<'_>) -> bool {
    naive.matches(expr, &Single { name, value })
}

struct Single<'a> {
    name: &'a str,
    value: &'a ColumnValue<'a>,
}

impl Extract for Single<'_> {
    fn kind(&self) -> EventType {
        EventType(0)
    }

    fn num(&self) -> u64 {
        0
    }

    fn ts(&self) -> u64 {
        0
    }

    fn state_key(&self) -> Option<StateKey> {
        None
    }

    fn extract<'s>(&'s self, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
        if *field.text != *self.name {
            return Extracted::Missing;
        }
        if let Some(named) = super::names::find(self.name)
            && let ColumnValue::Text(word) = self.value
            && let Some(Ok(rank)) = super::names::word_rank(named, word)
        {
            room.clear();
            room.push(vedette_event::Value::U64(rank));
            return room.get(0).map_or(Extracted::Missing, Extracted::One);
        }
        self.value.extracted(room)
    }
}
