//! Volume mounts do not use sub-paths.
//!
//! # What it ensures
//!
//! No volume mount sets `subPath`.
//!
//! # Why
//!
//! Sub-paths are resolved inside volumes that the container controls; symbolic links in them reached the node's
//! files more than once (CVE-2021-25741).
//!
//! # Example
//!
//! ```yaml
//! volumeMounts: [{name: v, mountPath: /d, subPath: a}]
//! ```
//!
//! # Fix
//!
//! Mount the whole volume, or a volume of its own.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "mount-subpath",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &["nsa:symlink"],
    stops: &[],
    source: include_str!("mount_subpath.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            for (index, mount) in value::list(container.node, &["volumeMounts"])
                .iter()
                .enumerate()
            {
                if value::field(mount, "subPath").is_some() {
                    let field = format!("volumeMounts[{index}].subPath");
                    out.push(workload.container_finding(&container, &field, "mounts a sub-path"));
                }
            }
        }
    }
}
