//! What of all that happens can matter to a rule set: the filter that the kernel side applies before an event crosses.
//!
//! From the conditions follow the event types and outcomes at which a rule can be true at all, and for opens which
//! paths, flags and processes. Everything that is not known beforehand counts as "could be", so that the filter lets
//! through too much, never too little: alerts are the same with it and without it.
//!
//! An open that no rule can match is not told. What it means for later events is not lost: the kernel side keeps it and
//! tells it just before an event that works on the descriptor.

mod automaton;
mod class;
mod facts;
mod formula;
mod opens;
mod pattern;

use rustc_hash::FxHashSet;
use vedette_event::{EventType, FieldRef, ParamType};

use crate::typed::{Check, Operand, Rule};
use facts::Known;
use formula::{Formula, residual};

pub use automaton::{COLUMNS, START, TOP};
pub use class::{CLASSES, Class, ClassSet};
pub use opens::{
    ANCHORED_LABELS, ANCHORED_STATES, FLOATING_LABELS, FLOATING_STATES, MAX_NAMES, MAX_PATH,
    OpenFilter, Table, VERDICTS,
};

/// An event type and the results of it that can matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// The type.
    pub kind: EventType,
    /// Whether a success can matter.
    pub success: bool,
    /// Whether a failure can matter.
    pub failure: bool,
}

/// What a rule set needs to see.
#[derive(Clone, Debug)]
pub struct Prefilter {
    /// Event types that rules look at, in order.
    pub wants: Vec<Want>,
    /// Event types that no rule looks at but that fields of the rules or of their outputs are made from.
    pub behind_fields: Vec<EventType>,
    /// Which opens can matter; `None` when all have to be told.
    pub opens: Option<OpenFilter>,
}

/// Symbols of the opens that the filter decides on.
const OPENS: [&str; 3] = ["SYSCALL_OPEN_X", "SYSCALL_OPENAT_2_X", "SYSCALL_OPENAT2_X"];

/// Fields that count or list descriptors, so that each of them has to be known.
const COUNT_DESCRIPTORS: [&str; 3] = ["fd.types", "proc.fdopencount", "proc.fdusage"];

/// Fields, and the events that change them without being needed for anything else.
const BEHIND_FIELDS: [(&[&str], &[&str]); 2] = [
    (
        &[
            "proc.vmsize",
            "proc.vmrss",
            "proc.vmswap",
            "thread.vmsize",
            "thread.vmrss",
            "thread.vmsize.b",
            "thread.vmrss.b",
        ],
        &[
            "SYSCALL_BRK_4_X",
            "SYSCALL_MMAP_X",
            "SYSCALL_MMAP2_X",
            "SYSCALL_MUNMAP_X",
        ],
    ),
    (
        &["proc.fdlimit", "proc.fdusage"],
        &[
            "SYSCALL_GETRLIMIT_X",
            "SYSCALL_SETRLIMIT_X",
            "SYSCALL_PRLIMIT_X",
        ],
    ),
];

impl Prefilter {
    /// The filter of these rules; `outputs` are the fields that their outputs show.
    pub fn new<'r>(rules: &[Rule], outputs: impl Iterator<Item = &'r FieldRef>) -> Self {
        let mut names: FxHashSet<&'static str> = outputs.map(|field| field.info().name).collect();
        for rule in rules {
            fields_of(&rule.condition, &mut names);
        }
        let behind_fields = BEHIND_FIELDS
            .iter()
            .filter(|(fields, _)| fields.iter().any(|field| names.contains(field)))
            .flat_map(|(_, symbols)| symbols.iter())
            .filter_map(|symbol| EventType::by_symbol(symbol))
            .collect();
        let opens: Vec<EventType> = OPENS
            .iter()
            .filter_map(|symbol| EventType::by_symbol(symbol))
            .collect();
        Self {
            wants: wants(rules),
            behind_fields,
            opens: (!COUNT_DESCRIPTORS.iter().any(|field| names.contains(field)))
                .then(|| OpenFilter::new(rules, &opens)),
        }
    }
}

fn wants(rules: &[Rule]) -> Vec<Want> {
    let mut kinds: Vec<EventType> = rules
        .iter()
        .flat_map(|rule| rule.kinds.iter().copied())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let can = |kind: EventType, success: bool| {
        let name = [kind.name().as_bytes()];
        // Only where the first parameter is the result as the kernel judges it.
        let tells = (kind.info().and_then(|info| info.params.first())).is_some_and(|first| {
            matches!(first.ty, ParamType::Errno | ParamType::Fd | ParamType::Pid)
        });
        let known = |check: &Check| of_result(check, &name, tells.then_some(success));
        // Some types name themselves otherwise than the table does.
        let generic = kind.info().is_none_or(|info| {
            info.symbol.starts_with("GENERIC") || info.symbol.starts_with("ASYNC")
        });
        rules
            .iter()
            .filter(|rule| rule.kinds.contains(&kind))
            .any(|rule| generic || residual(&rule.condition, &known, &mut None) != Formula::Never)
    };
    kinds
        .into_iter()
        .map(|kind| Want {
            kind,
            success: can(kind, true),
            failure: can(kind, false),
        })
        .filter(|want| want.success || want.failure)
        .collect()
}

/// What the type and the outcome of an event say about a field.
fn of_result<'a>(check: &Check, types: &'a [&'a [u8]], success: Option<bool>) -> Known<'a> {
    let Operand::Field(field) = &check.lhs else {
        return Known::Nothing;
    };
    match (field.info().name, success) {
        ("evt.type" | "syscall.type", _) => Known::OneOf {
            texts: types,
            missing: false,
        },
        // An event without a result has none of these fields, which makes every comparison with them false.
        ("evt.failed", Some(success)) if is_equality(check) => Known::Flag(!success),
        ("evt.rawres", Some(true)) => Known::Between(0, i64::MAX.into()),
        ("evt.rawres", Some(false)) => Known::Between(i64::MIN.into(), -1),
        ("evt.res", Some(true)) => Known::OneOf {
            texts: &[b"SUCCESS"],
            missing: true,
        },
        _ => Known::Nothing,
    }
}

fn is_equality(check: &Check) -> bool {
    use crate::typed::Op;
    matches!(check.op, Op::Eq | Op::Ne)
}

fn fields_of(expr: &crate::typed::Expr, out: &mut FxHashSet<&'static str>) {
    use crate::typed::{Arg, Expr, Rhs};
    fn of_operand(operand: &Operand, out: &mut FxHashSet<&'static str>) {
        match operand {
            Operand::Field(field) => {
                out.insert(field.info().name);
            }
            Operand::Call(call) => call.args.iter().for_each(|arg| of_arg(arg, out)),
        }
    }
    fn of_arg(arg: &Arg, out: &mut FxHashSet<&'static str>) {
        match arg {
            Arg::Operand(operand) => of_operand(operand, out),
            Arg::List(args) => args.iter().for_each(|arg| of_arg(arg, out)),
            Arg::Text(_) => {}
        }
    }
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| fields_of(part, out)),
        Expr::Not(part) => fields_of(part, out),
        Expr::Check(check) => {
            of_operand(&check.lhs, out);
            if let Rhs::Operand(operand) = &check.rhs {
                of_operand(operand, out);
            }
        }
    }
}
