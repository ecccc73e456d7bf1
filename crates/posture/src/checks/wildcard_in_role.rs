//! Roles say what they allow.
//!
//! # What it ensures
//!
//! No rule of a role outside the system has `*` among its resources or verbs.
//!
//! # Why
//!
//! A star allows what exists today and whatever is added tomorrow: subresources, new verbs, custom resources.
//!
//! # Example
//!
//! ```yaml
//! rules:
//! - apiGroups: [""]
//!   resources: ["*"]
//!   verbs: ["*"]
//! ```
//!
//! # Fix
//!
//! List the resources and verbs that are used.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{grants, of_the_system};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "wildcard-in-role",
    severity: Severity::High,
    scope: Scope::Rbac,
    maps: &[
        "cis-eks-1.4:4.1.3",
        "cis-eks-1.5:4.1.3",
        "cis-eks-1.7:4.1.3",
        "cis-eks-1.8:4.1.3",
        "cis-k8s-1.12:5.1.3",
    ],
    stops: &[8],
    source: include_str!("wildcard_in_role.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for role in &input.rbac.roles {
        let object = &input.objects[role.object];
        if of_the_system(&object.node, &object.name) {
            continue;
        }
        for rule in role.rules.iter().filter(|rule| rule.object == role.object) {
            let mut paths = Vec::new();
            for key in ["resources", "verbs", "apiGroups"] {
                let stars = rule.matching(key, |text| text == "*");
                if key == "apiGroups" && paths.is_empty() {
                    break;
                }
                paths.extend(
                    stars
                        .into_iter()
                        .map(|index| format!("{}.{key}[{index}]", rule.path)),
                );
            }
            let mut paths = paths.into_iter();
            let Some(first) = paths.next() else { continue };
            let mut finding = Finding::new(role.object, first, "the rule allows more than it says");
            finding.paths.extend(paths);
            finding.grants = grants(input, role);
            out.push(finding);
        }
    }
}
