//! The API endpoint is reachable inside the VPC, and from outside only for some.
//!
//! # What it ensures
//!
//! Private access is enabled, and public access is off or limited to address ranges.
//!
//! # Why
//!
//! An endpoint open to the world is one leaked token or one flaw away from being used.
//!
//! # Example
//!
//! ```yaml
//! cluster:
//!   name: c
//!   resourcesVpcConfig: {endpointPrivateAccess: false, endpointPublicAccess: true, publicAccessCidrs: [0.0.0.0/0]}
//! ```
//!
//! # Fix
//!
//! `aws eks update-cluster-config --resources-vpc-config endpointPrivateAccess=true,publicAccessCidrs=…`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::eks::clusters;
use crate::input::Input;
use vedette_yaml::Node;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "eks-endpoint-access",
    severity: Severity::High,
    scope: Scope::EksCluster,
    maps: &[
        "cis-eks-1.4:5.4.1",
        "cis-eks-1.5:5.4.1",
        "cis-eks-1.7:5.4.1",
        "cis-eks-1.8:5.4.1",
    ],
    stops: &[],
    source: include_str!("eks_endpoint_access.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for cluster in clusters(input) {
        if cluster.flag(&["resourcesVpcConfig", "endpointPrivateAccess"]) != Some(true) {
            cluster.fail(
                out,
                &["resourcesVpcConfig", "endpointPrivateAccess"],
                "the endpoint is not reachable from inside the VPC",
            );
        }
        let public = cluster.flag(&["resourcesVpcConfig", "endpointPublicAccess"]) == Some(true);
        let path = ["resourcesVpcConfig", "publicAccessCidrs"];
        let ranges = cluster
            .get(&path)
            .0
            .and_then(Node::as_seq)
            .unwrap_or_default();
        if public
            && ranges
                .iter()
                .any(|range| range.as_str() == Some("0.0.0.0/0"))
        {
            cluster.fail(out, &path, "the endpoint is open to the whole Internet");
        }
    }
}
