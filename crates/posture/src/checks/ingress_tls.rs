//! Ingresses serve TLS.
//!
//! # What it ensures
//!
//! Every Ingress has `spec.tls`, or the AWS load balancer annotation that names a certificate.
//!
//! # Why
//!
//! Without TLS, sessions and passwords pass in the clear.
//!
//! # Example
//!
//! ```yaml
//! kind: Ingress
//! spec: {rules: []}
//! ```
//!
//! # Fix
//!
//! Add `spec.tls` with a secret, or `alb.ingress.kubernetes.io/certificate-arn`.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "ingress-tls",
    severity: Severity::Medium,
    scope: Scope::Ingress,
    maps: &[
        "cis-eks-1.4:5.4.5",
        "cis-eks-1.5:5.4.5",
        "cis-eks-1.7:5.4.5",
        "cis-eks-1.8:5.4.5",
    ],
    stops: &[],
    source: include_str!("ingress_tls.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for (index, ingress) in input.of_kind("Ingress") {
        let certificate = value::pairs(&ingress.node, &["metadata", "annotations"])
            .any(|(key, _)| key == "alb.ingress.kubernetes.io/certificate-arn");
        if value::list(&ingress.node, &["spec", "tls"]).is_empty() && !certificate {
            out.push(Finding::new(
                index,
                "spec.tls",
                "the ingress serves plain HTTP",
            ));
        }
    }
}
