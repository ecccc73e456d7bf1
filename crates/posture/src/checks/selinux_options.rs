//! SELinux labels stay those of containers.
//!
//! # What it ensures
//!
//! `seLinuxOptions` sets no user, no role, and only types made for containers.
//!
//! # Why
//!
//! A type such as `spc_t` or `unconfined_t` lifts the confinement that separates containers from the node.
//!
//! # Example
//!
//! ```yaml
//! securityContext:
//!   seLinuxOptions: {type: spc_t}
//! ```
//!
//! # Fix
//!
//! Remove the option.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "selinux-options",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &["nsa:hardening"],
    stops: &[],
    source: include_str!("selinux_options.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "seLinuxOptions",
        "sets a forbidden SELinux option",
        crate::check::Finding::remove,
    );
}
