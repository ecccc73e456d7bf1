//! Alerts of rules, the shipped ones and users' own, and what the model of habits finds unusual, as findings beside the
//! detectors'.

use serde_json::json;
use vedette_event::{Alert, Priority};

use super::request::{Call, action, resource};
use super::{Hit, Origin, catalogue, cloudtrail};
use crate::anomaly::Anomaly;
use crate::json::Json;
use crate::record::Record;
use crate::source::Source;

/// Tactic of a rule that names none.
const NO_TACTIC: &str = "Policy";

/// Members of a record that say who did it, first match first; for sources without a detector of their own.
const ACTORS: [&[&str]; 6] = [
    &["actor", "alternateId"],
    &["protoPayload", "authenticationInfo", "principalEmail"],
    &["sender", "login"],
    &["user", "username"],
    &["user"],
    &["username"],
];

impl Hit {
    /// The occurrence that an alert over `record` is. The type is `Tactic:Resource/Rule.Name`, the tactic the first one
    /// among the rule's tags.
    pub fn of_alert(alert: &Alert, record: &Record<'_>, origin: &Origin) -> Self {
        let area = area(record.source);
        let kind = format!(
            "{}:{area}/Rule.{}",
            tactic(&alert.tags).unwrap_or_else(|| NO_TACTIC.to_owned()),
            squeezed(&alert.rule)
        );
        let mut hit = Self::bare(record, origin, kind, &alert.rule);
        hit.severity = severity(alert.priority);
        hit.extra.push(("rule".to_owned(), alert.rule.to_string()));
        hit.extra
            .push(("message".to_owned(), alert.message().to_owned()));
        hit
    }

    /// The occurrence that an unusual record is.
    pub fn of_anomaly(anomaly: &Anomaly, record: &Record<'_>, origin: &Origin) -> Self {
        let mut hit = Self::bare(record, origin, anomaly.kind.clone(), &anomaly.subject);
        hit.severity = anomaly
            .severity
            .unwrap_or_else(|| catalogue::severity(&anomaly.kind));
        // One finding for a principal and a kind of thing, not one for each object it touches.
        hit.subject.clone_from(&anomaly.subject);
        hit.actor.clone_from(&anomaly.principal);
        hit.extra.push(("factors".to_owned(), anomaly.text()));
        hit.detection = Some(anomaly.detection().into());
        hit
    }

    /// What a record shows of who did what, without what is thought of it.
    fn bare(record: &Record<'_>, origin: &Origin, kind: String, subject: &str) -> Self {
        let json = record.json;
        let area = area(record.source);
        match record.source {
            Source::K8sAudit => {
                let code = json.path(&["responseStatus", "code"]);
                let call = Call::new(json, code.and_then(Json::as_u64).unwrap_or_default());
                Self {
                    kind,
                    severity: 0.0,
                    subject: call.subject(),
                    actor: call.user.clone(),
                    ts: record.ts,
                    source: record.source,
                    record_id: text(json, &["auditID"]),
                    resource: resource(&call, origin).into(),
                    action: action(&call).into(),
                    lists: Vec::new(),
                    extra: Vec::new(),
                    detection: None,
                }
            }
            Source::AwsCloudtrail => {
                let call = cloudtrail::Call::new(json);
                let subject = call.name.clone();
                call.hit(record, &kind, subject)
            }
            _ => Self {
                kind,
                severity: 0.0,
                subject: subject.to_owned(),
                actor: ACTORS
                    .iter()
                    .map(|keys| text(json, keys))
                    .find(|actor| !actor.is_empty())
                    .unwrap_or_default(),
                ts: record.ts,
                source: record.source,
                record_id: text(json, &["uuid"]) + &text(json, &["insertId"]),
                resource: json!({"resourceType": area}).into(),
                action: json!({"actionType": area}).into(),
                lists: Vec::new(),
                extra: Vec::new(),
                detection: None,
            },
        }
    }
}

/// The middle part of a type: what the records are about.
fn area(source: Source) -> &'static str {
    match source {
        Source::K8sAudit => "Kubernetes",
        Source::AwsCloudtrail => "IAMUser",
        Source::GcpAuditlog => "GCP",
        Source::Okta => "Okta",
        Source::Github => "GitHub",
        Source::Json => "Log",
    }
}

fn text(json: Json<'_>, keys: &[&str]) -> String {
    json.path(keys).and_then(Json::to_text).unwrap_or_default()
}

/// GuardDuty's scale for a rule's priority.
pub(super) fn severity(priority: Priority) -> f64 {
    match priority {
        Priority::Emergency | Priority::Alert => 9.0,
        Priority::Critical | Priority::Error => 8.0,
        Priority::Warning => 5.0,
        Priority::Notice => 2.0,
        Priority::Informational | Priority::Debug => 1.0,
    }
}

/// `mitre_credential_access` and `T1552` are what rules carry; the first of the former is the tactic.
pub(super) fn tactic(tags: &[String]) -> Option<String> {
    tags.iter()
        .find_map(|tag| tag.strip_prefix("mitre_"))
        .map(squeezed)
}

/// A name as types are written: words with capitals, nothing between them.
fn squeezed(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut capital = true;
    for c in name.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_uppercase().filter(|_| capital));
            out.extend(Some(c).filter(|_| !capital));
            capital = false;
        } else {
            capital = true;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags_become_types() {
        assert_eq!(squeezed("Attach/Exec Pod"), "AttachExecPod");
        assert_eq!(squeezed("credential_access"), "CredentialAccess");
        let tags = ["k8s".to_owned(), "mitre_execution".to_owned()];
        assert_eq!(tactic(&tags).as_deref(), Some("Execution"));
        assert_eq!(tactic(&[]), None);
    }
}
