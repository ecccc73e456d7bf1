//! The node keeps its own name.
//!
//! # What it ensures
//!
//! `--hostname-override` is not set.
//!
//! # Why
//!
//! A made-up name breaks the link between certificate, node and cloud instance.
//!
//! # Example
//!
//! ```yaml
//! hostnameOverride: x
//! ```
//!
//! # Fix
//!
//! Remove the flag.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-hostname-override",
    severity: Severity::Low,
    scope: Scope::Node,
    maps: &[],
    stops: &[],
    source: include_str!("kubelet_hostname_override.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "hostname-override",
            config: &["hostnameOverride"],
            fact: "kubeletHostnameOverrideArgumentSet",
        },
        |found| {
            found
                .is_some_and(|name| !name.is_empty())
                .then(|| "the node goes by a made-up name".to_owned())
        },
    );
}
