//! Containers give up every capability they do not need.
//!
//! # What it ensures
//!
//! `capabilities.drop` of every container contains `ALL`.
//!
//! # Why
//!
//! Programs that run as an ordinary user need no capability at all; what is not there cannot be abused.
//!
//! # Example
//!
//! ```yaml
//! securityContext:
//!   capabilities: {drop: [NET_RAW]}
//! ```
//!
//! # Fix
//!
//! Set `drop: [ALL]` and add back `NET_BIND_SERVICE` if the program listens below 1024.

use crate::check::Edit;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "drop-all-capabilities",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &["cis-eks-1.4:4.2.8", "cis-k8s-1.12:5.2.10"],
    stops: &[],
    source: include_str!("drop_all_capabilities.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        if workload.pod.windows() {
            continue;
        }
        for (container, path) in workload.containers() {
            let dropped = container.security(&["capabilities", "drop"]);
            let all = dropped
                .and_then(vedette_yaml::Node::as_seq)
                .unwrap_or_default()
                .iter()
                .any(|item| item.as_str().is_some_and(|c| c.eq_ignore_ascii_case("ALL")));
            if !all {
                let finding = workload
                    .container_finding(
                        &container,
                        "securityContext.capabilities.drop",
                        "keeps capabilities",
                    )
                    .caution("root programs that change owners or users, and ports below 1024");
                let path = format!("{path}.securityContext.capabilities.drop");
                out.push(match dropped {
                    Some(list) if list.as_seq().is_some_and(|items| !items.is_empty()) => {
                        finding.edit(Edit::Append(path, "ALL".into()))
                    }
                    _ => finding.set("[ALL]"),
                });
            }
        }
    }
}
