//! Windows containers do not run as host processes.
//!
//! # What it ensures
//!
//! `windowsOptions.hostProcess` is not true anywhere.
//!
//! # Why
//!
//! A host process container is a program on the node.
//!
//! # Example
//!
//! ```yaml
//! securityContext:
//!   windowsOptions: {hostProcess: true}
//! ```
//!
//! # Fix
//!
//! Set it to false.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "windows-host-process",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &["cis-k8s-1.12:5.2.11"],
    stops: &[],
    source: include_str!("windows_host_process.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "windowsHostProcess",
        "runs as a process of the host",
        |finding| finding.set("false"),
    );
}
