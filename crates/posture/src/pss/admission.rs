//! What the API server does around an evaluation: namespace labels, versions, and the words it answers with.

use vedette_manifest::Object;
use vedette_yaml::{Kind, Node, Span, Style};

use super::baseline::APP_ARMOR_ANNOTATION;
use super::{Level, NEWEST, Pod, Verdict, Version, evaluate};
use crate::value;

/// A level with the version as it was written, because messages repeat it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The level.
    pub level: Level,
    /// The version to evaluate.
    pub version: Version,
    /// `latest` or `v1.N`.
    pub label: String,
}

impl Policy {
    /// A policy of `level` at a version as written in a label or on a command line.
    pub fn new(level: Level, version: &str) -> Result<Self, String> {
        Ok(Self {
            level,
            version: version.parse()?,
            label: version.to_owned(),
        })
    }

    /// `level` at the newest version.
    pub fn latest(level: Level) -> Self {
        Self {
            level,
            version: NEWEST,
            label: "latest".to_owned(),
        }
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.level.as_str(), self.label)
    }
}

/// The policies of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// Refuses pods.
    pub enforce: Policy,
    /// Writes audit annotations.
    pub audit: Policy,
    /// Sends warnings to the client.
    pub warn: Policy,
}

/// Prefix of the namespace labels.
pub const LABEL: &str = "pod-security.kubernetes.io/";

impl Policies {
    /// Reads the labels of a namespace as the API server does: what is not set is privileged, a bad enforce
    /// level counts as restricted, bad audit and warn levels count as privileged, and without a warn level the
    /// warnings follow enforce.
    pub fn from_labels<'a>(labels: &(impl Iterator<Item = (&'a str, &'a str)> + Clone)) -> Self {
        let label = |name: &str| {
            labels
                .clone()
                .find(|(key, _)| key.strip_prefix(LABEL) == Some(name))
                .map(|(_, value)| value)
        };
        let policy = |mode: &str, fallback: Level| {
            let level =
                label(mode).map_or(Level::Privileged, |text| text.parse().unwrap_or(fallback));
            let version = label(&format!("{mode}-version")).unwrap_or("latest");
            Policy::new(level, version).unwrap_or_else(|_| Policy::latest(level))
        };
        let enforce = policy("enforce", Level::Restricted);
        let enforced = label("enforce").is_some_and(|text| text.parse::<Level>().is_ok());
        let warn = if enforced && label("warn").is_none() {
            enforce.clone()
        } else {
            policy("warn", Level::Privileged)
        };
        Self {
            audit: policy("audit", Level::Privileged),
            enforce,
            warn,
        }
    }
}

/// What the API server answers to the creation of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The message of the refusal (HTTP 403), when it refuses.
    pub refusal: Option<String>,
    /// The Pod Security warning, when it sends one.
    pub warning: Option<String>,
}

/// The API server's answer to creating `object` in a namespace with these policies.
/// Only pods are refused; a workload is accepted with a warning and fails later, when its controller makes pods.
pub fn answer(object: &Object, policies: &Policies) -> Answer {
    let Some(admitted) = Admitted::of(object) else {
        return Answer::default();
    };
    let pod = admitted.pod();
    if object.kind == "Pod" {
        let enforced = evaluate(&pod, policies.enforce.level, policies.enforce.version);
        if !enforced.allowed() {
            return Answer {
                refusal: Some(refusal(&object.name, &policies.enforce, &enforced)),
                warning: None,
            };
        }
    }
    let warned = evaluate(&pod, policies.warn.level, policies.warn.version);
    Answer {
        refusal: None,
        warning: (!warned.allowed()).then(|| warning(&policies.warn, &warned)),
    }
}

/// The API server's warning for `object` under a warn policy; `None` when it has nothing to say.
pub fn warning_for(object: &Object, policy: &Policy) -> Option<String> {
    let admitted = Admitted::of(object)?;
    let verdict = evaluate(&admitted.pod(), policy.level, policy.version);
    (!verdict.allowed()).then(|| warning(policy, &verdict))
}

fn warning(policy: &Policy, verdict: &Verdict) -> String {
    format!(
        "would violate PodSecurity \"{policy}\": {}",
        verdict.detail()
    )
}

/// The message with which a pod is refused.
pub fn refusal(name: &str, policy: &Policy, verdict: &Verdict) -> String {
    format!(
        "pods \"{name}\" is forbidden: violates PodSecurity \"{policy}\": {}",
        verdict.detail()
    )
}

/// A pod as the API server stores it before admission plugins see it.
///
/// Since v1.30 it keeps the AppArmor annotation and field of a *Pod* in step (not those of templates), so a pod
/// that sets one of them violates the standards with both.
struct Admitted<'a> {
    pod: Pod<'a>,
    /// Rewritten `metadata` and `spec`, when they had to be.
    rewritten: Option<(Node, Node)>,
}

