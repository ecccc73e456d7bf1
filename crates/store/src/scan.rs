//! Which rows of a part pass a filter: columns decide by their dictionaries, records are read only where they must be.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustc_hash::FxHashMap;
use vedette_event::{Activity, Finding};
use vedette_history::filter::plan::{Plan, holds};
use vedette_history::{Filter, Partial, Status, Subject, TimeRange};
use vedette_rules::naive::Naive;
use vedette_rules::ops::icontains;
use vedette_rules::typed::{Check, Expr, Literal, Op, Operand, Rhs};

use crate::block::Open;
use crate::columns::Codes;
use crate::part::Part;
use crate::table::{self, Table};

/// Records that one question may read in full before it answers in part: a second or two at
/// worst, and much less for a text that is looked for.
pub(crate) const MAX_READ: u64 = 200_000;

/// Where findings stand that are not open, by time and id.
pub(crate) type Statuses = BTreeMap<(u64, u128), Status>;

/// How many records may still be read, and how many were and would have had to be.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    read: AtomicU64,
    wanted: AtomicU64,
}

impl Budget {
    /// Asks to read one more.
    pub(crate) fn take(&self) -> bool {
        self.wanted.fetch_add(1, Relaxed);
        if self.read.fetch_add(1, Relaxed) < MAX_READ {
            return true;
        }
        self.read.fetch_sub(1, Relaxed);
        false
    }

    pub(crate) fn partial(&self) -> Option<Partial> {
        let (looked_at, of) = (self.read.load(Relaxed), self.wanted.load(Relaxed));
        (of > looked_at).then_some(Partial { looked_at, of })
    }
}

/// A row does not pass, may pass, passes. As bits: *may* and *must*, so that `and` and `or` are those of bits.
pub(crate) const NO: u8 = 0b00;
pub(crate) const MAYBE: u8 = 0b01;
pub(crate) const YES: u8 = 0b11;

/// What the columns say of a stretch of rows.
#[derive(Debug)]
pub(crate) enum Mask {
    /// The same for all.
    All(u8),
    /// Row by row.
    Rows(Vec<u8>),
}

impl Mask {
    /// For [`Codes::visit`]: the bytes of a stretch of rows, or `None` for all of them. Only for masks that leave
    /// nothing open and let something through.
    pub(crate) fn bytes(&self, from: usize, to: usize) -> Option<&[u8]> {
        match self {
            Self::All(_) => None,
            Self::Rows(rows) => Some(&rows[from..to]),
        }
    }

    pub(crate) fn get(&self, index: usize) -> u8 {
        match self {
            Self::All(verdict) => *verdict,
            Self::Rows(rows) => rows[index],
        }
    }
}

/// A filter cut up for a table.
pub(crate) struct Needle<'f> {
    pub(crate) table: Table,
    pub(crate) filter: &'f Filter,
    pub(crate) range: TimeRange,
    pub(crate) statuses: Arc<Statuses>,
    plan: Plan<'f>,
    /// Texts that the JSON of every record that passes holds, and whether the case of letters counts.
    required: Vec<(&'f [u8], bool)>,
}

/// A plan with its conditions evaluated on one part's dictionaries.
enum Ready {
    Constant(u8),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Column(usize, Vec<u8>),
}

impl<'f> Needle<'f> {
    pub(crate) fn new(
        table: Table,
        filter: &'f Filter,
        range: TimeRange,
        statuses: Arc<Statuses>,
    ) -> Self {
        let plan = Plan::of(filter, table.columns());
        let mut required = Vec::new();
        require(&plan, &mut required);
        Self {
            table,
            filter,
            range,
            statuses,
            plan,
            required,
        }
    }

    /// True when no record need be read.
    pub(crate) fn is_exact(&self) -> bool {
        self.plan.is_exact()
    }

    /// The rows of the part in the time range: first and one past the last.
    pub(crate) fn bounds(&self, part: &Part) -> io::Result<(usize, usize)> {
        let from = if self.range.from <= part.first_time() {
            0
        } else {
            part.rows_before(self.range.from)?
        };
        let to = if self.range.to > part.last_time() {
            part.rows()
        } else {
            part.rows_before(self.range.to)?
        };
        Ok((from, to.max(from)))
    }

    /// What the columns say of these rows.
    pub(crate) fn mask(&self, part: &Part, from: usize, to: usize) -> io::Result<Mask> {
        if from == to {
            return Ok(Mask::All(NO));
        }
        let ready = self.ready(&self.plan, part)?;
        self.run(&ready, part, from, to)
    }

