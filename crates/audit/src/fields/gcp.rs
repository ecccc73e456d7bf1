//! `gcp.*`: Google Cloud audit logs. Objects and arrays come as compact JSON: upstream's rules look into them with
//! `contains`, as its first plugin allowed (the present one gives nothing for them).

use vedette_event::{Extracted, FieldRef, Value, Values};

use super::{Row, any, any_of, call, text, text_of};
use crate::record::Record;

pub(super) static ROWS: &[Row] = &[
    text(
        "gcp.user",
        &["protoPayload", "authenticationInfo", "principalEmail"],
    ),
    text(
        "gcp.callerIP",
        &["protoPayload", "requestMetadata", "callerIp"],
    ),
    text(
        "gcp.userAgent",
        &["protoPayload", "requestMetadata", "callerSuppliedUserAgent"],
    ),
    any(
        "gcp.authorizationInfo",
        &["protoPayload", "authorizationInfo"],
    ),
    text("gcp.serviceName", &["protoPayload", "serviceName"]),
    call("gcp.policyDelta", policy_delta),
    any("gcp.request", &["protoPayload", "request"]),
    text("gcp.methodName", &["protoPayload", "methodName"]),
    text(
        "gcp.cloudfunctions.function",
        &["resource", "labels", "function_name"],
    ),
    text(
        "gcp.cloudsql.databaseId",
        &["resource", "labels", "database_id"],
    ),
    text(
        "gcp.compute.instanceId",
        &["resource", "labels", "instance_id"],
    ),
    text(
        "gcp.compute.networkId",
        &["resource", "labels", "network_id"],
    ),
    text(
        "gcp.compute.subnetwork",
        &["resource", "labels", "subnetwork_name"],
    ),
    text(
        "gcp.compute.subnetworkId",
        &["resource", "labels", "subnetwork_id"],
    ),
    text("gcp.dns.zone", &["resource", "labels", "zone_name"]),
    text(
        "gcp.iam.serviceAccount",
        &["resource", "labels", "email_id"],
    ),
    text(
        "gcp.iam.serviceAccountId",
        &["resource", "labels", "unique_id"],
    ),
    call("gcp.location", location),
    call("gcp.logging.sink", sink),
    text("gcp.projectId", &["resource", "labels", "project_id"]),
    text("gcp.resourceName", &["protoPayload", "resourceName"]),
    text("gcp.resourceType", &["resource", "type"]),
    any("gcp.resourceLabels", &["resource", "labels"]),
    text("gcp.storage.bucket", &["resource", "labels", "bucket_name"]),
    text("gcp.time", &["timestamp"]),
];

fn has_type(record: &Record<'_>, kind: &str) -> bool {
    record
        .json
        .path(&["resource", "type"])
        .is_some_and(|found| found.is_text(kind))
}

fn policy_delta<'s>(record: &'s Record<'_>, _: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    let keys: &[&str] = if has_type(record, "gcs_bucket") {
        &[
            "protoPayload",
            "serviceData",
            "policyDelta",
            "bindingDeltas",
        ]
    } else {
        &["protoPayload", "metadata", "datasetChange", "bindingDeltas"]
    };
    match record.json.path(keys) {
        Some(delta) => any_of(delta, room),
        None => Extracted::Missing,
    }
}

/// The location or region, or the region that a zone such as `europe-west1-b` lies in.
fn location<'s>(record: &'s Record<'_>, _: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    let label = |name: &str| {
        let label = record.json.path(&["resource", "labels", name]);
        label.filter(|label| label.text().is_some())
    };
    if let Some(place) = label("location").or_else(|| label("region")) {
        return text_of(Some(place), room);
    }
    match text_of(label("zone"), room) {
        Extracted::One(Value::Text(b"")) => Extracted::Missing,
        Extracted::One(Value::Text(zone)) if zone.len() > 2 => {
            Extracted::One(Value::Text(&zone[..zone.len() - 2]))
        }
        other => other,
    }
}

fn sink<'s>(record: &'s Record<'_>, _: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    if !has_type(record, "logging_sink") {
        return Extracted::Missing;
    }
    text_of(record.json.path(&["resource", "labels", "name"]), room)
}
