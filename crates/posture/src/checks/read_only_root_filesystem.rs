//! The root file system of containers is read-only.
//!
//! # What it ensures
//!
//! Every container sets `readOnlyRootFilesystem: true`.
//!
//! # Why
//!
//! Without a place to write, an attacker cannot install tools; what changed at run time is never the image.
//!
//! # Example
//!
//! ```yaml
//! containers:
//! - name: app
//!   securityContext: {}
//! ```
//!
//! # Fix
//!
//! Set `readOnlyRootFilesystem: true` and mount an emptyDir where the program writes.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "read-only-root-filesystem",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.5.2",
        "cis-eks-1.5:4.5.2",
        "cis-k8s-1.12:5.7.3",
        "nsa:immutable-filesystem",
    ],
    stops: &[2, 3, 10],
    source: include_str!("read_only_root_filesystem.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        if workload.pod.windows() {
            continue;
        }
        for (container, _) in workload.containers() {
            if container
                .security(&["readOnlyRootFilesystem"])
                .and_then(value::truth)
                == Some(true)
            {
                continue;
            }
            out.push(
                workload
                    .container_finding(
                        &container,
                        "securityContext.readOnlyRootFilesystem",
                        "can change its own file system",
                    )
                    .set("true")
                    .caution(
                        "every directory the program writes to (logs, caches, /tmp) needs a volume",
                    ),
            );
        }
    }
}
