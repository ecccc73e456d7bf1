//! The one thread that changes anything: it takes what callers want done, as much as has gathered, does it in one
//! transaction, waits for the disk, and answers.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use rustc_hash::FxHashSet;
use vedette_history::{Appended, Change, Error, Result, Retention, Status};

use crate::failure::Doing;
use crate::memory::{Memory, Row};
use crate::prepare::Batch;
use crate::segment::{self, Segment};
use crate::shared::Shared;
use crate::state;
use crate::table::Table;
use crate::triage::{self, TriageChange};

/// Most requests that wait for the writer; then callers wait to hand theirs over.
pub(crate) const MAX_WAITING: usize = 64;

/// Bytes after which a transaction takes no further request: what gathers beyond that would only delay the answers.
const MAX_GROUP: usize = 16 << 20;

/// When the memory is this many times full because segments cannot be written, new records are refused.
const MAX_BACKLOG: usize = 4;

type Reply<T> = SyncSender<Result<T>>;

/// What is to be done.
pub(crate) enum Job {
    Append(Vec<Batch>, Reply<Appended>),
    Apply(Vec<Change>, Reply<Vec<u64>>),
    Triage(TriageChange, Reply<()>),
    Expire(u64, Reply<u64>),
    Maintain(Retention, u64, Reply<()>),
    /// Writes what is in memory to segments.
    Flush(Reply<()>),
    Stop,
}

/// Where a segment is.
pub(crate) fn segment_path(dir: &std::path::Path, number: u64) -> PathBuf {
    dir.join("segments").join(format!("{number:012}.seg"))
}

pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) next_segment: u64,
}

/// What a transaction did that others may see once it is on disk.
#[derive(Default)]
struct Done {
    /// Batches with the indices of their new rows.
    batches: Vec<(Batch, Vec<bool>)>,
    triaged: Vec<(u64, u128, Status)>,
    pending: [FxHashSet<u128>; 2],
    /// Sequence number that the next record of each table gets.
    next: [u64; 2],
}

/// An answer that waits for the transaction.
enum Answer {
    Append(Appended, Reply<Appended>),
    Apply(Result<Vec<u64>>, Reply<Vec<u64>>),
    Triage(Reply<()>),
    Expire(u64, Reply<u64>),
}

impl Answer {
    fn send(self, failed: Option<&Error>) {
        fn out<T>(reply: &Reply<T>, result: Result<T>, failed: Option<&Error>) {
            // A caller that is gone does not want to know.
            let _ = reply.send(match failed {
                Some(error) => Err(again(error)),
                None => result,
            });
        }
        match self {
            Self::Append(appended, reply) => out(&reply, Ok(appended), failed),
            Self::Apply(result, reply) => out(&reply, result, failed),
            Self::Triage(reply) => out(&reply, Ok(()), failed),
            Self::Expire(count, reply) => out(&reply, Ok(count), failed),
        }
    }
}

/// The same error for another caller of the same transaction.
fn again(error: &Error) -> Error {
    match error {
        Error::Full { path } => Error::Full { path: path.clone() },
        Error::Corrupt(what) => Error::Corrupt(what.clone()),
        Error::Io { doing, source } => Error::Io {
            doing: doing.clone(),
            source: source.to_string().into(),
        },
        other => Error::Io {
            doing: "writing".to_owned(),
            source: other.to_string().into(),
        },
    }
}

