//! Evaluation of a program, one event after the other.

use std::sync::Arc;

use vedette_event::{EventType, Extract, Extracted, Value, Values};

use crate::ops;
use crate::transform::{self, Scratch};
use crate::typed::Operand;

use super::build::{Depends, NodeId, Shape};
use super::leaf::{Leaf, Test};
use super::memory::{Column, Limits, Processes};
use super::plan::{Order, Part, RuleList, What};
use super::{Program, RuleIndex};

/// Which matching rules are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The first in definition order.
    First,
    /// Every one.
    All,
}

/// How often a rule was looked at and matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Events at which at least one part of the condition had to be looked at.
    pub evaluated: u64,
    /// Events at which it matched.
    pub matched: u64,
}

/// Evaluates a program; one for each thread. Results depend on the event alone, never on what is remembered.
#[derive(Debug)]
pub struct Evaluator {
    program: Arc<Program>,
    memory: Memory,
}

#[derive(Debug)]
struct Memory {
    /// Number of the current event, shifted left by one; memo entries of other events are void.
    now: u32,
    /// For each node that depends on the event: the event it was evaluated at, and in the lowest bit its value.
    memo: Vec<u32>,
    processes: Processes,
    columns: Vec<Column>,
    /// For each column: the event at which its text was looked up, and the place found.
    places: Vec<(u32, u32)>,
    /// In which order to look at the parts of each list.
    orders: Vec<Order>,
    /// Rules of the list that may still match.
    live: Vec<u64>,
    /// Rules that a text has not decided yet, while it does.
    open: Vec<u64>,
    room: Values,
    scratch: Scratch,
    costs: Option<Box<[Cost]>>,
}

/// Place of a column's text that is not remembered: too long, or no text at all.
const ELSEWHERE: u32 = u32::MAX;

impl Evaluator {
    /// An evaluator with the usual memory.
    pub fn new(program: Arc<Program>) -> Self {
        Self::with_limits(program, &Limits::default())
    }

    /// An evaluator with this much memory.
    pub fn with_limits(program: Arc<Program>, limits: &Limits) -> Self {
        let columns = program
            .columns
            .iter()
            .map(|plan| Column::new(plan, limits))
            .collect();
        let longest = program.lists.iter().map(RuleList::words).max().unwrap_or(0);
        let memory = Memory {
            now: 0,
            memo: vec![0; program.nodes.len()],
            processes: Processes::new(&program, limits),
            columns,
            places: vec![(0, 0); program.columns.len()],
            orders: program.lists.iter().map(Order::new).collect(),
            live: vec![0; longest],
            open: vec![0; longest],
            room: Values::default(),
            scratch: Scratch::default(),
            costs: None,
        };
        Self { program, memory }
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Counts from now on how often each rule is looked at and matches, or stops counting.
    pub fn count_costs(&mut self, on: bool) {
        let rules = self.program.rules;
        self.memory.costs = on.then(|| vec![Cost::default(); rules].into());
    }

    /// What was counted for each rule; `None` when counting is off.
    pub fn costs(&self) -> Option<&[Cost]> {
        self.memory.costs.as_deref()
    }

    /// Replaces the contents of `out` by the rules that match `event`, in definition order.
    pub fn matches<E: Extract + ?Sized>(
        &mut self,
        event: &E,
        mode: Mode,
        out: &mut Vec<RuleIndex>,
    ) {
        out.clear();
        let kind: EventType = event.kind();
        let program = &*self.program;
        let Some((index, list)) = program.list(kind) else {
            return;
        };
        let memory = &mut self.memory;
        let key = event.state_key();
        let row = memory.processes.row(key);
        let words = list.words();
        let known = match memory.processes.remaining(row, index, words) {
            Some(remaining) => {
                if remaining.iter().all(|word| *word == 0) {
                    return;
                }
                memory.live[..words].copy_from_slice(remaining);
                true
            }
            None => false,
        };
        memory.next_event();
        let mut run = Run {
            program,
            memory,
            event,
            row,
        };
        if !known {
            run.all_live(list);
            // The second time a process meets a list it is worth finding out which rules are left for it.
            if key.is_some() && run.memory.processes.met(row, index) {
                run.find_remaining(index, list);
            }
        }
        run.list(index, list, mode, out);
    }
}

impl Memory {
    fn next_event(&mut self) {
        self.now = self.now.wrapping_add(2);
        if self.now == 0 {
            // All numbers are used up: start again with nothing remembered.
            self.memo.fill(0);
            self.places.fill((0, 0));
            self.now = 2;
        }
    }
}

impl Memory {
    /// Whether a live rule is in the set.
    #[inline]
    fn touches(&self, mask: &[u64]) -> bool {
        self.live
            .iter()
            .zip(mask)
            .any(|(live, mask)| live & mask != 0)
    }
}

/// Removes a set of rules; gives how many of them were live.
#[inline]
fn remove(live: &mut [u64], dead: &[u64]) -> u32 {
    let mut removed = 0;
    for (live, dead) in live.iter_mut().zip(dead) {
        removed += (*live & dead).count_ones();
        *live &= !dead;
    }
    removed
}

/// The evaluation of one event.
struct Run<'p, 'm, 'e, E: ?Sized> {
    program: &'p Program,
    memory: &'m mut Memory,
    event: &'e E,
    /// Where the process is remembered.
    row: usize,
}

