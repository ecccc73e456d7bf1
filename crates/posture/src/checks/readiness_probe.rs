//! Traffic waits until a program is ready.
//!
//! # What it ensures
//!
//! Every container of a long-running workload has a `readinessProbe`.
//!
//! # Why
//!
//! Without one clients are sent to a program that is still starting.
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
//! Add a probe that passes when the program can serve.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::input::long_running;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "readiness-probe",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("readiness_probe.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        if !long_running(workload) {
            continue;
        }
        for (container, _) in workload.containers() {
            if container.list == "containers"
                && value::field(container.node, "readinessProbe").is_none()
            {
                out.push(workload.container_finding(
                    &container,
                    "readinessProbe",
                    "has no readiness probe",
                ));
            }
        }
    }
}
