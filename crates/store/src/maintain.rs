//! Retention: segments go, oldest first, when they are too old or take too much room.

use std::collections::HashSet;
use std::fs;
use std::sync::{Arc, PoisonError};

use vedette_history::{Error, Result, Retention};

use crate::failure::Doing;
use crate::segment::Segment;
use crate::table::Table;
use crate::writer::Writer;

const DAY: u64 = 86_400_000_000_000;

/// Records in memory that are older than this are written to a segment although it will be small, so that retention can
/// tell days apart.
const MAX_AGE_IN_MEMORY: u64 = DAY;

impl Writer {
    pub(crate) fn maintain(&mut self, retention: &Retention, now: u64) -> Result<()> {
        for table in Table::ALL {
            let oldest = self.shared.with(table, |parts| parts.memory.oldest());
            if oldest.is_some_and(|oldest| oldest.saturating_add(MAX_AGE_IN_MEMORY) < now) {
                self.flush(table)?;
            }
            let (days, bytes) = match table {
                Table::Findings => (retention.findings_days, retention.findings_bytes),
                Table::Activity => (retention.activity_days, retention.activity_bytes),
            };
            let cutoff = now.saturating_sub(u64::from(days).saturating_mul(DAY));
            let gone = self
                .shared
                .with(table, |parts| doomed(&parts.segments, cutoff, bytes));
            self.remove(table, &gone)?;
        }
        let cutoff = now.saturating_sub(u64::from(retention.findings_days).saturating_mul(DAY));
        self.forget_triage(cutoff)?;
        let dir = self.shared.dir.clone();
        self.connection
            .execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(PASSIVE);")
            .doing(&dir, || "tidying the database up".to_owned())
    }

    fn remove(&mut self, table: Table, gone: &[Arc<Segment>]) -> Result<()> {
        if gone.is_empty() {
            return Ok(());
        }
        let dir = self.shared.dir.clone();
        let doing = || "removing old segments".to_owned();
        let transaction = self.connection.transaction().doing(&dir, doing)?;
        for segment in gone {
            transaction
                .execute(
                    "DELETE FROM segments WHERE number = ?",
                    [segment.number as i64],
                )
                .doing(&dir, doing)?;
        }
        transaction.commit().doing(&dir, doing)?;
        let numbers: HashSet<u64> = gone.iter().map(|segment| segment.number).collect();
        self.shared.change(table, |parts| {
            parts
                .segments
                .retain(|segment| !numbers.contains(&segment.number));
        });
        for segment in gone {
            // Questions that began before may still read it. If it cannot be opened they fail, and are asked again.
            let _ = segment.pin();
            fs::remove_file(segment.path()).doing(&dir, doing)?;
            self.shared.caches.forget(segment.number);
        }
        Ok(())
    }

    fn forget_triage(&mut self, cutoff: u64) -> Result<()> {
        let dir = self.shared.dir.clone();
        let doing = || "removing notes on old findings".to_owned();
        let cutoff = cutoff.min(i64::MAX as u64);
        let gone: Vec<(u64, u128)> = {
            let mut statement = self
                .connection
                .prepare_cached("DELETE FROM triage WHERE time < ? RETURNING time, id")
                .doing(&dir, doing)?;
            let rows = statement
                .query_map([cutoff as i64], |row| {
                    Ok((
                        row.get::<_, i64>(0)? as u64,
                        u128::from_be_bytes(row.get(1)?),
                    ))
                })
                .doing(&dir, doing)?;
            rows.collect::<rusqlite::Result<_>>().doing(&dir, doing)?
        };
        if !gone.is_empty() {
            let mut triaged = self
                .shared
                .triaged
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            let statuses = Arc::make_mut(&mut triaged.statuses);
            for key in &gone {
                statuses.remove(key);
            }
            for (_, id) in gone {
                triaged.ids.remove(&id);
            }
        }
        Ok::<(), Error>(())
    }
}

/// The segments that retention takes: those whose newest record is older than `cutoff`, and of the rest the oldest until
/// the others fit into `most` bytes.
fn doomed(segments: &[Arc<Segment>], cutoff: u64, most: u64) -> Vec<Arc<Segment>> {
    let mut by_age: Vec<&Arc<Segment>> = segments.iter().collect();
    by_age.sort_by_key(|segment| segment.footer.last_time);
    let mut bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut out = Vec::new();
    for segment in by_age {
        if segment.footer.last_time < cutoff || bytes > most {
            bytes -= segment.bytes;
            out.push(Arc::clone(segment));
        }
    }
    out
}
