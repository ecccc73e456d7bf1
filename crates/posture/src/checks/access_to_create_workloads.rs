//! Few may create workloads.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects create or change deployments, daemon sets, stateful sets, jobs
//! and their like.
//!
//! # Why
//!
//! A workload is a pod made by a controller; who may create one has what who may create pods has.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [apps]
//!   resources: [deployments]
//!   verbs: [create]
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
    id: "access-to-create-workloads",
    severity: Severity::Medium,
    scope: Scope::Rbac,
    maps: &[],
    stops: &[8],
    source: include_str!("access_to_create_workloads.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &["apps", "batch"],
            resources: &[
                "deployments",
                "daemonsets",
                "statefulsets",
                "replicasets",
                "jobs",
                "cronjobs",
            ],
            verbs: &["create", "update", "patch"],
        },
        "may create workloads",
    );
}
