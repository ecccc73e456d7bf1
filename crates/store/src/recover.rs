//! Opening a store: what is in the database decides; files it does not know are left-overs of a crash and go.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use vedette_history::{Error, Result, Status};

use crate::block::Block;
use crate::failure::Doing;
use crate::memory::Memory;
use crate::prepare::{self, Batch};
use crate::schema;
use crate::segment::Segment;
use crate::shared::{Parts, Shared, Triaged};
use crate::table::Table;
use crate::writer::{self, Writer};

/// Takes the store for this process alone.
pub(crate) fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let file = File::create(&path).doing(dir, || format!("creating {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Question(format!(
            "another process uses the store in {}",
            dir.display()
        ))),
        Err(TryLockError::Error(error)) => {
            Err(error).doing(dir, || format!("locking {}", path.display()))
        }
    }
}

/// A store as it was left. The texts name segments that cannot be read; the rest is there.
pub(crate) fn open(dir: &Path) -> Result<(Writer, Vec<String>)> {
    let segments_dir = dir.join("segments");
    let making = || format!("creating {}", segments_dir.display());
    fs::create_dir_all(&segments_dir).doing(dir, making)?;
    let connection = schema::open(dir)?;
    let reading = || "reading the database".to_owned();
    let manifest = manifest(&connection).doing(dir, reading)?;
    let known: HashSet<u64> = manifest.iter().map(|(number, _)| *number).collect();
    sweep(&segments_dir, &known).doing(dir, || "removing left-over files".to_owned())?;

    let mut damaged = Vec::new();
    let mut segments: [Vec<Arc<Segment>>; 2] = Default::default();
    for (number, table) in manifest {
        let path = writer::segment_path(dir, number);
        match Segment::open(&path, number, table) {
            Ok(segment) => segments[table.number() as usize].push(Arc::new(segment)),
            Err(error) => damaged.push(format!("{}: {error}", path.display())),
        }
    }
    let mut parts = Vec::new();
    for (table, segments) in Table::ALL.into_iter().zip(segments) {
        let memory = memory(&connection, dir, table)?;
        parts.push(Parts { segments, memory });
    }
    let next_segment = counter(&connection, "segment")
        .doing(dir, reading)?
        .unwrap_or(1);
    let triaged = triaged(&connection).doing(dir, reading)?;
    // There are two tables, so there are two of them.
    let (Some(activity), Some(findings)) = (parts.pop(), parts.pop()) else {
        return Err(Error::Closed);
    };
    let shared = Shared::new(dir.to_owned(), findings, activity, triaged);
    let writer = Writer {
        connection,
        shared: Arc::new(shared),
        next_segment: next_segment as u64,
    };
    Ok((writer, damaged))
}

/// Numbers and tables of the segments that the database knows.
pub(crate) fn manifest(connection: &Connection) -> rusqlite::Result<Vec<(u64, Table)>> {
    let mut statement = connection.prepare("SELECT number, tbl FROM segments ORDER BY number")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)? as u64, Table::of_number(row.get(1)?)))
    })?;
    // Tables of a later version cannot be: the version of the database would be later too.
    rows.filter_map(|row| {
        row.map(|(number, table)| Some((number, table?)))
            .transpose()
    })
    .collect()
}

fn counter(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    use rusqlite::OptionalExtension;
    connection
        .query_row("SELECT value FROM counters WHERE name = ?", [name], |row| {
            row.get(0)
        })
        .optional()
}

fn sweep(dir: &Path, known: &HashSet<u64>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let number = stem.and_then(|stem| stem.parse::<u64>().ok());
        let ours = path.extension().is_some_and(|e| e == "seg" || e == "tmp");
        let is_known = path.extension().is_some_and(|e| e == "seg")
            && number.is_some_and(|number| known.contains(&number));
        if ours && !is_known {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Reads the records that were acknowledged and are not in a segment yet.
fn memory(connection: &Connection, dir: &Path, table: Table) -> Result<Memory> {
    let reading = || "reading the latest records".to_owned();
    let next = counter(connection, table.name())
        .doing(dir, reading)?
        .unwrap_or(1) as u64;
    let mut statement = connection
        .prepare("SELECT kept, block, sequence FROM inbox WHERE tbl = ? ORDER BY position")
        .doing(dir, reading)?;
    let mut rows = statement.query([table.number()]).doing(dir, reading)?;
    let mut memory: Option<Memory> = None;
    while let Some(row) = rows.next().doing(dir, reading)? {
        let read = || -> rusqlite::Result<(Vec<u8>, Vec<u8>, i64)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        };
        let (kept, bytes, first) = read().doing(dir, reading)?;
        let rows = prepare::reread(table, &bytes).doing(dir, reading)?;
        if rows.len() != kept.len() {
            return Err(Error::Corrupt(
                "a block of the latest records is cut".to_owned(),
            ));
        }
        let kept: Vec<bool> = kept.iter().map(|kept| *kept != 0).collect();
        let batch = Batch {
            table,
            block: Block { bytes },
            rows,
        };
        let memory = memory.get_or_insert_with(|| Memory::new(table, first as u64));
        writer::push(memory, batch, &kept);
    }
    let memory = memory.unwrap_or_else(|| Memory::new(table, next));
    if memory.next_sequence() == next {
        Ok(memory)
    } else {
        Err(Error::Corrupt(format!(
            "the latest {} end at {} and not at {next}",
            table.name(),
            memory.next_sequence()
        )))
    }
}

fn triaged(connection: &Connection) -> rusqlite::Result<Triaged> {
    let mut out = Triaged::default();
    let mut statement = connection.prepare("SELECT id, time, status FROM triage")?;
    let rows = statement.query_map([], |row| {
        let status: i64 = row.get(2)?;
        Ok((
            u128::from_be_bytes(row.get(0)?),
            row.get::<_, i64>(1)? as u64,
            status,
        ))
    })?;
    for row in rows {
        let (id, time, status) = row?;
        let status = Status::ALL.into_iter().find(|s| *s as i64 == status);
        out.set(time, id, status.unwrap_or_default());
    }
    Ok(out)
}
