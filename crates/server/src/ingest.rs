//! What agents send: records, one JSON object a line, idempotent by their ids, answered once they are on disk.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::json;
use vedette_event::Record;

use crate::http::call::{Call, Outcome, Reply};
use crate::http::limits::INGEST_BYTES;
use crate::http::route::{Gives, NODE, Route};
use crate::problem::Problem;

/// Lines of one batch that are complained about in the answer; all are counted.
const COMPLAINTS: usize = 100;
/// Longest line in bytes: a finding with a deep lineage has some 20 KiB.
const MAX_LINE: usize = 1024 * 1024;
/// Longest text of an id, rule, node or source that is kept.
const MAX_NAME: usize = 512;
/// How far in the future a record's time may lie, in nanoseconds: clocks differ, but not by a day.
const MAX_AHEAD: u64 = 24 * 3600 * 1_000_000_000;

pub(crate) const ROUTES: &[Route] = &[Route::post(
    "/ingest",
    NODE,
    "Records of an agent, one JSON object a line; answered once they are on disk",
    Gives::Json("Ingested"),
    ingest,
)
.takes("Records")
.up_to(INGEST_BYTES)];

fn ingest(call: &Call) -> Outcome {
    let node = &call.caller.name;
    if let Some(said) = call.header("x-vedette-node")
        && said != node
    {
        return Err(Problem::forbidden(
            "the token belongs to another node than X-Vedette-Node names",
        ));
    }
    let text = std::str::from_utf8(&call.body).map_err(|error| {
        Problem::bad(format!(
            "byte {} of the body is not UTF-8",
            error.valid_up_to()
        ))
    })?;
    let now = crate::clock::now();
    let (mut records, mut lines) = (Vec::new(), Vec::new());
    let mut refused = Vec::new();
    let mut refuse = |line: usize, message: String| {
        call.app.metrics.rejected.fetch_add(1, Relaxed);
        if refused.len() < COMPLAINTS {
            refused.push(json!({"line": line, "message": message}));
        }
    };
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        match read(line, node, now) {
            Ok(record) => {
                records.push(record);
                lines.push(index + 1);
            }
            Err(message) => refuse(index + 1, message),
        }
    }
    let appended = call.app.history.append(records)?;
    for one in &appended.refused {
        refuse(
            lines.get(one.index).copied().unwrap_or(0),
            one.message.clone(),
        );
    }
    call.app
        .metrics
        .accepted
        .fetch_add(appended.accepted, Relaxed);
    call.app
        .metrics
        .duplicate
        .fetch_add(appended.duplicate, Relaxed);
    Reply::json(&json!({
        "accepted": appended.accepted,
        "duplicate": appended.duplicate,
        "refused": refused,
    }))
}

/// Reads a record and holds it to what its sender may say.
fn read(line: &str, node: &str, now: u64) -> Result<Record, String> {
    if line.len() > MAX_LINE {
        return Err(format!("the line has more than {MAX_LINE} bytes"));
    }
    let record: Record = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let (id, time, own, names): (_, _, _, &[&str]) = match &record {
        Record::Finding(finding) => (
            &finding.id,
            finding.time,
            &finding.node,
            &[&finding.rule, &finding.source],
        ),
        Record::Activity(activity) => (
            &activity.id,
            activity.time,
            &activity.node,
            &[&activity.session],
        ),
    };
    if id.len() != 32
        || !id
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    {
        return Err("`id` is not 32 hexadecimal digits".to_owned());
    }
    if own != node {
        return Err(format!(
            "the record is of node `{}`, the token of `{node}`",
            own.escape_debug()
        ));
    }
    if names.iter().any(|name| name.len() > MAX_NAME) {
        return Err(format!("a name has more than {MAX_NAME} bytes"));
    }
    if time > now.saturating_add(MAX_AHEAD) {
        return Err("the record's time lies in the future".to_owned());
    }
    Ok(record)
}
