//! The kubelet renews its client certificate.
//!
//! # What it ensures
//!
//! `rotateCertificates` is not false.
//!
//! # Why
//!
//! A certificate that is not renewed is valid for long, or the node drops out when it ends.
//!
//! # Example
//!
//! ```yaml
//! rotateCertificates: false
//! ```
//!
//! # Fix
//!
//! Remove the setting or set it to true.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-rotate-certificates",
    severity: Severity::Medium,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.2.8",
        "cis-eks-1.5:3.2.8",
        "cis-eks-1.7:3.2.8",
        "cis-eks-1.8:3.2.8",
    ],
    stops: &[],
    source: include_str!("kubelet_rotate_certificates.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "rotate-certificates",
            config: &["rotateCertificates"],
            fact: "kubeletRotateCertificatesArgumentSet",
        },
        |found| {
            (found == Some("false"))
                .then(|| "the kubelet does not renew its client certificate".to_owned())
        },
    );
}
