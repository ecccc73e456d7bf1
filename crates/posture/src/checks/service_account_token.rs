//! Pods get an API token only where they use it.
//!
//! # What it ensures
//!
//! `automountServiceAccountToken: false` holds for the pod, or else for its service account.
//!
//! # Why
//!
//! The mounted token is what an attacker uses first to talk to the API server.
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
//! Set `automountServiceAccountToken: false` on the pod; set it to true only for pods that call the API server.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "service-account-token",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.1.6",
        "cis-eks-1.5:4.1.6",
        "cis-eks-1.7:4.1.6",
        "cis-eks-1.8:4.1.6",
        "cis-k8s-1.12:5.1.6",
        "nsa:service-account",
    ],
    stops: &[8],
    source: include_str!("service_account_token.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        let on_pod = value::flag(workload.pod.spec, &["automountServiceAccountToken"]);
        let namespace = crate::input::namespace(workload.node);
        let on_account = input
            .named("ServiceAccount", namespace, workload.service_account())
            .and_then(|account| value::flag(&account.node, &["automountServiceAccountToken"]));
        if on_pod.or(on_account).unwrap_or(true) {
            out.push(
                workload
                    .finding("automountServiceAccountToken", "the pod gets an API token")
                    .set("false")
                    .caution("whether the program calls the API server"),
            );
        }
    }
}
