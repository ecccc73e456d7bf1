//! Few are administrators of the cluster.
//!
//! # What it ensures
//!
//! No binding outside the system gives `cluster-admin`, or a role that allows everything on everything.
//!
//! # Why
//!
//! There is nothing such a subject cannot do, and no audit rule that stands out when its token is stolen.
//!
//! # Example
//!
//! ```yaml
//! roleRef: {kind: ClusterRole, name: cluster-admin}
//! ```
//!
//! # Fix
//!
//! Give a role with the verbs and resources that are used; the audit log shows which.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{grant, names, of_the_system};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "cluster-admin-binding",
    severity: Severity::Critical,
    scope: Scope::Rbac,
    maps: &[
        "cis-eks-1.4:4.1.1",
        "cis-eks-1.5:4.1.1",
        "cis-eks-1.7:4.1.1",
        "cis-eks-1.8:4.1.1",
        "cis-k8s-1.12:5.1.1",
    ],
    stops: &[8],
    source: include_str!("cluster_admin_binding.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for binding in &input.rbac.bindings {
        let object = &input.objects[binding.object];
        if of_the_system(&object.node, &object.name) {
            continue;
        }
        let everything = input
            .rbac
            .role_of(binding)
            .is_some_and(|role| role.rules.iter().any(crate::rbac::Rule::everything));
        if (binding.role_kind == "ClusterRole" && binding.role == "cluster-admin") || everything {
            let mut finding = Finding::new(
                binding.object,
                "roleRef.name",
                format!(
                    "{} gives everything to {}",
                    binding.role,
                    names(&binding.subjects)
                ),
            );
            for (index, subject) in binding.subjects.iter().enumerate() {
                finding = finding.also(format!("subjects[{index}]"));
                finding.grants.push(grant(binding.object, index, subject));
            }
            out.push(finding);
        }
    }
}
