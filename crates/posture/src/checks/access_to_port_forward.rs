//! Few may forward ports into pods.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects create `pods/portforward`.
//!
//! # Why
//!
//! A forwarded port passes by every network policy.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [pods/portforward]
//!   verbs: [create]
//! ```
//!
//! # Fix
//!
//! Remove the subresource from the role.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-port-forward",
    severity: Severity::Medium,
    scope: Scope::Rbac,
    maps: &[],
    stops: &[],
    source: include_str!("access_to_port_forward.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &[""],
            resources: &["pods/portforward"],
            verbs: &["create", "get"],
        },
        "may forward ports into pods",
    );
}
