//! A network policy chooses every pod.
//!
//! # What it ensures
//!
//! Every workload's labels are chosen by a NetworkPolicy of its namespace or a Cilium policy.
//!
//! # Why
//!
//! A policy somewhere in the namespace does not protect the pods that it does not choose.
//!
//! # Example
//!
//! ```yaml
//! kind: Deployment
//! spec: {template: {metadata: {labels: {app: a}}}}
//! ```
//!
//! # Fix
//!
//! Add a policy whose `podSelector` chooses the pod; an empty one chooses all.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::input::selects;
use crate::value;
use vedette_yaml::Node;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "pod-network-policy",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &["nsa:network-policy"],
    stops: &[3, 9, 10],
    source: include_str!("pod_network_policy.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        let labels = workload.labels();
        let namespace = crate::input::namespace(workload.node);
        let chosen = [
            "NetworkPolicy",
            "CiliumNetworkPolicy",
            "CiliumClusterwideNetworkPolicy",
        ]
        .iter()
        .flat_map(|kind| input.of_kind(kind))
        .any(|(_, policy)| {
            let home = policy.kind == "CiliumClusterwideNetworkPolicy"
                || crate::input::namespace(policy) == namespace;
            home && chooses(&policy.node, &policy.kind, &labels)
        });
        if !chosen {
            let path = format!("{}.labels", workload.pod.metadata_path);
            out.push(Finding::new(
                workload.object,
                path,
                "no network policy chooses the pods",
            ));
        }
    }
}

fn chooses(policy: &Node, kind: &str, labels: &[(&str, &str)]) -> bool {
    if kind == "NetworkPolicy" {
        return value::at(policy, &["spec", "podSelector"])
            .is_none_or(|selector| selects(selector, labels));
    }
    let specs = value::list(policy, &["specs"]);
    value::at(policy, &["spec"])
        .into_iter()
        .chain(specs)
        .any(|spec| {
            value::field(spec, "endpointSelector").is_some_and(|selector| selects(selector, labels))
        })
}
