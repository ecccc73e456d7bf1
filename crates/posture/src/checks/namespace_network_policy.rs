//! Every namespace has a network policy.
//!
//! # What it ensures
//!
//! Each namespace among the objects is the home of at least one NetworkPolicy.
//!
//! # Why
//!
//! Without one, every pod may talk to every other pod, to the metadata service and to the Internet.
//!
//! # Example
//!
//! ```yaml
//! kind: Namespace
//! metadata: {name: app}
//! ```
//!
//! # Fix
//!
//! Start with a policy that denies all, then allow what is needed.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "namespace-network-policy",
    severity: Severity::Medium,
    scope: Scope::Namespace,
    maps: &[
        "cis-eks-1.4:4.3.2",
        "cis-eks-1.5:4.3.2",
        "cis-eks-1.7:4.3.2",
        "cis-eks-1.8:4.3.2",
        "cis-k8s-1.12:5.3.2",
        "nsa:network-policy",
    ],
    stops: &[3, 9, 10],
    source: include_str!("namespace_network_policy.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    let homes: std::collections::HashSet<&str> = ["NetworkPolicy", "CiliumNetworkPolicy"]
        .iter()
        .flat_map(|kind| input.of_kind(kind))
        .map(|(_, policy)| crate::input::namespace(policy))
        .collect();
    for (index, namespace) in input.of_kind("Namespace") {
        if !homes.contains(namespace.name.as_str())
            && !crate::namespace_labels::of_the_system(&namespace.name)
        {
            out.push(Finding::new(
                index,
                "metadata.name",
                "no network policy is in this namespace",
            ));
        }
    }
}
