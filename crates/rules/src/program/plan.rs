//! In which order the parts of a list of rules are looked at.
//!
//! Each part says which rules cannot match without it, and when it is false they all go. The order is learned from the
//! stream: what has removed most rules for its cost comes first, a few leaders of the whole list before all others.
//! Results do not depend on the order, since evaluation has no effects.

use std::cmp::Reverse;
use std::ops::Range;

use rustc_hash::FxHashMap;

use super::RuleIndex;
use super::build::{Builder, COLUMN_COST, Depends, NodeId, Shape};

/// The rules that can match at events of a type, in definition order, with their conditions specialised to it.
#[derive(Debug)]
pub(super) struct RuleList {
    pub(super) rules: Vec<RuleIndex>,
    pub(super) roots: Vec<NodeId>,
    pub(super) steps: Vec<Step>,
    /// The steps that each rule needs: ranges of [`Order::needs`].
    pub(super) needs: Vec<Range<u32>>,
    /// Parts of the steps that are groups.
    pub(super) parts: Vec<Part>,
    /// Sets of rules (bits, as many words as the list has), one after the other.
    pub(super) masks: Vec<u64>,
}

/// A step of evaluating a list.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) what: What,
    /// First word in `masks` of the set of rules that it can remove.
    pub(super) mask: u32,
    cost: u32,
    /// How many rules it can remove.
    sharing: u32,
}

#[derive(Debug)]
pub(super) enum What {
    /// A part without which the rules of the mask cannot match.
    Part(NodeId),
    /// All parts that depend on the text of one column. Which rules a text removes is remembered with the text.
    Group {
        column: u16,
        /// Index among the groups of the column.
        group: u32,
        parts: Range<u32>,
    },
}

/// A part of a group: what has to be true, and for which rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) node: NodeId,
    pub(super) mask: u32,
}

impl RuleList {
    /// Words of a set of these rules.
    pub(super) fn words(&self) -> usize {
        self.rules.len().div_ceil(64)
    }

    /// The set of rules at `mask`.
    pub(super) fn mask(&self, mask: u32) -> &[u64] {
        &self.masks[mask as usize..][..self.words()]
    }

    /// The list of these rules with their specialised conditions.
    pub(super) fn new(
        builder: &Builder,
        groups: &mut [Vec<u32>],
        members: &[(RuleIndex, NodeId)],
    ) -> Self {
        let words = members.len().div_ceil(64);
        let mut list = Self {
            rules: members.iter().map(|(rule, _)| *rule).collect(),
            roots: members.iter().map(|(_, root)| *root).collect(),
            steps: Vec::new(),
            needs: Vec::new(),
            parts: Vec::new(),
            masks: Vec::new(),
        };
        let mut order: Vec<Part> = Vec::new();
        let mut mask_of: FxHashMap<NodeId, u32> = FxHashMap::default();
        for (place, (_, root)) in members.iter().enumerate() {
            for node in needed(builder, root) {
                let mask = *mask_of.entry(*node).or_insert_with(|| {
                    let mask = list.masks.len() as u32;
                    list.masks.resize(list.masks.len() + words, 0);
                    order.push(Part { node: *node, mask });
                    mask
                });
                list.masks[mask as usize + place / 64] |= 1 << (place % 64);
            }
        }
        let column_of = |part: &Part| match builder.nodes[part.node as usize].depends {
            Depends::Column(column) => Some(column),
            _ => None,
        };
        order.sort_by_key(column_of);
        for parts in order.chunk_by(|a, b| column_of(a).is_some() && column_of(a) == column_of(b)) {
            match column_of(&parts[0]) {
                Some(column) if parts.len() > 1 => {
                    list.group(&mut groups[usize::from(column)], column, parts);
                }
                _ => {
                    for part in parts {
                        let cost = builder.nodes[part.node as usize].cost;
                        list.step(What::Part(part.node), part.mask, cost);
                    }
                }
            }
        }
        let mut start = 0;
        for place in 0..members.len() {
            let end = start + list.needed_by(place).count() as u32;
            list.needs.push(start..end);
            start = end;
        }
        list
    }

    /// The steps that the rule at `place` needs.
    fn needed_by(&self, place: usize) -> impl Iterator<Item = u32> {
        let needed = move |step: &Step| self.mask(step.mask)[place / 64] >> (place % 64) & 1 != 0;
        (0..self.steps.len() as u32).filter(move |step| needed(&self.steps[*step as usize]))
    }

