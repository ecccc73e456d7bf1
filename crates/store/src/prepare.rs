//! Records made ready for the writer: checked, encoded, compressed. Runs in the caller's thread.

use std::io;

use vedette_event::Record;
use vedette_history::{Refused, Subject};

use crate::block::{Block, Builder, Open};
use crate::memory::Row;
use crate::table::{self, Table};

/// A block of records with what the columns say of them.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) table: Table,
    pub(crate) block: Block,
    pub(crate) rows: Vec<Row>,
}

/// Makes records ready; gives those that cannot be kept too.
pub(crate) fn prepare(records: &[Record]) -> io::Result<(Vec<Batch>, Vec<Refused>)> {
    let mut batches = Vec::new();
    let mut refused = Vec::new();
    for table in Table::ALL {
        let mut builder = Builder::default();
        let mut rows = Vec::new();
        for (index, record) in records.iter().enumerate() {
            let of = match record {
                Record::Finding(_) => Table::Findings,
                Record::Activity(_) => Table::Activity,
            };
            if of != table {
                continue;
            }
            let row = row(record).and_then(|row| {
                builder.write(|raw| json(record, raw))?;
                Ok(row)
            });
            match row {
                Ok(row) => rows.push(row),
                Err(message) => refused.push(Refused { index, message }),
            }
            if builder.is_full() {
                batches.push(Batch {
                    table,
                    block: builder.finish()?,
                    rows: std::mem::take(&mut rows),
                });
            }
        }
        if builder.rows() > 0 {
            batches.push(Batch {
                table,
                block: builder.finish()?,
                rows,
            });
        }
    }
    refused.sort_by_key(|refused| refused.index);
    Ok((batches, refused))
}

/// Tables hold one kind of record each, so its JSON need not say which.
fn json(record: &Record, out: &mut Vec<u8>) -> Result<(), String> {
    match record {
        Record::Finding(finding) => serde_json::to_writer(out, finding),
        Record::Activity(activity) => serde_json::to_writer(out, activity),
    }
    .map_err(|why| format!("it has no JSON form: {why}"))
}

/// Reads an id: 32 hexadecimal digits.
pub(crate) fn id(text: &str) -> Option<u128> {
    let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    digits
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

fn row(record: &Record) -> Result<Row, String> {
    let (text, time, (process, parent)) = match record {
        Record::Finding(finding) => (&finding.id, finding.time, table::finding_keys(finding)),
        Record::Activity(activity) => (&activity.id, activity.time, table::activity_keys(activity)),
    };
    let id = id(text).ok_or("its id is not 32 hexadecimal digits")?;
    // The database's integers have a sign.
    if time > i64::MAX as u64 {
        return Err("its time is later than the year 2262".to_owned());
    }
    let table = match record {
        Record::Finding(_) => Table::Findings,
        Record::Activity(_) => Table::Activity,
    };
    let values = table::values(table, Subject::of(record));
    Ok(Row {
        id,
        time,
        process,
        parent,
        values,
    })
}

/// Reads a block back as it was made ready.
pub(crate) fn reread(table: Table, block: &[u8]) -> io::Result<Vec<Row>> {
    let open = Open::read(block)?;
    (0..open.rows())
        .map(|index| {
            let json = open.get(index)?;
            let record = match table {
                Table::Findings => Record::Finding(serde_json::from_slice(json)?),
                Table::Activity => Record::Activity(serde_json::from_slice(json)?),
            };
            row(&record).map_err(|why| crate::failure::damaged(&why))
        })
        .collect()
}
