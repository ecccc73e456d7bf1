//! Which opens can matter, by class and path.

use rustc_hash::FxHashSet;
use vedette_event::{EventType, FieldArg};

use crate::typed::{Check, Expr, Literal, Modifier, Op, Operand, Rhs, Rule};

use super::automaton::{Automaton, Bytes, COLUMNS, START};
use super::class::{CLASSES, Class, ClassSet};
use super::facts::Known;
use super::formula::{Formula, Patterns, residual};
use super::is_equality;
use super::pattern::{Element, Pattern};

/// Most states of the table of patterns that begin where the path does. The kernel side has room for as many.
pub const ANCHORED_STATES: usize = 2048;
/// Most states of the table of patterns that may begin anywhere.
pub const FLOATING_STATES: usize = 1024;
/// Most labels of the two tables.
pub const ANCHORED_LABELS: usize = 256;
/// See [`ANCHORED_LABELS`].
pub const FLOATING_LABELS: usize = 64;
/// Most different sets of classes that pairs of labels come to.
pub const VERDICTS: usize = 256;
/// Most names of processes that are told apart. More, and every process counts as having one.
pub const MAX_NAMES: usize = 1024;
/// Letters of a process's name that the kernel keeps.
const NAME_LETTERS: usize = 15;
/// Longest path that is looked at; longer ones are always told. The kernel side reads as much.
pub const MAX_PATH: usize = 255;

/// One table that reads paths.
#[derive(Clone, Debug)]
pub struct Table {
    /// Next state by state and column.
    pub next: Vec<[u16; COLUMNS]>,
    /// What is known when the path ends in a state.
    pub label: Vec<u8>,
}

/// Which opens can matter.
#[derive(Clone, Debug)]
pub struct OpenFilter {
    /// Column of each byte.
    pub columns: [u8; 256],
    /// Patterns that begin where the path does.
    pub anchored: Table,
    /// Patterns that may begin anywhere.
    pub floating: Table,
    /// By the two labels (`anchored * FLOATING_LABELS + floating`): which of `sets`.
    pub verdicts: Vec<u8>,
    /// Sets of classes that are told. The first holds the classes for which any path can matter at all: it decides on
    /// relative paths, on paths with empty, `.` or `..` components, and on paths that are too long.
    pub sets: Vec<ClassSet>,
    /// Names that put a process into the classes with [`Class::NAMED`]; empty when every process is in them.
    pub names: Vec<Box<[u8]>>,
}

impl OpenFilter {
    /// Whether an open of this class and path, which was read in full, has to be told. What the kernel side computes.
    pub fn wants(&self, class: Class, path: &[u8]) -> bool {
        if !self.sets[0].has(class) {
            return false;
        }
        if path.len() > MAX_PATH || !is_plain(path) {
            return true;
        }
        let walk = |table: &Table| {
            let state = path.iter().fold(START, |state, byte| {
                table.next[usize::from(state)][usize::from(self.columns[usize::from(*byte)])]
            });
            usize::from(table.label[usize::from(state)])
        };
        let pair = walk(&self.anchored) * FLOATING_LABELS + walk(&self.floating);
        self.sets[usize::from(self.verdicts[pair])].has(class)
    }

    /// The filter of the rules that look at events of `kinds`.
    pub(super) fn new(rules: &[Rule], kinds: &[EventType]) -> Self {
        let types: Vec<&[u8]> = kinds.iter().map(|kind| kind.name().as_bytes()).collect();
        let rules: Vec<&Rule> = rules
            .iter()
            .filter(|rule| rule.kinds.iter().any(|kind| kinds.contains(kind)))
            .collect();
        let names = names_worth_knowing(&rules, &types);
        let mut patterns = Patterns::default();
        let by_class: Vec<Vec<Formula>> = Class::all()
            .map(|class| formulas(&rules, &types, &names, class, &mut patterns))
            .collect();
        Self::from_formulas(&by_class, &patterns.all, names)
    }