impl<'p, E: Extract + ?Sized> Run<'p, '_, '_, E> {
    fn all_live(&mut self, list: &RuleList) {
        let mut left = list.rules.len();
        for word in &mut self.memory.live[..list.words()] {
            *word = if left >= 64 {
                u64::MAX
            } else {
                (1 << left) - 1
            };
            left = left.saturating_sub(64);
        }
    }

    /// Removes the rules that are false whatever the event says, as long as the process stays as it is.
    fn find_remaining(&mut self, index: usize, list: &'p RuleList) {
        for (place, root) in list.roots.iter().enumerate() {
            if self.for_process(*root) == Some(false) {
                self.memory.live[place / 64] &= !(1 << (place % 64));
            }
        }
        let Memory {
            processes, live, ..
        } = &mut *self.memory;
        processes.set_remaining(self.row, index, &live[..list.words()]);
    }

    /// The value of a node if the process alone decides it.
    fn for_process(&mut self, id: NodeId) -> Option<bool> {
        let program = self.program;
        let node = &program.nodes[id as usize];
        match (&node.shape, node.depends) {
            (Shape::Constant(value), _) => Some(*value),
            (_, Depends::Process) => Some(self.node(id)),
            (_, Depends::Column(_)) | (Shape::Check(_), _) => None,
            (Shape::Not(part), _) => self.for_process(*part).map(|value| !value),
            (Shape::And(range) | Shape::Or(range), _) => {
                let decisive = matches!(node.shape, Shape::Or(_));
                let mut all = true;
                for child in &program.children[range.start as usize..range.end as usize] {
                    match self.for_process(*child) {
                        Some(value) if value == decisive => return Some(decisive),
                        Some(_) => {}
                        None => all = false,
                    }
                }
                all.then_some(!decisive)
            }
        }
    }

