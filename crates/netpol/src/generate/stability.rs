//! How long a label is likely to stay: what a generated policy may rest on.

use crate::labels::Labels;
use crate::model::Pod;

/// A label with its score from 0 (will change) to 100 (part of the workload's identity).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    /// Key.
    pub key: std::sync::Arc<str>,
    /// Value.
    pub value: std::sync::Arc<str>,
    /// Score.
    pub score: u8,
    /// Why, in a few words.
    pub reason: &'static str,
}

/// Labels below this score are not used.
pub const USABLE: u8 = 50;

/// Keys that controllers, installers and meshes write anew with each change, each node or each pod.
const VOLATILE_KEYS: [&str; 15] = [
    "pod-template-hash",
    "pod-template-generation",
    "controller-revision-hash",
    "rollouts-pod-template-hash",
    "controller-uid",
    "job-name",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "helm.sh/chart",
    "chart",
    "heritage",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "version",
    "release-revision",
];
/// Prefixes of such keys.
const VOLATILE_PREFIXES: [&str; 7] = [
    "batch.kubernetes.io/",
    "topology.kubernetes.io/",
    "failure-domain.beta.kubernetes.io/",
    "security.istio.io/",
    "service.istio.io/",
    "linkerd.io/",
    "kustomize.toolkit.fluxcd.io/",
];
/// Keys by which people and charts name what a workload is.
const IDENTITY_KEYS: [(&str, u8); 12] = [
    ("app.kubernetes.io/name", 95),
    ("app.kubernetes.io/component", 90),
    ("k8s-app", 92),
    ("app", 90),
    ("name", 85),
    ("component", 80),
    ("role", 75),
    ("tier", 75),
    ("app.kubernetes.io/instance", 65),
    ("app.kubernetes.io/part-of", 55),
    ("release", 60),
    ("kubernetes.io/metadata.name", 100),
];

/// Whether a key or a value will not outlive the next deployment.
pub fn volatile(key: &str, value: &str) -> Option<&'static str> {
    if VOLATILE_KEYS.contains(&key) || VOLATILE_PREFIXES.iter().any(|p| key.starts_with(p)) {
        return Some("written anew with each rollout, node or pod");
    }
    let name = key.rsplit('/').next().unwrap_or(key);
    if name.starts_with("prune-") || name.ends_with("-hash") || name.ends_with("-uid") {
        return Some("written by a deployment tool and changed by it");
    }
    if name
        .split('-')
        .any(|part| part.len() >= 8 && looks_random(part))
    {
        return Some("the key holds something like a hash");
    }
    if is_uuid(value) || (value.len() >= 8 && looks_random(value)) {
        return Some("the value looks like a hash or an identifier");
    }
    if is_timestamp(value) {
        return Some("the value looks like a point in time");
    }
    None
}

/// Hexadecimal with letters and digits mixed: words have no digits, numbers no letters.
fn looks_random(text: &str) -> bool {
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    hex && digits >= 2 && digits < text.len()
}

fn is_uuid(text: &str) -> bool {
    const PARTS: [usize; 5] = [8, 4, 4, 4, 12];
    text.split('-').map(str::len).eq(PARTS)
        && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// Ten to fourteen digits, or a date at the front.
fn is_timestamp(text: &str) -> bool {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    if digits {
        return (10..=14).contains(&text.len());
    }
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[5..7].iter().all(u8::is_ascii_digit)
        && bytes[7] == b'-'
}

/// Scores one label of a pod.
pub fn score(pod: &Pod, key: &str, value: &str) -> (u8, &'static str) {
    if let Some(why) = volatile(key, value) {
        return (0, why);
    }
    if pod.owner_labels.get(key) == Some(value) {
        return (100, "its controller selects pods by it");
    }
    if let Some((_, score)) = IDENTITY_KEYS.iter().find(|(k, _)| *k == key) {
        return (*score, "names what the workload is");
    }
    (USABLE, "nothing known against it")
}

/// All labels of a pod, best first.
pub fn scores(pod: &Pod) -> Vec<Scored> {
    let mut out: Vec<Scored> = pod
        .labels
        .pairs()
        .iter()
        .map(|(key, value)| {
            let (score, reason) = score(pod, key, value);
            Scored {
                key: key.clone(),
                value: value.clone(),
                score,
                reason,
            }
        })
        .collect();
    out.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.key.cmp(&b.key)));
    out
}

/// The labels to select a pod by: its controller's when they last, else the best ones, and more of them until no
/// other workload of the namespace is caught or none are left. The second value says whether others are caught.
pub fn choose(pod: &Pod, others: &[&Pod]) -> (Labels, bool) {
    let scored = scores(pod);
    let certain = scored.iter().filter(|s| s.score == 100);
    let mut chosen = Labels::new(certain.map(|s| (s.key.clone(), s.value.clone())));
    let caught = |labels: &Labels| {
        others.iter().any(|other| {
            labels
                .pairs()
                .iter()
                .all(|(k, v)| other.labels.get(k) == Some(&**v))
        })
    };
    for label in scored.iter().filter(|s| s.score >= USABLE && s.score < 100) {
        if !chosen.is_empty() && !caught(&chosen) {
            break;
        }
        // A label that everybody else has too tells nobody apart.
        let before = others_caught(&chosen, others);
        let mut more = chosen.clone();
        more.set(label.key.clone(), label.value.clone());
        if chosen.is_empty() || others_caught(&more, others) < before {
            chosen = more;
        }
    }
    let shared = caught(&chosen);
    (chosen, shared)
}

fn others_caught(labels: &Labels, others: &[&Pod]) -> usize {
    others
        .iter()
        .filter(|other| {
            labels
                .pairs()
                .iter()
                .all(|(k, v)| other.labels.get(k) == Some(&**v))
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_tools_are_volatile_and_names_are_not() {
        for (key, value) in [
            ("pod-template-hash", "5d9c7b"),
            ("aws.cdk.eks/prune-c8f5e1d2a9b0", ""),
            ("helm.sh/chart", "web-1.2.3"),
            ("build", "9f86d081884c7d65"),
            ("id", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
            ("deployed", "2026-01-02T03-04-05"),
            ("at", "1700000000"),
        ] {
            assert!(volatile(key, value).is_some(), "{key}={value}");
        }
        for (key, value) in [
            ("app", "facade"),
            ("tier", "backend"),
            ("app", "deadbeef"),
            ("port", "8080"),
        ] {
            assert!(volatile(key, value).is_none(), "{key}={value}");
        }
    }
}
