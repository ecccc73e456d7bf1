//! A hung program is noticed.
//!
//! # What it ensures
//!
//! Every container of a long-running workload has a `livenessProbe`.
//!
//! # Why
//!
//! Without one a deadlocked program stays in service.
//!
//! # Example
//!
//! ```yaml
//! containers:
//! - name: app
//! ```
//!
//! # Fix
//!
//! Add a probe that fails when the program cannot recover by itself.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::input::long_running;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "liveness-probe",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("liveness_probe.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        if !long_running(workload) {
            continue;
        }
        for (container, _) in workload.containers() {
            if container.list == "containers"
                && value::field(container.node, "livenessProbe").is_none()
            {
                out.push(workload.container_finding(
                    &container,
                    "livenessProbe",
                    "has no liveness probe",
                ));
            }
        }
    }
}
