//! Few may change admission webhooks.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects create, change or delete webhook configurations.
//!
//! # Why
//!
//! A mutating webhook sees and rewrites every object; deleting a validating one takes the guard away.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [admissionregistration.k8s.io]
//!   resources: [validatingwebhookconfigurations]
//!   verbs: [delete]
//! ```
//!
//! # Fix
//!
//! Leave the configurations to the tools that own them.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-webhook-configurations",
    severity: Severity::High,
    scope: Scope::Rbac,
    maps: &["cis-eks-1.8:4.1.11", "cis-k8s-1.12:5.1.12"],
    stops: &[],
    source: include_str!("access_to_webhook_configurations.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &["admissionregistration.k8s.io"],
            resources: &[
                "mutatingwebhookconfigurations",
                "validatingwebhookconfigurations",
            ],
            verbs: &["create", "update", "patch", "delete", "deletecollection"],
        },
        "may change admission webhooks",
    );
}
