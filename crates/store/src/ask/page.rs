//! Listings: the newest or oldest rows of all parts that pass, merged as far as the page needs.

use std::collections::BinaryHeap;
use std::io;

use vedette_event::Severity;
use vedette_history::{
    ActivityQuery, Cursor, Error, Filter, FindingQuery, MAX_LIMIT, Order, Page, Place, Position,
    Result, StoredActivity, StoredFinding, TimeRange, Triage,
};

use super::each_part;
use crate::failure::Doing;
use crate::part::Part;
use crate::scan::{Budget, MAYBE, Mask, NO, Needle, Reader, YES};
use crate::shared::Shared;
use crate::table::Table;
use crate::triage;

/// A row that passes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub(crate) part: usize,
    pub(crate) row: usize,
    pub(crate) time: u64,
    pub(crate) sequence: u64,
}

/// Rows of a part on the way.
struct Walk {
    /// First row in question.
    from: usize,
    /// Row that the mask's first verdict is about.
    mask_from: usize,
    /// One past the last row in question.
    to: usize,
    mask: Mask,
    newest: bool,
}

impl Walk {
    /// The next row that may pass.
    fn next(&mut self) -> Option<(usize, u8)> {
        while self.from < self.to {
            let row = if self.newest {
                self.to -= 1;
                self.to
            } else {
                self.from += 1;
                self.from - 1
            };
            let verdict = self.mask.get(row - self.mask_from);
            if verdict != NO {
                return Some((row, verdict));
            }
        }
        None
    }
}

/// Greatest first; what that means depends on the order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    key: (u64, u64),
    part: usize,
    /// The row and its verdict; `None` for a part that is not open yet.
    row: Option<(usize, u8)>,
}

/// Rows that pass, in order, and how the walk ended.
pub(crate) struct Walked {
    pub(crate) hits: Vec<Hit>,
    /// Where to go on; `None` when everything was looked at.
    pub(crate) next: Option<(u64, u64)>,
}

/// Walks through the parts until `limit` rows pass or the budget is spent. `after` is time and sequence number of the
/// last row of the walk before.
pub(crate) fn walk(
    needle: &Needle<'_>,
    parts: &[Part],
    newest: bool,
    after: Option<(u64, u64)>,
    limit: usize,
    budget: &Budget,
    reader: &mut Reader,
) -> io::Result<Walked> {
    let key = |time: u64, sequence: u64| {
        if newest {
            (time, sequence)
        } else {
            (!time, !sequence)
        }
    };
    let limit_key = after.map(|(time, sequence)| key(time, sequence));
    let edge = |part: &Part| {
        let time = if newest {
            part.last_time()
        } else {
            part.first_time()
        };
        // Before every row of that time, whatever its sequence number.
        (key(time, 0).0, u64::MAX)
    };
    let mut heap: BinaryHeap<Waiting> = parts
        .iter()
        .enumerate()
        .map(|(part, it)| Waiting {
            key: edge(it),
            part,
            row: None,
        })
        .collect();
    let mut walks: Vec<Option<Walk>> = parts.iter().map(|_| None).collect();
    let mut hits: Vec<Hit> = Vec::new();
    let mut last_looked_at = after;
    // Whether there is another page is worth looking for as long as it costs no reading of records.
    let enough = if needle.is_exact() { limit + 1 } else { limit };
    while let Some(Waiting { part, row, .. }) = heap.pop() {
        let it = &parts[part];
        if let Some((row, verdict)) = row {
            if hits.len() >= limit && !needle.is_exact() {
                // More may come; the next page will see.
                let last = hits.last().map(|hit| (hit.time, hit.sequence));
                return Ok(Walked { hits, next: last });
            }
            if verdict == MAYBE && !budget.take() {
                return Ok(Walked {
                    hits,
                    next: last_looked_at,
                });
            }
            let (time, sequence) = (it.time(row)?, it.sequence(row)?);
            if verdict == YES || needle.read_and_test(it, row, reader)? {
                hits.push(Hit {
                    part,
                    row,
                    time,
                    sequence,
                });
            }
            last_looked_at = Some((time, sequence));
            if hits.len() >= enough && needle.is_exact() {
                hits.truncate(limit);
                let last = hits.last().map(|hit| (hit.time, hit.sequence));
                return Ok(Walked { hits, next: last });
            }
        } else {
            walks[part] = Some(open(needle, it, newest, after)?);
        }
        let Some(walk) = &mut walks[part] else {
            continue;
        };
        while let Some((row, verdict)) = walk.next() {
            let found = key(it.time(row)?, it.sequence(row)?);
            // Rows of the cursor's own time may have been shown.
            if limit_key.is_none_or(|limit| found < limit) {
                heap.push(Waiting {
                    key: found,
                    part,
                    row: Some((row, verdict)),
                });
                break;
            }
        }
    }
    Ok(Walked { hits, next: None })
}

