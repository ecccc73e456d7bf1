//! A part of a table: a segment or what is still in memory, asked in one way. Rows are in order of time.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use crate::block::Open;
use crate::cache::Cache;
use crate::columns::{Codes, Dictionary};
use crate::memory::{View, pointed};
use crate::segment::Segment;

/// Most bytes of dictionaries that are remembered.
const DICTIONARY_BYTES: usize = 64 << 20;

/// Most bytes of codes that are remembered: with twenty bytes a record, those of the last six million.
const CODE_BYTES: usize = 128 << 20;

/// Most bytes of [`PlaceTally`]s that are remembered: those of four hundred segments with two thousand places each.
const TALLY_BYTES: usize = 24 << 20;

/// Findings of a place in one part.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PlaceTally {
    /// By rank of severity.
    pub(crate) counts: [u32; 5],
    pub(crate) denied: u32,
    /// Row of the last one.
    pub(crate) last_row: u32,
}

/// What was read from segments.
#[derive(Debug)]
pub(crate) struct Caches {
    dictionaries: Cache<(u64, usize), Dictionary>,
    codes: Cache<(u64, usize), Codes>,
    /// Of whole segments, without a filter: what Insights asks again and again.
    places: Cache<u64, Vec<PlaceTally>>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            dictionaries: Cache::new(DICTIONARY_BYTES),
            codes: Cache::new(CODE_BYTES),
            places: Cache::new(TALLY_BYTES),
        }
    }
}

impl Caches {
    /// Forgets a segment.
    pub(crate) fn forget(&self, segment: u64) {
        self.dictionaries.forget(|(number, _)| number == segment);
        self.codes.forget(|(number, _)| number == segment);
        self.places.forget(|number| number == segment);
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    Segment(Arc<Segment>, Arc<Caches>),
    Memory(Arc<View>),
}

impl Part {
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Segment(segment, _) => segment.rows(),
            Self::Memory(view) => view.rows(),
        }
    }

    pub(crate) fn first_time(&self) -> u64 {
        match self {
            Self::Segment(segment, _) => segment.footer.first_time,
            Self::Memory(view) => view.time.first().copied().unwrap_or_default(),
        }
    }

    pub(crate) fn last_time(&self) -> u64 {
        match self {
            Self::Segment(segment, _) => segment.footer.last_time,
            Self::Memory(view) => view.time.last().copied().unwrap_or_default(),
        }
    }

    pub(crate) fn last_sequence(&self) -> u64 {
        match self {
            Self::Segment(segment, _) => segment.footer.last_sequence,
            Self::Memory(view) => (view.first_sequence + view.rows() as u64).saturating_sub(1),
        }
    }

    pub(crate) fn first_sequence(&self) -> u64 {
        match self {
            Self::Segment(segment, _) => segment.footer.first_sequence,
            Self::Memory(view) => view.first_sequence,
        }
    }

    pub(crate) fn dictionary(&self, column: usize) -> io::Result<Arc<Dictionary>> {
        match self {
            Self::Segment(segment, caches) => caches.dictionaries.get(
                (segment.number, column),
                || segment.dictionary(column),
                Dictionary::bytes,
            ),
            Self::Memory(view) => Ok(Arc::clone(&view.columns[column].0)),
        }
    }

    pub(crate) fn codes(&self, column: usize) -> io::Result<Arc<Codes>> {
        match self {
            Self::Segment(segment, caches) => caches.codes.get(
                (segment.number, column),
                || segment.codes(column),
                Codes::bytes,
            ),
            Self::Memory(view) => Ok(Arc::clone(&view.columns[column].1)),
        }
    }

    pub(crate) fn processes(&self) -> io::Result<Arc<Vec<u32>>> {
        match self {
            Self::Segment(segment, _) => segment.processes().map(Arc::new),
            Self::Memory(view) => Ok(Arc::clone(&view.process)),
        }
    }

    pub(crate) fn parents(&self) -> io::Result<Arc<Vec<u32>>> {
        match self {
            Self::Segment(segment, _) => segment.parents().map(Arc::new),
            Self::Memory(view) => Ok(Arc::clone(&view.parent)),
        }
    }

    /// Sequence numbers of all rows.
    pub(crate) fn sequences(&self) -> io::Result<Vec<u64>> {
        match self {
            Self::Segment(segment, _) => segment.sequences(),
            Self::Memory(view) => Ok((0..view.rows()).map(|row| view.sequence(row)).collect()),
        }
    }

    /// Tallies of all of the part's findings, made by `count` when they are not remembered.
    pub(crate) fn place_tallies(
        &self,
        count: impl FnOnce() -> io::Result<Vec<PlaceTally>>,
    ) -> io::Result<Arc<Vec<PlaceTally>>> {
        match self {
            Self::Segment(segment, caches) => {
                let size = |tallies: &Vec<PlaceTally>| tallies.len() * size_of::<PlaceTally>();
                caches.places.get(segment.number, count, size)
            }
            Self::Memory(_) => count().map(Arc::new),
        }
    }

    /// Times of all rows.
    pub(crate) fn times(&self) -> io::Result<Cow<'_, [u64]>> {
        match self {
            Self::Segment(segment, _) => segment.times().map(Cow::Owned),
            Self::Memory(view) => Ok(Cow::Borrowed(&view.time)),
        }
    }

    pub(crate) fn time(&self, row: usize) -> io::Result<u64> {
        match self {
            Self::Segment(segment, _) => segment.time(row),
            Self::Memory(view) => Ok(view.time[row]),
        }
    }

    pub(crate) fn sequence(&self, row: usize) -> io::Result<u64> {
        match self {
            Self::Segment(segment, _) => segment.sequence(row),
            Self::Memory(view) => Ok(view.sequence(row)),
        }
    }

    pub(crate) fn id(&self, row: usize) -> io::Result<u128> {
        match self {
            Self::Segment(segment, _) => segment.id(row),
            Self::Memory(view) => Ok(view.id[row]),
        }
    }

    /// Number of rows whose time is less than `time`.
    pub(crate) fn rows_before(&self, time: u64) -> io::Result<usize> {
        match self {
            Self::Segment(segment, _) => segment.rows_before(time),
            Self::Memory(view) => Ok(view.time.partition_point(|t| *t < time)),
        }
    }

    /// The row of a record; faster when its time is known.
    pub(crate) fn find(&self, id: u128, time: Option<u64>) -> io::Result<Option<usize>> {
        match (self, time) {
            (Self::Segment(segment, _), None) => segment.find(id),
            (Self::Segment(segment, _), Some(time)) => segment.find_at(id, time),
            (Self::Memory(view), None) => Ok(view.id.iter().position(|i| *i == id)),
            (Self::Memory(view), Some(time)) => {
                let from = view.time.partition_point(|t| *t < time);
                let same = view.time[from..].iter().take_while(|t| **t == time).count();
                let found = view.id[from..from + same].iter().position(|i| *i == id);
                Ok(found.map(|row| from + row))
            }
        }
    }

    /// Block and index of a row's record.
    pub(crate) fn pointer(&self, row: usize) -> io::Result<(usize, usize)> {
        match self {
            Self::Segment(segment, _) => segment.pointer(row),
            Self::Memory(view) => Ok(pointed(view.pointer[row])),
        }
    }

    pub(crate) fn block(&self, block: usize) -> io::Result<Open> {
        match self {
            Self::Segment(segment, _) => segment.block(block),
            Self::Memory(view) => Open::read(&view.blocks[block].bytes),
        }
    }
}
