//! Few may change configuration.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects create, change or delete config maps.
//!
//! # Why
//!
//! Config maps steer DNS (`coredns`), AWS access (`aws-auth`) and programs; changing one changes what they do.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [configmaps]
//!   verbs: [update]
//! ```
//!
//! # Fix
//!
//! Name the single config map in `resourceNames`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-change-config-maps",
    severity: Severity::Medium,
    scope: Scope::Rbac,
    maps: &[],
    stops: &[],
    source: include_str!("access_to_change_config_maps.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &[""],
            resources: &["configmaps"],
            verbs: &[
                "create",
                "update",
                "patch",
                "delete",
                "deletecollection",
                "impersonate",
            ],
        },
        "may change configuration",
    );
}
