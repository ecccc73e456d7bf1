//! Records that are on disk in the database and not yet in a segment, ready to be asked.

use std::io;
use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use crate::block::{Block, Builder, MAX_ROWS, Open};
use crate::columns::{Codes, Dictionary};
use crate::table::{Table, Texts};

/// Records that make a segment: enough for columns to be worth while, few enough to be read again at a start within a
/// second.
pub(crate) const FLUSH_ROWS: usize = 1 << 16;

/// Bytes of compressed records and of different values that make a segment before it has [`FLUSH_ROWS`].
pub(crate) const FLUSH_BYTES: usize = 32 << 20;

/// Blocks with fewer records are put together when a segment is written.
const SMALL_BLOCK: u32 = MAX_ROWS as u32 / 2;

/// Number of a record's place: the block's number, then ten bits for the place in it.
const PLACE_BITS: u32 = 10;

/// Place of a record as one number.
pub(crate) fn pointer(block: usize, index: usize) -> u32 {
    (block as u32) << PLACE_BITS | index as u32
}

/// Block and index of a record's place.
pub(crate) fn pointed(pointer: u32) -> (usize, usize) {
    let mask = (1 << PLACE_BITS) - 1;
    ((pointer >> PLACE_BITS) as usize, (pointer & mask) as usize)
}

/// A record made ready for its table: what the columns say of it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: u128,
    pub(crate) time: u64,
    pub(crate) process: u32,
    pub(crate) parent: u32,
    /// In the order of [`Table::stored`].
    pub(crate) values: Texts,
}

#[derive(Debug, Default)]
struct Column {
    numbers: FxHashMap<Box<str>, u32>,
    dictionary: Dictionary,
    codes: Vec<u32>,
}

/// Records in order of arrival.
#[derive(Debug)]
pub(crate) struct Memory {
    table: Table,
    /// Sequence number of the first record.
    pub(crate) first_sequence: u64,
    ids: FxHashMap<u128, u32>,
    id: Vec<u128>,
    time: Vec<u64>,
    process: Vec<u32>,
    parent: Vec<u32>,
    pointer: Vec<u32>,
    columns: Vec<Column>,
    blocks: Vec<Arc<Block>>,
    bytes: usize,
    view: Mutex<Option<Arc<View>>>,
}

