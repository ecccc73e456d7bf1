//! At which event types a condition can be true.
//!
//! Comparisons of `evt.type` with names give sets, `and` intersects, `or` unites, `not` is pushed down to the leaves;
//! other comparisons say nothing and are not turned around by `not`. `evt.num` starts at 1, so some comparisons with it
//! are never or always true, which is how rule files write "never" and "always".

mod syscalls;

use vedette_event::{Category, EVENT_TYPES, EventFlags, EventType};

use crate::check::parse_u64;
use crate::condition::{At, Check, Expr, Operand, Rhs, Word};
use crate::typed::{Modifier, Op};

/// More types than this are worth a warning.
pub const MANY: usize = 100;

const WORDS: usize = EVENT_TYPES.div_ceil(64);

/// A set of event types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds([u64; WORDS]);

impl Kinds {
    /// No type.
    pub const NONE: Self = Self([0; WORDS]);

    /// Every type.
    pub fn all() -> Self {
        EventType::all().collect()
    }

    fn insert(&mut self, kind: EventType) {
        self.0[usize::from(kind.0) / 64] |= 1 << (kind.0 % 64);
    }

    /// True when the type is in it.
    pub fn has(&self, kind: EventType) -> bool {
        self.0
            .get(usize::from(kind.0) / 64)
            .is_some_and(|word| word >> (kind.0 % 64) & 1 == 1)
    }

    /// Number of types.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The types in order.
    pub fn iter(&self) -> impl Iterator<Item = EventType> {
        EventType::all().filter(|kind| self.has(*kind))
    }

    fn with(self, other: Self, join: fn(u64, u64) -> u64) -> Self {
        let mut out = self;
        for (word, other) in out.0.iter_mut().zip(other.0) {
            *word = join(*word, other);
        }
        out
    }
}

impl Extend<EventType> for Kinds {
    fn extend<I: IntoIterator<Item = EventType>>(&mut self, kinds: I) {
        kinds.into_iter().for_each(|kind| self.insert(kind));
    }
}

impl FromIterator<EventType> for Kinds {
    fn from_iter<I: IntoIterator<Item = EventType>>(kinds: I) -> Self {
        let mut out = Self::NONE;
        kinds.into_iter().for_each(|kind| out.insert(kind));
        out
    }
}

/// True when rules may compare `evt.type` with this name.
pub fn is_event_name(name: &str) -> bool {
    EventType::by_name(name).next().is_some() || syscalls::is_generic(name)
}

/// Every name that rules may compare `evt.type` with; names of several types come several times.
pub fn event_names() -> impl Iterator<Item = &'static str> {
    EventType::all()
        .map(EventType::name)
        .chain(syscalls::GENERIC.iter().copied())
}

/// The types that a name stands for: its own, or the generic ones.
fn named(name: &str) -> Kinds {
    // The first two are the generic types, which only names without a type of their own stand for.
    let own: Kinds = EventType::by_name(name)
        .filter(|kind| kind.0 >= 2)
        .collect();
    if !own.is_empty() || !syscalls::is_generic(name) {
        return own;
    }
    [EventType(0), EventType(1)].into_iter().collect()
}

/// Why the types of a condition cannot be known: `evt.type` is compared with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknowable(pub At);

/// The types at which a condition without macros can be true.
///
/// # Errors
/// [`Unknowable`] when `evt.type` is compared with a field or put through a transformer.
pub fn infer(expr: &Expr) -> Result<Kinds, Unknowable> {
    walk(expr, false, true)
}

/// The types that a condition names, without what is known of `evt.num`: a rule that is switched off with a condition
/// that never holds is not one that forgot to narrow its types.
///
/// # Errors
/// As [`infer`].
pub fn named_by(expr: &Expr) -> Result<Kinds, Unknowable> {
    walk(expr, false, false)
}

fn walk(expr: &Expr, negated: bool, numbers: bool) -> Result<Kinds, Unknowable> {
    match expr {
        Expr::And(parts) if !negated => intersection(parts, negated, numbers),
        Expr::Or(parts) if negated => intersection(parts, negated, numbers),
        Expr::And(parts) | Expr::Or(parts) => parts.iter().try_fold(Kinds::NONE, |kinds, part| {
            Ok(kinds.with(walk(part, negated, numbers)?, |a, b| a | b))
        }),
        Expr::Not(inner) => walk(inner, !negated, numbers),
        Expr::Check(check) => leaf(check, negated, numbers),
        Expr::Macro(_) => Ok(Kinds::all()),
    }
}

fn intersection(parts: &[Expr], negated: bool, numbers: bool) -> Result<Kinds, Unknowable> {
    parts.iter().try_fold(Kinds::all(), |kinds, part| {
        Ok(kinds.with(walk(part, negated, numbers)?, |a, b| a & b))
    })
}

