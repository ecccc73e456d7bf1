//! Interactive sessions: activity summed up by session, and the request to the Kubernetes API that opened each.

use std::io;

use rustc_hash::FxHashMap;
use vedette_history::{
    ActivityQuery, ColumnValue, Error, Filter, KindCounts, Order, Result, Session, StoredActivity,
    TimeRange,
};

use super::count::kinds;
use super::{each_part, page};
use crate::failure::Doing;
use crate::part::Part;
use crate::scan::{Budget, Mask, NO, Needle};
use crate::shared::Shared;
use crate::table::{self, KIND, PLACE_COLUMN, SESSION, Table, USER};

/// How long before the first activity of a session the request that opened it may have been made.
const OPENED_BEFORE: u64 = 60_000_000_000;

/// How long after it: clocks of nodes and API servers differ, and the record is written when the request is answered.
const OPENED_AFTER: u64 = 10_000_000_000;

#[derive(Clone, Copy, Default)]
struct Here {
    counts: KindCounts,
    first_row: usize,
    last_row: usize,
    /// One more than the number of the user, 0 for none.
    user: usize,
}

pub(crate) fn sessions(
    shared: &Shared,
    range: TimeRange,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Session>> {
    let summing = || "summing sessions up".to_owned();
    let asked = Filter::parse("session exists").map_err(|why| Error::Question(why.to_string()))?;
    let filter = asked.and(filter);
    let parts = shared.snapshot(Table::Activity, range);
    let needle = Needle::new(Table::Activity, &filter, range, shared.statuses());
    let budget = Budget::default();
    let found =
        each_part(&parts, |part| in_part(&needle, part, &budget)).doing(&shared.dir, summing)?;
    let mut sums: FxHashMap<String, Session> = FxHashMap::default();
    for session in found.into_iter().flatten() {
        match sums.get_mut(&session.session) {
            None => {
                sums.insert(session.session.clone(), session);
            }
            Some(sum) => {
                if session.started < sum.started {
                    sum.started = session.started;
                    sum.place = session.place;
                    if !session.user.is_empty() {
                        sum.user = session.user;
                    }
                } else if sum.user.is_empty() {
                    sum.user = session.user;
                }
                sum.last = sum.last.max(session.last);
                sum.counts.command += session.counts.command;
                sum.counts.connection += session.counts.connection;
                sum.counts.file += session.counts.file;
                sum.counts.kubernetes += session.counts.kubernetes;
            }
        }
    }
    let mut out: Vec<Session> = sums.into_values().collect();
    out.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.session.cmp(&b.session)));
    out.truncate(limit);
    for session in &mut out {
        session.opened_by = opened_by(shared, session)?.map(Box::new);
    }
    Ok(out)
}

fn in_part(needle: &Needle<'_>, part: &Part, budget: &Budget) -> io::Result<Vec<Session>> {
    let (from, to, mask) = needle.select(part, budget)?;
    if from == to || matches!(mask, Mask::All(NO)) {
        return Ok(Vec::new());
    }
    let dictionary = part.dictionary(SESSION)?;
    let kind_of = kinds(&*part.dictionary(KIND)?);
    let users = part.dictionary(USER)?;
    let (codes, kind, user) = (part.codes(SESSION)?, part.codes(KIND)?, part.codes(USER)?);
    let mut heres: Vec<Option<Here>> = vec![None; dictionary.values.len()];
    codes.visit(
        from,
        to - from,
        mask.bytes(0, to - from),
        |index, session| {
            let row = from + index;
            let here = heres[session].get_or_insert(Here {
                first_row: row,
                ..Here::default()
            });
            here.counts.add(kind_of[kind.get(row)], 1);
            here.last_row = row;
            let user = user.get(row);
            if here.user == 0 && !users.values[user].is_empty() {
                here.user = user + 1;
            }
        },
    );
    let places = part.dictionary(PLACE_COLUMN)?;
    let place = part.codes(PLACE_COLUMN)?;
    dictionary
        .values
        .iter()
        .zip(heres)
        .filter_map(|(value, here)| Some((table::decode(value), here?)))
        .filter_map(|(value, here)| match value {
            ColumnValue::Text(session) => Some((session.into_owned(), here)),
            _ => None,
        })
        .map(|(session, here)| {
            let user = here
                .user
                .checked_sub(1)
                .map(|user| table::decode(&users.values[user]));
            Ok(Session {
                session,
                place: table::decode_place(&places.values[place.get(here.first_row)]),
                user: match user {
                    Some(ColumnValue::Text(user)) => user.into_owned(),
                    _ => String::new(),
                },
                started: part.time(here.first_row)?,
                last: part.time(here.last_row)?,
                counts: here.counts,
                opened_by: None,
            })
        })
        .collect()
}

/// The latest request about the session's pod shortly before the session began.
fn opened_by(shared: &Shared, session: &Session) -> Result<Option<StoredActivity>> {
    if session.place.pod.is_empty() {
        return Ok(None);
    }
    let part = |name: &str, value: &str| {
        Filter::equals(name, value).map_err(|why| Error::Question(why.to_string()))
    };
    let mut filter = part("kind", "kubernetes")?.and(&part("k8s.pod.name", &session.place.pod)?);
    if !session.place.namespace.is_empty() {
        filter = filter.and(&part("k8s.ns.name", &session.place.namespace)?);
    }
    let query = ActivityQuery {
        range: TimeRange {
            from: session.started.saturating_sub(OPENED_BEFORE),
            to: session.started.saturating_add(OPENED_AFTER),
        },
        filter,
        order: Order::Newest,
        cursor: None,
        limit: 1,
        count: false,
    };
    Ok(page::activity(shared, &query)?.items.pop())
}
