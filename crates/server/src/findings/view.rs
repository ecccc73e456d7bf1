//! Findings as the API shows them: times as RFC 3339 texts, and what screens need without looking into the fields.

use serde::Serialize;
use serde_json::{Value as Json, json};
use vedette_event::{Action, Process, Severity};
use vedette_history::{Histogram, Place, StoredFinding};

use crate::clock::{SECOND, rfc3339};

/// A finding in a list.
#[derive(Debug, Serialize)]
pub(crate) struct Item<'a> {
    id: &'a str,
    sequence: u64,
    time: String,
    severity: Severity,
    priority: vedette_event::Priority,
    rule: &'a str,
    source: &'a str,
    message: &'a str,
    tags: &'a [String],
    node: &'a str,
    status: &'static str,
    policy: Option<&'a str>,
    actions: &'a [Action],
    place: &'a Place,
    image: Option<&'a str>,
    process: Option<Json>,
    lost: u64,
}

impl<'a> Item<'a> {
    /// The list item of a finding.
    pub(crate) fn of(stored: &'a StoredFinding) -> Self {
        let finding = &stored.finding;
        let field = |name: &str| finding.fields.get(name).and_then(Json::as_str);
        Self {
            id: &finding.id,
            sequence: stored.sequence,
            time: rfc3339(finding.time),
            severity: stored.severity,
            priority: finding.priority,
            rule: &finding.rule,
            source: &finding.source,
            message: &finding.message,
            tags: &finding.tags,
            node: &finding.node,
            status: stored.triage.status.name(),
            policy: finding.policy.as_deref(),
            actions: &finding.actions,
            place: &stored.place,
            image: field("container.image").or_else(|| field("container.image.repository")),
            process: finding.lineage.first().map(process),
            lost: finding.lost,
        }
    }
}

/// A process; without a start time that is known, `started` is null.
pub(crate) fn process(process: &Process) -> Json {
    json!({
        "pid": process.pid,
        "name": process.name,
        "exepath": process.exepath,
        "cmdline": process.cmdline,
        "started": (process.started > 0).then(|| rfc3339(process.started)),
        "user": process.user,
    })
}

/// A finding with everything.
pub(crate) fn full(stored: &StoredFinding) -> Json {
    let finding = &stored.finding;
    let mut out = json!(Item::of(stored));
    out["fields"] = json!(finding.fields);
    out["lineage"] = finding.lineage.iter().map(process).collect();
    out["why"] = json!(finding.why);
    out["triage"] = json!({
        "status": stored.triage.status.name(),
        "by": stored.triage.by,
        "at": stored.triage.at.map(rfc3339),
    });
    let notes = stored.triage.notes.iter();
    out["notes"] = notes
        .map(|note| json!({"at": rfc3339(note.at), "by": note.by, "text": note.text}))
        .collect();
    out
}

/// A histogram with its step in seconds.
pub(crate) fn histogram(found: &Histogram) -> Json {
    let buckets: Vec<Json> = found
        .buckets
        .iter()
        .map(|bucket| {
            let mut out = json!(bucket.counts);
            out["at"] = json!(rfc3339(bucket.at));
            out
        })
        .collect();
    json!({
        "step": found.step as f64 / SECOND as f64,
        "buckets": buckets,
        "exact": found.partial.is_none(),
        "partial": found.partial.map(|partial| partial.to_string()),
    })
}
