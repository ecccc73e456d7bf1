//! What clouds wrap around records: lists, and messages whose text is JSON again.

use super::{Context, FaultKind, record};
use crate::json::{Json, Tape};
use crate::record::Record;

/// Envelopes around one another. The deepest that occurs is an SNS notification in an SQS message around an EventBridge
/// event around the record.
pub(crate) const MAX_ENVELOPES: usize = 6;

/// What an envelope holds.
pub(crate) enum Found<'r, 'a> {
    /// A record.
    Record(&'r Record<'a>),
    /// Something that is none, at this offset of the outermost text when it is known.
    Fault(Option<usize>, FaultKind),
}

/// Lists in which records come, by the member that holds them.
const LISTS: [&str; 7] = [
    "items",     // EventList of the API server
    "Records",   // CloudTrail files, SQS and SNS deliveries to functions
    "logEvents", // CloudWatch Logs subscriptions and `get-log-events`
    "Events",    // `cloudtrail lookup-events`
    "events",    // `logs filter-log-events`
    "records",   // Azure Monitor
    "entries",   // Google Cloud `entries:list`
];

/// Members whose text or object is the record, or holds it.
const INNER: [&[&str]; 10] = [
    &["detail"],            // EventBridge
    &["eventData"],         // CloudTrail Lake
    &["eventJson"],         // CloudTrail Lake query results
    &["CloudTrailEvent"],   // `cloudtrail lookup-events`
    &["message"],           // CloudWatch Logs
    &["@message"],          // CloudWatch Logs Insights
    &["Message"],           // SNS
    &["body"],              // SQS
    &["Sns"],               // SNS delivery to functions
    &["properties", "log"], // Azure Kubernetes Service
];

/// Hands the records inside `json` to `take`. `spare` are buffers for texts that must be unescaped and parsed again.
pub(crate) fn open(
    json: Json<'_>,
    context: &mut Context<'_>,
    spare: &mut Vec<(Tape, Vec<u8>)>,
    depth: usize,
    take: &mut dyn FnMut(Found<'_, '_>),
) {
    // Offsets below the first inner text belong to that text, not to the input.
    let offset = (depth == 0).then(|| json.offset());
    if depth > MAX_ENVELOPES {
        take(Found::Fault(None, FaultKind::EnvelopesTooDeep));
        return;
    }
    if json.is_array() {
        for item in json.items() {
            open_item(item, context, spare, depth, take);
        }
        return;
    }
    if is_envelope(json) {
        for list in LISTS {
            if let Some(items) = json.get(list).filter(|items| items.is_array()) {
                for item in items.items() {
                    open_item(item, context, spare, depth, take);
                }
                return;
            }
        }
        for keys in INNER {
            let Some(inner) = json.path(keys) else {
                continue;
            };
            if inner.is_object() {
                open(inner, context, spare, depth + 1, take);
                return;
            }
            if let Some(text) = inner.text() {
                let (mut tape, mut buffer) = spare.pop().unwrap_or_default();
                buffer.clear();
                text.write(&mut buffer);
                // CloudWatch's control messages and foreign log lines are no fault of the input.
                if matches!(buffer.first(), Some(b'{' | b'[')) {
                    match tape.parse(&buffer, 0).map(|_| tape.root(&buffer)) {
                        Ok(Some(root)) => open(root, context, spare, depth + 1, take),
                        _ => take(Found::Fault(offset, FaultKind::InnerText)),
                    }
                }
                spare.push((tape, buffer));
                return;
            }
        }
    }
    match record(json, context) {
        Ok(record) => take(Found::Record(&record)),
        Err(kind) => take(Found::Fault(offset, kind)),
    }
}

/// As [`open`], for an element of a list: a list inside a list counts as an envelope, so that recursion is bounded.
fn open_item(
    item: Json<'_>,
    context: &mut Context<'_>,
    spare: &mut Vec<(Tape, Vec<u8>)>,
    depth: usize,
    take: &mut dyn FnMut(Found<'_, '_>),
) {
    if item.is_array() || is_envelope(item) {
        open(item, context, spare, depth + 1, take);
        return;
    }
    let offset = (depth == 0).then(|| item.offset());
    match record(item, context) {
        Ok(record) => take(Found::Record(&record)),
        Err(kind) => take(Found::Fault(offset, kind)),
    }
}

/// True for objects that wrap records: known shapes only, because a record of plain JSON may well have a member called
/// `message` or `items`.
fn is_envelope(json: Json<'_>) -> bool {
    if !json.is_object() || json.get("auditID").is_some() || json.get("eventVersion").is_some() {
        return false;
    }
    let has = |key: &str| json.get(key).is_some();
    let list = |key: &str| json.get(key).is_some_and(Json::is_array);
    json.get("kind")
        .is_some_and(|kind| kind.is_text("EventList"))
        || list("Records")
        || list("logEvents")
        || (has("detail") && has("detail-type"))
        || (has("eventData")
            && (has("eventVersion") || has("UID") || has("metadata") || has("metadataVersion")))
        || has("eventJson")
        || has("CloudTrailEvent")
        || (list("Events") && items_have(json, "Events", "CloudTrailEvent"))
        || (list("events") && items_have(json, "events", "message"))
        || (list("records") && items_have(json, "records", "category"))
        || (list("entries") && items_have(json, "entries", "logName"))
        || (has("message")
            && has("timestamp")
            && (has("id") || has("eventId") || has("ingestionTime")))
        || has("@message")
        || (has("Message") && has("TopicArn"))
        || (has("body") && (has("messageId") || has("MessageId")))
        || (has("Sns") && has("EventSource"))
        || (has("category") && json.path(&["properties", "log"]).is_some())
}

/// True when the first element of list `list` has member `key`, or the list is empty.
fn items_have(json: Json<'_>, list: &str, key: &str) -> bool {
    json.get(list)
        .and_then(|items| items.items().next())
        .is_none_or(|first| first.get(key).is_some())
}
