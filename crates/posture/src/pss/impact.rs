//! "What breaks when I label this namespace so?": the workloads that would be refused, and where they show it.

use vedette_manifest::Object;

use super::admission::{Policy, refusal};
use super::{Pod, Violation, evaluate};
use crate::value;

/// An object that would no longer run under the policy.
#[derive(Clone, Debug)]
pub struct Refused<'a> {
    /// The pod or workload.
    pub object: &'a Object,
    /// Each violated check with the fields to change.
    pub violations: Vec<Violation>,
    /// What the API server answers, and to whom: the client for a pod, the controller for a workload.
    pub message: String,
    /// Where a person would see the failure.
    pub symptom: String,
}

/// What labelling does.
#[derive(Clone, Debug, Default)]
pub struct Impact<'a> {
    /// How many pods and workloads were looked at.
    pub considered: usize,
    /// Those that would be refused.
    pub refused: Vec<Refused<'a>>,
    /// The warnings that `kubectl label namespace` would print about pods that already run.
    pub label_warnings: Vec<String>,
}

/// Evaluates every pod and workload of `objects` in `namespace` (all when `None`) under an enforce `policy`.
pub fn impact<'a>(objects: &'a [Object], namespace: Option<&str>, policy: &Policy) -> Impact<'a> {
    let mut out = Impact::default();
    let mut running: Vec<(String, &str)> = Vec::new();
    for object in objects {
        let home = object.namespace.as_deref().unwrap_or("default");
        if namespace.is_some_and(|wanted| wanted != home) {
            continue;
        }
        let Some(pod) = Pod::of(object) else { continue };
        out.considered += 1;
        let verdict = evaluate(&pod, policy.level, policy.version);
        if verdict.allowed() {
            continue;
        }
        if object.kind == "Pod" && value::at(&object.node, &["status"]).is_some() {
            running.push((verdict.reason(), &object.name));
        }
        let (name, symptom) = symptom(object);
        out.refused.push(Refused {
            object,
            message: refusal(&name, policy, &verdict),
            symptom,
            violations: verdict.violations,
        });
    }
    out.label_warnings = label_warnings(running, namespace, policy);
    out
}

/// The name that the refused pod would bear, and where the refusal shows.
fn symptom(object: &Object) -> (String, String) {
    let name = &object.name;
    let silent = |controller: &str| {
        format!(
            "{} {name} is accepted with a warning; no pod starts, and only the events of {controller} say why \
             (reason FailedCreate)",
            object.kind
        )
    };
    match object.kind.as_str() {
        "Pod" => (
            name.clone(),
            "creating or recreating the pod is refused; a pod that already runs goes on until it is replaced"
                .to_owned(),
        ),
        "Deployment" => (
            format!("{name}-"),
            silent(&format!("its ReplicaSet {name}-…")),
        ),
        "CronJob" => (format!("{name}-"), silent(&format!("its Job {name}-…"))),
        "StatefulSet" => (format!("{name}-0"), silent("the StatefulSet itself")),
        "PodTemplate" => (
            name.clone(),
            "the template is accepted with a warning; whoever makes pods of it is refused".to_owned(),
        ),
        kind => (format!("{name}-"), silent(&format!("the {kind} itself"))),
    }
}

/// Upstream's warnings about existing pods: one line per set of reasons, counted.
fn label_warnings(
    mut running: Vec<(String, &str)>,
    namespace: Option<&str>,
    policy: &Policy,
) -> Vec<String> {
    if running.is_empty() {
        return Vec::new();
    }
    running.sort_unstable();
    let mut out = vec![format!(
        "existing pods in namespace {:?} violate the new PodSecurity enforce level \"{policy}\"",
        namespace.unwrap_or("default")
    )];
    for group in running.chunk_by(|a, b| a.0 == b.0) {
        let (reason, first) = &group[0];
        out.push(match group.len() {
            1 => format!("{first}: {reason}"),
            2 => format!("{first} (and 1 other pod): {reason}"),
            more => format!("{first} (and {} other pods): {reason}", more - 1),
        });
    }
    out
}
