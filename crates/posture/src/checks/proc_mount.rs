//! The masks over /proc stay in place.
//!
//! # What it ensures
//!
//! No container sets `procMount` to anything but `Default`.
//!
//! # Why
//!
//! Unmasked, `/proc` gives kernel settings and keys to the container.
//!
//! # Example
//!
//! ```yaml
//! securityContext:
//!   procMount: Unmasked
//! ```
//!
//! # Fix
//!
//! Set `procMount: Default` or remove it.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "proc-mount",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("proc_mount.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "procMount_restricted",
        "lifts the masks over /proc",
        |finding| finding.set("Default"),
    );
}
