//! The retired ingress-nginx controller is not in use.
//!
//! # What it ensures
//!
//! No image is the community's ingress-nginx controller.
//!
//! # Why
//!
//! It gets no security fixes since March 2026, and its flaws (CVE-2025-1974) give the cluster's secrets away.
//!
//! # Example
//!
//! ```yaml
//! image: registry.k8s.io/ingress-nginx/controller:v1.11.0
//! ```
//!
//! # Fix
//!
//! Move to the Gateway API or another maintained controller.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "nginx-ingress-end-of-life",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("nginx_ingress_end_of_life.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            let image = value::text(container.node, &["image"]).unwrap_or_default();
            if image.contains("ingress-nginx/controller")
                || image.contains("nginx-ingress-controller")
            {
                out.push(workload.container_finding(
                    &container,
                    "image",
                    "is the retired ingress-nginx controller",
                ));
            }
        }
    }
}
