//! The handle that everyone shares.

use std::fs::{self, File};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use vedette_event::Record;
use vedette_history::{
    ActivityBucket, ActivityQuery, Appended, Change, Document, Entry, Error, Facets, Filter,
    FindingQuery, Group, Histogram, History, Page, Partial, PlaceCount, Result, Retention, Session,
    State, Stats, Status, StoredActivity, StoredFinding, TableStats, Tail, TimeRange,
};

use crate::ask::{count, groups, page, process, sessions};
use crate::failure::Doing;
use crate::part::Part;
use crate::shared::Shared;
use crate::table::{FACETS, Table};
use crate::triage::TriageChange;
use crate::writer::{Job, MAX_WAITING};
use crate::{prepare, recover, schema, state};

/// A store of findings, activity and state in a directory. Cheap to clone; every clone is the same store. When the last
/// one goes, the writer finishes what it was given and the directory is free for others.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    jobs: SyncSender<Job>,
    writer: Mutex<Option<JoinHandle<()>>>,
    damaged: Vec<String>,
    _lock: File,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // When the writer is gone already there is nothing to stop.
        let _ = self.jobs.send(Job::Stop);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.take() {
            let _ = writer.join();
        }
    }
}

impl Store {
    /// Opens the store in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Question`] when another process has it or a newer version made it; else what disk or database say.
    pub fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).doing(dir, || format!("creating {}", dir.display()))?;
        let lock = recover::lock(dir)?;
        let (writer, damaged) = recover::open(dir)?;
        let shared = Arc::clone(&writer.shared);
        let (jobs, waiting): (_, Receiver<Job>) = sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(&waiting))
            .doing(dir, || "starting the writer".to_owned())?;
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                jobs,
                writer: Mutex::new(Some(thread)),
                damaged,
                _lock: lock,
            }),
        })
    }

    /// Segments that could not be read when the store was opened, each with the reason. Their records are missing from
    /// answers until the files are brought back; nothing was removed.
    pub fn damaged(&self) -> &[String] {
        &self.inner.damaged
    }

    /// Writes the latest records to segments now; they are safe on disk without it.
    ///
    /// # Errors
    /// What disk or database say.
    pub fn flush(&self) -> Result<()> {
        self.ask(Job::Flush)
    }

    fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    /// Hands a job to the writer and waits for the answer.
    fn ask<T>(&self, job: impl FnOnce(SyncSender<Result<T>>) -> Job) -> Result<T> {
        let (reply, answer) = sync_channel(1);
        self.inner
            .jobs
            .send(job(reply))
            .map_err(|_| Error::Closed)?;
        answer.recv().map_err(|_| Error::Closed)?
    }

    fn table_stats(&self, table: Table) -> TableStats {
        let parts = self.shared().snapshot(table, TimeRange::ALL);
        let segments = parts.iter().filter_map(|part| match part {
            Part::Segment(segment, _) => Some(segment.bytes),
            Part::Memory(_) => None,
        });
        let (mut bytes, mut count) = (0, 0);
        for length in segments {
            bytes += length;
            count += 1;
        }
        TableStats {
            rows: parts.iter().map(|part| part.rows() as u64).sum(),
            segments: count,
            bytes,
            oldest: parts.iter().map(Part::first_time).min().unwrap_or_default(),
            newest: parts.iter().map(Part::last_time).max().unwrap_or_default(),
            sequence: self.shared().with(table, |p| p.memory.next_sequence()) - 1,
        }
    }
}

impl History for Store {
    fn append(&self, records: Vec<Record>) -> Result<Appended> {
        let (batches, refused) = prepare::prepare(&records)
            .doing(&self.shared().dir, || "compressing records".to_owned())?;
        drop(records);
        let mut appended = self.ask(|reply| Job::Append(batches, reply))?;
        appended.refused = refused;
        Ok(appended)
    }

    fn findings(&self, query: &FindingQuery) -> Result<Page<StoredFinding>> {
        page::findings(self.shared(), query)
    }

    fn finding(&self, id: &str) -> Result<Option<StoredFinding>> {
        let Some(id) = prepare::id(id) else {
            return Ok(None);
        };
        Ok(page::finding(self.shared(), id)?.map(|(stored, _)| stored))
    }

    fn triage(
        &self,
        id: &str,
        status: Option<Status>,
        note: Option<&str>,
        by: &str,
        at: u64,
    ) -> Result<Option<StoredFinding>> {
        let Some(number) = prepare::id(id) else {
            return Ok(None);
        };
        let Some((_, time)) = page::finding(self.shared(), number)? else {
            return Ok(None);
        };
        let change = TriageChange {
            id: number,
            time,
            status,
            note: note.map(str::to_owned),
            by: by.to_owned(),
            at,
        };
        self.ask(|reply| Job::Triage(change, reply))?;
        self.finding(id)
    }

