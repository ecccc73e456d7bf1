//! Rule sets compiled into one immutable program.
//!
//! All conditions become one graph of nodes in which equal parts are one node. Evaluation goes from the cheap to the
//! dear and remembers as much as it may:
//!
//! - the type of an event selects a list of rules, each specialised to that type;
//! - what depends on the process alone is remembered for each process until it changes, and with it which rules of a
//!   list can still match: for a process that does the same things over and over that is often none;
//! - what depends on one text field alone is remembered for the texts seen last;
//! - everything else is evaluated at most once an event, and a part that is false removes at once every rule that
//!   needs it.
//!
//! A new rule set is a new program with new evaluators; nothing is shared, so swapping is replacing a pointer.

mod build;
mod comparison;
mod evaluator;
mod key;
mod leaf;
mod memory;
mod plan;

use rustc_hash::{FxHashMap, FxHashSet};
use vedette_event::{EventType, FieldRef};

use crate::typed::{Expr, Rhs, Rule};
use build::{Builder, NEVER, Node, NodeId};
use leaf::Leaf;
use plan::RuleList;

pub use evaluator::{Cost, Evaluator, Mode};
pub use memory::Limits;

/// Index of a rule in the slice that the program was compiled from.
pub type RuleIndex = u32;

/// A compiled rule set.
#[derive(Debug)]
pub struct Program {
    nodes: Vec<Node>,
    children: Vec<NodeId>,
    leaves: Vec<Leaf>,
    columns: Vec<ColumnPlan>,
    /// Number of nodes that depend on the process alone.
    process_bits: u32,
    lists: Vec<RuleList>,
    /// List of each event type, [`NO_LIST`] when no rule can match there.
    list_of: Vec<u16>,
    fields: Vec<FieldRef>,
    rules: usize,
}

/// A text field for which values are remembered by text.
#[derive(Debug)]
struct ColumnPlan {
    field: FieldRef,
    /// Number of nodes that depend on it alone.
    nodes: u32,
    /// Words of each set of rules that is remembered with a text.
    groups: Vec<u32>,
}

const NO_LIST: u16 = u16::MAX;

impl Program {
    /// Compiles `rules`; the evaluator names matching rules by their index in this slice.
    ///
    /// All conditions compile: a pattern that is no regular expression (which the type check refuses) matches nothing.
    pub fn compile(rules: &[Rule]) -> Self {
        let mut builder = Builder::new(rules.iter().map(|rule| &rule.condition));
        let roots: Vec<_> = rules
            .iter()
            .map(|rule| builder.expr(&rule.condition))
            .collect();
        let mut by_kind: Vec<Vec<RuleIndex>> = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            for kind in &rule.kinds {
                let kind = usize::from(kind.0);
                if by_kind.len() <= kind {
                    by_kind.resize_with(kind + 1, Vec::new);
                }
                if by_kind[kind].last() != Some(&(index as RuleIndex)) {
                    by_kind[kind].push(index as RuleIndex);
                }
            }
        }
        let mut lists = Vec::new();
        let mut groups = vec![Vec::new(); builder.columns.len()];
        let mut known: FxHashMap<Vec<(RuleIndex, NodeId)>, u16> = FxHashMap::default();
        let mut done = FxHashMap::default();
        let mut list_of = Vec::with_capacity(by_kind.len());
        for (kind, members) in by_kind.into_iter().enumerate() {
            done.clear();
            let members: Vec<_> = members
                .into_iter()
                .map(|rule| {
                    let root = roots[rule as usize];
                    (
                        rule,
                        builder.specialise(root, EventType(kind as u16), &mut done),
                    )
                })
                .filter(|(_, root)| *root != NEVER)
                .collect();
            list_of.push(if members.is_empty() {
                NO_LIST
            } else {
                *known.entry(members).or_insert_with_key(|members| {
                    lists.push(RuleList::new(&builder, &mut groups, members));
                    lists.len() as u16 - 1
                })
            });
        }
        Self {
            fields: asked(rules),
            rules: rules.len(),
            lists,
            list_of,
            nodes: builder.nodes,
            children: builder.children,
            leaves: builder.leaves,
            columns: builder
                .columns
                .into_iter()
                .zip(groups)
                .map(|((field, nodes), groups)| ColumnPlan {
                    field,
                    nodes,
                    groups,
                })
                .collect(),
            process_bits: builder.process_bits,
        }
    }

    /// Event types at which at least one rule can match; no other event needs evaluation.
    pub fn kinds(&self) -> impl Iterator<Item = EventType> {
        self.list_of
            .iter()
            .enumerate()
            .filter(|(_, list)| **list != NO_LIST)
            .map(|(kind, _)| EventType(kind as u16))
    }

    /// Whether a rule can match at events of this type.
    pub fn wants(&self, kind: EventType) -> bool {
        self.list(kind).is_some()
    }

    /// Every field that a condition asks, once each.
    pub fn fields(&self) -> &[FieldRef] {
        &self.fields
    }

    /// Number of rules.
    pub fn rules(&self) -> usize {
        self.rules
    }

    /// Size of the graph: nodes, and comparisons among them. For people who tune.
    pub fn size(&self) -> (usize, usize) {
        (self.nodes.len(), self.leaves.len())
    }

    fn list(&self, kind: EventType) -> Option<(usize, &RuleList)> {
        let index = *self.list_of.get(usize::from(kind.0))?;
        Some((index.into(), self.lists.get(usize::from(index))?))
    }
}

fn asked(rules: &[Rule]) -> Vec<FieldRef> {
    fn of_expr(expr: &Expr, out: &mut Vec<FieldRef>, seen: &mut FxHashSet<Vec<u8>>) {
        match expr {
            Expr::And(parts) | Expr::Or(parts) => {
                for part in parts {
                    of_expr(part, out, seen);
                }
            }
            Expr::Not(part) => of_expr(part, out, seen),
            Expr::Check(check) => {
                let mut fields = Vec::new();
                comparison::fields_of(&check.lhs, &mut fields);
                if let Rhs::Operand(operand) = &check.rhs {
                    comparison::fields_of(operand, &mut fields);
                }
                for field in fields {
                    if seen.insert(key::of_field(field)) {
                        out.push(field.clone());
                    }
                }
            }
        }
    }
    let mut out = Vec::new();
    let mut seen = FxHashSet::default();
    for rule in rules {
        of_expr(&rule.condition, &mut out, &mut seen);
    }
    out
}
