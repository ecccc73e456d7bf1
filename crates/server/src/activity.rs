//! Activity: what was run, opened and connected to, and the interactive sessions that it belongs to.

use serde_json::{Value as Json, json};
use vedette_history::{ActivityQuery, Filter, Session, StoredActivity};

use crate::clock::{SECOND, rfc3339};
use crate::findings::view;
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{CURSOR, FILTER, FROM, Gives, LIMIT, Route, TO, VIEWER};
use crate::problem::Problem;

/// Items of a page when nothing is said.
const PAGE: u64 = 200;
/// Items of a page at most.
const MAX_PAGE: u64 = vedette_history::MAX_LIMIT as u64;
/// Sessions of one answer at most.
const MAX_SESSIONS: u64 = 1000;

const KIND: (&str, &str) = ("kind", "command, connection, file or kubernetes");
const SESSION: (&str, &str) = ("session", "only what this session did");

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/activity",
        VIEWER,
        "Activity, a page at a time",
        Gives::Page("Activity"),
        list,
    )
    .query(&[
        FILTER,
        FROM,
        TO,
        LIMIT,
        CURSOR,
        KIND,
        SESSION,
        ("order", "newest or oldest"),
        ("count", "`true` also counts all pages"),
    ]),
    Route::get(
        "/activity/histogram",
        VIEWER,
        "Activity by time and kind",
        Gives::Json("ActivityHistogram"),
        histogram,
    )
    .query(&[
        FILTER,
        FROM,
        TO,
        KIND,
        SESSION,
        ("buckets", "most buckets, up to 1000"),
    ]),
    Route::get(
        "/activity/sessions",
        VIEWER,
        "Interactive sessions",
        Gives::List("Session"),
        sessions,
    )
    .query(&[FILTER, FROM, TO, LIMIT]),
];

/// An activity as the API shows it.
pub(crate) fn item(stored: &StoredActivity) -> Json {
    let activity = &stored.activity;
    json!({
        "id": activity.id,
        "sequence": stored.sequence,
        "time": rfc3339(activity.time),
        "node": activity.node,
        "kind": activity.kind,
        "place": stored.place,
        "process": view::process(&activity.process),
        "parent": view::process(&activity.parent),
        "session": activity.session,
        "fields": activity.fields,
    })
}

/// The filter with kind and session of the query; `None` when nothing can match.
fn filter(call: &Call) -> Result<Option<Filter>, Problem> {
    let Some(mut filter) = call.filter()? else {
        return Ok(None);
    };
    for name in ["kind", "session"] {
        if let Some(value) = call.query(name) {
            let one = Filter::equals(name, value)
                .map_err(|error| Problem::bad(format!("parameter `{name}`: {}", error.message)))?;
            filter = filter.and(&one);
        }
    }
    Ok(Some(filter))
}

fn list(call: &Call) -> Outcome {
    let (order, cursor) = call.place_in_order()?;
    let (range, limit) = (call.time_range()?, call.number("limit", PAGE, MAX_PAGE)?);
    let Some(filter) = filter(call)? else {
        return Reply::json(&json!({"items": [], "next": null, "total": 0, "partial": null}));
    };
    let page = call.app.history.activity(&ActivityQuery {
        range,
        filter,
        order,
        cursor,
        limit: limit as usize,
        count: call.query("count") == Some("true"),
    })?;
    Reply::json(&json!({
        "items": page.items.iter().map(item).collect::<Vec<_>>(),
        "next": page.next.map(|next| next.to_string()),
        "total": page.total,
        "partial": page.partial.map(|partial| partial.to_string()),
    }))
}

fn histogram(call: &Call) -> Outcome {
    let range = call.time_range()?;
    let wanted = call.number("buckets", 60, 1000)? as usize;
    let (step, buckets, partial) = match filter(call)? {
        Some(filter) => call
            .app
            .history
            .activity_histogram(range, &filter, wanted)?,
        None => (vedette_history::buckets(range, wanted).0, Vec::new(), None),
    };
    let buckets: Vec<Json> = buckets
        .iter()
        .map(|bucket| {
            let mut out = json!(bucket.counts);
            out["at"] = json!(rfc3339(bucket.at));
            out
        })
        .collect();
    Reply::json(&json!({
        "step": step as f64 / SECOND as f64,
        "buckets": buckets,
        "exact": partial.is_none(),
        "partial": partial.map(|partial| partial.to_string()),
    }))
}

fn sessions(call: &Call) -> Outcome {
    let (range, limit) = (call.time_range()?, call.number("limit", 200, MAX_SESSIONS)?);
    let found = match call.filter()? {
        Some(filter) => call.app.history.sessions(range, &filter, limit as usize)?,
        None => Vec::new(),
    };
    Reply::json(&found.iter().map(session).collect::<Vec<_>>())
}

fn session(session: &Session) -> Json {
    json!({
        "session": session.session,
        "place": session.place,
        "user": session.user,
        "started": rfc3339(session.started),
        "last": rfc3339(session.last),
        "commands": session.counts.command,
        "files": session.counts.file,
        "connections": session.counts.connection,
        "opened_by": session.opened_by.as_deref().map(item),
    })
}
