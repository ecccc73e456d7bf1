//! Services are exposed on purpose.
//!
//! # What it ensures
//!
//! No Service is of type NodePort or LoadBalancer, or lists external addresses.
//!
//! # Why
//!
//! A node port is open on every node; external addresses let one namespace catch another's traffic
//! (CVE-2020-8554).
//!
//! # Example
//!
//! ```yaml
//! kind: Service
//! spec: {type: NodePort}
//! ```
//!
//! # Fix
//!
//! Use ClusterIP behind an ingress, and except the few services that must be reachable.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "exposed-service",
    severity: Severity::Medium,
    scope: Scope::Service,
    maps: &[],
    stops: &[],
    source: include_str!("exposed_service.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for (index, service) in input.of_kind("Service") {
        let kind = value::text(&service.node, &["spec", "type"]).unwrap_or("ClusterIP");
        if matches!(kind, "NodePort" | "LoadBalancer") {
            out.push(Finding::new(
                index,
                "spec.type",
                format!("the service is exposed by a {kind}"),
            ));
        }
        if !value::list(&service.node, &["spec", "externalIPs"]).is_empty() {
            out.push(Finding::new(
                index,
                "spec.externalIPs",
                "the service catches traffic of external addresses",
            ));
        }
    }
}
