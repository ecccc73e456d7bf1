//! Namespaces refuse privileged pods.
//!
//! # What it ensures
//!
//! Every namespace has the label `pod-security.kubernetes.io/enforce` with `baseline` or `restricted`.
//!
//! # Why
//!
//! What admission does not refuse, anybody who may create pods can run.
//!
//! # Example
//!
//! ```yaml
//! kind: Namespace
//! metadata: {name: app}
//! ```
//!
//! # Fix
//!
//! Label the namespace; `vedette posture pss --impact` says beforehand what that would refuse.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::namespace_labels::enforces;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "namespace-pod-security-baseline",
    severity: Severity::High,
    scope: Scope::Namespace,
    maps: &[
        "cis-eks-1.7:4.2.1",
        "cis-eks-1.7:4.2.2",
        "cis-eks-1.7:4.2.3",
        "cis-eks-1.7:4.2.4",
        "cis-eks-1.8:4.2.1",
        "cis-eks-1.8:4.2.2",
        "cis-eks-1.8:4.2.3",
        "cis-eks-1.8:4.2.4",
        "cis-k8s-1.12:5.2.1",
        "cis-k8s-1.12:5.2.2",
        "cis-k8s-1.12:5.2.3",
        "cis-k8s-1.12:5.2.4",
        "cis-k8s-1.12:5.2.5",
    ],
    stops: &[4, 5, 6, 7],
    source: include_str!("namespace_pod_security_baseline.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    enforces(input, out, &["baseline", "restricted"], "baseline");
}
