//! From typed conditions to a graph of nodes in which equal parts are one.

use std::cmp::Reverse;
use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};
use vedette_event::{EventType, FieldRef, Scope, Value};

use crate::typed::{Check, Expr, Operand, Rhs};

use super::comparison::{Comparison, Merged, column_field, decided, fields_of, is_typed, reach};
use super::key;
use super::leaf::Leaf;

/// A field gets a column when at least this many different comparisons ask it; for fewer, looking its text up costs
/// more than comparing.
const COLUMN_CHECKS: usize = 2;

/// Columns of a program; each costs an evaluator about 250 KiB, so only the fields asked most get one.
const MAX_COLUMNS: usize = 16;

/// Index of a node.
pub(super) type NodeId = u32;

/// The constant nodes.
pub(super) const NEVER: NodeId = 0;
pub(super) const ALWAYS: NodeId = 1;

/// A node of the graph.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) shape: Shape,
    pub(super) depends: Depends,
    /// Where its value is remembered among the nodes that depend on the same.
    pub(super) bit: u32,
    /// Rough cost of evaluating it.
    pub(super) cost: u32,
    /// It depends on the type of the event and has to be specialised for each.
    typed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Constant(bool),
    Check(u32),
    Not(NodeId),
    And(Range<u32>),
    Or(Range<u32>),
}

/// How long the value of a node stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depends {
    /// For ever.
    Nothing,
    /// While the text of this column's field is the same.
    Column(u16),
    /// While the process and its surroundings are the same.
    Process,
    /// For this event only.
    Event,
}

/// Costs of reaching a node that does not have to be evaluated most of the time.
pub(super) const COLUMN_COST: u32 = 12;
const PROCESS_COST: u32 = 16;

#[derive(Clone, PartialEq, Eq, Hash)]
enum NodeKey {
    Check(Vec<u8>),
    Not(NodeId),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
}

/// A text field on its way to a column.
struct Asked<'r> {
    field: &'r FieldRef,
    /// Place of the first comparison that asks it, so that the choice is the same on every run.
    order: usize,
    checks: FxHashSet<Vec<u8>>,
}

/// Builds the graph.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) nodes: Vec<Node>,
    pub(super) children: Vec<NodeId>,
    pub(super) leaves: Vec<Leaf>,
    /// Fields with a column, and how many nodes depend on each.
    pub(super) columns: Vec<(FieldRef, u32)>,
    /// How many nodes depend on the process.
    pub(super) process_bits: u32,
    column_of: FxHashMap<Vec<u8>, u16>,
    known: FxHashMap<NodeKey, NodeId>,
}

