//! Namespaces ask for hardened pods.
//!
//! # What it ensures
//!
//! Every namespace has the label `pod-security.kubernetes.io/enforce: restricted`.
//!
//! # Why
//!
//! Only the restricted level asks for users other than root and forbids privilege escalation.
//!
//! # Example
//!
//! ```yaml
//! kind: Namespace
//! metadata: {name: app, labels: {pod-security.kubernetes.io/enforce: baseline}}
//! ```
//!
//! # Fix
//!
//! Label the namespace `restricted`; `vedette posture pss --impact` says beforehand what that would refuse.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::namespace_labels::enforces;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "namespace-pod-security-restricted",
    severity: Severity::Medium,
    scope: Scope::Namespace,
    maps: &[
        "cis-eks-1.7:4.2.5",
        "cis-eks-1.8:4.2.5",
        "cis-k8s-1.12:5.2.6",
        "cis-k8s-1.12:5.2.7",
        "cis-k8s-1.12:5.2.8",
        "cis-k8s-1.12:5.2.9",
    ],
    stops: &[1, 2, 3],
    source: include_str!("namespace_pod_security_restricted.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    enforces(input, out, &["restricted"], "restricted");
}
