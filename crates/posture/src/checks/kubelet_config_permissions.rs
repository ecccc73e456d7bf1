//! The kubelet’s configuration cannot be changed by others.
//!
//! # What it ensures
//!
//! the kubelet's configuration file has mode 644 or stricter.
//!
//! # Why
//!
//! Whoever writes this file decides what the kubelet does on the node, as root.
//!
//! # Example
//!
//! ```yaml
//! data: {configFile: {permissions: 511}}
//! ```
//!
//! # Fix
//!
//! `chmod 644` the file on the node.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{NodeFile, permissions};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-config-permissions",
    severity: Severity::Medium,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.1.3",
        "cis-eks-1.5:3.1.3",
        "cis-eks-1.7:3.1.3",
        "cis-eks-1.8:3.1.3",
    ],
    stops: &[],
    source: include_str!("kubelet_config_permissions.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    permissions(input, out, FILE, 0o644);
}

const FILE: NodeFile = NodeFile {
    title: "the kubelet's configuration file",
    sensor: "configFile",
    facts: (
        "kubeletConfigYamlConfigurationFilePermission",
        "kubeletConfigYamlConfigurationFileOwnership",
    ),
};
