//! Load balancers of AWS terminate TLS.
//!
//! # What it ensures
//!
//! Every Service of type LoadBalancer names a certificate (`service.beta.kubernetes.io/aws-load-balancer-ssl-
//! cert`) or is internal.
//!
//! # Why
//!
//! A public load balancer without TLS carries everything in the clear.
//!
//! # Example
//!
//! ```yaml
//! kind: Service
//! spec: {type: LoadBalancer}
//! ```
//!
//! # Fix
//!
//! Add the annotation with the certificate's ARN, or keep the balancer internal.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "load-balancer-tls",
    severity: Severity::Medium,
    scope: Scope::Service,
    maps: &[
        "cis-eks-1.5:5.4.5",
        "cis-eks-1.7:5.4.5",
        "cis-eks-1.8:5.4.5",
    ],
    stops: &[],
    source: include_str!("load_balancer_tls.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    const PREFIX: &str = "service.beta.kubernetes.io/aws-load-balancer-";
    for (index, service) in input.of_kind("Service") {
        if value::text(&service.node, &["spec", "type"]) != Some("LoadBalancer") {
            continue;
        }
        let fine =
            value::pairs(&service.node, &["metadata", "annotations"]).any(|(key, text)| match key
                .strip_prefix(PREFIX)
            {
                Some("ssl-cert") => !text.is_empty(),
                Some("internal") => text == "true",
                Some("scheme") => text == "internal",
                _ => false,
            });
        if !fine {
            out.push(Finding::new(
                index,
                "spec.type",
                "the load balancer is public and has no certificate",
            ));
        }
    }
}
