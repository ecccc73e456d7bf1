//! Few may enter containers.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects create or get `pods/exec` or `pods/attach`.
//!
//! # Why
//!
//! A shell in a container has its files, its environment and its token.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [pods/exec]
//!   verbs: [create]
//! ```
//!
//! # Fix
//!
//! Remove the subresource from the role; grant it for a time when it is needed.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-exec",
    severity: Severity::High,
    scope: Scope::Rbac,
    maps: &["nsa:exec"],
    stops: &[6],
    source: include_str!("access_to_exec.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &[""],
            resources: &["pods/exec", "pods/attach"],
            verbs: &["create", "get"],
        },
        "may enter containers",
    );
}
