//! Few may make tokens of service accounts.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects create `serviceaccounts/token`.
//!
//! # Why
//!
//! A token is the service account; one call takes over all its rights.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [serviceaccounts/token]
//!   verbs: [create]
//! ```
//!
//! # Fix
//!
//! Remove the subresource, or name the single account in `resourceNames`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-create-tokens",
    severity: Severity::High,
    scope: Scope::Rbac,
    maps: &["cis-eks-1.8:4.1.12", "cis-k8s-1.12:5.1.13"],
    stops: &[8],
    source: include_str!("access_to_create_tokens.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &[""],
            resources: &["serviceaccounts/token"],
            verbs: &["create"],
        },
        "may make tokens of service accounts",
    );
}
