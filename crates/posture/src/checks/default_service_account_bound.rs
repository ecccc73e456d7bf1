//! The default service account is given no role.
//!
//! # What it ensures
//!
//! No binding names a service account `default`.
//!
//! # Why
//!
//! Every pod that names no account has the role, the web server next door included.
//!
//! # Example
//!
//! ```yaml
//! kind: RoleBinding
//! subjects: [{kind: ServiceAccount, name: default}]
//! ```
//!
//! # Fix
//!
//! Bind the role to an account of its own and let the one workload that needs it run as that account.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::of_the_system;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "default-service-account-bound",
    severity: Severity::High,
    scope: Scope::Rbac,
    maps: &[
        "cis-eks-1.4:5.2.1",
        "cis-eks-1.4:4.1.5",
        "cis-eks-1.5:4.1.5",
        "cis-eks-1.5:5.2.1",
        "cis-eks-1.7:4.1.5",
        "cis-eks-1.7:5.2.1",
        "cis-eks-1.8:4.1.5",
        "cis-eks-1.8:5.2.1",
        "cis-k8s-1.12:5.1.5",
    ],
    stops: &[8],
    source: include_str!("default_service_account_bound.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for binding in &input.rbac.bindings {
        let object = &input.objects[binding.object];
        if of_the_system(&object.node, &object.name) {
            continue;
        }
        for (index, subject) in binding.subjects.iter().enumerate() {
            if subject.kind == "ServiceAccount" && subject.name == "default" {
                let namespace = subject.namespace.unwrap_or("?");
                out.push(Finding::new(
                    binding.object,
                    format!("subjects[{index}]"),
                    format!("every pod of namespace {namespace} without an account of its own has {} {}", binding.role_kind, binding.role),
                ));
            }
        }
    }
}
