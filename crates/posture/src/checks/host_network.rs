//! Pods do not use the node's network.
//!
//! # What it ensures
//!
//! No pod sets `hostNetwork: true`.
//!
//! # Why
//!
//! Such a pod listens on the node's addresses, sees its traffic, reaches the instance metadata service past any
//! hop limit, and no network policy applies to it.
//!
//! # Example
//!
//! ```yaml
//! spec:
//!   hostNetwork: true
//! ```
//!
//! # Fix
//!
//! Remove `hostNetwork`; expose ports by a Service instead.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "host-network",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.2.4",
        "cis-eks-1.5:4.2.4",
        "cis-eks-1.7:4.2.4",
        "cis-eks-1.8:4.2.4",
        "cis-k8s-1.12:5.2.5",
        "nsa:host-network",
    ],
    stops: &[9],
    source: include_str!("host_network.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        if value::flag(workload.pod.spec, &["hostNetwork"]) == Some(true) {
            out.push(
                workload
                    .finding(
                        "hostNetwork",
                        "the pod uses the node's network; network policies do not bind it",
                    )
                    .set("false")
                    .caution("clients that reach the pod by the node's address"),
            );
        }
    }
}
