//! Directories of the node are mounted read-only.
//!
//! # What it ensures
//!
//! Every mount of a `hostPath` volume has `readOnly: true`.
//!
//! # Why
//!
//! Writing to the node's files is the shortest way out of a container: a cron job, a static pod, an SSH key.
//!
//! # Example
//!
//! ```yaml
//! volumeMounts:
//! - name: root
//!   mountPath: /host
//! ```
//!
//! # Fix
//!
//! Set `readOnly: true` on the mount.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::mounts::{host_mounts, host_volumes};
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "writable-host-path",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("writable_host_path.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (volume, path) in host_volumes(workload) {
            for mount in host_mounts(workload, volume) {
                if value::flag(mount.node, &["readOnly"]) == Some(true) {
                    continue;
                }
                let mut finding = crate::check::Finding::new(
                    workload.object,
                    format!("{}.readOnly", mount.path),
                    format!(
                        "container {:?} may write to {path:?} of the node",
                        mount.container
                    ),
                )
                .set("true")
                .caution("whether the container writes there");
                finding.container = Some(mount.container.to_owned());
                out.push(finding);
            }
        }
    }
}
