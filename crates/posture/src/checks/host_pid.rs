//! Pods do not share the process namespace of the node.
//!
//! # What it ensures
//!
//! No pod sets `hostPID: true`.
//!
//! # Why
//!
//! A container that sees the node's processes can read their environment and, with privileges, enter their
//! namespaces: `nsenter --target 1` is a shell on the node.
//!
//! # Example
//!
//! ```yaml
//! spec:
//!   hostPID: true
//! ```
//!
//! # Fix
//!
//! Remove `hostPID` or set it to false. Agents that must see host processes belong in a namespace of their own.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "host-pid",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.2.2",
        "cis-eks-1.5:4.2.2",
        "cis-eks-1.7:4.2.2",
        "cis-eks-1.8:4.2.2",
        "cis-k8s-1.12:5.2.3",
        "nsa:host-namespaces",
    ],
    stops: &[4, 5, 6, 7],
    source: include_str!("host_pid.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        if value::flag(workload.pod.spec, &["hostPID"]) == Some(true) {
            out.push(
                workload
                    .finding("hostPID", "the pod sees every process of the node")
                    .set("false")
                    .caution("debuggers and node agents that look at host processes"),
            );
        }
    }
}
