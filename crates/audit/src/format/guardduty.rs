//! GuardDuty's finding JSON, and the EventBridge event around it.

use serde_json::{Map, Value, json};

use super::{MAX_TITLE, description, shortened};
use crate::findings::{Finding, Origin};
use crate::source::Source;
use crate::time::to_rfc3339_millis;

/// The finding as GuardDuty writes it to EventBridge and S3.
pub fn guardduty(finding: &Finding, origin: &Origin) -> Value {
    let Origin {
        account,
        region,
        detector,
        ..
    } = origin;
    let hit = &finding.hit;
    let mut service = Map::new();
    service.insert("action".into(), hit.action.value());
    service.insert("archived".into(), json!(finding.archived));
    service.insert("count".into(), json!(finding.count));
    service.insert("detectorId".into(), json!(detector));
    service.insert(
        "eventFirstSeen".into(),
        json!(to_rfc3339_millis(finding.first)),
    );
    service.insert(
        "eventLastSeen".into(),
        json!(to_rfc3339_millis(finding.last)),
    );
    service.insert("resourceRole".into(), json!("TARGET"));
    service.insert("serviceName".into(), json!("guardduty"));
    let feature = match hit.source {
        Source::K8sAudit => "EksAuditLogs",
        _ => "CloudTrail",
    };
    service.insert("featureName".into(), json!(feature));
    if let Some(detection) = &hit.detection {
        service.insert("detection".into(), detection.value());
    }
    if !hit.lists.is_empty() {
        let lists: Vec<Value> = hit
            .lists
            .iter()
            .map(|name| json!({"threatListName": name, "threatNames": []}))
            .collect();
        service.insert(
            "evidence".into(),
            json!({"threatIntelligenceDetails": lists}),
        );
    }
    service.insert(
        "additionalInfo".into(),
        json!({"value": finding.extra().to_string(), "type": "default"}),
    );
    json!({
        "schemaVersion": "2.0",
        "accountId": account,
        "region": region,
        "partition": "aws",
        "id": finding.id,
        "arn": arn(finding, origin),
        "type": hit.kind,
        "resource": hit.resource.value(),
        "service": service,
        "severity": hit.severity,
        "createdAt": to_rfc3339_millis(finding.first),
        "updatedAt": to_rfc3339_millis(finding.last),
        "title": shortened(&finding.title(), MAX_TITLE),
        "description": description(finding),
    })
}

/// The finding as EventBridge delivers it.
pub fn guardduty_event(finding: &Finding, origin: &Origin) -> Value {
    json!({
        "version": "0",
        "id": format!("{}-{}", finding.id, finding.count),
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": origin.account,
        "time": to_rfc3339_millis(finding.last),
        "region": origin.region,
        "resources": [],
        "detail": guardduty(finding, origin),
    })
}

/// Name of the finding in AWS's grammar.
pub(super) fn arn(finding: &Finding, origin: &Origin) -> String {
    format!(
        "arn:aws:guardduty:{}:{}:detector/{}/finding/{}",
        origin.region, origin.account, origin.detector, finding.id
    )
}
