//! Few may delete workloads, secrets and volumes.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects delete pods, workloads, services, secrets or volumes.
//!
//! # Why
//!
//! One call in the wrong hands is an outage.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [pods]
//!   verbs: [delete]
//! ```
//!
//! # Fix
//!
//! Grant it to the deployment tool only.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-delete-workloads",
    severity: Severity::Medium,
    scope: Scope::Rbac,
    maps: &[],
    stops: &[],
    source: include_str!("access_to_delete_workloads.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &["", "apps", "batch", "extensions"],
            resources: &[
                "secrets",
                "pods",
                "services",
                "deployments",
                "replicasets",
                "daemonsets",
                "statefulsets",
                "jobs",
                "cronjobs",
            ],
            verbs: &["delete", "deletecollection"],
        },
        "may delete workloads or secrets",
    );
}
