//! Findings grouped by rule and workload.

use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use vedette_event::Severity;
use vedette_history::{ColumnValue, Counts, Filter, Group, Partial, Place, Result, TimeRange};

use super::{each_part, severities};
use crate::columns::Dictionary;
use crate::failure::Doing;
use crate::part::Part;
use crate::scan::{Budget, Mask, NO, Needle, YES};
use crate::shared::Shared;
use crate::table::{self, RULE, SEVERITY, Table};

/// A group within one part.
#[derive(Clone, Copy)]
struct Here {
    counts: [u32; 5],
    first_row: usize,
    last_row: usize,
}

struct InPart {
    rules: Arc<Dictionary>,
    workloads: Vec<Place>,
    /// By number of rule and workload.
    groups: FxHashMap<(u32, u32), Here>,
}

/// A group so far, with the part and row of its last finding.
struct Sum {
    counts: Counts,
    first: u64,
    last: u64,
    at: (usize, usize),
}

pub(crate) fn groups(
    shared: &Shared,
    range: TimeRange,
    filter: &Filter,
    limit: usize,
) -> Result<(Vec<Group>, Option<Partial>)> {
    let grouping = || "grouping findings".to_owned();
    let parts = shared.snapshot(Table::Findings, range);
    let needle = Needle::new(Table::Findings, filter, range, shared.statuses());
    let budget = Budget::default();
    let found =
        each_part(&parts, |part| in_part(&needle, part, &budget)).doing(&shared.dir, grouping)?;
    let mut sums: FxHashMap<(&str, &Place), Sum> = FxHashMap::default();
    for (index, (part, found)) in parts.iter().zip(&found).enumerate() {
        for ((rule, workload), here) in &found.groups {
            let key = (
                &*found.rules.values[*rule as usize],
                &found.workloads[*workload as usize],
            );
            let first = part.time(here.first_row).doing(&shared.dir, grouping)?;
            let last = part.time(here.last_row).doing(&shared.dir, grouping)?;
            let at = (index, here.last_row);
            let sum = sums.entry(key).or_insert(Sum {
                counts: Counts::default(),
                first,
                last,
                at,
            });
            for severity in Severity::ALL {
                sum.counts
                    .add(severity, here.counts[severity as usize].into());
            }
            sum.first = sum.first.min(first);
            if last > sum.last {
                (sum.last, sum.at) = (last, at);
            }
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|((rule_a, place_a), a), ((rule_b, place_b), b)| {
        (b.counts.worst(), b.last)
            .cmp(&(a.counts.worst(), a.last))
            .then_with(|| (rule_a, place_a).cmp(&(rule_b, place_b)))
    });
    sums.truncate(limit);
    let groups = sums
        .into_iter()
        .map(|((rule, place), sum)| {
            let id = parts[sum.at.0].id(sum.at.1)?;
            Ok(Group {
                rule: match table::decode(rule) {
                    ColumnValue::Text(rule) => rule.into_owned(),
                    _ => String::new(),
                },
                place: place.clone(),
                counts: sum.counts,
                first: sum.first,
                last: sum.last,
                latest: format!("{id:032x}"),
            })
        })
        .collect::<io::Result<_>>()
        .doing(&shared.dir, grouping)?;
    Ok((groups, budget.partial()))
}

fn in_part(needle: &Needle<'_>, part: &Part, budget: &Budget) -> io::Result<InPart> {
    let mut out = InPart {
        rules: part.dictionary(RULE)?,
        workloads: Vec::new(),
        groups: FxHashMap::default(),
    };
    let (from, to, mask) = needle.select(part, budget)?;
    if from == to || matches!(mask, Mask::All(NO)) {
        return Ok(out);
    }
    let place = Table::Findings.place();
    // Places are finer than workloads: number the workloads.
    let mut numbers: FxHashMap<Place, u32> = FxHashMap::default();
    let workload_of: Vec<u32> = part
        .dictionary(place)?
        .values
        .iter()
        .map(|value| {
            let workload = workload(table::decode_place(value));
            let next = numbers.len() as u32;
            *numbers.entry(workload).or_insert(next)
        })
        .collect();
    let mut workloads: Vec<(Place, u32)> = numbers.into_iter().collect();
    workloads.sort_by_key(|(_, number)| *number);
    out.workloads = workloads.into_iter().map(|(place, _)| place).collect();
    let severities = severities(&*part.dictionary(SEVERITY)?);
    let (rules, places, severity) = (part.codes(RULE)?, part.codes(place)?, part.codes(SEVERITY)?);
    rules.visit(from, to - from, |index, rule| {
        if mask.get(index) != YES {
            return;
        }
        let row = from + index;
        let here = out
            .groups
            .entry((rule as u32, workload_of[places.get(row)]))
            .or_insert(Here {
                counts: [0; 5],
                first_row: row,
                last_row: row,
            });
        here.counts[severities[severity.get(row)] as usize] += 1;
        here.last_row = row;
    });
    Ok(out)
}

/// The place without what is inside a workload. Where there is no workload the node is what people look for.
fn workload(place: Place) -> Place {
    let in_cluster = !place.namespace.is_empty() || !place.workload.is_empty();
    Place {
        node: if in_cluster {
            String::new()
        } else {
            place.node
        },
        pod: String::new(),
        container: String::new(),
        ..place
    }
}