    fn ready(&self, plan: &Plan<'_>, part: &Part) -> io::Result<Ready> {
        let both = |parts: &[Plan<'_>], decides: u8, neutral: u8| -> io::Result<Vec<Ready>> {
            let mut out = Vec::new();
            for plan in parts {
                match self.ready(plan, part)? {
                    Ready::Constant(verdict) if verdict == decides => {
                        return Ok(vec![Ready::Constant(decides)]);
                    }
                    Ready::Constant(verdict) if verdict == neutral => {}
                    other => out.push(other),
                }
            }
            if out.is_empty() {
                out.push(Ready::Constant(neutral));
            }
            Ok(out)
        };
        Ok(match plan {
            Plan::Constant(verdict) => Ready::Constant(if *verdict { YES } else { NO }),
            Plan::Residual(_) => Ready::Constant(MAYBE),
            Plan::And(parts) => single(both(parts, NO, YES)?, Ready::And),
            Plan::Or(parts) => single(both(parts, YES, NO)?, Ready::Or),
            Plan::Not(inner) => match self.ready(inner, part)? {
                Ready::Constant(verdict) => Ready::Constant(opposite(verdict)),
                other => Ready::Not(Box::new(other)),
            },
            Plan::Column { column, expr } => {
                let name = self.table.columns()[*column];
                let mut naive = Naive::default();
                let mut test = |value: &str| {
                    let value = table::decode(value);
                    if holds(&mut naive, expr, name, &value) {
                        YES
                    } else {
                        NO
                    }
                };
                let verdicts: Vec<u8> = if *column == self.table.stored().len() {
                    Status::ALL
                        .iter()
                        .map(|s| test(&table::status_value(*s)))
                        .collect()
                } else {
                    let dictionary = part.dictionary(*column)?;
                    dictionary.values.iter().map(|value| test(value)).collect()
                };
                match verdicts.first() {
                    Some(first) if verdicts.iter().all(|verdict| verdict == first) => {
                        Ready::Constant(*first)
                    }
                    _ => Ready::Column(*column, verdicts),
                }
            }
        })
    }

    fn run(&self, ready: &Ready, part: &Part, from: usize, to: usize) -> io::Result<Mask> {
        let fold = |parts: &[Ready], join: fn(u8, u8) -> u8| -> io::Result<Mask> {
            let mut joined: Option<Mask> = None;
            for ready in parts {
                let mask = self.run(ready, part, from, to)?;
                joined = Some(match (joined, mask) {
                    (None, mask) => mask,
                    (Some(Mask::All(a)), Mask::All(b)) => Mask::All(join(a, b)),
                    (Some(Mask::All(one)), Mask::Rows(mut rows))
                    | (Some(Mask::Rows(mut rows)), Mask::All(one)) => {
                        for row in &mut rows {
                            *row = join(*row, one);
                        }
                        Mask::Rows(rows)
                    }
                    (Some(Mask::Rows(mut rows)), Mask::Rows(others)) => {
                        for (row, other) in rows.iter_mut().zip(others) {
                            *row = join(*row, other);
                        }
                        Mask::Rows(rows)
                    }
                });
            }
            Ok(joined.unwrap_or(Mask::All(NO)))
        };
        Ok(match ready {
            Ready::Constant(verdict) => Mask::All(*verdict),
            Ready::And(parts) => fold(parts, |a, b| a & b)?,
            Ready::Or(parts) => fold(parts, |a, b| a | b)?,
            Ready::Not(inner) => match self.run(inner, part, from, to)? {
                Mask::All(verdict) => Mask::All(opposite(verdict)),
                Mask::Rows(mut rows) => {
                    for row in &mut rows {
                        *row = opposite(*row);
                    }
                    Mask::Rows(rows)
                }
            },
            Ready::Column(column, verdicts) => {
                let codes = self.codes(part, *column)?;
                let mut rows = vec![NO; to - from];
                codes.map(from, verdicts, &mut rows);
                Mask::Rows(rows)
            }
        })
    }

    /// Codes of a column, the one of statuses included.
    pub(crate) fn codes(&self, part: &Part, column: usize) -> io::Result<Arc<Codes>> {
        if column < self.table.stored().len() {
            return part.codes(column);
        }
        let mut codes = vec![Status::Open as u8; part.rows()];
        for (time, id, status) in self.statuses_in(part) {
            if let Some(row) = part.find(id, Some(time))? {
                codes[row] = status as u8;
            }
        }
        Ok(Arc::new(Codes::U8(codes)))
    }

    fn statuses_in(&self, part: &Part) -> impl Iterator<Item = (u64, u128, Status)> {
        let bounds = (part.first_time(), 0)..=(part.last_time(), u128::MAX);
        self.statuses
            .range(bounds)
            .map(|((time, id), status)| (*time, *id, *status))
    }

