//! Access to the cluster is managed by access entries.
//!
//! # What it ensures
//!
//! `accessConfig.authenticationMode` is `API` or `API_AND_CONFIG_MAP`.
//!
//! # Why
//!
//! The `aws-auth` config map is edited by hand, without validation, and one wrong line locks everybody out or
//! lets somebody in.
//!
//! # Example
//!
//! ```yaml
//! cluster:
//!   name: c
//!   resourcesVpcConfig: {}
//!   accessConfig: {authenticationMode: CONFIG_MAP}
//! ```
//!
//! # Fix
//!
//! `aws eks update-cluster-config --access-config authenticationMode=API_AND_CONFIG_MAP`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::eks::clusters;
use crate::input::Input;
use vedette_yaml::Node;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "eks-access-entries",
    severity: Severity::Low,
    scope: Scope::EksCluster,
    maps: &["cis-eks-1.7:4.1.7", "cis-eks-1.8:4.1.7"],
    stops: &[],
    source: include_str!("eks_access_entries.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for cluster in clusters(input) {
        let mode = cluster
            .get(&["accessConfig", "authenticationMode"])
            .0
            .and_then(Node::as_str);
        if !matches!(mode, Some("API" | "API_AND_CONFIG_MAP")) {
            cluster.fail(
                out,
                &["accessConfig", "authenticationMode"],
                "access is managed in a config map only",
            );
        }
    }
}
