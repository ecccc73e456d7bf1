//! Few may change secrets.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects create, change or delete secrets.
//!
//! # Why
//!
//! A changed secret is a credential of the attacker’s choosing; a created one of type service account token hands
//! out that account.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [secrets]
//!   verbs: [update]
//! ```
//!
//! # Fix
//!
//! Name the single secret in `resourceNames`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-change-secrets",
    severity: Severity::High,
    scope: Scope::Rbac,
    maps: &[],
    stops: &[],
    source: include_str!("access_to_change_secrets.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &[""],
            resources: &["secrets"],
            verbs: &["create", "update", "patch", "delete", "deletecollection"],
        },
        "may change secrets",
    );
}