    /// The rows of the part that pass, after reading the records of those that the columns leave open, the latest
    /// first, as far as the budget goes. Gives the first row that the mask speaks of; the mask holds no `MAYBE`.
    pub(crate) fn select(&self, part: &Part, budget: &Budget) -> io::Result<(usize, usize, Mask)> {
        let (from, to) = self.bounds(part)?;
        let mask = self.mask(part, from, to)?;
        let mut rows = match mask {
            Mask::All(MAYBE) => vec![MAYBE; to - from],
            Mask::Rows(rows) => rows,
            Mask::All(_) => return Ok((from, to, mask)),
        };
        if !self.is_exact() {
            let mut reader = Reader::default();
            for index in (0..rows.len()).rev() {
                if rows[index] != MAYBE {
                    continue;
                }
                let passes =
                    budget.take() && self.read_and_test(part, from + index, &mut reader)?;
                rows[index] = if passes { YES } else { NO };
            }
        }
        Ok((from, to, Mask::Rows(rows)))
    }

    /// Whether the record at a row passes.
    pub(crate) fn read_and_test(
        &self,
        part: &Part,
        row: usize,
        reader: &mut Reader,
    ) -> io::Result<bool> {
        // To look for a text is much faster than to read JSON.
        if !self.required.is_empty() {
            let (open, index) = reader.block(part, row)?;
            let json = open.get(index)?;
            let holds = |(text, exact): &(&[u8], bool)| {
                if *exact {
                    memchr::memmem::find(json, text).is_some()
                } else {
                    icontains(json, text)
                }
            };
            if !self.required.iter().all(holds) {
                return Ok(false);
            }
        }
        Ok(match self.table {
            Table::Findings => {
                let finding = reader.finding(part, row)?;
                let status = if self.statuses.is_empty() {
                    Status::Open
                } else {
                    let key = (finding.time, part.id(row)?);
                    self.statuses.get(&key).copied().unwrap_or_default()
                };
                let subject = Subject::Finding(&finding, status);
                self.filter.matches_with(&mut reader.naive, &subject)
            }
            Table::Activity => {
                let activity = reader.activity(part, row)?;
                let subject = Subject::Activity(&activity);
                self.filter.matches_with(&mut reader.naive, &subject)
            }
        })
    }
}

/// Collects the texts that records must hold in their JSON to pass: values of comparisons that must be true.
fn require<'f>(plan: &Plan<'f>, out: &mut Vec<(&'f [u8], bool)>) {
    match plan {
        Plan::And(parts) => parts.iter().for_each(|part| require(part, out)),
        Plan::Residual(Expr::Check(Check {
            lhs: Operand::Field(_),
            op: op @ (Op::Eq | Op::Contains | Op::StartsWith | Op::EndsWith | Op::IContains),
            rhs: Rhs::One(Literal::Text(text)),
        })) => {
            // These stand in JSON as they are; other characters may be escaped.
            let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
            if !text.is_empty() && text.iter().all(plain) {
                out.push((text, *op != Op::IContains));
            }
        }
        _ => {}
    }
}

fn single(mut parts: Vec<Ready>, join: fn(Vec<Ready>) -> Ready) -> Ready {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

fn opposite(verdict: u8) -> u8 {
    match verdict {
        NO => YES,
        YES => NO,
        _ => MAYBE,
    }
}

/// Reads records, keeping the blocks it read last.
#[derive(Default)]
pub(crate) struct Reader {
    /// By the part's last sequence number, which no other part has, and the block's number.
    blocks: FxHashMap<(u64, usize), Arc<Open>>,
    naive: Naive,
}

/// Blocks that a reader keeps: neighbouring rows are in a few blocks, one per agent that sends at the time.
const MAX_BLOCKS: usize = 16;

impl Reader {
    fn json<T>(
        &mut self,
        part: &Part,
        row: usize,
        parse: impl FnOnce(&[u8]) -> serde_json::Result<T>,
    ) -> io::Result<T> {
        let (open, index) = self.block(part, row)?;
        Ok(parse(open.get(index)?)?)
    }

    /// The block that a row's record is in, and its index there.
    fn block(&mut self, part: &Part, row: usize) -> io::Result<(Arc<Open>, usize)> {
        let (block, index) = part.pointer(row)?;
        let key = (part.last_sequence(), block);
        if let Some(open) = self.blocks.get(&key) {
            return Ok((Arc::clone(open), index));
        }
        if self.blocks.len() >= MAX_BLOCKS {
            self.blocks.clear();
        }
        let open = Arc::new(part.block(block)?);
        self.blocks.insert(key, Arc::clone(&open));
        Ok((open, index))
    }

    pub(crate) fn finding(&mut self, part: &Part, row: usize) -> io::Result<Finding> {
        self.json(part, row, |json| serde_json::from_slice(json))
    }

    pub(crate) fn activity(&mut self, part: &Part, row: usize) -> io::Result<Activity> {
        self.json(part, row, |json| serde_json::from_slice(json))
    }
}
