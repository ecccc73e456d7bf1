//! OCSF Detection Finding (class 2004).

use serde_json::{Map, Value, json};

use super::{description, tactic};
use crate::findings::{Finding, Origin, Part, texts};
use crate::source::Source;

/// Version of the schema that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcsfVersion {
    /// 1.1.0, which Security Lake takes.
    V1_1,
    /// 1.6.0.
    V1_6,
    /// 1.8.0.
    V1_8,
}

impl OcsfVersion {
    /// Every version.
    pub const ALL: [Self; 3] = [Self::V1_1, Self::V1_6, Self::V1_8];

    /// The number.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_1 => "1.1.0",
            Self::V1_6 => "1.6.0",
            Self::V1_8 => "1.8.0",
        }
    }
}

/// Nanoseconds in a millisecond, the unit of OCSF's times.
const MILLI: u64 = 1_000_000;

/// The finding as an OCSF event.
pub fn ocsf(finding: &Finding, origin: &Origin, version: OcsfVersion) -> Value {
    let hit = &finding.hit;
    let texts = texts(&hit.kind);
    let (activity, activity_name) = if finding.archived {
        (3, "Close")
    } else if finding.count == 1 {
        (1, "Create")
    } else {
        (2, "Update")
    };
    let (severity, severity_name) = match hit.severity {
        s if s >= 9.0 => (5, "Critical"),
        s if s >= 7.0 => (4, "High"),
        s if s >= 4.0 => (3, "Medium"),
        _ => (2, "Low"),
    };
    let (status, status_name) = match (&finding.suppressed_by, finding.archived) {
        (Some(_), _) => (3, "Suppressed"),
        (None, true) => (5, "Archived"),
        (None, false) => (1, "New"),
    };
    // 1.1 knows no archived state.
    let (status, status_name) = match version {
        OcsfVersion::V1_1 if status == 5 => (4, "Resolved"),
        _ => (status, status_name),
    };
    let records: Vec<Value> = finding
        .earliest
        .iter()
        .chain(&finding.latest)
        .filter(|sample| !sample.record_id.is_empty())
        .map(|sample| json!({"uid": sample.record_id, "type_uid": 600_300, "type": "API Activity"}))
        .collect();
    let info = json!({
        "uid": finding.id,
        "title": finding.title(),
        "desc": description(finding),
        "types": [hit.kind],
        "created_time": finding.first / MILLI,
        "modified_time": finding.last / MILLI,
        "first_seen_time": finding.first / MILLI,
        "last_seen_time": finding.last / MILLI,
        "analytic": {"name": hit.kind, "uid": hit.kind, "type": "Rule", "type_id": 1},
        "attacks": [{"tactic": {"name": tactic(&hit.kind)}, "version": "16"}],
        "related_events": records,
    });
    let mut event = json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_400 + activity,
        "type_name": format!("Detection Finding: {activity_name}"),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "time": finding.last / MILLI,
        "start_time": finding.first / MILLI,
        "end_time": finding.last / MILLI,
        "count": finding.count,
        "message": finding.title(),
        "is_alert": true,
        "metadata": {
            "version": version.name(),
            "uid": format!("{}-{}", finding.id, finding.count),
            "product": {"name": "Vedette", "vendor_name": "Vedette"},
            "profiles": ["cloud"],
        },
        "cloud": {"provider": "AWS", "region": origin.region, "account": {"uid": origin.account}},
        "finding_info": info,
        "resources": resources(finding),
        "evidences": [evidence(finding)],
        "observables": observables(finding),
        "remediation": {"desc": texts.remediation},
    });
    let analyses = anomaly_analyses(finding);
    if let Some(event) = event.as_object_mut() {
        if version == OcsfVersion::V1_1 {
            // Came with 1.3.
            event.remove("is_alert");
        } else if !analyses.is_empty() {
            event.insert("anomaly_analyses".into(), json!(analyses));
        }
    }
    event
}