    fn from_formulas(
        by_class: &[Vec<Formula>],
        patterns: &[Pattern],
        names: FxHashSet<Box<[u8]>>,
    ) -> Self {
        // Patterns on both sides, and which number each had before.
        let (mut sides, mut numbers) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for (number, pattern) in patterns.iter().enumerate() {
            let side = usize::from(pattern.first() == Some(&Element::Star));
            sides[side].push(pattern.clone());
            numbers[side].push(number as u16);
        }
        let [anchored, floating] = sides;
        let bytes = Bytes::of(patterns.iter());
        let anchored = Automaton::new(&anchored, &bytes, ANCHORED_STATES, ANCHORED_LABELS, false);
        let floating = Automaton::new(&floating, &bytes, FLOATING_STATES, FLOATING_LABELS, true);
        let matched = |side: usize, table: &Automaton, label: usize| -> Vec<u16> {
            let ended = table.sets[label].iter();
            ended
                .map(|pattern| numbers[side][usize::from(*pattern)])
                .collect()
        };
        let mut kinds: Vec<(&Vec<Formula>, ClassSet)> = Vec::new();
        for (class, formulas) in Class::all().zip(by_class) {
            if let Some((_, classes)) = kinds.iter_mut().find(|(known, _)| *known == formulas) {
                classes.insert(class);
            } else {
                let mut classes = ClassSet::default();
                classes.insert(class);
                kinds.push((formulas, classes));
            }
        }
        let classes_where = |matched: Option<&[u16]>| {
            let mut out = ClassSet::default();
            for (formulas, classes) in &kinds {
                if formulas.iter().any(|formula| formula.holds(matched)) {
                    for (word, more) in out.0.iter_mut().zip(classes.0) {
                        *word |= more;
                    }
                }
            }
            out
        };
        let mut sets = vec![classes_where(None)];
        let mut verdicts = vec![0; ANCHORED_LABELS * FLOATING_LABELS];
        for a in 0..anchored.sets.len() {
            let first = matched(0, &anchored, a);
            for f in 0..floating.sets.len() {
                let mut both = matched(1, &floating, f);
                both.extend_from_slice(&first);
                let set = classes_where(Some(&both));
                let known = sets.iter().position(|known| *known == set);
                verdicts[a * FLOATING_LABELS + f] = match known {
                    Some(known) => known as u8,
                    None if sets.len() < VERDICTS => {
                        sets.push(set);
                        (sets.len() - 1) as u8
                    }
                    // The first set holds whatever any other does.
                    None => 0,
                };
            }
        }
        let mut names: Vec<Box<[u8]>> = names
            .into_iter()
            .filter(|name| name.len() <= NAME_LETTERS)
            .collect();
        names.sort_unstable();
        let table = |automaton: Automaton| Table {
            next: automaton.next,
            label: automaton.label,
        };
        Self {
            columns: bytes.0,
            anchored: table(anchored),
            floating: table(floating),
            verdicts,
            sets,
            names,
        }
    }
}

/// An absolute path that is its own name: no component is empty, `.` or `..`.
fn is_plain(path: &[u8]) -> bool {
    path.strip_prefix(b"/").is_some_and(|rest| {
        rest.split(|byte| *byte == b'/')
            .all(|component| !matches!(component, b"" | b"." | b".."))
    })
}

/// What remains of each rule for opens of a class, equal formulas once.
fn formulas(
    rules: &[&Rule],
    types: &[&[u8]],
    names: &FxHashSet<Box<[u8]>>,
    class: Class,
    patterns: &mut Patterns,
) -> Vec<Formula> {
    let known = |check: &Check| of_open(check, types, names, class);
    let mut out = Vec::new();
    for rule in rules {
        let formula = residual(&rule.condition, &known, &mut Some(patterns));
        if formula == Formula::Always {
            return vec![formula];
        }
        if formula != Formula::Never && !out.contains(&formula) {
            out.push(formula);
        }
    }
    out
}