impl<'a> Admitted<'a> {
    fn of(object: &'a Object) -> Option<Self> {
        let pod = Pod::of(object)?;
        let touched = pod
            .annotations()
            .any(|(key, _)| key.starts_with(APP_ARMOR_ANNOTATION))
            || pod.security(&["appArmorProfile"]).is_some()
            || pod.containers().any(|container| {
                value::at(container.node, &["securityContext", "appArmorProfile"]).is_some()
            });
        let rewritten =
            (object.kind == "Pod" && touched && !pod.windows()).then(|| synchronise(&pod));
        Some(Self { pod, rewritten })
    }

    fn pod(&self) -> Pod<'_> {
        let mut pod = self.pod.clone();
        if let Some((metadata, spec)) = &self.rewritten {
            pod.metadata = Some(metadata);
            pod.spec = spec;
        }
        pod
    }
}

fn synchronise(pod: &Pod<'_>) -> (Node, Node) {
    let mut metadata = pod.metadata.cloned().unwrap_or_else(|| map(Vec::new()));
    let mut spec = pod.spec.clone();
    let on_pod = pod.security(&["appArmorProfile"]);
    for container in pod.containers() {
        let key = format!("{APP_ARMOR_ANNOTATION}{}", container.name());
        let on_container = value::at(container.node, &["securityContext", "appArmorProfile"]);
        match (pod.annotation(&key), on_container) {
            (None, on_container) => {
                if let Some(text) = on_container.or(on_pod).and_then(annotation_for) {
                    set(&mut metadata, &["annotations", &key], scalar(&text));
                }
            }
            (Some(text), None) => {
                let profile = profile_for(text)
                    .filter(|profile| on_pod.is_none_or(|other| !same(profile, other)));
                if let Some(profile) = profile
                    && let Some(node) = item(&mut spec, container.list, container.index)
                {
                    set(node, &["securityContext", "appArmorProfile"], profile);
                }
            }
            (Some(_), Some(_)) => {}
        }
    }
    (metadata, spec)
}

fn annotation_for(profile: &Node) -> Option<String> {
    match value::text(profile, &["type"])? {
        "Unconfined" => Some("unconfined".into()),
        "RuntimeDefault" => Some("runtime/default".into()),
        "Localhost" => {
            value::text(profile, &["localhostProfile"]).map(|name| format!("localhost/{name}"))
        }
        _ => None,
    }
}

fn profile_for(annotation: &str) -> Option<Node> {
    let kind = |name: &str| (scalar("type"), scalar(name));
    match annotation {
        "unconfined" => Some(map(vec![kind("Unconfined")])),
        "runtime/default" => Some(map(vec![kind("RuntimeDefault")])),
        _ => annotation
            .strip_prefix("localhost/")
            .filter(|name| !name.is_empty())
            .map(|name| {
                map(vec![
                    kind("Localhost"),
                    (scalar("localhostProfile"), scalar(name)),
                ])
            }),
    }
}

fn same(one: &Node, other: &Node) -> bool {
    ["type", "localhostProfile"]
        .iter()
        .all(|key| value::text(one, &[key]) == value::text(other, &[key]))
}

fn node(kind: Kind) -> Node {
    Node {
        kind,
        span: Span::default(),
        tag: None,
        aliased: false,
    }
}

fn scalar(text: &str) -> Node {
    node(Kind::Scalar(text.to_owned(), Style::DoubleQuoted))
}

fn map(entries: Vec<(Node, Node)>) -> Node {
    node(Kind::Map(entries))
}

fn item<'n>(spec: &'n mut Node, list: &str, index: usize) -> Option<&'n mut Node> {
    let Kind::Map(entries) = &mut spec.kind else {
        return None;
    };
    let (_, list) = entries
        .iter_mut()
        .rev()
        .find(|(key, _)| key.as_str() == Some(list))?;
    match &mut list.kind {
        Kind::Seq(items) => items.get_mut(index),
        _ => None,
    }
}

/// Sets the value at `path`, making the maps on the way.
fn set(root: &mut Node, path: &[&str], value: Node) {
    let Some((first, rest)) = path.split_first() else {
        *root = value;
        return;
    };
    if !matches!(root.kind, Kind::Map(_)) {
        root.kind = Kind::Map(Vec::new());
    }
    let Kind::Map(entries) = &mut root.kind else {
        return;
    };
    let at = entries
        .iter()
        .rposition(|(key, _)| key.as_str() == Some(first));
    let at = at.unwrap_or_else(|| {
        entries.push((scalar(first), map(Vec::new())));
        entries.len() - 1
    });
    set(&mut entries[at].1, rest, value);
}
