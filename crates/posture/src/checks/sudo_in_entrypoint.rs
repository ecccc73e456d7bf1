//! Containers do not start by sudo.
//!
//! # What it ensures
//!
//! No `command` of a container contains `sudo`.
//!
//! # Why
//!
//! It needs root and privilege escalation, the two things a hardened container gives up.
//!
//! # Example
//!
//! ```yaml
//! command: [sudo, app]
//! ```
//!
//! # Fix
//!
//! Run the program as its own user.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "sudo-in-entrypoint",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("sudo_in_entrypoint.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            for (index, word) in value::list(container.node, &["command"]).iter().enumerate() {
                let found = word.as_str().is_some_and(|text| {
                    text.split(|c: char| !c.is_ascii_alphanumeric())
                        .any(|part| part == "sudo")
                });
                if found {
                    let field = format!("command[{index}]");
                    out.push(workload.container_finding(
                        &container,
                        &field,
                        "starts its program by sudo",
                    ));
                }
            }
        }
    }
}
