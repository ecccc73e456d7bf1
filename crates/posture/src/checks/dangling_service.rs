//! Services choose pods that exist.
//!
//! # What it ensures
//!
//! The selector of every Service chooses a workload of its namespace, when workloads are among the objects.
//!
//! # Why
//!
//! Whoever creates a pod with those labels receives the traffic.
//!
//! # Example
//!
//! ```yaml
//! kind: Service
//! spec: {selector: {app: gone}}
//! ```
//!
//! # Fix
//!
//! Correct the selector or remove the service.

use std::collections::HashMap;

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "dangling-service",
    severity: Severity::Low,
    scope: Scope::Service,
    maps: &[],
    stops: &[],
    source: include_str!("dangling_service.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    let workloads = input.objects.iter().any(vedette_manifest::makes_pods);
    let mut labels: HashMap<&str, Vec<Vec<(&str, &str)>>> = HashMap::new();
    for workload in input.workloads() {
        let home = crate::input::namespace(workload.node);
        labels.entry(home).or_default().push(workload.labels());
    }
    for (index, service) in input.of_kind("Service") {
        let selector: Vec<_> = value::pairs(&service.node, &["spec", "selector"]).collect();
        let external = value::text(&service.node, &["spec", "type"]) == Some("ExternalName");
        if selector.is_empty() || external || !workloads {
            continue;
        }
        let served = labels
            .get(crate::input::namespace(service))
            .is_some_and(|pods| {
                pods.iter()
                    .any(|pod| selector.iter().all(|pair| pod.contains(pair)))
            });
        if !served {
            out.push(Finding::new(
                index,
                "spec.selector",
                "the selector chooses no workload",
            ));
        }
    }
}