/// What is unusual, by whom it was compared with; only findings of the model of habits have it.
fn anomaly_analyses(finding: &Finding) -> Vec<Value> {
    let detection = finding.hit.detection.as_ref().map(Part::value);
    let unusual = detection
        .as_ref()
        .and_then(|detection| detection.pointer("/anomaly/unusual/behavior")?.as_object());
    unusual
        .into_iter()
        .flatten()
        .map(|(level, factors)| {
            let anomalies: Vec<Value> = factors
                .as_object()
                .into_iter()
                .flatten()
                .map(|(factor, object)| {
                    let values = object
                        .pointer("/observations/text")
                        .and_then(Value::as_array);
                    let values: Vec<Value> = values
                        .into_iter()
                        .flatten()
                        .map(|value| json!({"value": value}))
                        .collect();
                    json!({
                        "observation_parameter": factor,
                        "observation_type": "Frequency",
                        "observations": values,
                        "observed_pattern": object.get("profileSubtype"),
                    })
                })
                .collect();
            json!({"analysis_targets": [{"name": level}], "anomalies": anomalies})
        })
        .collect()
}

fn resources(finding: &Finding) -> Value {
    let resource = &finding.hit.resource.value();
    let text = |pointer: &str| resource.pointer(pointer).and_then(Value::as_str);
    let kind = text("/resourceType").unwrap_or("Other");
    let uid = text("/eksClusterDetails/arn")
        .or_else(|| text("/s3BucketDetails/0/arn"))
        .or_else(|| text("/accessKeyDetails/accessKeyId"))
        .unwrap_or(&finding.hit.subject);
    let mut resources = vec![json!({"uid": uid, "type": kind})];
    if let Some(workload) = resource.pointer("/kubernetesDetails/kubernetesWorkloadDetails") {
        let text = |key: &str| {
            workload
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        resources.push(json!({
            "name": text("name"),
            "uid": format!("{}/{}/{}", text("namespace"), text("type"), text("name")),
            "namespace": text("namespace"),
            "type": text("type"),
        }));
    }
    json!(resources)
}

fn evidence(finding: &Finding) -> Value {
    let action = &finding.hit.action.value();
    let text = |pointer: &str| action.pointer(pointer).and_then(Value::as_str);
    let mut evidence = Map::new();
    let operation = text("/kubernetesApiCallAction/verb")
        .or_else(|| text("/awsApiCallAction/api"))
        .unwrap_or("unknown");
    let service = match finding.hit.source {
        Source::K8sAudit => "kube-apiserver",
        _ => text("/awsApiCallAction/serviceName").unwrap_or("aws"),
    };
    let mut api = json!({"operation": operation, "service": {"name": service}});
    if !finding.hit.record_id.is_empty() {
        api["request"] = json!({"uid": finding.hit.record_id});
    }
    evidence.insert("api".into(), api);
    evidence.insert("actor".into(), json!({"user": {"name": finding.hit.actor}}));
    if let Some(address) = address(action) {
        evidence.insert("src_endpoint".into(), json!({"ip": address}));
    }
    evidence.insert("data".into(), action.clone());
    Value::Object(evidence)
}

/// The caller's address.
fn address(action: &Value) -> Option<&str> {
    ["kubernetesApiCallAction", "awsApiCallAction"]
        .iter()
        .filter_map(|part| action.get(part)?.get("remoteIpDetails"))
        .find_map(|remote| {
            remote
                .get("ipAddressV4")
                .or_else(|| remote.get("ipAddressV6"))?
                .as_str()
        })
}

fn observables(finding: &Finding) -> Value {
    let mut observables = vec![json!({
        "name": "evidences[].actor.user.name",
        "type": "User Name",
        "type_id": 4,
        "value": finding.hit.actor,
    })];
    if let Some(address) = address(&finding.hit.action.value()) {
        observables.push(json!({
            "name": "evidences[].src_endpoint.ip",
            "type": "IP Address",
            "type_id": 2,
            "value": address,
        }));
    }
    json!(observables)
}
