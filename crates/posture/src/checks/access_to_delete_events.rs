//! Nobody may wipe events away.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects delete events.
//!
//! # Why
//!
//! Events tell what happened; an intruder deletes them first.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [events]
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
    id: "access-to-delete-events",
    severity: Severity::Medium,
    scope: Scope::Rbac,
    maps: &[],
    stops: &[],
    source: include_str!("access_to_delete_events.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &["", "events.k8s.io"],
            resources: &["events"],
            verbs: &["delete", "deletecollection"],
        },
        "may delete events",
    );
}
