//! The kubelet has no port without authentication.
//!
//! # What it ensures
//!
//! `readOnlyPort` is 0 or unset.
//!
//! # Why
//!
//! The port tells everybody on the network what runs on the node, with its environment.
//!
//! # Example
//!
//! ```yaml
//! readOnlyPort: 10255
//! ```
//!
//! # Fix
//!
//! Set it to 0.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-read-only-port",
    severity: Severity::High,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.2.4",
        "cis-eks-1.5:3.2.4",
        "cis-eks-1.7:3.2.4",
        "cis-eks-1.8:3.2.4",
    ],
    stops: &[],
    source: include_str!("kubelet_read_only_port.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "read-only-port",
            config: &["readOnlyPort"],
            fact: "kubeletReadOnlyPortArgumentSet",
        },
        |found| {
            found
                .is_some_and(|port| port != "0")
                .then(|| "the kubelet serves a port without authentication".to_owned())
        },
    );
}
