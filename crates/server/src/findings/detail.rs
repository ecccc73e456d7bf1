//! One finding: everything known of it, what people did about it, what happened around it.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use vedette_history::{
    ActivityQuery, Change, Filter, FindingQuery, Order, Status, StoredFinding, Subject, TimeRange,
};

use super::view::{self, Item};
use crate::activity;
use crate::audit;
use crate::clock::{self, SECOND};
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{Gives, RESPONDER, Route, VIEWER};
use crate::problem::Problem;

/// Related findings that a page shows.
const RELATED: usize = 20;
/// How far around a finding related ones are looked for.
const RELATED_WITHIN: u64 = 3600 * SECOND;
/// Activity before and after a finding that is shown at most, each.
const AROUND: usize = 300;
/// Longest time around a finding, in seconds.
const MAX_AROUND: u64 = 3600;
/// Longest note in bytes.
const MAX_NOTE: usize = 8 * 1024;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/findings/{id}",
        VIEWER,
        "A finding with everything known of it",
        Gives::Json("Finding"),
        get,
    ),
    Route::patch(
        "/findings/{id}",
        RESPONDER,
        "Say where a finding stands, or add a note",
        Gives::Json("Finding"),
        patch,
    )
    .takes("Triage"),
    Route::get(
        "/findings/{id}/around",
        VIEWER,
        "Activity of the same place before and after a finding",
        Gives::Json("Around"),
        around,
    )
    .query(&[("seconds", "how far to look, up to 3600; 60 when missing")]),
];

/// The finding of the path, when the caller may see it.
pub(crate) fn find(call: &Call) -> Result<StoredFinding, Problem> {
    let id = call.part("id");
    let missing = || {
        Problem::missing("such finding, or your teams may not see it")
            .hint("old findings go when their retention ends (settings, retention)")
    };
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(missing());
    }
    let zone = call.zone()?.ok_or_else(missing)?;
    let stored = call.app.history.finding(id)?.ok_or_else(missing)?;
    if zone.matches(&Subject::Finding(&stored.finding, stored.triage.status)) {
        Ok(stored)
    } else {
        Err(missing())
    }
}

fn get(call: &Call) -> Outcome {
    let stored = find(call)?;
    Reply::json(&page(call, &stored)?)
}

/// Everything that the page of a finding shows.
fn page(call: &Call, stored: &StoredFinding) -> Result<Json, Problem> {
    let mut out = view::full(stored);
    let related = related(call, stored)?;
    out["related"] = related.iter().map(|other| json!(Item::of(other))).collect();
    out["stops"] = match &call.app.stops {
        Some(stops) => json!(stops.stops(&stored.finding)),
        None => json!([]),
    };
    out["respond"] = crate::respond::offer(call, stored)?;
    out["rule_known"] = json!(crate::library::knows(call, &stored.finding.rule)?);
    Ok(out)
}

/// Filter for what happened at the same place: the container, else the pod, else the host outside of containers.
pub(crate) fn same_place(stored: &StoredFinding) -> Result<Filter, Problem> {
    let finding = &stored.finding;
    let text = |name: &str| {
        let value = finding.fields.get(name).and_then(Json::as_str);
        value.filter(|value| !value.is_empty() && *value != "<NA>")
    };
    let node = ("node", finding.node.as_str());
    let conditions = if let Some(container) = text("container.id").filter(|id| *id != "host") {
        vec![node, ("container.id", container)]
    } else if let Some(pod) = text("k8s.pod.name") {
        let namespace = text("k8s.ns.name").unwrap_or_default();
        vec![("k8s.ns.name", namespace), ("k8s.pod.name", pod)]
    } else if let Some(session) = text("proc.tty").and(finding.lineage.first()) {
        vec![node, ("proc.name", session.name.as_str())]
    } else {
        vec![node]
    };
    let mut filter = Filter::all();
    for (name, value) in conditions {
        let one = Filter::equals(name, value).map_err(|_| Problem::internal())?;
        filter = filter.and(&one);
    }
    Ok(filter)
}

/// Other findings at the same place around the same time, the most severe first.
fn related(call: &Call, stored: &StoredFinding) -> Result<Vec<StoredFinding>, Problem> {
    let Some(zone) = call.zone()? else {
        return Ok(Vec::new());
    };
    let time = stored.finding.time;
    let page = call.app.history.findings(&FindingQuery {
        range: TimeRange {
            from: time.saturating_sub(RELATED_WITHIN),
            to: time.saturating_add(RELATED_WITHIN),
        },
        filter: zone.and(&same_place(stored)?),
        order: Order::Severity,
        cursor: None,
        limit: RELATED + 1,
        count: false,
    })?;
    let others = page
        .items
        .into_iter()
        .filter(|other| other.sequence != stored.sequence);
    Ok(others.take(RELATED).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Triage {
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    note: Option<String>,
}

fn patch(call: &Call) -> Outcome {
    let stored = find(call)?;
    let triage: Triage = call.json()?;
    let note = triage
        .note
        .as_deref()
        .map(str::trim)
        .filter(|note| !note.is_empty());
    if triage.status.is_none() && note.is_none() {
        return Err(Problem::bad("nothing to change; send `status` or `note`"));
    }
    if note.is_some_and(|note| note.len() > MAX_NOTE) {
        return Err(Problem::bad(format!("a note has at most {MAX_NOTE} bytes")));
    }
    let now = clock::now();
    let (id, by) = (&stored.finding.id, &call.caller.name);
    let changed = call
        .app
        .history
        .triage(id, triage.status, note, by, now)?
        .ok_or_else(|| Problem::missing("such finding"))?;
    let what = triage.status.map_or("note", Status::name);
    let entry: Change = audit::entry(
        call,
        "finding.triage",
        id,
        &json!({"status": what, "note": note}),
    )?;
    call.app.state.apply(vec![entry])?;
    Reply::json(&page(call, &changed)?)
}

fn around(call: &Call) -> Outcome {
    let stored = find(call)?;
    let seconds = call.number("seconds", 60, MAX_AROUND)?;
    let Some(zone) = call.zone()? else {
        return Err(Problem::missing("such finding"));
    };
    let filter = zone.and(&same_place(&stored)?);
    let time = stored.finding.time;
    let far = seconds * SECOND;
    let ask = |range: TimeRange, order| {
        call.app.history.activity(&ActivityQuery {
            range,
            filter: filter.clone(),
            order,
            cursor: None,
            limit: AROUND,
            count: false,
        })
    };
    let before = TimeRange {
        from: time.saturating_sub(far),
        to: time,
    };
    let after = TimeRange {
        from: time,
        to: time.saturating_add(far),
    };
    let (before, after) = (ask(before, Order::Newest)?, ask(after, Order::Oldest)?);
    let cut = before.next.is_some() || after.next.is_some();
    Reply::json(&json!({
        "seconds": seconds,
        "before": before.items.iter().rev().map(activity::item).collect::<Vec<_>>(),
        "after": after.items.iter().map(activity::item).collect::<Vec<_>>(),
        "cut": cut,
    }))
}
