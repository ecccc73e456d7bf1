//! Writing a segment: under another name first, renamed when every byte is on the disk.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{ColumnMeta, END, Footer, MAGIC, SPARSE, Section, bloom};
use crate::block;
use crate::memory::View;

struct Writer {
    out: BufWriter<File>,
    offset: u64,
}

impl Writer {
    fn section(&mut self, bytes: &[u8]) -> io::Result<Section> {
        self.out.write_all(bytes)?;
        let section = Section {
            offset: self.offset,
            length: bytes.len() as u64,
            crc: crc32fast::hash(bytes),
        };
        self.offset += section.length;
        Ok(section)
    }
}

fn bytes<const N: usize, T: Copy>(values: &[T], write: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| write(*value)).collect()
}

/// Writes the records of `view` to `path`; gives the length of the file. When it returns, file and name are on disk.
pub(crate) fn write(view: &View, path: &Path) -> io::Result<u64> {
    let temporary = path.with_extension("tmp");
    let written = write_file(view, &temporary).and_then(|length| {
        fs::rename(&temporary, path)?;
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(length)
    });
    if written.is_err() {
        // What is left of it would only take room; the name is written anew next time in any case.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_file(view: &View, path: &Path) -> io::Result<u64> {
    let file = File::create(path)?;
    let mut writer = Writer {
        out: BufWriter::with_capacity(1 << 20, file),
        offset: 0,
    };
    writer.section(MAGIC)?;
    let rows = view.rows();
    let (blocks, pointers) = view.packed()?;
    let data_start = writer.offset;
    let mut table = Vec::with_capacity(12 * blocks.len());
    let mut crc = crc32fast::Hasher::new();
    for block in &blocks {
        let section = writer.section(&block.bytes)?;
        crc.update(&block.bytes);
        table.extend_from_slice(&section.offset.to_le_bytes());
        table.extend_from_slice(&(section.length as u32).to_le_bytes());
    }
    let data = Section {
        offset: data_start,
        length: writer.offset - data_start,
        crc: crc.finalize(),
    };
    let mut columns = Vec::new();
    for (name, (dictionary, codes)) in view.table.stored().iter().zip(&view.columns) {
        columns.push(ColumnMeta {
            name: (*name).to_owned(),
            width: codes.width(),
            values: dictionary.values.len() as u32,
            codes: writer.section(&codes.write())?,
            dictionary: writer.section(&block::compress(&dictionary.write())?)?,
        });
    }
    let sequences: Vec<u64> = (0..rows).map(|row| view.sequence(row)).collect();
    let first_sequence = view.first_sequence;
    let footer = Footer {
        table: view.table.name().to_owned(),
        rows: rows as u32,
        first_time: view.time.first().copied().unwrap_or_default(),
        last_time: view.time.last().copied().unwrap_or_default(),
        first_sequence,
        last_sequence: sequences.iter().max().copied().unwrap_or_default(),
        columns,
        time: writer.section(&bytes(&view.time, u64::to_le_bytes))?,
        id: writer.section(&bytes(&view.id, u128::to_le_bytes))?,
        sequence: writer.section(&bytes(&view.order, u32::to_le_bytes))?,
        pointer: writer.section(&bytes(&pointers, u32::to_le_bytes))?,
        process: writer.section(&bytes(&view.process, u32::to_le_bytes))?,
        parent: writer.section(&bytes(&view.parent, u32::to_le_bytes))?,
        bloom: writer.section(&bloom::build(&view.id))?,
        blocks: writer.section(&table)?,
        data,
        sparse: view.time.iter().step_by(SPARSE).copied().collect(),
    };
    let footer = serde_json::to_vec(&footer)?;
    writer.section(&footer)?;
    writer.section(&(footer.len() as u32).to_le_bytes())?;
    writer.section(&crc32fast::hash(&footer).to_le_bytes())?;
    writer.section(END)?;
    writer.out.flush()?;
    writer.out.get_ref().sync_all()?;
    Ok(writer.offset)
}