impl Writer {
    /// Works until it is told to stop or nobody is left.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            let mut alone = None;
            while let Some(job) = next.take() {
                match job {
                    Job::Stop | Job::Maintain(..) | Job::Flush(_) => {
                        alone = Some(job);
                        break;
                    }
                    job => {
                        bytes += size(&job);
                        group.push(job);
                    }
                }
                if group.len() >= MAX_WAITING || bytes >= MAX_GROUP {
                    break;
                }
                next = jobs.try_recv().ok();
            }
            if !group.is_empty() {
                self.commit(group);
            }
            match alone {
                Some(Job::Stop) => break,
                Some(Job::Maintain(retention, now, reply)) => {
                    let _ = reply.send(self.maintain(&retention, now));
                }
                Some(Job::Flush(reply)) => {
                    let _ = reply.send(Table::ALL.into_iter().try_for_each(|t| self.flush(t)));
                }
                _ => {}
            }
        }
    }

    fn commit(&mut self, group: Vec<Job>) {
        let shared = Arc::clone(&self.shared);
        let mut done = Done {
            next: Table::ALL.map(|table| shared.with(table, |p| p.memory.next_sequence())),
            ..Done::default()
        };
        let mut answers = Vec::new();
        let outcome = self.transact(group, &mut done, &mut answers);
        if let Err(error) = outcome {
            for answer in answers {
                answer.send(Some(&error));
            }
            return;
        }
        publish(&shared, done);
        for answer in answers {
            answer.send(None);
        }
        for table in Table::ALL {
            if shared.with(table, |parts| parts.memory.is_full()) {
                // The records are safe where they are; the next commit tries again, and `room` holds the line.
                let _ = self.flush(table);
            }
        }
    }

    fn transact(
        &mut self,
        group: Vec<Job>,
        done: &mut Done,
        answers: &mut Vec<Answer>,
    ) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let dir = &shared.dir;
        let writing = || "writing to the database".to_owned();
        let mut failed = None;
        // Every caller must get an answer, also those behind the one that failed: `answers` is filled to the end.
        let mut transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .doing(dir, writing);
        for job in group {
            match (&mut transaction, &failed) {
                (Ok(transaction), None) => {
                    let (answer, error) = step(&shared, transaction, job, done);
                    answers.extend(answer);
                    failed = error;
                }
                _ => answers.extend(unanswered(job)),
            }
        }
        let transaction = transaction?;
        if let Some(error) = failed {
            return Err(error);
        }
        save_counters(&transaction, done.next).doing(dir, writing)?;
        transaction.commit().doing(dir, writing)
    }

    /// Writes what is in memory to a segment.
    pub(crate) fn flush(&mut self, table: Table) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let dir = &shared.dir;
        let rows = shared.with(table, |parts| parts.memory.rows());
        if rows == 0 {
            return Ok(());
        }
        let view = shared.with(table, |parts| parts.memory.view());
        let number = self.next_segment;
        let path = segment_path(dir, number);
        let doing = || format!("writing segment {number}");
        let bytes = segment::write(&view, &path).doing(dir, doing)?;
        let next = shared.with(table, |parts| parts.memory.next_sequence());
        let recorded = Segment::open(&path, number, table)
            .doing(dir, doing)
            .and_then(|segment| {
                let transaction = self.connection.transaction().doing(dir, doing)?;
                record(&transaction, table, &segment, bytes).doing(dir, doing)?;
                transaction.commit().doing(dir, doing)?;
                Ok(segment)
            });
        match recorded {
            Ok(segment) => {
                self.next_segment += 1;
                shared.change(table, |parts| {
                    parts.segments.push(Arc::new(segment));
                    parts.memory = Memory::new(table, next);
                });
                Ok(())
            }
            Err(error) => {
                // Nobody knows of the file; the next attempt takes the same name.
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }
}

fn size(job: &Job) -> usize {
    match job {
        Job::Append(batches, _) => batches.iter().map(|batch| batch.block.bytes.len()).sum(),
        _ => 0,
    }
}

/// The answer to a job whose transaction fails.
fn unanswered(job: Job) -> Option<Answer> {
    match job {
        Job::Append(_, reply) => Some(Answer::Append(Appended::default(), reply)),
        Job::Apply(_, reply) => Some(Answer::Apply(Ok(Vec::new()), reply)),
        Job::Triage(_, reply) => Some(Answer::Triage(reply)),
        Job::Expire(_, reply) => Some(Answer::Expire(0, reply)),
        Job::Maintain(..) | Job::Flush(_) | Job::Stop => None,
    }
}

fn record(
    transaction: &Transaction<'_>,
    table: Table,
    segment: &Segment,
    bytes: u64,
) -> rusqlite::Result<()> {
    let footer = &segment.footer;
    transaction.execute(
        "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            segment.number as i64,
            table.number(),
            footer.rows,
            footer.first_time as i64,
            footer.last_time as i64,
            footer.first_sequence as i64,
            footer.last_sequence as i64,
            bytes as i64
        ],
    )?;
    transaction.execute("DELETE FROM inbox WHERE tbl = ?", [table.number()])?;
    transaction.execute(
        "INSERT OR REPLACE INTO counters VALUES ('segment', ?)",
        [segment.number as i64 + 1],
    )?;
    Ok(())
}

fn save_counters(transaction: &Transaction<'_>, next: [u64; 2]) -> rusqlite::Result<()> {
    let mut statement =
        transaction.prepare_cached("INSERT OR REPLACE INTO counters VALUES (?, ?)")?;
    for (table, next) in Table::ALL.into_iter().zip(next) {
        statement.execute(params![table.name(), next as i64])?;
    }
    Ok(())
}

/// Makes what was committed visible.
fn publish(shared: &Shared, done: Done) {
    let mut by_table: [Vec<(Batch, Vec<bool>)>; 2] = Default::default();
    for (batch, kept) in done.batches {
        by_table[batch.table.number() as usize].push((batch, kept));
    }
    for (table, batches) in Table::ALL.into_iter().zip(by_table) {
        if batches.is_empty() {
            continue;
        }
        shared.change(table, |parts| {
            for (batch, kept) in batches {
                push(&mut parts.memory, batch, &kept);
            }
        });
    }
    if !done.triaged.is_empty() {
        let mut triaged = shared
            .triaged
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for (time, id, status) in done.triaged {
            triaged.set(time, id, status);
        }
    }
    shared.announce(done.next[0] - 1);
}

