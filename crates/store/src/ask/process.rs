//! What a process did and caused.

use std::io;

use vedette_event::Process;
use vedette_history::{Error, Filter, MAX_LIMIT, Result, StoredActivity, StoredFinding, TimeRange};

use super::page::{stored_activity, stored_finding};
use crate::failure::Doing;
use crate::part::Part;
use crate::scan::{NO, Needle, Reader};
use crate::shared::Shared;
use crate::table::{Table, process_key};

/// A process by what names it for good.
#[derive(Clone, Copy)]
pub(crate) struct Named<'n> {
    pub(crate) node: &'n str,
    pub(crate) pid: i64,
    pub(crate) started: u64,
}

impl Named<'_> {
    fn is(self, process: &Process) -> bool {
        process.pid == self.pid && process.started == self.started
    }
}

/// Rows of parts that may belong to the process, by time.
fn candidates(
    parts: &[Part],
    needle: &Needle<'_>,
    key: u32,
    parents: bool,
) -> io::Result<Vec<(u64, usize, usize)>> {
    let mut out = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let (from, to) = needle.bounds(part)?;
        let mask = needle.mask(part, from, to)?;
        if matches!(mask, crate::scan::Mask::All(NO)) {
            continue;
        }
        let own = part.processes()?;
        let above = if parents { Some(part.parents()?) } else { None };
        for row in from..to {
            let met = own[row] == key || above.as_ref().is_some_and(|above| above[row] == key);
            if met && mask.get(row - from) != NO {
                out.push((part.time(row)?, index, row));
            }
        }
    }
    out.sort_unstable();
    Ok(out)
}

fn of_node(node: &str) -> Result<Filter> {
    Filter::equals("node", node).map_err(|why| Error::Question(why.to_string()))
}

pub(crate) fn findings(
    shared: &Shared,
    process: Named<'_>,
    range: TimeRange,
    limit: usize,
) -> Result<Vec<StoredFinding>> {
    let reading = || "looking for findings of a process".to_owned();
    let filter = of_node(process.node)?;
    let parts = shared.snapshot(Table::Findings, range);
    let needle = Needle::new(Table::Findings, &filter, range, shared.statuses());
    let key = process_key(process.pid, process.started);
    let rows = candidates(&parts, &needle, key, false).doing(&shared.dir, reading)?;
    let mut reader = Reader::default();
    let mut out = Vec::new();
    for (_, index, row) in rows.into_iter().rev() {
        if out.len() >= limit.min(MAX_LIMIT) {
            break;
        }
        let part = &parts[index];
        let sequence = part.sequence(row).doing(&shared.dir, reading)?;
        let stored = stored_finding(shared, part, row, sequence, &mut reader)?;
        if stored
            .finding
            .lineage
            .first()
            .is_some_and(|first| process.is(first))
        {
            out.push(stored);
        }
    }
    Ok(out)
}

pub(crate) fn activity(
    shared: &Shared,
    process: Named<'_>,
    range: TimeRange,
    limit: usize,
) -> Result<Vec<StoredActivity>> {
    let reading = || "looking for activity of a process".to_owned();
    let filter = of_node(process.node)?;
    let parts = shared.snapshot(Table::Activity, range);
    let needle = Needle::new(Table::Activity, &filter, range, shared.statuses());
    let key = process_key(process.pid, process.started);
    let rows = candidates(&parts, &needle, key, true).doing(&shared.dir, reading)?;
    let mut reader = Reader::default();
    let mut out = Vec::new();
    for (_, index, row) in rows {
        if out.len() >= limit.min(MAX_LIMIT) {
            break;
        }
        let part = &parts[index];
        let stored = part
            .sequence(row)
            .and_then(|sequence| stored_activity(part, row, sequence, &mut reader))
            .doing(&shared.dir, reading)?;
        if process.is(&stored.activity.process) || process.is(&stored.activity.parent) {
            out.push(stored);
        }
    }
    Ok(out)
}
