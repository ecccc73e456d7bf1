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
use std::collections::HashMap;
use vedette_manifest::Object;
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
    // By namespace, because a cluster has thousands of both; the empty name stands for all namespaces.
    let mut policies: HashMap<&str, Vec<&Object>> = HashMap::new();
    for kind in ["NetworkPolicy", "CiliumNetworkPolicy"] {
        for (_, policy) in input.of_kind(kind) {
            let home = crate::input::namespace(policy);
            policies.entry(home).or_default().push(policy);
        }
    }
    for (_, policy) in input.of_kind("CiliumClusterwideNetworkPolicy") {
        policies.entry("").or_default().push(policy);
    }
    for workload in input.workloads() {
        let labels = workload.labels();
        let chosen = [crate::input::namespace(workload.node), ""]
            .iter()
            .filter_map(|home| policies.get(home))
            .flatten()
            .any(|policy| chooses(&policy.node, &policy.kind, &labels));
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
