//! Which part of a workload becomes its pods.

use vedette_yaml::Node;

use crate::Object;

/// The pod that an object is, or makes.
#[derive(Clone, Debug)]
pub struct PodPart<'a> {
    /// Path of the pod's own `metadata` and `spec` in the object: empty for a Pod, else such as `spec.template`.
    pub prefix: &'static [&'static str],
    /// `metadata` of the pod (labels, annotations), when given.
    pub metadata: Option<&'a Node>,
    /// `spec` of the pod.
    pub spec: &'a Node,
}

/// Where each kind that makes pods keeps its template. Source: the Kubernetes API reference, workload resources.
const TEMPLATES: &[(&str, &str, &[&str])] = &[
    ("", "Pod", &[]),
    ("", "PodTemplate", &["template"]),
    ("", "ReplicationController", &["spec", "template"]),
    ("apps", "DaemonSet", &["spec", "template"]),
    ("apps", "Deployment", &["spec", "template"]),
    ("apps", "ReplicaSet", &["spec", "template"]),
    ("apps", "StatefulSet", &["spec", "template"]),
    (
        "apps.openshift.io",
        "DeploymentConfig",
        &["spec", "template"],
    ),
    (
        "batch",
        "CronJob",
        &["spec", "jobTemplate", "spec", "template"],
    ),
    ("batch", "Job", &["spec", "template"]),
];

/// The pod part of `object`; `None` when it makes no pods or its template has no `spec`.
/// Groups of long ago (`extensions`) count as the group that took their kinds over, and an object that says no
/// group (or writes `v1` for a Deployment) is judged by its kind.
pub fn pod_part(object: &Object) -> Option<PodPart<'_>> {
    let prefix = template(object)?;
    let template = object.at(prefix)?;
    Some(PodPart {
        prefix,
        metadata: template.get("metadata"),
        spec: template.get("spec")?,
    })
}

/// Whether `object` is of a kind that is or makes pods, even when its template is missing.
pub fn makes_pods(object: &Object) -> bool {
    template(object).is_some()
}

/// Where the kind of `object` keeps its template.
fn template(object: &Object) -> Option<&'static [&'static str]> {
    let group = match object.group() {
        "extensions" => "apps",
        group => group,
    };
    TEMPLATES
        .iter()
        .find(|(g, kind, _)| (*g == group || group.is_empty()) && *kind == object.kind)
        .map(|(_, _, prefix)| *prefix)
}
