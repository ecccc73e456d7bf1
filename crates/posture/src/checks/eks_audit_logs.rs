//! The cluster writes audit logs.
//!
//! # What it ensures
//!
//! The control plane log type `audit` is enabled.
//!
//! # Why
//!
//! Without the audit log nobody can say who changed what.
//!
//! # Example
//!
//! ```yaml
//! cluster:
//!   name: c
//!   resourcesVpcConfig: {}
//!   logging: {clusterLogging: [{types: [audit], enabled: false}]}
//! ```
//!
//! # Fix
//!
//! `aws eks update-cluster-config --logging` with the types api, audit and authenticator enabled.

use crate::check::{Check, Findings, Scope, Severity};
use crate::eks::{clusters, either};
use crate::input::Input;
use crate::value;
use vedette_yaml::Node;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "eks-audit-logs",
    severity: Severity::High,
    scope: Scope::EksCluster,
    maps: &[
        "cis-eks-1.4:2.1.1",
        "cis-eks-1.5:2.1.1",
        "cis-eks-1.7:2.1.1",
        "cis-eks-1.8:2.1.1",
        "nsa:audit",
    ],
    stops: &[],
    source: include_str!("eks_audit_logs.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for cluster in clusters(input) {
        let setups = cluster
            .get(&["logging", "clusterLogging"])
            .0
            .and_then(Node::as_seq);
        let audited = setups.unwrap_or_default().iter().any(|setup| {
            let on = either(setup, "enabled").and_then(value::truth) == Some(true);
            let types = either(setup, "types")
                .and_then(Node::as_seq)
                .unwrap_or_default();
            on && types.iter().any(|kind| kind.as_str() == Some("audit"))
        });
        if !audited {
            cluster.fail(
                out,
                &["logging", "clusterLogging"],
                "the audit log is not enabled",
            );
        }
    }
}
