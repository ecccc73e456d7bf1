//! Few may create persistent volumes.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects create persistent volumes.
//!
//! # Why
//!
//! A persistent volume may be a directory of a node; no Pod Security level looks into it.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [persistentvolumes]
//!   verbs: [create]
//! ```
//!
//! # Fix
//!
//! Use claims and a storage class; leave volumes to the provisioner.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-create-persistent-volumes",
    severity: Severity::High,
    scope: Scope::Rbac,
    maps: &["cis-eks-1.8:4.1.9", "cis-k8s-1.12:5.1.9"],
    stops: &[],
    source: include_str!("access_to_create_persistent_volumes.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &[""],
            resources: &["persistentvolumes"],
            verbs: &["create"],
        },
        "may create persistent volumes",
    );
}
