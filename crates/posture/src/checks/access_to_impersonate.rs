//! Nobody may act as somebody else.
//!
//! # What it ensures
//!
//! No role outside the system allows `impersonate` on users, groups or service accounts.
//!
//! # Why
//!
//! Impersonating `system:masters` is being the administrator.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [users]
//!   verbs: [impersonate]
//! ```
//!
//! # Fix
//!
//! Remove the verb, or name the single identity in `resourceNames`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-impersonate",
    severity: Severity::Critical,
    scope: Scope::Rbac,
    maps: &[
        "cis-eks-1.4:4.1.8",
        "cis-eks-1.5:4.1.8",
        "cis-eks-1.7:4.1.8",
        "cis-eks-1.8:4.1.8",
        "cis-k8s-1.12:5.1.8",
    ],
    stops: &[],
    source: include_str!("access_to_impersonate.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &["", "authentication.k8s.io"],
            resources: &["users", "groups", "serviceaccounts", "uids", "userextras"],
            verbs: &["impersonate"],
        },
        "may act as somebody else",
    );
}
