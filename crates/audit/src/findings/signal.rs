//! Signals: findings of every engine, and calls that are worth no finding but lead from one entity to another, in the
//! form in which sequences are made of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vedette_event::Finding as Wire;

use super::Finding;
use super::rule::{severity, tactic};
use crate::json::Json;
use crate::record::Record;
use crate::source::Source;

/// Something that may be a step of an attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Id of the finding or alert.
    pub id: String,
    /// Its type or rule.
    pub name: String,
    /// Tactic, such as `CredentialAccess`.
    pub tactic: String,
    /// 1.0 to 10.0.
    pub severity: f64,
    /// Time in nanoseconds since the Unix epoch.
    pub ts: u64,
    /// What it touches, such as `user ada`, `pod dev/web`, `key ASIA…`.
    pub entities: Vec<String>,
    /// It only leads from one entity to another (an `exec` by somebody who may): it joins, but is no step of its own.
    #[serde(default)]
    pub weak: bool,
    /// What happened, in a sentence.
    #[serde(default)]
    pub message: String,
}

impl Signal {
    /// The signal that a finding's occurrence is.
    pub fn of(finding: &Finding) -> Self {
        let hit = &finding.hit;
        let purpose = hit.kind.split(':').next().unwrap_or_default();
        // What is no tactic stands for one.
        let tactic = match purpose {
            "Policy" => "PrivilegeEscalation",
            "Stealth" => "DefenseEvasion",
            "Recon" => "Discovery",
            "UnauthorizedAccess" | "PenTest" => "InitialAccess",
            other => other,
        };
        let mut entities = Vec::new();
        // Everybody without credentials has one name; it joins nothing.
        if !hit.actor.is_empty() && hit.actor != "system:anonymous" {
            entities.push(format!("user {}", hit.actor));
        }
        let resource = hit.resource.value();
        let workload = resource.pointer("/kubernetesDetails/kubernetesWorkloadDetails");
        if let Some(workload) = workload {
            let text = |key: &str| {
                workload
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            entities.push(format!("pod {}/{}", text("namespace"), text("name")));
        }
        let key = resource
            .pointer("/accessKeyDetails/accessKeyId")
            .and_then(Value::as_str)
            .filter(|key| !key.is_empty());
        entities.extend(key.map(|key| format!("key {key}")));
        for (name, value) in &hit.extra {
            match name.as_str() {
                "serviceAccount" => entities.push(format!("user {value}")),
                "callerPod" => entities.push(format!("pod {value}")),
                _ => {}
            }
        }
        if entities.is_empty() {
            entities.push(hit.subject.clone());
        }
        Self {
            id: finding.id.clone(),
            name: hit.kind.clone(),
            tactic: tactic.to_owned(),
            severity: hit.severity,
            ts: hit.ts,
            entities,
            weak: false,
            message: finding.title(),
        }
    }

    /// The signal that a finding of another engine is, such as one over system calls. Without a tactic among its tags it
    /// only joins.
    pub fn of_wire(finding: &Wire) -> Self {
        let text = |names: &[&str]| {
            names
                .iter()
                .filter_map(|name| finding.fields.get(*name)?.as_str())
                .find(|text| !text.is_empty() && *text != "<NA>")
        };
        let mut entities = Vec::new();
        let namespace = text(&["k8s.ns.name", "k8smeta.ns.name"]);
        let pod = text(&["k8s.pod.name", "k8smeta.pod.name"]);
        if let (Some(namespace), Some(pod)) = (namespace, pod) {
            entities.push(format!("pod {namespace}/{pod}"));
        }
        let container = text(&["container.id"]).filter(|id| *id != "host");
        entities.extend(container.map(|id| format!("container {id}")));
        let tactic = tactic(&finding.tags);
        // What a container does touches its node only where it leaves the container: else everything on a node would
        // be one incident.
        let leaves = tactic.as_deref() == Some("PrivilegeEscalation");
        if entities.is_empty() || leaves {
            entities.push(format!("node {}", finding.node));
        }
        Self {
            id: finding.id.clone(),
            name: finding.rule.clone(),
            severity: severity(finding.priority),
            ts: finding.time,
            entities,
            weak: tactic.is_none(),
            tactic: tactic.unwrap_or_default(),
            message: finding.message.clone(),
        }
    }

    /// The signal that a record is by itself: whoever executes in a pod, takes a service account's token, or gets a
    /// cloud session for one, may go on as the other.
    pub fn of_record(record: &Record<'_>) -> Option<Self> {
        let json = record.json();
        match record.source() {
            Source::K8sAudit => of_audit(json, record.time()),
            Source::AwsCloudtrail => of_trail(json, record.time()),
            Source::GcpAuditlog | Source::Okta | Source::Github | Source::Json => None,
        }
    }
}

fn text(json: Json<'_>, keys: &[&str]) -> String {
    json.path(keys).and_then(Json::to_text).unwrap_or_default()
}

fn weak(id: String, name: &str, ts: u64, entities: Vec<String>, message: String) -> Signal {
    Signal {
        id,
        name: name.to_owned(),
        tactic: String::new(),
        severity: 1.0,
        ts,
        entities,
        weak: true,
        message,
    }
}

fn of_audit(json: Json<'_>, ts: u64) -> Option<Signal> {
    // Most records have no such subresource: they end here.
    let sub = json
        .text_at(&["objectRef", "subresource"])?
        .to_owned_string();
    let code = json.path(&["responseStatus", "code"])?.as_u64()?;
    let user = text(json, &["user", "username"]);
    let place = format!(
        "{}/{}",
        text(json, &["objectRef", "namespace"]),
        text(json, &["objectRef", "name"])
    );
    if !matches!(code, 101 | 200..=299) || user.is_empty() || user == "system:anonymous" {
        return None;
    }
    let id = text(json, &["auditID"]);
    let resource = text(json, &["objectRef", "resource"]);
    let (entity, what) = match (resource.as_str(), sub.as_str()) {
        ("pods", "exec") => {
            let command = command(&text(json, &["requestURI"]));
            (
                format!("pod {place}"),
                format!("{user} ran `{command}` in {place}"),
            )
        }
        ("pods", "attach" | "portforward" | "ephemeralcontainers") => (
            format!("pod {place}"),
            format!("{user} used {sub} on {place}"),
        ),
        ("serviceaccounts", "token") => {
            // Kubelets fetch tokens for pods all day.
            if user.starts_with("system:node:") || super::SystemActor::is(&user) {
                return None;
            }
            let account = place.replacen('/', ":", 1);
            (
                format!("user system:serviceaccount:{account}"),
                format!("{user} took a token of {place}"),
            )
        }
        _ => return None,
    };
    let entities = vec![entity, format!("user {user}")];
    Some(weak(id, &format!("{resource}/{sub}"), ts, entities, what))
}

/// The command of an `exec`, from its URI.
fn command(uri: &str) -> String {
    let (_, query) = uri.split_once('?').unwrap_or_default();
    query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("command="))
        .map(decoded)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A value of a query string.
fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text)
        .decode_utf8_lossy()
        .into_owned()
}

fn of_trail(json: Json<'_>, ts: u64) -> Option<Signal> {
    let name = json.text_at(&["eventName"])?;
    let account = if name.is(b"AssumeRoleWithWebIdentity") {
        text(json, &["userIdentity", "userName"])
    } else if name.is(b"AssumeRoleForPodIdentity") {
        super::credentials::pod_identity(json)?.account
    } else {
        return None;
    };
    let key = text(json, &["responseElements", "credentials", "accessKeyId"]);
    if key.is_empty() || !account.starts_with("system:serviceaccount:") {
        return None;
    }
    let message = format!("{account} got the cloud session {key}");
    let entities = vec![format!("key {key}"), format!("user {account}")];
    let id = text(json, &["eventID"]);
    Some(weak(id, &name.to_owned_string(), ts, entities, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_uris() {
        let uri =
            "/api/v1/namespaces/d/pods/p/exec?command=cat&command=%2Fetc%2Fshadow&container=c";
        assert_eq!(command(uri), "cat /etc/shadow");
        assert_eq!(command("/x"), "");
        assert_eq!(decoded("a%2"), "a%2");
    }
}