fn leaf(check: &Check, negated: bool, numbers: bool) -> Result<Kinds, Unknowable> {
    let turned = |kinds: Kinds, turn: bool| {
        if turn {
            Kinds::all().with(kinds, |a, b| a & !b)
        } else {
            kinds
        }
    };
    if let Some(always) = fixed(check).filter(|_| numbers) {
        return Ok(turned(
            if always { Kinds::all() } else { Kinds::NONE },
            negated,
        ));
    }
    let plain = match &check.lhs {
        Operand::Field(field) => {
            matches!(&*field.name, "evt.type" | "syscall.type") && field.arg.is_none()
        }
        Operand::Call(_) => false,
    };
    if !plain {
        return Ok(Kinds::all());
    }
    match check.op {
        // Every event has a type, so that its absence never holds.
        Op::Exists => Ok(turned(Kinds::all(), negated)),
        Op::Eq | Op::Ne | Op::In => match words(&check.rhs) {
            // `= anyof` is `in`; the other combinations with a modifier do not narrow the types.
            Some(_) if matches!(check.rhs, Rhs::List(Some(modifier), ..) if (check.op, modifier) != (Op::Eq, Modifier::AnyOf)) => {
                Ok(Kinds::all())
            }
            Some(words) => {
                let kinds = words.iter().fold(Kinds::NONE, |kinds, word| {
                    kinds.with(named(&word.text), |a, b| a | b)
                });
                Ok(turned(kinds, negated != (check.op == Op::Ne)))
            }
            None => Err(Unknowable(check.at)),
        },
        _ => Ok(Kinds::all()),
    }
}

fn words(rhs: &Rhs) -> Option<&[Word]> {
    match rhs {
        Rhs::Value(word) => Some(std::slice::from_ref(word)),
        Rhs::List(_, words, _) => Some(words),
        Rhs::None | Rhs::Val(_) | Rhs::Call(_) => None,
    }
}

/// Whether a comparison of `evt.num` is always or never true; events are counted from 1.
fn fixed(check: &Check) -> Option<bool> {
    match &check.lhs {
        Operand::Field(field) if &*field.name == "evt.num" && field.arg.is_none() => {}
        _ => return None,
    }
    let number = match &check.rhs {
        Rhs::List(None, words, _) if check.op == Op::In => {
            return words
                .iter()
                .all(|word| parse_u64(&word.text) == Some(0))
                .then_some(false);
        }
        Rhs::Value(word) => parse_u64(&word.text)?,
        _ => return None,
    };
    match (check.op, number) {
        (Op::Eq | Op::Le, 0) | (Op::Lt, 0 | 1) => Some(false),
        (Op::Ne | Op::Gt, 0) | (Op::Ge, 0 | 1) => Some(true),
        _ => None,
    }
}

/// Of the types of a condition those at which events can come: enter events of system calls no longer do. Asynchronous
/// events go past every rule.
pub(crate) fn live(kinds: &Kinds) -> Vec<EventType> {
    let asynchronous = EventType::by_symbol("ASYNCEVENT_E");
    EventType::all()
        .filter(|kind| {
            kind.info().is_some_and(|info| {
                let enter = kind.is_enter() && info.category.has(Category::SYSCALL);
                !enter && !info.flags.has(EventFlags::UNUSED)
            })
        })
        .filter(|kind| kinds.has(*kind) || Some(*kind) == asynchronous)
        .collect()
}

/// The types of rules over other sources: plugin events and asynchronous ones.
pub(crate) fn of_plugins() -> Kinds {
    ["PLUGINEVENT_E", "ASYNCEVENT_E"]
        .into_iter()
        .filter_map(EventType::by_symbol)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::{TextId, parse};

    fn names(condition: &str) -> Vec<&'static str> {
        let kinds = infer(&parse(condition, TextId::default()).unwrap()).unwrap();
        let mut names: Vec<&str> = kinds.iter().map(EventType::name).collect();
        names.dedup();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn count(condition: &str) -> usize {
        infer(&parse(condition, TextId::default()).unwrap())
            .unwrap()
            .len()
    }

    #[test]
    fn types_follow_the_algebra_of_sets() {
        for (condition, want) in [
            ("evt.type=open", &["open"][..]),
            (
                "evt.type in (open, openat) and proc.name=cat",
                &["open", "openat"],
            ),
            ("evt.type=open or evt.type=close", &["close", "open"]),
            ("evt.type=open and evt.type=close", &[]),
            ("not (evt.type!=open or proc.name=cat)", &["open"]),
            ("not not evt.type=open", &["open"]),
            ("not evt.type!=open", &["open"]),
            ("syscall.type=open", &["open"]),
            ("evt.type=getpid", &["syscall"]),
            ("evt.type=open and evt.num=0", &[]),
            ("evt.type=open and not evt.num!=0", &[]),
            ("evt.type=open and evt.num>=1", &["open"]),
            ("evt.num in (0, 0)", &[]),
        ] {
            assert_eq!(names(condition), want, "{condition}");
        }
    }

    #[test]
    fn what_does_not_narrow_leaves_every_type() {
        for condition in [
            "proc.name=cat",
            "not proc.name=cat",
            "evt.type exists",
            "evt.type startswith open",
            "evt.num=5",
            "evt.num>0",
            "evt.num=-1",
            "evt.type=open or proc.name=cat",
        ] {
            assert_eq!(count(condition), EVENT_TYPES, "{condition}");
        }
        assert!(count("evt.type!=open") > MANY && count("evt.type!=open") < EVENT_TYPES);
    }

    #[test]
    fn comparing_the_type_with_a_field_is_refused() {
        let expr = parse("evt.type = val(proc.name)", TextId::default()).unwrap();
        assert!(infer(&expr).is_err());
    }

    #[test]
    fn generic_names_are_sorted() {
        assert!(syscalls::GENERIC.is_sorted());
        assert!(
            is_event_name("open")
                && is_event_name("getpid")
                && !is_event_name("some_invalid_event")
        );
    }
}
