//! Workloads have service accounts of their own.
//!
//! # What it ensures
//!
//! No pod that gets a token runs as the service account `default`.
//!
//! # Why
//!
//! Rights given to `default` reach every pod of the namespace that names no account.
//!
//! # Example
//!
//! ```yaml
//! spec:
//!   containers:
//!   - name: app
//! ```
//!
//! # Fix
//!
//! Make a service account for the workload and name it in `serviceAccountName`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "default-service-account-used",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.1.5",
        "cis-eks-1.5:4.1.5",
        "cis-eks-1.7:4.1.5",
        "cis-eks-1.8:4.1.5",
        "cis-k8s-1.12:5.1.5",
    ],
    stops: &[8],
    source: include_str!("default_service_account_used.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        let mounts = value::flag(workload.pod.spec, &["automountServiceAccountToken"]);
        if workload.service_account() == "default" && mounts != Some(false) {
            out.push(workload.finding(
                "serviceAccountName",
                "the pod runs as the default service account",
            ));
        }
    }
}
