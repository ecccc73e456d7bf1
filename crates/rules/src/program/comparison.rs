//! Comparisons on their way from the typed tree to the graph: what they ask, what they cost, which belong together.

use vedette_event::{FieldRef, Scope};

use crate::typed::{Arg, Check, Expr, Literal, Modifier, Op, Operand, Rhs};

use super::key;

/// A comparison before it is made ready.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    pub(super) lhs: Operand,
    pub(super) op: Op,
    pub(super) rhs: Rhs,
    /// Set members see only what lies before the first NUL of the value: this was put together from `=`.
    pub(super) cut: bool,
}

/// Whether a comparison is decided by the type of the event.
pub(super) fn is_typed(comparison: &Comparison) -> bool {
    matches!(&comparison.lhs, Operand::Field(field) if field.info().name == "evt.type")
        && !matches!(comparison.rhs, Rhs::Operand(_))
}

/// The value of a comparison that no event changes: events are numbered from 1, so `evt.num = 0` is how rule files write
/// "never" and `evt.num >= 0` how they write "always".
pub(super) fn decided(comparison: &Comparison) -> Option<bool> {
    let Operand::Field(field) = &comparison.lhs else {
        return None;
    };
    if field.info().name != "evt.num" {
        return None;
    }
    match (comparison.op, &comparison.rhs) {
        (Op::Eq | Op::Lt | Op::Le, Rhs::One(Literal::U64(0))) => Some(false),
        (Op::Ne | Op::Gt | Op::Ge, Rhs::One(Literal::U64(0))) => Some(true),
        (Op::Lt, Rhs::One(Literal::U64(1))) => Some(false),
        (Op::Ge, Rhs::One(Literal::U64(1))) => Some(true),
        _ => None,
    }
}

/// Rough cost of getting at the left side.
pub(super) fn reach(comparison: &Comparison) -> u32 {
    match &comparison.lhs {
        Operand::Call(_) => 80,
        Operand::Field(field) => match field.info() {
            info if !info.ty.is_text() => 4,
            // Arguments are rendered as text each time they are asked for.
            info if info.name.starts_with("evt.arg") => 50,
            _ => 15,
        },
    }
}

/// The field whose column could decide a comparison.
pub(super) fn column_field(check: &Check) -> Option<&FieldRef> {
    match (&check.lhs, &check.rhs) {
        (_, Rhs::Operand(_)) | (Operand::Call(_), _) => None,
        (Operand::Field(field), _) => {
            let info = field.info();
            let fits = info.scope == Scope::Event && info.ty.is_text() && !check.lhs.ty().1;
            (fits && info.name != "evt.type").then_some(field)
        }
    }
}

/// Every field that an operand asks.
pub(super) fn fields_of<'o>(operand: &'o Operand, out: &mut Vec<&'o FieldRef>) {
    fn of_args<'o>(args: &'o [Arg], out: &mut Vec<&'o FieldRef>) {
        for arg in args {
            match arg {
                Arg::Operand(operand) => fields_of(operand, out),
                Arg::Text(_) => {}
                Arg::List(parts) => of_args(parts, out),
            }
        }
    }
    match operand {
        Operand::Field(field) => out.push(field),
        Operand::Call(call) => of_args(&call.args, out),
    }
}

impl From<&Check> for Comparison {
    fn from(check: &Check) -> Self {
        let mut rhs = check.rhs.clone();
        // The order of a list does not matter; doubles do not either, except for `oneof`.
        if let Rhs::List(_, list) = &mut rhs {
            list.sort_by_cached_key(key::of_literal);
            if !matches!(check.rhs, Rhs::List(Some(Modifier::OneOf), _)) {
                list.dedup();
            }
        }
        Self {
            lhs: check.lhs.clone(),
            op: check.op,
            rhs,
            cut: false,
        }
    }
}

/// Alternatives that ask the same of the same operand, brought together: `a = x or a = y` is one look into a set.
#[derive(Default)]
pub(super) struct Merged {
    groups: Vec<Comparison>,
}

impl Merged {
    /// Takes `expr` in if it can be brought together with others.
    pub(super) fn take(&mut self, expr: &Expr) -> bool {
        let Expr::Check(check) = expr else {
            return false;
        };
        if check.lhs.ty().1 {
            return false;
        }
        let literals = match (&check.rhs, check.op) {
            (Rhs::One(one @ Literal::Text(_)), Op::Eq | Op::StartsWith | Op::Contains) => {
                std::slice::from_ref(one)
            }
            (Rhs::List(None, list), Op::In | Op::PMatch) => list,
            _ => return false,
        };
        let (op, cut) = match check.op {
            Op::Eq => (Op::In, true),
            op => (op, false),
        };
        let group = self
            .groups
            .iter_mut()
            .find(|group| group.op == op && group.cut == cut && group.lhs == check.lhs);
        if let Some(Comparison {
            rhs: Rhs::List(_, list),
            ..
        }) = group
        {
            list.extend_from_slice(literals);
            list.sort_by_cached_key(key::of_literal);
            list.dedup();
        } else {
            let rhs = Rhs::List(None, literals.to_vec());
            let lhs = check.lhs.clone();
            self.groups.push(Comparison { lhs, op, rhs, cut });
        }
        true
    }

    /// The comparisons; those that stayed alone as they were written, so that they are shared with other rules.
    pub(super) fn finish(self) -> impl Iterator<Item = Comparison> {
        self.groups
            .into_iter()
            .map(|group| match (group.op, group.rhs) {
                (op, Rhs::List(None, mut list))
                    if list.len() == 1
                        && (group.cut || op == Op::StartsWith || op == Op::Contains) =>
                {
                    let op = if group.cut { Op::Eq } else { op };
                    let rhs = list.pop().map_or(Rhs::None, Rhs::One);
                    Comparison {
                        lhs: group.lhs,
                        op,
                        rhs,
                        cut: false,
                    }
                }
                (op, rhs) => Comparison {
                    lhs: group.lhs,
                    op,
                    rhs,
                    cut: group.cut,
                },
            })
    }
}