impl Memory {
    pub(crate) fn new(table: Table, first_sequence: u64) -> Self {
        Self {
            table,
            first_sequence,
            ids: FxHashMap::default(),
            id: Vec::new(),
            time: Vec::new(),
            process: Vec::new(),
            parent: Vec::new(),
            pointer: Vec::new(),
            columns: table.stored().iter().map(|_| Column::default()).collect(),
            blocks: Vec::new(),
            bytes: 0,
            view: Mutex::default(),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.id.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows() >= FLUSH_ROWS || self.bytes >= FLUSH_BYTES
    }

    /// How many times over [`Memory::is_full`] it is.
    pub(crate) fn fullness(&self) -> usize {
        (self.rows() / FLUSH_ROWS).max(self.bytes / FLUSH_BYTES)
    }

    pub(crate) fn contains(&self, id: u128) -> bool {
        self.ids.contains_key(&id)
    }

    pub(crate) fn next_sequence(&self) -> u64 {
        self.first_sequence + self.rows() as u64
    }

    pub(crate) fn oldest(&self) -> Option<u64> {
        self.time.iter().min().copied()
    }

    /// Takes a block and those of its records that are new: each with its index in the block.
    pub(crate) fn push(&mut self, block: Block, rows: impl IntoIterator<Item = (usize, Row)>) {
        let number = self.blocks.len();
        self.bytes += block.bytes.len();
        self.blocks.push(Arc::new(block));
        for (index, row) in rows {
            self.ids.insert(row.id, self.id.len() as u32);
            self.id.push(row.id);
            self.time.push(row.time);
            self.process.push(row.process);
            self.parent.push(row.parent);
            self.pointer.push(pointer(number, index));
            for (column, value) in self.columns.iter_mut().zip(row.values.iter()) {
                let Column {
                    numbers,
                    dictionary,
                    codes,
                } = column;
                let code = if let Some(code) = numbers.get(value) {
                    *code
                } else {
                    let code = dictionary.values.len() as u32;
                    // An attacker chooses how long values are: they count like the records themselves.
                    self.bytes += value.len();
                    dictionary.values.push(value.into());
                    dictionary.counts.push(0);
                    numbers.insert(value.into(), code);
                    code
                };
                dictionary.counts[code as usize] += 1;
                codes.push(code);
            }
        }
        *self
            .view
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    /// The records in order of time. Made at the first call after a change.
    pub(crate) fn view(&self) -> Arc<View> {
        let mut slot = self
            .view
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(view) = &*slot {
            return Arc::clone(view);
        }
        let view = Arc::new(self.sorted());
        *slot = Some(Arc::clone(&view));
        view
    }

    fn sorted(&self) -> View {
        let mut order: Vec<u32> = (0..self.rows() as u32).collect();
        if !self.time.is_sorted() {
            // Stable: records of the same time stay in order of arrival.
            order.sort_by_key(|row| self.time[*row as usize]);
        }
        View {
            table: self.table,
            first_sequence: self.first_sequence,
            id: along(&order, &self.id),
            time: along(&order, &self.time),
            process: Arc::new(along(&order, &self.process)),
            parent: Arc::new(along(&order, &self.parent)),
            pointer: along(&order, &self.pointer),
            columns: self
                .columns
                .iter()
                .map(|column| {
                    let codes = along(&order, &column.codes);
                    let narrow = Codes::narrow(&codes, column.dictionary.values.len());
                    (Arc::new(column.dictionary.clone()), Arc::new(narrow))
                })
                .collect(),
            order,
            blocks: self.blocks.clone(),
        }
    }
}

fn along<T: Copy>(order: &[u32], values: &[T]) -> Vec<T> {
    order.iter().map(|row| values[*row as usize]).collect()
}

/// Records in order of time; those of the same time in order of arrival.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) table: Table,
    pub(crate) first_sequence: u64,
    pub(crate) id: Vec<u128>,
    pub(crate) time: Vec<u64>,
    pub(crate) process: Arc<Vec<u32>>,
    pub(crate) parent: Arc<Vec<u32>>,
    pub(crate) pointer: Vec<u32>,
    pub(crate) columns: Vec<(Arc<Dictionary>, Arc<Codes>)>,
    /// Place of each record in the order of arrival, which is its sequence number less the first.
    pub(crate) order: Vec<u32>,
    pub(crate) blocks: Vec<Arc<Block>>,
}

impl View {
    pub(crate) fn rows(&self) -> usize {
        self.id.len()
    }

    pub(crate) fn sequence(&self, row: usize) -> u64 {
        self.first_sequence + u64::from(self.order[row])
    }

    /// Blocks for a segment, with each row's place in them: small blocks are put together, others stay as they are.
    pub(crate) fn packed(&self) -> io::Result<(Vec<Arc<Block>>, Vec<u32>)> {
        let mut by_block: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.blocks.len()];
        for (row, at) in self.pointer.iter().enumerate() {
            let (block, index) = pointed(*at);
            by_block[block].push((index, row));
        }
        let mut out = Vec::new();
        let mut pointers = vec![0; self.rows()];
        let mut open = Builder::default();
        let mut waiting: Vec<usize> = Vec::new();
        for (block, mut rows) in self.blocks.iter().zip(by_block) {
            if rows.len() as u32 >= SMALL_BLOCK {
                for (index, row) in rows {
                    pointers[row] = pointer(out.len(), index);
                }
                out.push(Arc::clone(block));
                continue;
            }
            if rows.is_empty() {
                continue;
            }
            rows.sort_unstable();
            let read = Open::read(&block.bytes)?;
            for (index, row) in rows {
                open.push(read.get(index)?);
                waiting.push(row);
                if open.is_full() {
                    close(&mut open, &mut waiting, &mut out, &mut pointers)?;
                }
            }
        }
        if open.rows() > 0 {
            close(&mut open, &mut waiting, &mut out, &mut pointers)?;
        }
        Ok((out, pointers))
    }
}

fn close(
    open: &mut Builder,
    waiting: &mut Vec<usize>,
    out: &mut Vec<Arc<Block>>,
    pointers: &mut [u32],
) -> io::Result<()> {
    for (index, row) in waiting.drain(..).enumerate() {
        pointers[row] = pointer(out.len(), index);
    }
    out.push(Arc::new(open.finish()?));
    Ok(())
}