    fn group(&mut self, groups: &mut Vec<u32>, column: u16, parts: &[Part]) {
        let words = self.words();
        let mask = self.masks.len();
        for part in parts {
            self.masks.resize(mask + words, 0);
            for word in 0..words {
                self.masks[mask + word] |= self.masks[part.mask as usize + word];
            }
        }
        groups.push(words as u32);
        let what = What::Group {
            column,
            group: groups.len() as u32 - 1,
            parts: self.parts.len() as u32..(self.parts.len() + parts.len()) as u32,
        };
        self.parts.extend_from_slice(parts);
        self.step(what, mask as u32, COLUMN_COST);
    }

    fn step(&mut self, what: What, mask: u32, cost: u32) {
        let sharing = self.mask(mask).iter().map(|word| word.count_ones()).sum();
        self.steps.push(Step {
            what,
            mask,
            cost: cost.max(1),
            sharing,
        });
    }
}

/// The parts that all have to be true for `root` to be.
fn needed<'a>(builder: &'a Builder, root: &'a NodeId) -> &'a [NodeId] {
    match &builder.nodes[*root as usize].shape {
        Shape::And(range) => &builder.children[range.start as usize..range.end as usize],
        _ => std::slice::from_ref(root),
    }
}

/// Evaluations of a list after which the order is looked at again, at first and later.
const FIRST_REVIEW: u32 = 64;
const LAST_REVIEW: u32 = 8192;

/// Steps that are tried before it goes rule by rule.
const LEADERS: usize = 4;

/// The order of a list's steps, and what it was learned from.
#[derive(Debug)]
pub(super) struct Order {
    /// The steps that did best.
    pub(super) leaders: Vec<u32>,
    /// For each rule the steps that it needs, those that did best first.
    pub(super) needs: Vec<u32>,
    records: Vec<Record>,
    left: u32,
    span: u32,
}

/// How a step did so far.
#[derive(Clone, Copy, Debug)]
struct Record {
    /// How often it was looked at.
    tried: u32,
    /// How many rules it removed.
    removed: u32,
}

impl Order {
    /// The order to start with: what many rules need and costs little goes first.
    pub(super) fn new(list: &RuleList) -> Self {
        let record = |step: &Step| Record {
            tried: 1,
            removed: step.sharing,
        };
        let mut order = Self {
            leaders: (0..list.steps.len().min(LEADERS) as u32).collect(),
            needs: (0..list.rules.len())
                .flat_map(|place| list.needed_by(place))
                .collect(),
            records: list.steps.iter().map(record).collect(),
            left: FIRST_REVIEW,
            span: FIRST_REVIEW,
        };
        order.sort(list);
        order
    }

    /// Notes that a step was looked at and removed so many rules.
    #[inline]
    pub(super) fn note(&mut self, step: u32, removed: u32) {
        let record = &mut self.records[step as usize];
        record.tried += 1;
        record.removed += removed;
    }

    /// Counts an evaluation; now and then sorts the steps by what they did, later evaluations counting more.
    #[inline]
    pub(super) fn count(&mut self, list: &RuleList) {
        self.left -= 1;
        if self.left == 0 {
            self.review(list);
        }
    }

    #[cold]
    fn review(&mut self, list: &RuleList) {
        self.span = (2 * self.span).min(LAST_REVIEW);
        self.left = self.span;
        self.sort(list);
        for record in &mut self.records {
            // What was not looked at keeps its standing.
            if record.tried > 1 {
                record.tried = record.tried / 4 + 1;
                record.removed /= 4;
            }
        }
    }

    fn sort(&mut self, list: &RuleList) {
        let records = &self.records;
        let rank = |step: &u32| {
            let record = records[*step as usize];
            let spent = u64::from(record.tried) * u64::from(list.steps[*step as usize].cost);
            (Reverse((u64::from(record.removed) << 20) / spent), *step)
        };
        for needs in &list.needs {
            self.needs[needs.start as usize..needs.end as usize].sort_unstable_by_key(rank);
        }
        for at in 0..self.leaders.len() {
            let (before, rest) = self.leaders.split_at_mut(at);
            let best = (0..list.steps.len() as u32)
                .filter(|step| !before.contains(step))
                .min_by_key(rank);
            rest[0] = best.unwrap_or(rest[0]);
        }
    }
}