    fn histogram(&self, range: TimeRange, filter: &Filter, buckets: usize) -> Result<Histogram> {
        count::histogram(self.shared(), range, filter, buckets)
    }

    fn facets(
        &self,
        range: TimeRange,
        filter: &Filter,
        fields: &[&str],
        limit: usize,
    ) -> Result<Facets> {
        count::facets(self.shared(), range, filter, fields, limit)
    }

    fn facet_fields(&self) -> &'static [&'static str] {
        FACETS
    }

    fn places(
        &self,
        range: TimeRange,
        filter: &Filter,
    ) -> Result<(Vec<PlaceCount>, Option<Partial>)> {
        count::places(self.shared(), range, filter)
    }

    fn groups(
        &self,
        range: TimeRange,
        filter: &Filter,
        limit: usize,
    ) -> Result<(Vec<Group>, Option<Partial>)> {
        groups::groups(self.shared(), range, filter, limit)
    }

    fn sequence(&self) -> u64 {
        self.shared().sequence()
    }

    fn since(&self, sequence: u64, filter: &Filter, limit: usize) -> Result<Tail> {
        page::since(self.shared(), sequence, filter, limit)
    }

    fn wait(&self, sequence: u64, patience: Duration) -> u64 {
        self.shared().wait(sequence, patience)
    }

    fn findings_of_process(
        &self,
        node: &str,
        pid: i64,
        started: u64,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<StoredFinding>> {
        let process = process::Named { node, pid, started };
        process::findings(self.shared(), process, range, limit)
    }

    fn activity(&self, query: &ActivityQuery) -> Result<Page<StoredActivity>> {
        page::activity(self.shared(), query)
    }

    fn activity_histogram(
        &self,
        range: TimeRange,
        filter: &Filter,
        buckets: usize,
    ) -> Result<(u64, Vec<ActivityBucket>, Option<Partial>)> {
        count::activity_histogram(self.shared(), range, filter, buckets)
    }

    fn sessions(&self, range: TimeRange, filter: &Filter, limit: usize) -> Result<Vec<Session>> {
        sessions::sessions(self.shared(), range, filter, limit)
    }

    fn activity_of_process(
        &self,
        node: &str,
        pid: i64,
        started: u64,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<StoredActivity>> {
        let process = process::Named { node, pid, started };
        process::activity(self.shared(), process, range, limit)
    }

    fn maintain(&self, retention: &Retention, now: u64) -> Result<()> {
        self.ask(|reply| Job::Maintain(retention.clone(), now, reply))
    }

    fn stats(&self) -> Result<Stats> {
        let dir = &self.shared().dir;
        let mut database_bytes = 0;
        for suffix in ["", "-wal"] {
            let path = dir.join(format!("{}{suffix}", schema::FILE));
            match fs::metadata(&path) {
                Ok(metadata) => database_bytes += metadata.len(),
                // The log comes and goes.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).doing(dir, || format!("looking at {}", path.display()));
                }
            }
        }
        Ok(Stats {
            findings: self.table_stats(Table::Findings),
            activity: self.table_stats(Table::Activity),
            database_bytes,
        })
    }
}

impl State for Store {
    fn get(&self, collection: &str, key: &str) -> Result<Option<Document>> {
        state::get(
            &*self.shared().reader()?,
            &self.shared().dir,
            collection,
            key,
        )
    }

    fn list(
        &self,
        collection: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>> {
        let reader = self.shared().reader()?;
        state::list(
            &reader,
            &self.shared().dir,
            collection,
            prefix,
            after,
            limit,
        )
    }

    fn versions(&self, collection: &str, key: &str, limit: usize) -> Result<Vec<Document>> {
        state::versions(
            &*self.shared().reader()?,
            &self.shared().dir,
            collection,
            key,
            limit,
        )
    }

    fn apply(&self, changes: Vec<Change>) -> Result<Vec<u64>> {
        self.ask(|reply| Job::Apply(changes, reply))
    }

    fn log(&self, log: &str, before: Option<u64>, limit: usize) -> Result<Vec<Entry>> {
        state::log(
            &*self.shared().reader()?,
            &self.shared().dir,
            log,
            before,
            limit,
        )
    }

    fn expire(&self, now: u64) -> Result<u64> {
        self.ask(|reply| Job::Expire(now, reply))
    }
}
