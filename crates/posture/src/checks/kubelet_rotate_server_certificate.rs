//! The kubelet renews its serving certificate.
//!
//! # What it ensures
//!
//! The feature gate `RotateKubeletServerCertificate` is not false (`serverTLSBootstrap` asks for a certificate).
//!
//! # Why
//!
//! Self-signed serving certificates cannot be verified by the API server.
//!
//! # Example
//!
//! ```yaml
//! featureGates: {RotateKubeletServerCertificate: false}
//! ```
//!
//! # Fix
//!
//! Set `serverTLSBootstrap: true` and keep the gate on.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-rotate-server-certificate",
    severity: Severity::Medium,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.2.9",
        "cis-eks-1.5:3.2.9",
        "cis-eks-1.7:3.2.9",
        "cis-eks-1.8:3.2.9",
    ],
    stops: &[],
    source: include_str!("kubelet_rotate_server_certificate.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "rotate-server-certificates",
            config: &["featureGates", "RotateKubeletServerCertificate"],
            fact: "kubeletRotateKubeletServerCertificateArgumentSet",
        },
        |found| {
            found
                .is_none_or(|on| on != "true")
                .then(|| "the kubelet does not renew its serving certificate".to_owned())
        },
    );
}
