//! Few may change roles and bindings.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects create, change or delete roles or bindings.
//!
//! # Why
//!
//! The API server stops direct escalation only; a binding to an existing strong role needs nothing more.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [rbac.authorization.k8s.io]
//!   resources: [rolebindings]
//!   verbs: [create]
//! ```
//!
//! # Fix
//!
//! Keep the rights of people and tools in version control and let one pipeline apply them.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-change-rbac",
    severity: Severity::High,
    scope: Scope::Rbac,
    maps: &[],
    stops: &[],
    source: include_str!("access_to_change_rbac.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &["rbac.authorization.k8s.io"],
            resources: &[
                "roles",
                "clusterroles",
                "rolebindings",
                "clusterrolebindings",
            ],
            verbs: &["create", "update", "patch", "delete", "deletecollection"],
        },
        "may change who may do what",
    );
}
