//! CPU use is limited.
//!
//! # What it ensures
//!
//! Every container sets `resources.limits.cpu`.
//!
//! # Why
//!
//! Without a limit one container, such as a miner, takes the node's processors from all others.
//!
//! # Example
//!
//! ```yaml
//! resources: {}
//! ```
//!
//! # Fix
//!
//! Set `resources.limits.cpu` from measured use.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::resources::missing;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "cpu-limit",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[10],
    source: include_str!("cpu_limit.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    missing(
        input,
        out,
        &["resources", "limits", "cpu"],
        "has no CPU limit",
    );
}