fn open(
    needle: &Needle<'_>,
    part: &Part,
    newest: bool,
    after: Option<(u64, u64)>,
) -> io::Result<Walk> {
    let (mut from, mut to) = needle.bounds(part)?;
    match after {
        Some((time, _)) if newest => to = to.min(part.rows_before(time.saturating_add(1))?),
        Some((time, _)) => from = from.max(part.rows_before(time)?),
        None => {}
    }
    to = to.max(from);
    Ok(Walk {
        from,
        mask_from: from,
        to,
        mask: needle.mask(part, from, to)?,
        newest,
    })
}

/// Number of rows that pass; for filters that need no record.
pub(crate) fn total(needle: &Needle<'_>, parts: &[Part]) -> io::Result<u64> {
    let budget = Budget::default();
    let counts = each_part(parts, |part| {
        let (from, to, mask) = needle.select(part, &budget)?;
        Ok(match mask {
            Mask::All(YES) => (to - from) as u64,
            Mask::All(_) => 0,
            Mask::Rows(rows) => rows.iter().map(|row| u64::from(row >> 1)).sum(),
        })
    })?;
    Ok(counts.into_iter().sum())
}

fn question(limit: usize) -> Result<()> {
    if (1..=MAX_LIMIT).contains(&limit) {
        Ok(())
    } else {
        Err(Error::Question(format!(
            "the limit is {limit}; it must be from 1 to {MAX_LIMIT}"
        )))
    }
}

/// The cursor's place, if it was made for this order.
fn start(cursor: Option<Cursor>, order: Order) -> Result<Option<Position>> {
    match cursor {
        Some(cursor) if cursor.order != order => Err(Error::Question(
            "the cursor was made for another order; begin again without one".to_owned(),
        )),
        cursor => Ok(cursor.map(|cursor| cursor.after)),
    }
}

pub(crate) fn findings(shared: &Shared, query: &FindingQuery) -> Result<Page<StoredFinding>> {
    question(query.limit)?;
    let after = start(query.cursor, query.order)?;
    let parts = shared.snapshot(Table::Findings, query.range);
    let budget = Budget::default();
    let mut reader = Reader::default();
    let reading = || "reading findings".to_owned();
    let statuses = shared.statuses();
    let mut hits = Vec::new();
    let mut next = None;
    if query.order == Order::Severity {
        for severity in Severity::ALL {
            if after.is_some_and(|after| severity > after.severity) {
                continue;
            }
            // The words of severities are in the language, so this is a filter.
            let of_severity = Filter::equals("severity", severity.name())
                .map_err(|why| Error::Question(why.to_string()))?;
            let filter = of_severity.and(&query.filter);
            let needle = Needle::new(Table::Findings, &filter, query.range, statuses.clone());
            let here = after.filter(|after| after.severity == severity);
            let here = here.map(|after| (after.time, after.sequence));
            let left = query.limit - hits.len();
            let walked = walk(&needle, &parts, true, here, left, &budget, &mut reader)
                .doing(&shared.dir, reading)?;
            hits.extend(walked.hits);
            next = walked.next.map(|(time, sequence)| Position {
                severity,
                time,
                sequence,
            });
            if next.is_some() {
                break;
            }
            if hits.len() >= query.limit {
                // This severity is at its end; the next page begins with the next one, before its first row.
                let below = Severity::ALL.into_iter().find(|other| *other < severity);
                next = below.map(|severity| Position {
                    severity,
                    time: u64::MAX,
                    sequence: u64::MAX,
                });
                break;
            }
        }
    } else {
        let needle = Needle::new(
            Table::Findings,
            &query.filter,
            query.range,
            statuses.clone(),
        );
        let after = after.map(|after| (after.time, after.sequence));
        let newest = query.order == Order::Newest;
        let walked = walk(
            &needle,
            &parts,
            newest,
            after,
            query.limit,
            &budget,
            &mut reader,
        )
        .doing(&shared.dir, reading)?;
        hits = walked.hits;
        next = walked.next.map(|(time, sequence)| Position {
            severity: Severity::Info,
            time,
            sequence,
        });
    }
    let needle = Needle::new(
        Table::Findings,
        &query.filter,
        query.range,
        statuses.clone(),
    );
    let total = (query.count && needle.is_exact())
        .then(|| total(&needle, &parts))
        .transpose()
        .doing(&shared.dir, reading)?;
    let items = hits
        .into_iter()
        .map(|hit| stored_finding(shared, &parts[hit.part], hit.row, hit.sequence, &mut reader))
        .collect::<Result<_>>()?;
    Ok(Page {
        items,
        next: next.map(|after| Cursor {
            order: query.order,
            after,
        }),
        total,
        partial: budget.partial(),
    })
}