    /// Evaluates the live rules of `list`: the steps that remove most first, then rule by rule what is left.
    fn list(&mut self, index: usize, list: &'p RuleList, mode: Mode, out: &mut Vec<RuleIndex>) {
        let words = list.words();
        self.count(list, |cost| &mut cost.evaluated);
        for leader in 0..self.memory.orders[index].leaders.len() {
            self.step(index, list, self.memory.orders[index].leaders[leader]);
        }
        'next: for word in 0..words {
            while self.memory.live[word] != 0 {
                let bit = self.memory.live[word].trailing_zeros();
                let place = word * 64 + bit as usize;
                for need in list.needs[place].clone() {
                    self.step(index, list, self.memory.orders[index].needs[need as usize]);
                    if self.memory.live[word] >> bit & 1 == 0 {
                        break;
                    }
                }
                if self.memory.live[word] >> bit & 1 != 0 {
                    self.memory.live[word] &= !(1 << bit);
                    let rule = list.rules[place];
                    if let Some(costs) = &mut self.memory.costs {
                        costs[rule as usize].matched += 1;
                    }
                    out.push(rule);
                    if mode == Mode::First {
                        break 'next;
                    }
                }
            }
        }
        self.memory.orders[index].count(list);
    }

    /// Looks at a step and removes the rules that it makes false, unless none of its rules is live.
    #[inline]
    fn step(&mut self, index: usize, list: &'p RuleList, number: u32) {
        let step = &list.steps[number as usize];
        let mask = list.mask(step.mask);
        if !self.memory.touches(mask) {
            return;
        }
        let removed = match &step.what {
            What::Part(node) if self.node(*node) => 0,
            What::Part(_) => remove(&mut self.memory.live, mask),
            What::Group {
                column,
                group,
                parts,
            } => {
                let parts = &list.parts[parts.start as usize..parts.end as usize];
                self.group(list, (*column, *group), mask, parts)
            }
        };
        self.memory.orders[index].note(number, removed);
    }

    /// Counts every live rule, when costs are counted.
    fn count(&mut self, list: &RuleList, what: impl Fn(&mut Cost) -> &mut u64) {
        let Memory {
            live,
            costs: Some(costs),
            ..
        } = &mut *self.memory
        else {
            return;
        };
        for (place, rule) in list.rules.iter().enumerate() {
            *what(&mut costs[*rule as usize]) += live[place / 64] >> (place % 64) & 1;
        }
    }

    /// Removes the rules that the text of a column makes false; gives their number.
    fn group(
        &mut self,
        list: &'p RuleList,
        (column, group): (u16, u32),
        mask: &[u64],
        parts: &'p [Part],
    ) -> u32 {
        let words = list.words();
        let place = self.place(column);
        if place == ELSEWHERE {
            let mut removed = 0;
            for part in parts {
                let mask = list.mask(part.mask);
                if self.memory.touches(mask) && !self.node(part.node) {
                    removed += remove(&mut self.memory.live, mask);
                }
            }
            return removed;
        }
        let column = usize::from(column);
        let Memory {
            columns,
            live,
            open,
            ..
        } = &mut *self.memory;
        let (decided, dead) = columns[column].group(place, group, words);
        let mut any_open = 0;
        for word in 0..words {
            open[word] = live[word] & mask[word] & !decided[word] & !dead[word];
            decided[word] |= open[word];
            any_open |= open[word];
        }
        if any_open != 0 {
            // Parts that only decided rules or rules out of the race need can wait.
            for part in parts {
                let mask = list.mask(part.mask);
                let wanted = self
                    .memory
                    .open
                    .iter()
                    .zip(mask)
                    .any(|(open, mask)| open & mask != 0);
                if wanted && !self.node(part.node) {
                    let (_, dead) = self.memory.columns[column].group(place, group, words);
                    for word in 0..words {
                        dead[word] |= mask[word];
                        self.memory.open[word] &= !mask[word];
                    }
                }
            }
        }
        let Memory { columns, live, .. } = &mut *self.memory;
        let (_, dead) = columns[column].group(place, group, words);
        remove(live, dead)
    }

    /// The value of a node.
    fn node(&mut self, id: NodeId) -> bool {
        let program = self.program;
        let node = &program.nodes[id as usize];
        match node.depends {
            Depends::Process => {
                if let Some(value) = self.memory.processes.node(self.row, node.bit) {
                    return value;
                }
                let value = self.evaluate(&node.shape, None);
                self.memory.processes.set_node(self.row, node.bit, value);
                value
            }
            Depends::Column(column) => {
                let place = self.place(column);
                if place == ELSEWHERE {
                    return self.remembered(id, &node.shape);
                }
                let column = usize::from(column);
                if let Some(value) = self.memory.columns[column].node(place, node.bit) {
                    return value;
                }
                let value = self.evaluate(&node.shape, Some((column, place)));
                self.memory.columns[column].set_node(place, node.bit, value);
                value
            }
            Depends::Event | Depends::Nothing => self.remembered(id, &node.shape),
        }
    }

    /// The value of a node that is remembered for this event only.
    fn remembered(&mut self, id: NodeId, shape: &'p Shape) -> bool {
        let entry = self.memory.memo[id as usize];
        if entry & !1 == self.memory.now {
            return entry & 1 != 0;
        }
        let value = self.evaluate(shape, None);
        self.memory.memo[id as usize] = self.memory.now | u32::from(value);
        value
    }

    fn evaluate(&mut self, shape: &'p Shape, text: Option<(usize, u32)>) -> bool {
        let program = self.program;
        match shape {
            Shape::Constant(value) => *value,
            Shape::Not(part) => !self.node(*part),
            Shape::And(range) => program.children[range.start as usize..range.end as usize]
                .iter()
                .all(|child| self.node(*child)),
            Shape::Or(range) => program.children[range.start as usize..range.end as usize]
                .iter()
                .any(|child| self.node(*child)),
            Shape::Check(leaf) => {
                let leaf = &program.leaves[*leaf as usize];
                match text {
                    Some((column, place)) => self.memory.columns[column]
                        .text(place)
                        .is_some_and(|text| leaf.test.holds(Value::Text(text))),
                    None => self.check(leaf),
                }
            }
        }
    }

    /// Where the text of a column's field is remembered.
    fn place(&mut self, column: u16) -> u32 {
        let column = usize::from(column);
        let (at, place) = self.memory.places[column];
        if at == self.memory.now {
            return place;
        }
        let Memory { columns, room, .. } = &mut *self.memory;
        let place = match self
            .event
            .extract(&self.program.columns[column].field, room)
        {
            Extracted::Missing => Column::MISSING,
            Extracted::One(Value::Text(text)) => columns[column].place(text).unwrap_or(ELSEWHERE),
            _ => ELSEWHERE,
        };
        self.memory.places[column] = (self.memory.now, place);
        place
    }

    /// Extracts and compares.
    fn check(&mut self, leaf: &Leaf) -> bool {
        let Memory { room, scratch, .. } = &mut *self.memory;
        match (&leaf.lhs, &leaf.test) {
            (_, Test::Other(operand)) => {
                let mut right_room = scratch.take();
                let left = transform::extract(&leaf.lhs, self.event, room, scratch);
                let right = transform::extract(operand, self.event, &mut right_room, scratch);
                let value = !matches!(right, Extracted::Missing)
                    && ops::meet(leaf.meeting, leaf.op, left, |value| {
                        ops::compare_extracted(leaf.op, value, right)
                    });
                scratch.give(right_room);
                value
            }
            (Operand::Field(field), test) => {
                let left = self.event.extract(field, room);
                ops::meet(leaf.meeting, leaf.op, left, |value| test.holds(value))
            }
            (Operand::Call(_), test) => {
                let left = transform::extract(&leaf.lhs, self.event, room, scratch);
                ops::meet(leaf.meeting, leaf.op, left, |value| test.holds(value))
            }
        }
    }
}
