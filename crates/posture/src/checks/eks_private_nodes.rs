//! Nodes reach the API server without leaving the VPC.
//!
//! # What it ensures
//!
//! Private access is enabled, so that nodes need no public address for the API server.
//!
//! # Why
//!
//! Nodes with public addresses expose kubelet, node ports and SSH.
//!
//! # Example
//!
//! ```yaml
//! cluster:
//!   name: c
//!   resourcesVpcConfig: {endpointPrivateAccess: false, endpointPublicAccess: true}
//! ```
//!
//! # Fix
//!
//! Enable private access and launch node groups in private subnets. The subnets themselves are not part of this
//! answer and stay a manual check.

use crate::check::{Check, Findings, Scope, Severity};
use crate::eks::clusters;
use crate::input::Input;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "eks-private-nodes",
    severity: Severity::Medium,
    scope: Scope::EksCluster,
    maps: &[
        "cis-eks-1.4:5.4.3",
        "cis-eks-1.5:5.4.3",
        "cis-eks-1.7:5.4.3",
        "cis-eks-1.8:5.4.3",
    ],
    stops: &[],
    source: include_str!("eks_private_nodes.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for cluster in clusters(input) {
        if cluster.flag(&["resourcesVpcConfig", "endpointPrivateAccess"]) != Some(true)
            && cluster.flag(&["resourcesVpcConfig", "endpointPublicAccess"]) == Some(true)
        {
            cluster.fail(
                out,
                &["resourcesVpcConfig", "endpointPublicAccess"],
                "nodes reach the API server over its public endpoint",
            );
        }
    }
}
