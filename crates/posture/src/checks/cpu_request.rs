//! CPU need is declared.
//!
//! # What it ensures
//!
//! Every container sets `resources.requests.cpu`, or a limit that stands in for it.
//!
//! # Why
//!
//! The scheduler packs pods by their requests; without one a pod starves first.
//!
//! # Example
//!
//! ```yaml
//! resources: {}
//! ```
//!
//! # Fix
//!
//! Set `resources.requests.cpu` from measured use.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::resources::missing;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "cpu-request",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("cpu_request.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    missing(
        input,
        out,
        &["resources", "requests", "cpu"],
        "declares no CPU need",
    );
}
