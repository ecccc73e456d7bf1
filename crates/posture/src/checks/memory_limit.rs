//! Memory use is limited.
//!
//! # What it ensures
//!
//! Every container sets `resources.limits.memory`.
//!
//! # Why
//!
//! Without a limit one container can bring the node down and evict its neighbours.
//!
//! # Example
//!
//! ```yaml
//! resources: {}
//! ```
//!
//! # Fix
//!
//! Set `resources.limits.memory` from measured use.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::resources::missing;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "memory-limit",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[],
    stops: &[10],
    source: include_str!("memory_limit.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    missing(
        input,
        out,
        &["resources", "limits", "memory"],
        "has no memory limit",
    );
}
