//! Counts: histograms, facets, places. Columns are counted, records are read only for filters that need them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use vedette_event::{ActivityKind, Severity};
use vedette_history::{
    ActivityBucket, Bucket, ColumnValue, Counts, Error, FacetValue, Facets, Filter, Histogram,
    KindCounts, Partial, PlaceCount, Result, Status, TimeRange, buckets,
};

use super::{each_part, fold_parts, severities};
use crate::columns::{Codes, Dictionary};
use crate::failure::Doing;
use crate::part::{Part, PlaceTally};
use crate::scan::{Budget, Mask, NO, Needle, YES};
use crate::shared::Shared;
use crate::table::{self, ACTION, FACETS, KIND, PLACE_COLUMN, SEVERITY, Table};

/// How many of the rows that pass have each value.
fn tally(
    codes: &Codes,
    from: usize,
    to: usize,
    mask: &Mask,
    mask_from: usize,
    values: usize,
) -> Vec<u32> {
    let mut counts = vec![0_u32; values.max(1)];
    if !matches!(mask, Mask::All(NO)) {
        let bytes = mask.bytes(from - mask_from, to - mask_from);
        codes.visit(from, to - from, bytes, |_, code| counts[code] += 1);
    }
    counts
}

/// The values of a column, and per bucket with rows how many have each.
type OverTime = (Arc<Dictionary>, Vec<(usize, Vec<u32>)>);

/// Per bucket, how many rows that pass have each value of `column`, with the values.
fn over_time(
    needle: &Needle<'_>,
    part: &Part,
    column: usize,
    starts: &[u64],
    budget: &Budget,
) -> io::Result<OverTime> {
    let dictionary = part.dictionary(column)?;
    let (from, to, mask) = needle.select(part, budget)?;
    let mut out = Vec::new();
    if from == to || matches!(mask, Mask::All(NO)) {
        return Ok((dictionary, out));
    }
    let codes = part.codes(column)?;
    let first = starts
        .partition_point(|start| *start <= part.first_time())
        .saturating_sub(1);
    let mut at = from;
    for (bucket, _) in starts.iter().enumerate().skip(first) {
        if at >= to {
            break;
        }
        let end = match starts.get(bucket + 1) {
            Some(next) if *next <= part.last_time() => part.rows_before(*next)?.clamp(at, to),
            _ => to,
        };
        if end > at {
            out.push((
                bucket,
                tally(&codes, at, end, &mask, from, dictionary.values.len()),
            ));
        }
        at = end;
    }
    Ok((dictionary, out))
}

pub(crate) fn histogram(
    shared: &Shared,
    range: TimeRange,
    filter: &Filter,
    wanted: usize,
) -> Result<Histogram> {
    let (step, starts) = buckets(range, wanted);
    let parts = shared.snapshot(Table::Findings, range);
    let needle = Needle::new(Table::Findings, filter, range, shared.statuses());
    let budget = Budget::default();
    let counted = each_part(&parts, |part| {
        over_time(&needle, part, SEVERITY, &starts, &budget)
    })
    .doing(&shared.dir, || "counting findings".to_owned())?;
    let mut out: Vec<Bucket> = starts
        .iter()
        .map(|at| Bucket {
            at: *at,
            ..Bucket::default()
        })
        .collect();
    for (dictionary, counts) in counted {
        let severities = severities(&dictionary);
        for (bucket, counts) in counts {
            for (severity, count) in severities.iter().zip(counts) {
                out[bucket].counts.add(*severity, count.into());
            }
        }
    }
    Ok(Histogram {
        step,
        buckets: out,
        partial: budget.partial(),
    })
}

pub(crate) fn activity_histogram(
    shared: &Shared,
    range: TimeRange,
    filter: &Filter,
    wanted: usize,
) -> Result<(u64, Vec<ActivityBucket>, Option<Partial>)> {
    let (step, starts) = buckets(range, wanted);
    let parts = shared.snapshot(Table::Activity, range);
    let needle = Needle::new(Table::Activity, filter, range, shared.statuses());
    let budget = Budget::default();
    let counted = each_part(&parts, |part| {
        over_time(&needle, part, KIND, &starts, &budget)
    })
    .doing(&shared.dir, || "counting activity".to_owned())?;
    let mut out: Vec<ActivityBucket> = starts
        .iter()
        .map(|at| ActivityBucket {
            at: *at,
            counts: KindCounts::default(),
        })
        .collect();
    for (dictionary, counts) in counted {
        let kinds = kinds(&dictionary);
        for (bucket, counts) in counts {
            for (kind, count) in kinds.iter().zip(counts) {
                out[bucket].counts.add(*kind, count.into());
            }
        }
    }
    Ok((step, out, budget.partial()))
}

