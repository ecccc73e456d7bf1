//! Nobody may wipe logs away.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects delete `pods/log`.
//!
//! # Why
//!
//! Logs are evidence.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [pods/log]
//!   verbs: [delete]
//! ```
//!
//! # Fix
//!
//! Remove the verb.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-delete-logs",
    severity: Severity::Medium,
    scope: Scope::Rbac,
    maps: &[],
    stops: &[],
    source: include_str!("access_to_delete_logs.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &[""],
            resources: &["pods/log"],
            verbs: &["delete", "deletecollection"],
        },
        "may delete logs",
    );
}