/// What the class of an open says about a field.
fn of_open<'a>(
    check: &Check,
    types: &'a [&'a [u8]],
    names: &'a FxHashSet<Box<[u8]>>,
    class: Class,
) -> Known<'a> {
    let Operand::Field(field) = &check.lhs else {
        return Known::Nothing;
    };
    let opened = class.has(Class::OPENED);
    match field.info().name {
        "fd.num" if opened => Known::Between(0, i32::MAX.into()),
        "fd.num" => Known::Between(-1, -1),
        "fd.typechar" => Known::OneOf {
            texts: &[b"f", b"d", b"o"],
            missing: true,
        },
        "fd.type" => Known::OneOf {
            texts: &[b"file", b"directory"],
            missing: true,
        },
        "evt.is_open_read" if is_equality(check) => Known::Flag(class.has(0b01)),
        "evt.is_open_write" if is_equality(check) => Known::Flag(class.has(0b10)),
        "evt.is_open_exec" if !class.has(Class::EXECUTABLE) && is_equality(check) => {
            Known::Flag(false)
        }
        "evt.arg" | "evt.arg.flags" if asks_flag(check, "O_CREAT") && !class.has(Class::CREATE) => {
            NEVER
        }
        "evt.arg" | "evt.arg.flags"
            if asks_flag(check, "O_TRUNC") && !class.has(Class::TRUNCATE) =>
        {
            NEVER
        }
        // What io_uring opens is told without being asked about: the filter only sees calls.
        "vedette.io_uring" if is_equality(check) => Known::Flag(false),
        "container.id" if class.has(Class::HOST) => Known::OneOf {
            texts: &[b"host"],
            missing: false,
        },
        "proc.name" if !class.has(Class::NAMED) && !names.is_empty() => Known::NoneOf(names),
        _ => super::of_result(check, types, Some(opened)),
    }
}

/// Nothing that could be compared: every comparison is false.
const NEVER: Known<'static> = Known::OneOf {
    texts: &[b""],
    missing: true,
};

/// Whether the flags of the open are searched for exactly this one.
fn asks_flag(check: &Check, flag: &str) -> bool {
    let Operand::Field(field) = &check.lhs else {
        return false;
    };
    matches!(&field.arg, FieldArg::Key(key) if &**key == "flags")
        && check.op == Op::Contains
        && matches!(&check.rhs, Rhs::One(Literal::Text(text)) if **text == *flag.as_bytes())
}

/// Names of processes that rules ask for which say nothing of the path: of those the kernel side keeps track.
fn names_worth_knowing(rules: &[&Rule], types: &[&[u8]]) -> FxHashSet<Box<[u8]>> {
    let none = FxHashSet::default();
    let mut names = FxHashSet::default();
    for rule in rules {
        let mut patterns = Patterns::default();
        let any_path = Class::all()
            .filter(|class| class.has(Class::NAMED))
            .any(|class| {
                let known = |check: &Check| of_open(check, types, &none, class);
                residual(&rule.condition, &known, &mut Some(&mut patterns)) == Formula::Always
            });
        if any_path {
            names_in(&rule.condition, false, &mut names);
        }
    }
    if names.len() > MAX_NAMES {
        names.clear();
    }
    names
}

/// Names that the condition asks for.
fn names_in(expr: &Expr, negated: bool, out: &mut FxHashSet<Box<[u8]>>) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => {
            for part in parts {
                names_in(part, negated, out);
            }
        }
        Expr::Not(part) => names_in(part, !negated, out),
        Expr::Check(check) => {
            let named =
                matches!(&check.lhs, Operand::Field(field) if field.info().name == "proc.name");
            if negated || !named {
                return;
            }
            let list = match (&check.rhs, check.op) {
                (Rhs::One(literal), Op::Eq) => std::slice::from_ref(literal),
                (Rhs::List(None | Some(Modifier::AnyOf), list), Op::In) => list,
                _ => return,
            };
            for literal in list {
                if let Literal::Text(text) = literal {
                    out.insert(text.clone());
                }
            }
        }
    }
}

const _: () = assert!(CLASSES == 256, "a class is one byte");
