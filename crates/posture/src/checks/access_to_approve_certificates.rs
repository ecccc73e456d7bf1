//! Few may approve certificates.
//!
//! # What it ensures
//!
//! No role outside the system lets its subjects update `certificatesigningrequests/approval`.
//!
//! # Why
//!
//! An approved request can be a client certificate for any user or node.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [certificates.k8s.io]
//!   resources: [certificatesigningrequests/approval]
//!   verbs: [update]
//! ```
//!
//! # Fix
//!
//! Leave approval to the signer’s controller.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-approve-certificates",
    severity: Severity::Critical,
    scope: Scope::Rbac,
    maps: &["cis-k8s-1.12:5.1.11"],
    stops: &[],
    source: include_str!("access_to_approve_certificates.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &["certificates.k8s.io"],
            resources: &["certificatesigningrequests/approval"],
            verbs: &["update", "patch"],
        },
        "may approve client certificates",
    );
}
