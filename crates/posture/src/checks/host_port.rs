//! Containers do not open ports of the node.
//!
//! # What it ensures
//!
//! No container port sets `hostPort`.
//!
//! # Why
//!
//! A host port bypasses Services and often network policies, and ties the pod to nodes where the port is free.
//!
//! # Example
//!
//! ```yaml
//! ports:
//! - containerPort: 80
//!   hostPort: 80
//! ```
//!
//! # Fix
//!
//! Remove `hostPort` and use a Service.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "host-port",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &["cis-k8s-1.12:5.2.13", "nsa:host-port"],
    stops: &[],
    source: include_str!("host_port.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "hostPorts",
        "opens a port of the node",
        |finding| {
            finding
                .remove()
                .caution("clients that reach the pod by the node's address")
        },
    );
}