pub(crate) fn stored_finding(
    shared: &Shared,
    part: &Part,
    row: usize,
    sequence: u64,
    reader: &mut Reader,
) -> Result<StoredFinding> {
    let reading = || "reading a finding".to_owned();
    let finding = reader.finding(part, row).doing(&shared.dir, reading)?;
    let id = part.id(row).doing(&shared.dir, reading)?;
    let triage = if shared.is_triaged(id) {
        let connection = shared.reader()?;
        triage::read(&connection, id)
            .doing(&shared.dir, reading)?
            .unwrap_or_default()
    } else {
        Triage::default()
    };
    Ok(StoredFinding {
        sequence,
        severity: finding.priority.into(),
        place: Place::of(&finding.node, &finding.fields),
        triage,
        finding,
    })
}

/// The finding with this id.
pub(crate) fn finding(shared: &Shared, id: u128) -> Result<Option<(StoredFinding, u64)>> {
    let reading = || "looking for a finding".to_owned();
    for part in shared.snapshot(Table::Findings, TimeRange::ALL) {
        if let Some(row) = part.find(id, None).doing(&shared.dir, reading)? {
            let sequence = part.sequence(row).doing(&shared.dir, reading)?;
            let mut reader = Reader::default();
            let stored = stored_finding(shared, &part, row, sequence, &mut reader)?;
            let time = stored.finding.time;
            return Ok(Some((stored, time)));
        }
    }
    Ok(None)
}

pub(crate) fn activity(shared: &Shared, query: &ActivityQuery) -> Result<Page<StoredActivity>> {
    question(query.limit)?;
    let order = match query.order {
        Order::Severity => Order::Newest,
        order => order,
    };
    let after = start(query.cursor, order)?.map(|after| (after.time, after.sequence));
    let parts = shared.snapshot(Table::Activity, query.range);
    let needle = Needle::new(
        Table::Activity,
        &query.filter,
        query.range,
        shared.statuses(),
    );
    let budget = Budget::default();
    let mut reader = Reader::default();
    let reading = || "reading activity".to_owned();
    let newest = order == Order::Newest;
    let walked = walk(
        &needle,
        &parts,
        newest,
        after,
        query.limit,
        &budget,
        &mut reader,
    )
    .doing(&shared.dir, reading)?;
    let total = (query.count && needle.is_exact())
        .then(|| total(&needle, &parts))
        .transpose()
        .doing(&shared.dir, reading)?;
    let items = walked
        .hits
        .iter()
        .map(|hit| stored_activity(&parts[hit.part], hit.row, hit.sequence, &mut reader))
        .collect::<io::Result<_>>()
        .doing(&shared.dir, reading)?;
    Ok(Page {
        items,
        next: walked.next.map(|(time, sequence)| Cursor {
            order,
            after: Position {
                severity: Severity::Info,
                time,
                sequence,
            },
        }),
        total,
        partial: budget.partial(),
    })
}

pub(crate) fn stored_activity(
    part: &Part,
    row: usize,
    sequence: u64,
    reader: &mut Reader,
) -> io::Result<StoredActivity> {
    let activity = reader.activity(part, row)?;
    Ok(StoredActivity {
        sequence,
        place: Place::of(&activity.node, &activity.fields),
        activity,
    })
}

/// Findings after a sequence number, in order of arrival.
pub(crate) fn since(
    shared: &Shared,
    after: u64,
    filter: &Filter,
    limit: usize,
) -> Result<vedette_history::Tail> {
    question(limit)?;
    let reading = || "reading new findings".to_owned();
    // Everything up to here is in the snapshot; what arrives meanwhile is for the next call.
    let newest = shared.sequence();
    let parts = shared.snapshot(Table::Findings, TimeRange::ALL);
    let needle = Needle::new(Table::Findings, filter, TimeRange::ALL, shared.statuses());
    let first_kept = parts.iter().map(Part::first_sequence).min();
    let gap = after < newest && first_kept.is_none_or(|first| first > after + 1);
    let mut rows = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        if part.last_sequence() <= after {
            continue;
        }
        let mask = needle
            .mask(part, 0, part.rows())
            .doing(&shared.dir, reading)?;
        if matches!(mask, Mask::All(NO)) {
            continue;
        }
        let sequences = part.sequences().doing(&shared.dir, reading)?;
        for (row, sequence) in sequences.into_iter().enumerate() {
            let verdict = mask.get(row);
            if sequence > after && sequence <= newest && verdict != NO {
                rows.push((sequence, index, row, verdict));
            }
        }
    }
    rows.sort_unstable();
    let budget = Budget::default();
    let mut reader = Reader::default();
    let mut items = Vec::new();
    let mut last = after;
    for (sequence, index, row, verdict) in rows {
        let part = &parts[index];
        if items.len() >= limit || verdict == MAYBE && !budget.take() {
            return Ok(vedette_history::Tail { items, last, gap });
        }
        let passes = verdict == YES
            || needle
                .read_and_test(part, row, &mut reader)
                .doing(&shared.dir, reading)?;
        if passes {
            items.push(stored_finding(shared, part, row, sequence, &mut reader)?);
        }
        last = sequence;
    }
    Ok(vedette_history::Tail {
        items,
        last: newest.max(after),
        gap,
    })
}