/// Kind of each value of a dictionary of kinds.
pub(super) fn kinds(dictionary: &Dictionary) -> Vec<ActivityKind> {
    dictionary
        .values
        .iter()
        .map(|value| {
            let named =
                |kind: &ActivityKind| table::decode(value) == ColumnValue::from(kind.name());
            ActivityKind::ALL
                .into_iter()
                .find(named)
                .unwrap_or(ActivityKind::Command)
        })
        .collect()
}

pub(crate) fn facets(
    shared: &Shared,
    range: TimeRange,
    filter: &Filter,
    fields: &[&str],
    limit: usize,
) -> Result<Facets> {
    let columns = fields
        .iter()
        .map(|field| {
            FACETS
                .contains(field)
                .then(|| Table::Findings.column(field))
                .flatten()
                .ok_or_else(|| {
                    let known = FACETS.join(", ");
                    Error::Question(format!(
                        "{field} has no facets; those with facets are {known}"
                    ))
                })
        })
        .collect::<Result<Vec<usize>>>()?;
    let parts = shared.snapshot(Table::Findings, range);
    let needle = Needle::new(Table::Findings, filter, range, shared.statuses());
    let budget = Budget::default();
    let counted = each_part(&parts, |part| {
        facet_counts(&needle, part, &columns, &budget)
    })
    .doing(&shared.dir, || "counting values".to_owned())?;
    let mut out = BTreeMap::new();
    for (index, field) in fields.iter().enumerate() {
        let mut sums: FxHashMap<&str, u64> = FxHashMap::default();
        for counts in &counted {
            let (dictionary, counts) = &counts[index];
            for (value, count) in dictionary.values.iter().zip(counts) {
                if *count > 0 {
                    *sums.entry(value).or_default() += u64::from(*count);
                }
            }
        }
        out.insert((*field).to_owned(), facet_values(sums, limit));
    }
    Ok(Facets {
        fields: out,
        partial: budget.partial(),
    })
}

fn facet_counts(
    needle: &Needle<'_>,
    part: &Part,
    columns: &[usize],
    budget: &Budget,
) -> io::Result<Vec<(Arc<Dictionary>, Vec<u32>)>> {
    let (from, to, mask) = needle.select(part, budget)?;
    columns
        .iter()
        .map(|column| {
            let stored = *column < Table::Findings.stored().len();
            let dictionary = if stored {
                part.dictionary(*column)?
            } else {
                let values = Status::ALL
                    .into_iter()
                    .map(|s| table::status_value(s).into());
                Arc::new(Dictionary {
                    values: values.collect(),
                    counts: Vec::new(),
                })
            };
            let counts = match &mask {
                Mask::All(NO) => Vec::new(),
                // Every row passes, and the segment knows its own counts.
                Mask::All(YES) if stored && to - from == part.rows() => dictionary.counts.clone(),
                mask => {
                    let codes = needle.codes(part, *column)?;
                    tally(&codes, from, to, mask, from, dictionary.values.len())
                }
            };
            Ok((dictionary, counts))
        })
        .collect()
}

/// The most frequent values. Each value of a list counts for itself.
fn facet_values(sums: FxHashMap<&str, u64>, limit: usize) -> Vec<FacetValue> {
    let mut merged: BTreeMap<Option<String>, u64> = BTreeMap::new();
    for (value, count) in sums {
        match table::decode(value) {
            ColumnValue::Missing => *merged.entry(None).or_default() += count,
            ColumnValue::Text(text) => {
                *merged.entry(Some(text.into_owned())).or_default() += count;
            }
            ColumnValue::Texts(texts) if texts.is_empty() => {
                *merged.entry(None).or_default() += count;
            }
            ColumnValue::Texts(texts) => {
                for text in texts {
                    *merged.entry(Some(text.into_owned())).or_default() += count;
                }
            }
        }
    }
    let mut values: Vec<FacetValue> = merged
        .into_iter()
        .map(|(value, count)| FacetValue { value, count })
        .collect();
    // Stable, so that equal counts stay in the order of their values.
    values.sort_by_key(|value| std::cmp::Reverse(value.count));
    values.truncate(limit);
    values
}

/// Counts of a place in several parts.
struct Sum {
    counts: [u64; 5],
    denied: u64,
    last: u64,
}

type Sums = FxHashMap<Box<str>, Sum>;

