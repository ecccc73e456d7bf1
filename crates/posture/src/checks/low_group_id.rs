//! Group ids do not meet those of the node.
//!
//! # What it ensures
//!
//! Every container's `runAsGroup`, its own or its pod's, is above 10000.
//!
//! # Why
//!
//! A low id is often a real group of the node, such as `disk` or `docker`.
//!
//! # Example
//!
//! ```yaml
//! securityContext: {runAsGroup: 0}
//! ```
//!
//! # Fix
//!
//! Choose an id above 10000.

use crate::check::{Check, Findings, Scope, Severity};
use crate::identity::high_ids;
use crate::input::Input;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "low-group-id",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("low_group_id.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    high_ids(input, out, "runAsGroup", "group");
}
