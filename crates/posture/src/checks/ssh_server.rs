//! Containers run no SSH server.
//!
//! # What it ensures
//!
//! No container opens port 22 or 2222.
//!
//! # Why
//!
//! A second way in, with its own keys and without the cluster's audit log.
//!
//! # Example
//!
//! ```yaml
//! ports: [{containerPort: 22}]
//! ```
//!
//! # Fix
//!
//! Use `kubectl exec`, which is authenticated and audited.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "ssh-server",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("ssh_server.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            for (index, port) in value::list(container.node, &["ports"]).iter().enumerate() {
                let number = value::int(port, &["containerPort"]);
                let tcp = value::text(port, &["protocol"]).is_none_or(|protocol| protocol == "TCP");
                if tcp && matches!(number, Some(22 | 2222)) {
                    let field = format!("ports[{index}].containerPort");
                    out.push(workload.container_finding(&container, &field, "opens a port of SSH"));
                }
            }
        }
    }
}
