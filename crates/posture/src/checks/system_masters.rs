//! The group system:masters is not used.
//!
//! # What it ensures
//!
//! No binding outside the system names the group `system:masters`.
//!
//! # Why
//!
//! Its members pass every check of RBAC, and removing the binding takes nothing from them.
//!
//! # Example
//!
//! ```yaml
//! subjects: [{kind: Group, name: system:masters}]
//! ```
//!
//! # Fix
//!
//! Bind `cluster-admin` to a group of your own, whose members can be removed.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::of_the_system;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "system-masters",
    severity: Severity::Critical,
    scope: Scope::Rbac,
    maps: &[
        "cis-eks-1.4:4.1.7",
        "cis-eks-1.5:4.1.7",
        "cis-k8s-1.12:5.1.7",
    ],
    stops: &[],
    source: include_str!("system_masters.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for binding in &input.rbac.bindings {
        let object = &input.objects[binding.object];
        if of_the_system(&object.node, &object.name) || object.name == "cluster-admin" {
            continue;
        }
        for (index, subject) in binding.subjects.iter().enumerate() {
            if subject.kind == "Group" && subject.name == "system:masters" {
                out.push(Finding::new(
                    binding.object,
                    format!("subjects[{index}]"),
                    "members of system:masters cannot be limited",
                ));
            }
        }
    }
}
