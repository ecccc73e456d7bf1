//! What the writer and the readers share: the parts of each table, where findings stand, connections for reading.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};

use rusqlite::Connection;
use vedette_history::{Result, Status, TimeRange};

use crate::memory::Memory;
use crate::part::{Caches, Part};
use crate::scan::Statuses;
use crate::schema;
use crate::segment::Segment;
use crate::table::Table;

/// Connections for reading that are kept when nobody uses them.
const MAX_IDLE: usize = 8;

/// A table's parts.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) memory: Memory,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    findings: RwLock<Parts>,
    activity: RwLock<Parts>,
    pub(crate) triaged: RwLock<Triaged>,
    idle: Mutex<Vec<Connection>>,
    pub(crate) caches: Arc<Caches>,
    sequence: Mutex<u64>,
    arrived: Condvar,
}

/// Findings that someone has seen to.
#[derive(Debug, Default)]
pub(crate) struct Triaged {
    /// Those that are not open.
    pub(crate) statuses: Arc<Statuses>,
    /// All that have a document, also open ones with notes.
    pub(crate) ids: std::collections::HashSet<u128>,
}

impl Triaged {
    pub(crate) fn set(&mut self, time: u64, id: u128, status: Status) {
        self.ids.insert(id);
        let statuses = Arc::make_mut(&mut self.statuses);
        match status {
            Status::Open => statuses.remove(&(time, id)),
            status => statuses.insert((time, id), status),
        };
    }
}

/// A connection for reading, lent.
pub(crate) struct Lent<'s> {
    shared: &'s Shared,
    connection: Option<Connection>,
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("it is taken out by drop alone")
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
            .as_mut()
            .expect("it is taken out by drop alone")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut idle = self
            .shared
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.extend(self.connection.take());
        }
    }
}

impl Shared {
    pub(crate) fn new(dir: PathBuf, findings: Parts, activity: Parts, triaged: Triaged) -> Self {
        let sequence = findings.memory.next_sequence() - 1;
        Self {
            dir,
            findings: RwLock::new(findings),
            activity: RwLock::new(activity),
            triaged: RwLock::new(triaged),
            idle: Mutex::default(),
            caches: Arc::default(),
            sequence: Mutex::new(sequence),
            arrived: Condvar::new(),
        }
    }

    pub(crate) fn parts(&self, table: Table) -> &RwLock<Parts> {
        match table {
            Table::Findings => &self.findings,
            Table::Activity => &self.activity,
        }
    }

    /// Looks at the parts of a table.
    pub(crate) fn with<T>(&self, table: Table, look: impl FnOnce(&Parts) -> T) -> T {
        look(
            &self
                .parts(table)
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Changes the parts of a table.
    pub(crate) fn change<T>(&self, table: Table, change: impl FnOnce(&mut Parts) -> T) -> T {
        change(
            &mut self
                .parts(table)
                .write()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// The parts with records in the range, as they are now: later changes do not show.
    pub(crate) fn snapshot(&self, table: Table, range: TimeRange) -> Vec<Part> {
        let all = self.with(table, |parts| {
            let segments = parts
                .segments
                .iter()
                .map(|segment| Part::Segment(Arc::clone(segment), Arc::clone(&self.caches)));
            let mut all: Vec<Part> = segments.collect();
            if parts.memory.rows() > 0 {
                all.push(Part::Memory(parts.memory.view()));
            }
            all
        });
        let mut parts: Vec<Part> = all
            .into_iter()
            .filter(|part| part.first_time() < range.to && part.last_time() >= range.from)
            .collect();
        // Questions stop early at the newest, so those come first.
        parts.sort_by_key(|part| std::cmp::Reverse(part.last_time()));
        parts
    }

    pub(crate) fn statuses(&self) -> Arc<Statuses> {
        let triaged = self.triaged.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&triaged.statuses)
    }

    pub(crate) fn is_triaged(&self, id: u128) -> bool {
        let triaged = self.triaged.read().unwrap_or_else(PoisonError::into_inner);
        triaged.ids.contains(&id)
    }

    /// A connection for reading.
    pub(crate) fn reader(&self) -> Result<Lent<'_>> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.dir)?,
        };
        Ok(Lent {
            shared: self,
            connection: Some(connection),
        })
    }

    /// Tells those who wait that findings up to this one are there.
    pub(crate) fn announce(&self, sequence: u64) {
        *self.sequence.lock().unwrap_or_else(PoisonError::into_inner) = sequence;
        self.arrived.notify_all();
    }

    pub(crate) fn sequence(&self) -> u64 {
        *self.sequence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wait(&self, sequence: u64, patience: std::time::Duration) -> u64 {
        let guard = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .arrived
            .wait_timeout_while(guard, patience, |last| *last <= sequence);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
