//! The service account that a pod names exists.
//!
//! # What it ensures
//!
//! Every named service account other than `default` is among the objects, in the pod's namespace.
//!
//! # Why
//!
//! Pods that name a missing account do not start, and whoever may create it decides what they can do.
//!
//! # Example
//!
//! ```yaml
//! spec:
//!   serviceAccountName: gone
//! ```
//!
//! # Fix
//!
//! Create the account, or correct the name.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "missing-service-account",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("missing_service_account.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        let name = workload.service_account();
        let namespace = crate::input::namespace(workload.node);
        if name != "default" && !input.has("ServiceAccount", namespace, name) {
            let old = value::text(workload.pod.spec, &["serviceAccountName"]).is_none();
            let field = if old {
                "serviceAccount"
            } else {
                "serviceAccountName"
            };
            out.push(workload.finding(
                field,
                format!("service account {name:?} is not among the objects"),
            ));
        }
    }
}
