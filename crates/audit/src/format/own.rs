//! Our own form of a finding: everything that is known about it, flat where it can be; and the record that agents,
//! store and screens exchange.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vedette_event::{Finding as Wire, Priority};

use super::{description, label};
use crate::findings::{Finding, Origin, Part, Sample, texts};
use crate::time::to_rfc3339_millis;

/// The finding as one JSON object. `related` are ids of findings about the same actor or object.
pub fn own(finding: &Finding, origin: &Origin, related: &[&str]) -> Value {
    let hit = &finding.hit;
    let texts = texts(&hit.kind);
    let samples = |samples: &mut dyn Iterator<Item = &Sample>| -> Vec<Value> {
        samples
            .map(|sample| json!({"time": to_rfc3339_millis(sample.ts), "recordId": sample.record_id}))
            .collect()
    };
    json!({
        "id": finding.id,
        "type": hit.kind,
        "severity": hit.severity,
        "severityLabel": label(hit.severity),
        "title": finding.title(),
        "description": description(finding),
        "why": texts.why,
        "remediation": texts.remediation,
        "subject": hit.subject,
        "actor": hit.actor,
        "count": finding.count,
        "firstSeen": to_rfc3339_millis(finding.first),
        "lastSeen": to_rfc3339_millis(finding.last),
        "source": hit.source.name(),
        "account": origin.account,
        "region": origin.region,
        "cluster": origin.cluster,
        "archived": finding.archived,
        "suppressedBy": finding.suppressed_by,
        "sample": finding.sample,
        "lists": hit.lists,
        "evidence": {
            "first": samples(&mut finding.earliest.iter()),
            "last": samples(&mut finding.latest.iter()),
        },
        "related": related,
        "resource": hit.resource.value(),
        "action": hit.action.value(),
        "details": finding.extra(),
        "detection": hit.detection.as_ref().map(Part::value),
    })
}

/// The finding as the record of the wire format, for the store and the screens.
pub fn wire(finding: &Finding, origin: &Origin) -> Wire {
    let hit = &finding.hit;
    let priority = match hit.severity {
        s if s >= 9.0 => Priority::Critical,
        s if s >= 7.0 => Priority::Error,
        s if s >= 4.0 => Priority::Warning,
        _ => Priority::Notice,
    };
    let tactic = super::tactic(&hit.kind).to_lowercase().replace(' ', "_");
    let mut fields = BTreeMap::from([
        ("finding.subject".to_owned(), json!(hit.subject)),
        ("finding.actor".to_owned(), json!(hit.actor)),
        ("finding.count".to_owned(), json!(finding.count)),
        ("finding.severity".to_owned(), json!(hit.severity)),
        ("finding.resource".to_owned(), hit.resource.value()),
        ("finding.action".to_owned(), hit.action.value()),
    ]);
    let resource = hit.resource.value();
    let workload = resource.pointer("/kubernetesDetails/kubernetesWorkloadDetails");
    if let Some(workload) = workload {
        for (field, key) in [("k8s.ns.name", "namespace"), ("k8s.pod.name", "name")] {
            if let Some(value) = workload.get(key).filter(|value| value.is_string()) {
                fields.insert(field.to_owned(), value.clone());
            }
        }
    }
    for (name, value) in &hit.extra {
        fields.insert(format!("finding.{name}"), json!(value));
    }
    Wire {
        id: finding.id.clone(),
        time: finding.last,
        source: hit.source.name().to_owned(),
        rule: hit.kind.clone(),
        priority,
        message: finding.title(),
        tags: vec![format!("mitre_{tactic}")],
        node: origin.cluster.clone(),
        fields,
        lineage: Vec::new(),
        why: None,
        policy: None,
        actions: Vec::new(),
        lost: 0,
    }
}
