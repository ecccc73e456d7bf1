//! Nobody may give themselves more rights.
//!
//! # What it ensures
//!
//! No role outside the system allows `bind` or `escalate` on roles and cluster roles.
//!
//! # Why
//!
//! Both verbs exist to pass the rule that nobody grants what they do not have.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [rbac.authorization.k8s.io]
//!   resources: [clusterroles]
//!   verbs: [bind]
//! ```
//!
//! # Fix
//!
//! Remove the verbs; let an administrator make bindings.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-bind-escalate",
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
    source: include_str!("access_to_bind_escalate.rs"),
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
            verbs: &["bind", "escalate"],
        },
        "may grant more than it has",
    );
}
