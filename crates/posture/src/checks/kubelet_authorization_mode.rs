//! The kubelet asks whether a caller may.
//!
//! # What it ensures
//!
//! `authorization.mode` is not `AlwaysAllow`.
//!
//! # Why
//!
//! With `AlwaysAllow` every authenticated caller may run commands in every pod of the node.
//!
//! # Example
//!
//! ```yaml
//! authorization: {mode: AlwaysAllow}
//! ```
//!
//! # Fix
//!
//! Set it to `Webhook`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-authorization-mode",
    severity: Severity::Critical,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.2.2",
        "cis-eks-1.5:3.2.2",
        "cis-eks-1.7:3.2.2",
        "cis-eks-1.8:3.2.2",
    ],
    stops: &[],
    source: include_str!("kubelet_authorization_mode.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "authorization-mode",
            config: &["authorization", "mode"],
            fact: "kubeletAuthorizationModeArgumentSet",
        },
        |found| {
            found
                .is_none_or(|mode| mode.contains("AlwaysAllow"))
                .then(|| "the kubelet allows every call".to_owned())
        },
    );
}