impl Builder {
    pub(super) fn new<'r>(conditions: impl Iterator<Item = &'r Expr>) -> Self {
        let mut builder = Self::default();
        builder.choose_columns(conditions);
        for (id, value) in [(NEVER, false), (ALWAYS, true)] {
            let node = builder.push(Shape::Constant(value), Depends::Nothing, 0, false);
            debug_assert_eq!(node, id);
        }
        builder
    }

    /// Gives columns to the text fields that most comparisons ask.
    fn choose_columns<'r>(&mut self, conditions: impl Iterator<Item = &'r Expr>) {
        let mut asked: FxHashMap<Vec<u8>, Asked<'r>> = FxHashMap::default();
        let mut checks = Vec::new();
        conditions.for_each(|expr| collect(expr, &mut checks));
        for (order, check) in checks.into_iter().enumerate() {
            if let Some(field) = column_field(check) {
                let entry = asked.entry(key::of_field(field)).or_insert_with(|| Asked {
                    field,
                    order,
                    checks: FxHashSet::default(),
                });
                entry.checks.insert(key::of(&check.into()));
            }
        }
        let mut asked: Vec<_> = asked.into_iter().collect();
        asked.retain(|(_, asked)| asked.checks.len() >= COLUMN_CHECKS);
        asked.sort_by_key(|(_, asked)| (Reverse(asked.checks.len()), asked.order));
        for (key, Asked { field, .. }) in asked.into_iter().take(MAX_COLUMNS) {
            self.column_of.insert(key, self.columns.len() as u16);
            self.columns.push((field.clone(), 0));
        }
    }

    /// The node of a condition.
    pub(super) fn expr(&mut self, expr: &Expr) -> NodeId {
        match expr {
            Expr::Check(check) => self.check(check.into()),
            Expr::Not(part) => {
                let part = self.expr(part);
                self.not(part)
            }
            Expr::And(parts) => {
                let parts = parts.iter().map(|part| self.expr(part)).collect();
                self.join(true, parts)
            }
            Expr::Or(parts) => {
                let mut merged = Merged::default();
                let mut nodes: Vec<_> = parts
                    .iter()
                    .filter(|part| !merged.take(part))
                    .map(|part| self.expr(part))
                    .collect();
                nodes.extend(merged.finish().map(|group| self.check(group)));
                self.join(false, nodes)
            }
        }
    }

    fn check(&mut self, comparison: Comparison) -> NodeId {
        if let Some(value) = decided(&comparison) {
            return if value { ALWAYS } else { NEVER };
        }
        let key = NodeKey::Check(key::of(&comparison));
        if let Some(node) = self.known.get(&key) {
            return *node;
        }
        let depends = self.depends(&comparison);
        let typed = is_typed(&comparison);
        let reach = reach(&comparison);
        let leaf = Leaf::new(comparison);
        let cost = reach + leaf.cost();
        self.leaves.push(leaf);
        let shape = Shape::Check(self.leaves.len() as u32 - 1);
        let node = self.push(shape, depends, cost, typed);
        self.known.insert(key, node);
        node
    }

    fn not(&mut self, part: NodeId) -> NodeId {
        match self.nodes[part as usize].shape {
            Shape::Constant(value) => return if value { NEVER } else { ALWAYS },
            Shape::Not(inner) => return inner,
            _ => {}
        }
        let key = NodeKey::Not(part);
        if let Some(node) = self.known.get(&key) {
            return *node;
        }
        let Node {
            depends,
            cost,
            typed,
            ..
        } = self.nodes[part as usize];
        let node = self.push(Shape::Not(part), depends, cost + 1, typed);
        self.known.insert(key, node);
        node
    }

    /// `and` or `or` of nodes: flattened, without doubles and constants, what depends on the same brought together,
    /// cheap parts first. The order never changes the value, since evaluation has no effects.
    fn join(&mut self, and: bool, parts: Vec<NodeId>) -> NodeId {
        let (neutral, decisive) = if and {
            (ALWAYS, NEVER)
        } else {
            (NEVER, ALWAYS)
        };
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            self.flatten(and, part, &mut flat);
        }
        flat.sort_unstable();
        flat.dedup();
        flat.retain(|part| *part != neutral);
        let opposed = |part: &NodeId| match self.nodes[*part as usize].shape {
            Shape::Not(inner) => flat.binary_search(&inner).is_ok(),
            _ => false,
        };
        if flat.contains(&decisive) || flat.iter().any(opposed) {
            return decisive;
        }
        let mut grouped = Vec::with_capacity(flat.len());
        flat.sort_by_key(|part| self.group(*part));
        let mut rest = flat.as_slice();
        while let Some(first) = rest.first() {
            let wanted = self.group(*first);
            let length = rest
                .iter()
                .take_while(|part| self.group(**part) == wanted)
                .count();
            let (group, after) = rest.split_at(length);
            rest = after;
            if length == 1 || length == flat.len() || wanted.0 == Depends::Event {
                grouped.extend_from_slice(group);
            } else {
                grouped.push(self.intern(and, group.to_vec()));
            }
        }
        match grouped.as_slice() {
            [] => neutral,
            [only] => *only,
            _ => self.intern(and, grouped),
        }
    }

    /// What may be brought together: nodes that depend on the event alone, or on its type too, stay apart.
    fn group(&self, part: NodeId) -> (Depends, bool) {
        let node = &self.nodes[part as usize];
        (node.depends, node.typed)
    }

    fn flatten(&self, and: bool, part: NodeId, out: &mut Vec<NodeId>) {
        match &self.nodes[part as usize].shape {
            Shape::And(range) if and => self.flatten_all(and, range, out),
            Shape::Or(range) if !and => self.flatten_all(and, range, out),
            _ => out.push(part),
        }
    }

    fn flatten_all(&self, and: bool, range: &Range<u32>, out: &mut Vec<NodeId>) {
        for child in &self.children[range.start as usize..range.end as usize] {
            self.flatten(and, *child, out);
        }
    }

    fn intern(&mut self, and: bool, mut parts: Vec<NodeId>) -> NodeId {
        parts.sort_by_key(|part| (self.nodes[*part as usize].cost, *part));
        let parts = parts.into_boxed_slice();
        let key = if and {
            NodeKey::And(parts)
        } else {
            NodeKey::Or(parts)
        };
        if let Some(node) = self.known.get(&key) {
            return *node;
        }
        let (NodeKey::And(parts) | NodeKey::Or(parts)) = &key else {
            return NEVER;
        };
        let start = self.children.len() as u32;
        self.children.extend_from_slice(parts);
        let range = start..self.children.len() as u32;
        let members = || parts.iter().map(|part| &self.nodes[*part as usize]);
        let typed = members().any(|node| node.typed);
        let mut kinds = members()
            .map(|node| node.depends)
            .filter(|d| *d != Depends::Nothing);
        let first = kinds.next().unwrap_or(Depends::Nothing);
        let depends = if kinds.all(|other| other == first) {
            first
        } else {
            Depends::Event
        };
        let cost = members().fold(0, |sum: u32, node| sum.saturating_add(node.cost));
        let shape = if and {
            Shape::And(range)
        } else {
            Shape::Or(range)
        };
        let node = self.push(shape, depends, cost, typed);
        self.known.insert(key, node);
        node
    }

    fn push(&mut self, shape: Shape, depends: Depends, cost: u32, typed: bool) -> NodeId {
        let id = self.nodes.len() as NodeId;
        let (bit, cost) = match depends {
            Depends::Process => {
                self.process_bits += 1;
                (self.process_bits - 1, PROCESS_COST)
            }
            Depends::Column(column) => {
                let bits = &mut self.columns[usize::from(column)].1;
                *bits += 1;
                (*bits - 1, COLUMN_COST)
            }
            Depends::Event | Depends::Nothing => (id, cost),
        };
        self.nodes.push(Node {
            shape,
            depends,
            bit,
            cost,
            typed,
        });
        id
    }

    fn depends(&self, comparison: &Comparison) -> Depends {
        let mut fields = Vec::new();
        fields_of(&comparison.lhs, &mut fields);
        if let Rhs::Operand(operand) = &comparison.rhs {
            fields_of(operand, &mut fields);
        }
        match (&comparison.lhs, &comparison.rhs) {
            _ if fields
                .iter()
                .all(|field| field.info().scope == Scope::Process) =>
            {
                Depends::Process
            }
            (_, Rhs::Operand(_)) | (Operand::Call(_), _) => Depends::Event,
            (Operand::Field(field), _) => self
                .column_of
                .get(&key::of_field(field))
                .map_or(Depends::Event, |column| Depends::Column(*column)),
        }
    }

    /// The node that `node` comes down to at events of type `kind`; `done` remembers what was found for this type.
    pub(super) fn specialise(
        &mut self,
        node: NodeId,
        kind: EventType,
        done: &mut FxHashMap<NodeId, NodeId>,
    ) -> NodeId {
        let Node {
            ref shape, typed, ..
        } = self.nodes[node as usize];
        if !typed || !names_its_type(kind) {
            return node;
        }
        if let Some(found) = done.get(&node) {
            return *found;
        }
        let found = match shape.clone() {
            Shape::Constant(_) => node,
            Shape::Check(leaf) => {
                let name = Value::Text(kind.name().as_bytes());
                if self.leaves[leaf as usize].test.holds(name) {
                    ALWAYS
                } else {
                    NEVER
                }
            }
            Shape::Not(part) => {
                let part = self.specialise(part, kind, done);
                self.not(part)
            }
            Shape::And(range) => {
                let parts = self.specialise_all(&range, kind, done);
                self.join(true, parts)
            }
            Shape::Or(range) => {
                let parts = self.specialise_all(&range, kind, done);
                self.join(false, parts)
            }
        };
        done.insert(node, found);
        found
    }

    fn specialise_all(
        &mut self,
        range: &Range<u32>,
        kind: EventType,
        done: &mut FxHashMap<NodeId, NodeId>,
    ) -> Vec<NodeId> {
        (range.start..range.end)
            .map(|index| {
                let child = self.children[index as usize];
                self.specialise(child, kind, done)
            })
            .collect()
    }
}

/// `evt.type` at such events is the name of their type. The type for system calls without a type of their own is the
/// exception: there it is the name of the call.
fn names_its_type(kind: EventType) -> bool {
    kind.info()
        .is_some_and(|info| !info.symbol.starts_with("GENERIC_"))
}

fn collect<'r>(expr: &'r Expr, out: &mut Vec<&'r Check>) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| collect(part, out)),
        Expr::Not(part) => collect(part, out),
        Expr::Check(check) => out.push(check),
    }
}
