//! The kubelet answers nobody unknown.
//!
//! # What it ensures
//!
//! `authentication.anonymous.enabled` is false.
//!
//! # Why
//!
//! Anybody who reaches port 10250 could list pods and run commands in them.
//!
//! # Example
//!
//! ```yaml
//! authentication: {anonymous: {enabled: true}}
//! ```
//!
//! # Fix
//!
//! Set it to false and restart the kubelet.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-anonymous-auth",
    severity: Severity::Critical,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.2.1",
        "cis-eks-1.5:3.2.1",
        "cis-eks-1.7:3.2.1",
        "cis-eks-1.8:3.2.1",
        "nsa:kubelet-anonymous",
    ],
    stops: &[5, 6, 7],
    source: include_str!("kubelet_anonymous_auth.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "anonymous-auth",
            config: &["authentication", "anonymous", "enabled"],
            fact: "kubeletAnonymousAuthArgumentSet",
        },
        |found| {
            (found == Some("true")).then(|| "the kubelet answers anonymous requests".to_owned())
        },
    );
}
