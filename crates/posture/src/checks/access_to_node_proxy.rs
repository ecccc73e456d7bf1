//! Nobody may speak to the kubelet through the API server.
//!
//! # What it ensures
//!
//! No role outside the system allows `nodes/proxy`.
//!
//! # Why
//!
//! The kubelet runs commands in any container of its node, and the audit log shows none of them.
//!
//! # Example
//!
//! ```yaml
//! - apiGroups: [""]
//!   resources: [nodes/proxy]
//!   verbs: [get]
//! ```
//!
//! # Fix
//!
//! Remove the subresource; metrics need `nodes/metrics` only.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::rbac::{Pattern, roles_that};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "access-to-node-proxy",
    severity: Severity::Critical,
    scope: Scope::Rbac,
    maps: &["cis-eks-1.8:4.1.10", "cis-k8s-1.12:5.1.10"],
    stops: &[5, 6, 7],
    source: include_str!("access_to_node_proxy.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    roles_that(
        input,
        out,
        &Pattern {
            groups: &[""],
            resources: &["nodes/proxy"],
            verbs: &["get", "create", "update", "patch", "delete"],
        },
        "may run commands on nodes through the kubelet",
    );
}
