//! Which workloads a policy is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_rules::ops::glob;

use super::Policy;

/// What is known of a container and where it runs. Unknown texts are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the node.
    pub host: String,
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// `deployment/web`, `daemonset/agent`, `statefulset/db`, `job/backup`, or `pod/NAME`.
    pub workload: String,
    /// Name of the container.
    pub container: String,
    /// Full id of the container.
    pub id: String,
    /// Image as it was asked for.
    pub image: String,
    /// Labels of the pod and of the container.
    pub labels: BTreeMap<String, String>,
}

/// Which workloads. Every list that is given must have one that matches; an empty scope is everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Clusters.
    pub clusters: Vec<String>,
    /// Namespaces.
    pub namespaces: Vec<String>,
    /// Workloads, `KIND/NAME` or only a name.
    pub workloads: Vec<String>,
    /// Images.
    pub images: Vec<String>,
    /// Nodes.
    pub hosts: Vec<String>,
    /// Container names.
    pub containers: Vec<String>,
    /// Label requirements; all must hold.
    pub labels: Vec<Requirement>,
}

/// A requirement on one label, as Kubernetes' selectors have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// `key in (a, b)`, and `key=a`.
    In(String, Vec<String>),
    /// `key notin (a, b)`, and `key!=a`. A missing label satisfies it.
    NotIn(String, Vec<String>),
    /// `key`.
    Exists(String),
    /// `!key`.
    Missing(String),
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Self::Exists(key) => labels.contains_key(key),
            Self::Missing(key) => !labels.contains_key(key),
        }
    }
}

/// Shell pattern: `*` and `?`, case matters.
pub fn like(pattern: &str, text: &str) -> bool {
    glob::matches(pattern.as_bytes(), text.as_bytes(), false)
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| like(pattern, text))
}

impl Scope {
    /// Whether a workload is in it.
    pub fn matches(&self, workload: &Workload) -> bool {
        let name = workload
            .workload
            .split_once('/')
            .map_or("", |(_, name)| name);
        let in_workloads = self.workloads.is_empty()
            || self.workloads.iter().any(|pattern| {
                if pattern.contains('/') {
                    like(pattern, &workload.workload)
                } else {
                    like(pattern, name)
                }
            });
        in_workloads
            && any(&self.clusters, &workload.cluster)
            && any(&self.namespaces, &workload.namespace)
            && any(&self.hosts, &workload.host)
            && any(&self.containers, &workload.container)
            && (self.images.is_empty() || self.images.iter().any(|p| is_image(p, &workload.image)))
            && self
                .labels
                .iter()
                .all(|requirement| requirement.holds(&workload.labels))
    }

    /// True without any condition.
    pub fn is_everywhere(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether an image fits a pattern: in full, without tag and digest, or by what follows the registry.
pub fn is_image(pattern: &str, image: &str) -> bool {
    let without_digest = image.split_once('@').map_or(image, |(name, _)| name);
    let without_tag = match without_digest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => without_digest,
    };
    let short = |name: &str| -> Option<String> {
        let (registry, rest) = name.split_once('/')?;
        let rest = rest.strip_prefix("library/").unwrap_or(rest);
        (registry.contains(['.', ':']) || registry == "localhost").then(|| rest.to_owned())
    };
    [image, without_digest, without_tag]
        .into_iter()
        .any(|name| like(pattern, name) || short(name).is_some_and(|name| like(pattern, &name)))
}

/// The policies that hold for a workload: enabled, in scope, its image not excepted. `now` is in seconds since the Unix
/// epoch.
pub fn for_workload(policies: &[Arc<Policy>], workload: &Workload, now: i64) -> Vec<Arc<Policy>> {
    policies
        .iter()
        .filter(|policy| policy.enabled && policy.scope.matches(workload))
        .filter(|policy| {
            // an exception for an image alone takes the whole policy away
            !policy.exceptions.iter().any(|e| {
                e.path.is_none()
                    && e.process.is_none()
                    && e.holds(now)
                    && e.image
                        .as_ref()
                        .is_some_and(|i| is_image(i, &workload.image))
            })
        })
        .map(|policy| {
            let foreign = |e: &super::Exception| {
                e.image
                    .as_ref()
                    .is_some_and(|pattern| !is_image(pattern, &workload.image))
            };
            if policy.exceptions.iter().any(foreign) {
                // exceptions for other images are none here
                let mut own = Policy::clone(policy);
                own.exceptions.retain(|e| !foreign(e));
                Arc::new(own)
            } else {
                Arc::clone(policy)
            }
        })
        .collect()
}
