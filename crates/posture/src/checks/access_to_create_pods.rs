//! Few may create pods.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects create pods.
//!
//! # Why
//!
//! A pod can mount every secret of its namespace, run as any of its service accounts and, where admission allows
//! it, become root on the node.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [pods]
//!   verbs: [create]
//! ```
//!
//! # Fix
//!
//! Let a deployment tool create workloads, and keep people to reading.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-create-pods",
    severity: Severity::High,
    scope: Scope::Rbac,
    maps: &[
        "cis-eks-1.4:4.1.4",
        "cis-eks-1.5:4.1.4",
        "cis-eks-1.7:4.1.4",
        "cis-eks-1.8:4.1.4",
        "cis-k8s-1.12:5.1.4",
    ],
    stops: &[8],
    source: include_str!("access_to_create_pods.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &[""],
            resources: &["pods"],
            verbs: &["create"],
        },
        "may create pods",
    );
}
