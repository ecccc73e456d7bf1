//! Deployments are replaced step by step.
//!
//! # What it ensures
//!
//! No Deployment uses the strategy `Recreate`.
//!
//! # Why
//!
//! All pods stop before the first new one starts, so a bad image is an outage.
//!
//! # Example
//!
//! ```yaml
//! spec: {strategy: {type: Recreate}}
//! ```
//!
//! # Fix
//!
//! Use `RollingUpdate`.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "no-rolling-update",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("no_rolling_update.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for (index, object) in ["Deployment", "DeploymentConfig"]
        .iter()
        .flat_map(|kind| input.of_kind(kind))
    {
        let strategy = value::text(&object.node, &["spec", "strategy", "type"]);
        if strategy.is_some_and(|kind| !matches!(kind, "RollingUpdate" | "Rolling")) {
            let finding = Finding::new(
                index,
                "spec.strategy.type",
                "all pods stop before the first new one starts",
            );
            out.push(if object.kind == "Deployment" {
                finding.set("RollingUpdate").caution(
                    "volumes that one pod at a time may hold, and two versions running together",
                )
            } else {
                finding
            });
        }
    }
}
