//! The kubelet knows whose certificates to trust.
//!
//! # What it ensures
//!
//! A client CA file is configured.
//!
//! # Why
//!
//! Without it the kubelet cannot authenticate the API server and others by certificate.
//!
//! # Example
//!
//! ```yaml
//! authentication: {x509: {}}
//! ```
//!
//! # Fix
//!
//! Set `authentication.x509.clientCAFile`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-client-ca",
    severity: Severity::High,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.2.3",
        "cis-eks-1.5:3.2.3",
        "cis-eks-1.7:3.2.3",
        "cis-eks-1.8:3.2.3",
        "nsa:kubelet-client-tls",
    ],
    stops: &[],
    source: include_str!("kubelet_client_ca.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "client-ca-file",
            config: &["authentication", "x509", "clientCAFile"],
            fact: "kubeletClientCaFileArgumentSet",
        },
        |found| {
            let set = found.is_some_and(|file| !file.is_empty() && file != "null");
            (!set).then(|| "no client CA file is configured".to_owned())
        },
    );
}