pub(crate) fn places(
    shared: &Shared,
    range: TimeRange,
    filter: &Filter,
) -> Result<(Vec<PlaceCount>, Option<Partial>)> {
    let parts = shared.snapshot(Table::Findings, range);
    let needle = Needle::new(Table::Findings, filter, range, shared.statuses());
    let budget = Budget::default();
    let sums = fold_parts(
        &parts,
        Sums::default,
        |mut sums, part| {
            let (dictionary, heres) = places_in(&needle, part, &budget)?;
            for (value, here) in dictionary.values.iter().zip(heres.iter()) {
                if here.counts == [0; 5] {
                    continue;
                }
                let counts = here.counts.map(u64::from);
                let denied = here.denied.into();
                match sums.get_mut(value) {
                    None => {
                        let last = part.time(here.last_row as usize)?;
                        let sum = Sum {
                            counts,
                            denied,
                            last,
                        };
                        sums.insert(value.clone(), sum);
                    }
                    Some(sum) => {
                        add(sum, counts, denied);
                        // The newest parts come first, so most places need no further look.
                        if part.last_time() > sum.last {
                            sum.last = sum.last.max(part.time(here.last_row as usize)?);
                        }
                    }
                }
            }
            Ok(sums)
        },
        |mut all, more| {
            for (value, other) in more {
                match all.get_mut(&value) {
                    None => {
                        all.insert(value, other);
                    }
                    Some(sum) => {
                        add(sum, other.counts, other.denied);
                        sum.last = sum.last.max(other.last);
                    }
                }
            }
            all
        },
    )
    .doing(&shared.dir, || "counting places".to_owned())?;
    let mut sums: Vec<(Box<str>, Sum)> = sums.into_iter().collect();
    sums.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let places = sums
        .into_iter()
        .map(|(value, sum)| {
            let mut counts = Counts::default();
            for severity in Severity::ALL {
                counts.add(severity, sum.counts[severity as usize]);
            }
            PlaceCount {
                place: table::decode_place(&value),
                counts,
                denied: sum.denied,
                last: sum.last,
            }
        })
        .collect();
    Ok((places, budget.partial()))
}

fn add(sum: &mut Sum, counts: [u64; 5], denied: u64) {
    for (sum, count) in sum.counts.iter_mut().zip(counts) {
        *sum += count;
    }
    sum.denied += denied;
}

fn places_in(
    needle: &Needle<'_>,
    part: &Part,
    budget: &Budget,
) -> io::Result<(Arc<Dictionary>, Arc<Vec<PlaceTally>>)> {
    let dictionary = part.dictionary(PLACE_COLUMN)?;
    let (from, to, mask) = needle.select(part, budget)?;
    let tallies = if from == to || matches!(mask, Mask::All(NO)) {
        Arc::default()
    } else if to - from == part.rows() && matches!(mask, Mask::All(YES)) {
        part.place_tallies(|| tally_places(part, dictionary.values.len(), from, to, &mask))?
    } else {
        Arc::new(tally_places(
            part,
            dictionary.values.len(),
            from,
            to,
            &mask,
        )?)
    };
    Ok((dictionary, tallies))
}

fn tally_places(
    part: &Part,
    values: usize,
    from: usize,
    to: usize,
    mask: &Mask,
) -> io::Result<Vec<PlaceTally>> {
    let rows = to - from;
    let per_row = |column: usize, table: &[u8]| -> io::Result<Vec<u8>> {
        let mut out = vec![0; rows];
        part.codes(column)?.map(from, table, &mut out);
        Ok(out)
    };
    let ranks: Vec<u8> = severities(&*part.dictionary(SEVERITY)?)
        .into_iter()
        .map(|severity| severity as u8)
        .collect();
    let ranks = per_row(SEVERITY, &ranks)?;
    let actions = part.dictionary(ACTION)?;
    let denies: Vec<u8> = actions
        .values
        .iter()
        .map(|value| u8::from(is_denial(value)))
        .collect();
    let mut tallies = vec![PlaceTally::default(); values];
    let places = part.codes(PLACE_COLUMN)?;
    let bytes = mask.bytes(0, rows);
    places.visit(from, rows, bytes, |index, place| {
        let tally = &mut tallies[place];
        // A rank is less than five; the remainder tells the compiler.
        tally.counts[usize::from(ranks[index]) % 5] += 1;
        tally.last_row = (from + index) as u32;
    });
    if denies.contains(&1) {
        let denies = per_row(ACTION, &denies)?;
        places.visit(from, rows, bytes, |index, place| {
            tallies[place].denied += u32::from(denies[index]);
        });
    }
    Ok(tallies)
}

/// Whether a value of the actions' column says that the event was denied.
fn is_denial(value: &str) -> bool {
    match table::decode(value) {
        ColumnValue::Texts(actions) => actions.iter().any(|action| action == "deny"),
        _ => false,
    }
}
