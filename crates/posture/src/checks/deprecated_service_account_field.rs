//! The service account is named in the field that counts.
//!
//! # What it ensures
//!
//! No pod sets the deprecated `serviceAccount`.
//!
//! # Why
//!
//! Tools that read `serviceAccountName` only will judge the pod as if it ran as `default`.
//!
//! # Example
//!
//! ```yaml
//! spec:
//!   serviceAccount: app
//! ```
//!
//! # Fix
//!
//! Rename the field to `serviceAccountName`.

use crate::check::Edit;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "deprecated-service-account-field",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("deprecated_service_account_field.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        let Some(old) =
            value::text(workload.pod.spec, &["serviceAccount"]).filter(|old| !old.is_empty())
        else {
            continue;
        };
        let new = value::text(workload.pod.spec, &["serviceAccountName"]).unwrap_or_default();
        if new == old {
            continue;
        }
        let mut finding = workload.finding(
            "serviceAccount",
            "the pod names its account in a deprecated field",
        );
        if new.is_empty() {
            finding = finding.edit(Edit::Set(
                format!("{}.serviceAccountName", workload.pod.path),
                value::quote(old),
            ));
            finding = finding.remove();
        }
        out.push(finding);
    }
}
