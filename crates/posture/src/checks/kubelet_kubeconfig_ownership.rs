//! The kubelet’s kubeconfig belongs to root.
//!
//! # What it ensures
//!
//! the kubelet's kubeconfig belongs to root:root.
//!
//! # Why
//!
//! Whoever writes this file decides what the kubelet does on the node, as root.
//!
//! # Example
//!
//! ```yaml
//! data: {kubeConfigFile: {ownership: {username: root, groupname: ops}}}
//! ```
//!
//! # Fix
//!
//! `chown root:root` the file on the node.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{NodeFile, ownership};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-kubeconfig-ownership",
    severity: Severity::Medium,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.1.2",
        "cis-eks-1.5:3.1.2",
        "cis-eks-1.7:3.1.2",
        "cis-eks-1.8:3.1.2",
    ],
    stops: &[],
    source: include_str!("kubelet_kubeconfig_ownership.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    ownership(input, out, FILE);
}

const FILE: NodeFile = NodeFile {
    title: "the kubelet's kubeconfig",
    sensor: "kubeConfigFile",
    facts: ("kubeletConfFilePermissions", "kubeletConfFileOwnership"),
};
