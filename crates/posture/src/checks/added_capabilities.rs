//! Containers are given no capability beyond the runtime's default.
//!
//! # What it ensures
//!
//! `capabilities.add` lists only capabilities that container runtimes grant anyway.
//!
//! # Why
//!
//! `SYS_ADMIN`, `SYS_PTRACE`, `NET_ADMIN` and their like are keys to the node or to its network.
//!
//! # Example
//!
//! ```yaml
//! securityContext:
//!   capabilities: {add: [SYS_ADMIN]}
//! ```
//!
//! # Fix
//!
//! Remove the capability from `add`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "added-capabilities",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.2.7",
        "cis-k8s-1.12:5.2.9",
        "nsa:capabilities",
    ],
    stops: &[],
    source: include_str!("added_capabilities.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "capabilities_baseline",
        "adds a capability",
        |finding| {
            finding
                .remove()
                .caution("the calls that the capability allowed")
        },
    );
}
