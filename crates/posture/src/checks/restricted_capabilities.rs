//! Capabilities are those of the restricted standard.
//!
//! # What it ensures
//!
//! Every container drops `ALL` and adds at most `NET_BIND_SERVICE`.
//!
//! # Why
//!
//! The restricted level refuses anything else, and programs that run as an ordinary user need nothing else.
//!
//! # Example
//!
//! ```yaml
//! securityContext:
//!   capabilities: {drop: [ALL], add: [CHOWN]}
//! ```
//!
//! # Fix
//!
//! Drop `ALL` and take every other capability out of `add`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "restricted-capabilities",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("restricted_capabilities.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "capabilities_restricted",
        "has capabilities that the restricted standard forbids",
        |finding| {
            if finding.path().rsplit('.').next() == Some("drop") {
                finding
                    .set("[ALL]")
                    .caution("root programs that change owners or users, and ports below 1024")
            } else {
                finding
                    .remove()
                    .caution("the calls that the capability allowed")
            }
        },
    );
}
