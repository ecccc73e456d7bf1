//! Containers cannot forge packets.
//!
//! # What it ensures
//!
//! Every container drops `NET_RAW` or `ALL`, and none adds `NET_RAW`.
//!
//! # Why
//!
//! Runtimes grant `NET_RAW` by default; with it a container can spoof ARP and DNS answers to its neighbours.
//!
//! # Example
//!
//! ```yaml
//! containers:
//! - name: app
//! ```
//!
//! # Fix
//!
//! Add `NET_RAW` (better `ALL`) to `capabilities.drop`.

use crate::check::Edit;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "net-raw-capability",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &["cis-k8s-1.12:5.2.8"],
    stops: &[],
    source: include_str!("net_raw_capability.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        if workload.pod.windows() {
            continue;
        }
        for (container, path) in workload.containers() {
            let list = |key| {
                container
                    .security(&["capabilities", key])
                    .and_then(vedette_yaml::Node::as_seq)
                    .unwrap_or_default()
            };
            let named = |items: &[vedette_yaml::Node], names: &[&str]| {
                items
                    .iter()
                    .position(|item| item.as_str().is_some_and(|text| names.contains(&text)))
            };
            let dropped = list("drop");
            let drop = format!("{path}.securityContext.capabilities.drop");
            let fix = if dropped.is_empty() {
                Edit::Set(drop, "[NET_RAW]".into())
            } else {
                Edit::Append(drop, "NET_RAW".into())
            };
            let keeps = named(dropped, &["NET_RAW", "ALL", "all"]).is_none();
            let finding = if let Some(index) = named(list("add"), &["NET_RAW"]) {
                let item = format!("{path}.securityContext.capabilities.add[{index}]");
                workload
                    .container_finding(
                        &container,
                        "securityContext.capabilities.add",
                        "adds NET_RAW",
                    )
                    .edit(Edit::Remove(item))
            } else if keeps {
                let field = format!("securityContext.capabilities.drop[{}]", dropped.len());
                workload.container_finding(&container, &field, "keeps NET_RAW")
            } else {
                continue;
            };
            let finding = finding.caution("ping and programs that open raw sockets");
            out.push(if keeps { finding.edit(fix) } else { finding });
        }
    }
}
