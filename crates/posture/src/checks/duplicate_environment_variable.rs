//! Environment variables are set once.
//!
//! # What it ensures
//!
//! No container names one environment variable twice.
//!
//! # Why
//!
//! The last one wins silently; a reviewer reads the first.
//!
//! # Example
//!
//! ```yaml
//! env: [{name: A, value: x}, {name: A, value: y}]
//! ```
//!
//! # Fix
//!
//! Remove the entry that is not meant.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "duplicate-environment-variable",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("duplicate_environment_variable.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            let names: Vec<&str> = value::list(container.node, &["env"])
                .iter()
                .map(|variable| value::text(variable, &["name"]).unwrap_or_default())
                .collect();
            for (index, name) in names.iter().enumerate() {
                if !name.is_empty() && names.iter().filter(|other| *other == name).count() > 1 {
                    let field = format!("env[{index}].name");
                    out.push(workload.container_finding(
                        &container,
                        &field,
                        "sets this variable more than once",
                    ));
                }
            }
        }
    }
}
