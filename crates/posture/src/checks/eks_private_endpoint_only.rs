//! The API endpoint is private only.
//!
//! # What it ensures
//!
//! Private access is enabled and public access disabled.
//!
//! # Why
//!
//! A public endpoint is scanned all day, and a flaw in the API server then needs no foothold.
//!
//! # Example
//!
//! ```yaml
//! cluster:
//!   name: c
//!   resourcesVpcConfig: {endpointPrivateAccess: true, endpointPublicAccess: true}
//! ```
//!
//! # Fix
//!
//! `aws eks update-cluster-config --resources-vpc-config endpointPrivateAccess=true,endpointPublicAccess=false`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::eks::clusters;
use crate::input::Input;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "eks-private-endpoint-only",
    severity: Severity::High,
    scope: Scope::EksCluster,
    maps: &[
        "cis-eks-1.4:5.4.2",
        "cis-eks-1.5:5.4.2",
        "cis-eks-1.7:5.4.2",
        "cis-eks-1.8:5.4.2",
    ],
    stops: &[],
    source: include_str!("eks_private_endpoint_only.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for cluster in clusters(input) {
        if cluster.flag(&["resourcesVpcConfig", "endpointPrivateAccess"]) != Some(true) {
            cluster.fail(
                out,
                &["resourcesVpcConfig", "endpointPrivateAccess"],
                "private access is not enabled",
            );
        }
        if cluster.flag(&["resourcesVpcConfig", "endpointPublicAccess"]) != Some(false) {
            cluster.fail(
                out,
                &["resourcesVpcConfig", "endpointPublicAccess"],
                "public access is not disabled",
            );
        }
    }
}
