//! Findings grouped by rule and workload.

use std::cmp::Reverse;
use std::hash::Hash;
use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use vedette_event::Severity;
use vedette_history::{ColumnValue, Counts, Filter, Group, Partial, Place, Result, TimeRange};

use super::{each_part, severities};
use crate::columns::Dictionary;
use crate::failure::Doing;
use crate::part::Part;
use crate::scan::{Budget, Mask, NO, Needle};
use crate::shared::Shared;
use crate::table::{self, PLACE_COLUMN, RULE, SEVERITY, Table};

/// A group within one part.
#[derive(Clone, Copy)]
struct Here {
    counts: [u32; 5],
    first_row: u32,
    last_row: u32,
}

struct InPart {
    rules: Arc<Dictionary>,
    workloads: Vec<Place>,
    /// Numbers of rule and workload, the group, times of its first and last finding.
    groups: Vec<((u32, u32), Here, u64, u64)>,
}

/// A group so far, with the part and row of its last finding.
struct Sum {
    counts: [u64; 5],
    first: u64,
    last: u64,
    at: (usize, u32),
}

impl Sum {
    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for severity in Severity::ALL {
            counts.add(severity, self.counts[severity as usize]);
        }
        counts
    }
}

/// Gives things numbers in the order in which they are first seen.
struct Numbers<T>(FxHashMap<T, u32>);

impl<T: Hash + Eq + Copy> Numbers<T> {
    fn of(&mut self, thing: T) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(thing).or_insert(next)
    }

    fn in_order(self) -> Vec<T> {
        let mut things: Vec<(T, u32)> = self.0.into_iter().collect();
        things.sort_unstable_by_key(|(_, number)| *number);
        things.into_iter().map(|(thing, _)| thing).collect()
    }
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
    let mut rules = Numbers(FxHashMap::default());
    let mut workloads = Numbers(FxHashMap::default());
    let mut sums: FxHashMap<(u32, u32), Sum> = FxHashMap::default();
    for (index, found) in found.iter().enumerate() {
        let rule_of: Vec<u32> = found
            .rules
            .values
            .iter()
            .map(|rule| rules.of(&**rule))
            .collect();
        let workload_of: Vec<u32> = found.workloads.iter().map(|it| workloads.of(it)).collect();
        for ((rule, workload), here, first, last) in &found.groups {
            let key = (rule_of[*rule as usize], workload_of[*workload as usize]);
            let at = (index, here.last_row);
            let sum = sums.entry(key).or_insert(Sum {
                counts: [0; 5],
                first: *first,
                last: *last,
                at,
            });
            for (sum, count) in sum.counts.iter_mut().zip(here.counts) {
                *sum += u64::from(count);
            }
            sum.first = sum.first.min(*first);
            if *last > sum.last {
                (sum.last, sum.at) = (*last, at);
            }
        }
    }
    let (rules, workloads) = (rules.in_order(), workloads.in_order());
    let names = |(rule, workload): (u32, u32)| (rules[rule as usize], workloads[workload as usize]);
    let mut sums: Vec<((u32, u32), Sum)> = sums.into_iter().collect();
    sums.sort_by_cached_key(|(_, sum)| Reverse((sum.counts().worst(), sum.last)));
    // Ties are rare; they are put in order among those that may be shown.
    sums.truncate(limit.saturating_mul(2));
    sums.sort_by(|(a, sum_a), (b, sum_b)| {
        (sum_b.counts().worst(), sum_b.last)
            .cmp(&(sum_a.counts().worst(), sum_a.last))
            .then_with(|| names(*a).cmp(&names(*b)))
    });
    sums.truncate(limit);
    let groups = sums
        .into_iter()
        .map(|(key, sum)| {
            let (rule, place) = names(key);
            let id = parts[sum.at.0].id(sum.at.1 as usize)?;
            Ok(Group {
                rule: match table::decode(rule) {
                    ColumnValue::Text(rule) => rule.into_owned(),
                    _ => String::new(),
                },
                place: place.clone(),
                counts: sum.counts(),
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
        groups: Vec::new(),
    };
    let (from, to, mask) = needle.select(part, budget)?;
    if from == to || matches!(mask, Mask::All(NO)) {
        return Ok(out);
    }
    // Places are finer than workloads: number the workloads.
    let mut numbers: FxHashMap<Place, u32> = FxHashMap::default();
    let workload_of: Vec<u32> = part
        .dictionary(PLACE_COLUMN)?
        .values
        .iter()
        .map(|value| {
            let workload = workload(table::decode_place(value));
            let next = numbers.len() as u32;
            *numbers.entry(workload).or_insert(next)
        })
        .collect();
    let mut workloads: Vec<(Place, u32)> = numbers.into_iter().collect();
    workloads.sort_unstable_by_key(|(_, number)| *number);
    out.workloads = workloads.into_iter().map(|(place, _)| place).collect();
    let severities = severities(&*part.dictionary(SEVERITY)?);
    let (rules, places, severity) = (
        part.codes(RULE)?,
        part.codes(PLACE_COLUMN)?,
        part.codes(SEVERITY)?,
    );
    let mut groups: FxHashMap<(u32, u32), Here> = FxHashMap::default();
    rules.visit(from, to - from, mask.bytes(0, to - from), |index, rule| {
        let row = from + index;
        let key = (rule as u32, workload_of[places.get(row)]);
        let here = groups.entry(key).or_insert(Here {
            counts: [0; 5],
            first_row: row as u32,
            last_row: row as u32,
        });
        here.counts[severities[severity.get(row)] as usize] += 1;
        here.last_row = row as u32;
    });
    let times = part.times()?;
    out.groups = groups
        .into_iter()
        .map(|(key, here)| {
            let time = |row: u32| times[row as usize];
            (key, here, time(here.first_row), time(here.last_row))
        })
        .collect();
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