/// Puts the new rows of a batch into memory.
pub(crate) fn push(memory: &mut Memory, batch: Batch, kept: &[bool]) {
    let rows = batch.rows.into_iter().enumerate().zip(kept);
    let rows = rows.filter_map(|(row, kept)| kept.then_some(row));
    memory.push(batch.block, rows);
}

/// Does one job within the transaction: what its caller is to be told, and the error with which the whole transaction
/// is lost.
fn step(
    shared: &Shared,
    transaction: &mut Transaction<'_>,
    job: Job,
    done: &mut Done,
) -> (Option<Answer>, Option<Error>) {
    let dir = &shared.dir;
    let writing = || "writing to the database".to_owned();
    let (answer, error) = match job {
        Job::Append(batches, reply) => {
            let (appended, error) = split(append(shared, transaction, batches, done));
            (Answer::Append(appended, reply), error)
        }
        Job::Apply(changes, reply) => {
            let outcome = transaction
                .savepoint()
                .doing(dir, writing)
                .and_then(|savepoint| {
                    // Without the commit the savepoint is rolled back.
                    let versions = state::apply(&savepoint, dir, &changes)?;
                    savepoint.commit().doing(dir, writing)?;
                    Ok(versions)
                });
            match outcome {
                Err(error @ (Error::Full { .. } | Error::Io { .. })) => {
                    (Answer::Apply(Ok(Vec::new()), reply), Some(error))
                }
                // A condition that does not hold is the caller's own business.
                outcome => (Answer::Apply(outcome, reply), None),
            }
        }
        Job::Triage(change, reply) => {
            let (status, error) = split(triage::apply(transaction, &change).doing(dir, writing));
            done.triaged.push((change.time, change.id, status));
            (Answer::Triage(reply), error)
        }
        Job::Expire(now, reply) => {
            let sql = "DELETE FROM documents WHERE expires IS NOT NULL AND expires <= ?";
            let outcome = transaction.execute(sql, [now as i64]).doing(dir, writing);
            let (count, error) = split(outcome);
            (Answer::Expire(count as u64, reply), error)
        }
        Job::Maintain(..) | Job::Flush(_) | Job::Stop => return (None, None),
    };
    (Some(answer), error)
}

/// The value or an empty one, and the error.
fn split<T: Default>(outcome: Result<T>) -> (T, Option<Error>) {
    match outcome {
        Ok(value) => (value, None),
        Err(error) => (T::default(), Some(error)),
    }
}

fn append(
    shared: &Shared,
    transaction: &Transaction<'_>,
    batches: Vec<Batch>,
    done: &mut Done,
) -> Result<Appended> {
    let dir = &shared.dir;
    let mut appended = Appended::default();
    for batch in batches {
        let table = batch.table;
        if shared.with(table, |parts| parts.memory.fullness()) >= MAX_BACKLOG {
            return Err(Error::Full { path: dir.clone() });
        }
        let number = table.number() as usize;
        let kept = new_rows(shared, table, &batch.rows, &mut done.pending[number])
            .doing(dir, || {
                "looking for records that are there already".to_owned()
            })?;
        let count = kept.iter().filter(|kept| **kept).count() as u64;
        appended.accepted += count;
        appended.duplicate += kept.len() as u64 - count;
        if count == 0 {
            continue;
        }
        let bits: Vec<u8> = kept.iter().map(|kept| u8::from(*kept)).collect();
        transaction
            .prepare_cached("INSERT INTO inbox (tbl, sequence, kept, block) VALUES (?, ?, ?, ?)")
            .and_then(|mut statement| {
                statement.execute(params![
                    table.number(),
                    done.next[number] as i64,
                    bits,
                    batch.block.bytes
                ])
            })
            .doing(dir, || "writing records".to_owned())?;
        done.next[number] += count;
        done.batches.push((batch, kept));
    }
    appended.sequence = done.next[0] - 1;
    Ok(appended)
}

/// Which of the rows are new. A record that comes again has the time it had before, so only parts that reach over that
/// time can hold it.
fn new_rows(
    shared: &Shared,
    table: Table,
    rows: &[Row],
    pending: &mut FxHashSet<u128>,
) -> std::io::Result<Vec<bool>> {
    let segments = shared.with(table, |parts| parts.segments.clone());
    shared.with(table, |parts| {
        rows.iter()
            .map(|row| {
                if parts.memory.contains(row.id) || !pending.insert(row.id) {
                    return Ok(false);
                }
                for segment in &segments {
                    if segment.holds(row.id, row.time)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            })
            .collect()
    })
}
