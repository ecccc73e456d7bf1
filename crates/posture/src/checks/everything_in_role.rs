//! No role allows everything.
//!
//! # What it ensures
//!
//! No rule of a role outside the system has `*` for API groups, resources and verbs together.
//!
//! # Why
//!
//! Whoever has such a role in a namespace owns every workload and secret of it.
//!
//! # Example
//!
//! ```yaml
//! rules:
//! - apiGroups: ["*"]
//!   resources: ["*"]
//!   verbs: ["*"]
//! ```
//!
//! # Fix
//!
//! List the groups, resources and verbs that are used.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{grants, of_the_system};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "everything-in-role",
    severity: Severity::Critical,
    scope: Scope::Rbac,
    maps: &[
        "cis-eks-1.4:4.1.3",
        "cis-eks-1.5:4.1.3",
        "cis-eks-1.7:4.1.3",
        "cis-eks-1.8:4.1.3",
        "cis-k8s-1.12:5.1.3",
    ],
    stops: &[8],
    source: include_str!("everything_in_role.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for role in &input.rbac.roles {
        let object = &input.objects[role.object];
        if of_the_system(&object.node, &object.name) {
            continue;
        }
        for rule in role.rules.iter().filter(|rule| rule.object == role.object) {
            if rule.everything() {
                let path = |key: &str| format!("{}.{key}", rule.path);
                let mut finding = Finding::new(
                    role.object,
                    path("verbs"),
                    "the rule allows everything on everything",
                )
                .also(path("resources"))
                .also(path("apiGroups"));
                finding.grants = grants(input, role);
                out.push(finding);
            }
        }
    }
}
