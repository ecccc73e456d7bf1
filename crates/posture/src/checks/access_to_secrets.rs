//! Few may read secrets.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects get, list or watch secrets.
//!
//! # Why
//!
//! Whoever reads the secrets of a namespace has every credential in it, service account tokens of old clusters
//! included; `list` alone shows the contents.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [secrets]
//!   verbs: [get, list]
//! ```
//!
//! # Fix
//!
//! Name the single secret in `resourceNames` and allow `get` only, or mount the secret instead.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-secrets",
    severity: Severity::High,
    scope: Scope::Rbac,
    maps: &[
        "cis-eks-1.4:4.1.2",
        "cis-eks-1.5:4.1.2",
        "cis-eks-1.7:4.1.2",
        "cis-eks-1.8:4.1.2",
        "cis-k8s-1.12:5.1.2",
    ],
    stops: &[6, 7, 8],
    source: include_str!("access_to_secrets.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &[""],
            resources: &["secrets"],
            verbs: &["get", "list", "watch"],
        },
        "may read secrets",
    );
}
