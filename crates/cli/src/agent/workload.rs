//! What the agent knows of a container, in the words of policies' scopes.

use std::collections::BTreeMap;

use serde_json::Value;
use vedette_detect::policy::scope::Workload;
use vedette_event::RawEvent;

/// Reads the event that introduces a container.
pub(crate) fn from_event(event: &RawEvent<'_>) -> Option<Workload> {
    let data = event.param(2)?;
    let data = data.strip_suffix(b"\0").unwrap_or(data);
    from_metadata(std::str::from_utf8(data).ok()?)
}

/// Reads a container's metadata in the form of that event.
pub(crate) fn from_metadata(json: &str) -> Option<Workload> {
    let json: Value = serde_json::from_str(json).ok()?;
    Some(from_json(json.get("container")?))
}

fn from_json(container: &Value) -> Workload {
    let text = |key: &str| {
        container
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let mut labels = BTreeMap::new();
    for key in ["pod_sandbox_labels", "labels"] {
        for (name, value) in container
            .get(key)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if let Some(value) = value.as_str() {
                labels.insert(name.clone(), value.to_owned());
            }
        }
    }
    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
    let pod = label("io.kubernetes.pod.name");
    let container_name = label("io.kubernetes.container.name");
    Workload {
        cluster: String::new(),
        host: String::new(),
        namespace: label("io.kubernetes.pod.namespace"),
        workload: owner(&pod, &labels),
        pod,
        container: if container_name.is_empty() {
            text("name")
        } else {
            container_name
        },
        id: text("full_id"),
        image: text("image"),
        labels,
    }
}

/// The workload behind a pod, as far as its labels tell: what each controller writes on its pods.
fn owner(pod: &str, labels: &BTreeMap<String, String>) -> String {
    let cut = |suffix: &str| pod.strip_suffix(suffix).map(str::to_owned);
    if let Some(hash) = labels.get("pod-template-hash")
        && let Some((name, _)) = pod.split_once(&format!("-{hash}-"))
    {
        return format!("deployment/{name}");
    }
    if let Some(ordinal) = labels.get("apps.kubernetes.io/pod-index")
        && let Some(name) = cut(&format!("-{ordinal}"))
    {
        return format!("statefulset/{name}");
    }
    if labels.contains_key("statefulset.kubernetes.io/pod-name")
        && let Some((name, _)) = pod.rsplit_once('-')
    {
        return format!("statefulset/{name}");
    }
    if let Some(job) = labels
        .get("batch.kubernetes.io/job-name")
        .or_else(|| labels.get("job-name"))
    {
        return format!("job/{job}");
    }
    if labels.contains_key("controller-revision-hash")
        && let Some((name, _)) = pod.rsplit_once('-')
    {
        return format!("daemonset/{name}");
    }
    if pod.is_empty() {
        String::new()
    } else {
        format!("pod/{pod}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_told_by_the_labels_of_their_controllers() {
        for (pod, labels, expected) in [
            (
                "web-5d9c7-x2x",
                &[("pod-template-hash", "5d9c7")][..],
                "deployment/web",
            ),
            (
                "db-0",
                &[
                    ("statefulset.kubernetes.io/pod-name", "db-0"),
                    ("controller-revision-hash", "db-1"),
                ],
                "statefulset/db",
            ),
            (
                "agent-7x8f2",
                &[("controller-revision-hash", "6b")],
                "daemonset/agent",
            ),
            ("b-1-abc", &[("job-name", "b-1")], "job/b-1"),
            ("alone", &[], "pod/alone"),
            ("", &[], ""),
        ] {
            let labels = labels
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            assert_eq!(owner(pod, &labels), expected);
        }
    }
}
