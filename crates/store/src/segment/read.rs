//! Reading a segment: the footer at once, everything else when it is asked for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use super::bloom;
use super::{ColumnMeta, END, Footer, MAGIC, MAX_DICTIONARY, MAX_FOOTER, SPARSE, Section};
use crate::block::{self, Open};
use crate::columns::{Codes, Dictionary, numbers};
use crate::failure::damaged;
use crate::memory::pointed;
use crate::table::Table;

/// A segment that can be asked.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Its number, which is its name too.
    pub(crate) number: u64,
    path: PathBuf,
    pub(crate) footer: Footer,
    /// Length of the file.
    pub(crate) bytes: u64,
    file: OnceLock<Arc<File>>,
}

/// Segments that stay open; further ones are opened for each read. Below the usual limit of 1,024 files of a process.
const MAX_OPEN: usize = 500;

static OPEN_FILES: AtomicUsize = AtomicUsize::new(0);

impl Drop for Segment {
    fn drop(&mut self) {
        if self.file.get().is_some() {
            OPEN_FILES.fetch_sub(1, Relaxed);
        }
    }
}

impl Segment {
    /// Opens a segment and reads its footer.
    pub(crate) fn open(path: &Path, number: u64, table: Table) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let mut tail = [0; 16];
        let tail_start = bytes
            .checked_sub(16)
            .ok_or_else(|| damaged("a segment without an end"))?;
        file.read_exact_at(&mut tail, tail_start)?;
        let word = |from: usize| {
            u32::from_le_bytes([tail[from], tail[from + 1], tail[from + 2], tail[from + 3]])
        };
        let (length, crc) = (word(0), word(4));
        if tail[8..] != *END || length > MAX_FOOTER || u64::from(length) > tail_start {
            return Err(damaged("a segment without an end"));
        }
        let mut text = vec![0; length as usize];
        file.read_exact_at(&mut text, tail_start - u64::from(length))?;
        if crc32fast::hash(&text) != crc {
            return Err(damaged("a segment whose footer has changed"));
        }
        let footer: Footer = serde_json::from_slice(&text)?;
        let segment = Self {
            number,
            path: path.to_owned(),
            footer,
            bytes,
            file: OnceLock::new(),
        };
        segment.sound(table)?;
        Ok(segment)
    }

    /// Holds what the footer says to the file and to itself.
    fn sound(&self, table: Table) -> io::Result<()> {
        let Footer {
            rows,
            columns,
            time,
            id,
            sequence,
            pointer,
            process,
            parent,
            bloom,
            blocks,
            sparse,
            ..
        } = &self.footer;
        let rows = *rows as usize;
        let fits = |section: &Section, length: usize| {
            section.length == length as u64
                && section
                    .offset
                    .checked_add(section.length)
                    .is_some_and(|end| end <= self.bytes)
        };
        let arrays = fits(time, 8 * rows)
            && fits(id, 16 * rows)
            && [sequence, pointer, process, parent]
                .iter()
                .all(|section| fits(section, 4 * rows))
            && fits(bloom, bloom::blocks(rows) * bloom::BLOCK)
            && fits(blocks, blocks.length as usize)
            && blocks.length % 12 == 0
            && sparse.len() == rows.div_ceil(SPARSE);
        let columns = columns.len() >= table.stored().len()
            && columns.iter().all(|column| {
                fits(&column.codes, rows * usize::from(column.width))
                    && fits(&column.dictionary, column.dictionary.length as usize)
            })
            && table
                .stored()
                .iter()
                .zip(columns)
                .all(|(name, column)| column.name == *name);
        if self.footer.table == table.name() && arrays && columns {
            Ok(())
        } else {
            Err(damaged("a segment whose footer contradicts itself"))
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.footer.rows as usize
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file, which stays open while few others are.
    pub(crate) fn file(&self) -> io::Result<Arc<File>> {
        if let Some(file) = self.file.get() {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(File::open(&self.path)?);
        if OPEN_FILES.load(Relaxed) < MAX_OPEN && self.file.set(Arc::clone(&file)).is_ok() {
            OPEN_FILES.fetch_add(1, Relaxed);
        }
        Ok(file)
    }

    /// Opens the file for good: it is about to be removed, and whoever holds this segment shall still be able to read.
    pub(crate) fn pin(&self) -> io::Result<()> {
        let file = self.file()?;
        if self.file.set(file).is_ok() {
            OPEN_FILES.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    fn part(&self, section: Section, from: usize, length: usize) -> io::Result<Vec<u8>> {
        let mut out = vec![0; length];
        self.file()?
            .read_exact_at(&mut out, section.offset + from as u64)?;
        Ok(out)
    }

    fn whole(&self, section: Section) -> io::Result<Vec<u8>> {
        self.part(section, 0, section.length as usize)
    }

    fn checked(&self, section: Section) -> io::Result<Vec<u8>> {
        let bytes = self.whole(section)?;
        if crc32fast::hash(&bytes) == section.crc {
            Ok(bytes)
        } else {
            Err(damaged("a part of a segment that has changed"))
        }
    }

    fn column(&self, column: usize) -> io::Result<&ColumnMeta> {
        self.footer
            .columns
            .get(column)
            .ok_or_else(|| damaged("a column that the segment does not have"))
    }

    pub(crate) fn dictionary(&self, column: usize) -> io::Result<Dictionary> {
        let meta = self.column(column)?;
        let bytes = self.checked(meta.dictionary)?;
        let dictionary = Dictionary::read(&block::decompress(&bytes, MAX_DICTIONARY)?)?;
        if dictionary.values.len() == meta.values as usize {
            Ok(dictionary)
        } else {
            Err(damaged(
                "a dictionary of another length than the footer says",
            ))
        }
    }

    pub(crate) fn codes(&self, column: usize) -> io::Result<Codes> {
        let meta = self.column(column)?;
        let bytes = self.whole(meta.codes)?;
        Codes::read(meta.width, self.rows(), meta.values as usize, bytes)
    }

    pub(crate) fn processes(&self) -> io::Result<Vec<u32>> {
        Ok(numbers(
            &self.whole(self.footer.process)?,
            u32::from_le_bytes,
        ))
    }

    pub(crate) fn parents(&self) -> io::Result<Vec<u32>> {
        Ok(numbers(
            &self.whole(self.footer.parent)?,
            u32::from_le_bytes,
        ))
    }

    pub(crate) fn sequences(&self) -> io::Result<Vec<u64>> {
        let offsets = numbers(&self.whole(self.footer.sequence)?, u32::from_le_bytes);
        let first = self.footer.first_sequence;
        Ok(offsets
            .into_iter()
            .map(|offset| first + u64::from(offset))
            .collect())
    }

    fn one<const N: usize>(&self, section: Section, row: usize) -> io::Result<[u8; N]> {
        let mut out = [0; N];
        self.file()?
            .read_exact_at(&mut out, section.offset + (N * row) as u64)?;
        Ok(out)
    }

    pub(crate) fn times(&self) -> io::Result<Vec<u64>> {
        Ok(numbers(&self.whole(self.footer.time)?, u64::from_le_bytes))
    }

    pub(crate) fn time(&self, row: usize) -> io::Result<u64> {
        self.one(self.footer.time, row).map(u64::from_le_bytes)
    }

    pub(crate) fn sequence(&self, row: usize) -> io::Result<u64> {
        let offset = self
            .one(self.footer.sequence, row)
            .map(u32::from_le_bytes)?;
        Ok(self.footer.first_sequence + u64::from(offset))
    }

    pub(crate) fn id(&self, row: usize) -> io::Result<u128> {
        self.one(self.footer.id, row).map(u128::from_le_bytes)
    }

    pub(crate) fn pointer(&self, row: usize) -> io::Result<(usize, usize)> {
        self.one(self.footer.pointer, row)
            .map(|bytes| pointed(u32::from_le_bytes(bytes)))
    }

    /// Number of rows whose time is less than `time`.
    pub(crate) fn rows_before(&self, time: u64) -> io::Result<usize> {
        let sparse = &self.footer.sparse;
        let step = sparse.partition_point(|start| *start < time);
        if step == 0 {
            return Ok(0);
        }
        let from = (step - 1) * SPARSE;
        let to = (from + SPARSE).min(self.rows());
        let times = self.part(self.footer.time, 8 * from, 8 * (to - from))?;
        let times = numbers(&times, u64::from_le_bytes);
        Ok(from + times.partition_point(|t| *t < time))
    }

    /// Whether a record of this id and time is here.
    pub(crate) fn holds(&self, id: u128, time: u64) -> io::Result<bool> {
        if time < self.footer.first_time || time > self.footer.last_time || !self.may_hold(id)? {
            return Ok(false);
        }
        self.find_at(id, time).map(|row| row.is_some())
    }

    /// The row of a record whose time is known.
    pub(crate) fn find_at(&self, id: u128, time: u64) -> io::Result<Option<usize>> {
        let from = self.rows_before(time)?;
        let to = self.rows_before(time.saturating_add(1))?;
        let ids = self.part(self.footer.id, 16 * from, 16 * (to - from))?;
        let found = numbers(&ids, u128::from_le_bytes)
            .iter()
            .position(|i| *i == id);
        Ok(found.map(|row| from + row))
    }

    /// The row of a record whose time is not known.
    pub(crate) fn find(&self, id: u128) -> io::Result<Option<usize>> {
        if !self.may_hold(id)? {
            return Ok(None);
        }
        let ids = self.whole(self.footer.id)?;
        Ok(numbers(&ids, u128::from_le_bytes)
            .iter()
            .position(|i| *i == id))
    }

    fn may_hold(&self, id: u128) -> io::Result<bool> {
        let block = bloom::block_of(id, bloom::blocks(self.rows()));
        let bits = self.part(self.footer.bloom, block * bloom::BLOCK, bloom::BLOCK)?;
        Ok(bloom::may_hold(&bits, id))
    }

    /// A block of records.
    pub(crate) fn block(&self, block: usize) -> io::Result<Open> {
        let place = 12 * block as u64;
        if place + 12 > self.footer.blocks.length {
            return Err(damaged("a record in a block that is not there"));
        }
        let entry: [u8; 12] = self.one(self.footer.blocks, block)?;
        let (offset, length) = entry.split_at(8);
        let offset = offset.try_into().map_or(0, u64::from_le_bytes);
        let length = length.try_into().map_or(0, u32::from_le_bytes);
        let data = self.footer.data;
        let end = offset.saturating_add(u64::from(length));
        if offset < data.offset || end > data.offset + data.length {
            return Err(damaged("a block outside of the blocks"));
        }
        let section = Section {
            offset,
            length: length.into(),
            crc: 0,
        };
        Open::read(&self.whole(section)?)
    }

    /// Holds the blocks to their checksum, a stretch at a time: they are most of the file.
    fn check_data(&self, data: Section) -> io::Result<()> {
        const STRETCH: u64 = 1 << 20;
        let mut crc = crc32fast::Hasher::new();
        let mut at = 0;
        while at < data.length {
            let length = STRETCH.min(data.length - at);
            crc.update(&self.part(data, at as usize, length as usize)?);
            at += length;
        }
        if crc.finalize() == data.crc {
            Ok(())
        } else {
            Err(damaged("records in a segment that have changed"))
        }
    }

    /// Reads everything and says the first thing that is wrong.
    pub(crate) fn check(&self) -> io::Result<()> {
        let mut magic = [0; 8];
        self.file()?.read_exact_at(&mut magic, 0)?;
        if magic != *MAGIC {
            return Err(damaged("a file that is no segment"));
        }
        let Footer {
            time,
            id,
            sequence,
            pointer,
            process,
            parent,
            bloom,
            blocks,
            data,
            ..
        } = &self.footer;
        self.check_data(*data)?;
        for section in [time, id, sequence, pointer, process, parent, bloom, blocks] {
            self.checked(*section)?;
        }
        for column in 0..self.footer.columns.len() {
            self.checked(self.column(column)?.codes)?;
            self.dictionary(column)?;
            self.codes(column)?;
        }
        let times = numbers(&self.whole(*time)?, u64::from_le_bytes);
        if !times.is_sorted() {
            return Err(damaged("rows that are not in order of time"));
        }
        let pointers = numbers(&self.whole(*pointer)?, u32::from_le_bytes);
        let mut by_block = vec![0_usize; (blocks.length / 12) as usize];
        for (block, index) in pointers.into_iter().map(pointed) {
            let most = by_block
                .get_mut(block)
                .ok_or_else(|| damaged("a record in a block that is not there"))?;
            *most = (*most).max(index);
        }
        for (block, most) in by_block.into_iter().enumerate() {
            self.block(block)?.get(most)?;
        }
        Ok(())
    }
}
