//! A workload's selector chooses its own pods.
//!
//! # What it ensures
//!
//! The labels of the pod template satisfy `spec.selector`.
//!
//! # Why
//!
//! The API server refuses such a workload, or it adopts somebody else's pods.
//!
//! # Example
//!
//! ```yaml
//! spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: b}}}}
//! ```
//!
//! # Fix
//!
//! Make the labels of the template and the selector equal.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::input::selects;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "mismatching-selector",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("mismatching_selector.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        let base = match workload.node.kind.as_str() {
            "Pod" | "PodTemplate" => continue,
            "CronJob" => "spec.jobTemplate.spec.selector",
            _ => "spec.selector",
        };
        let (selector, found) = value::resolve(&workload.node.node, base);
        if !found || selector.is_null() {
            continue;
        }
        let labels = workload.labels();
        let plain = matches!(
            workload.node.kind.as_str(),
            "ReplicationController" | "DeploymentConfig"
        );
        let get = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
        if plain {
            if value::pairs(selector, &[]).any(|(key, wanted)| get(key) != Some(wanted)) {
                out.push(Finding::new(
                    workload.object,
                    base,
                    "the selector does not choose the template's labels",
                ));
            }
            continue;
        }
        let mut part = |key: &str| {
            out.push(Finding::new(
                workload.object,
                format!("{base}.{key}"),
                "the selector does not choose the template's labels",
            ));
        };
        if value::pairs(selector, &["matchLabels"]).any(|(key, wanted)| get(key) != Some(wanted)) {
            part("matchLabels");
        } else if !selects(selector, &labels) {
            part("matchExpressions");
        }
    }
}
