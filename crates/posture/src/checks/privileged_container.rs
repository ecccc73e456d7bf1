//! Containers do not run privileged.
//!
//! # What it ensures
//!
//! No container, init container or ephemeral container sets `securityContext.privileged: true`.
//!
//! # Why
//!
//! A privileged container has every capability, every device and no seccomp or AppArmor confinement; leaving it
//! for the node takes one command.
//!
//! # Example
//!
//! ```yaml
//! containers:
//! - name: app
//!   securityContext:
//!     privileged: true
//! ```
//!
//! # Fix
//!
//! Set `privileged: false` and grant the single capability that is needed, if any.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "privileged-container",
    severity: Severity::Critical,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.2.1",
        "cis-eks-1.5:4.2.1",
        "cis-eks-1.7:4.2.1",
        "cis-eks-1.8:4.2.1",
        "cis-k8s-1.12:5.2.2",
        "nsa:privileged",
    ],
    stops: &[4, 5, 6, 7],
    source: include_str!("privileged_container.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            if container.security(&["privileged"]).and_then(value::truth) == Some(true) {
                out.push(
                    workload
                        .container_finding(
                            &container,
                            "securityContext.privileged",
                            "runs privileged",
                        )
                        .set("false")
                        .caution("whatever needs devices, kernel modules or mounts"),
                );
            }
        }
    }
}
