//! Memory need is declared.
//!
//! # What it ensures
//!
//! Every container sets `resources.requests.memory`.
//!
//! # Why
//!
//! A pod without a request is the first to be evicted when memory runs short.
//!
//! # Example
//!
//! ```yaml
//! resources: {}
//! ```
//!
//! # Fix
//!
//! Set `resources.requests.memory` from measured use.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::resources::missing;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "memory-request",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("memory_request.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    missing(
        input,
        out,
        &["resources", "requests", "memory"],
        "declares no memory need",
    );
}
