//! Pods do not share the IPC namespace of the node.
//!
//! # What it ensures
//!
//! No pod sets `hostIPC: true`.
//!
//! # Why
//!
//! Shared memory, semaphores and message queues of the node and of other such pods lie open to the container.
//!
//! # Example
//!
//! ```yaml
//! spec:
//!   hostIPC: true
//! ```
//!
//! # Fix
//!
//! Remove `hostIPC` or set it to false; containers of one pod share memory without it.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "host-ipc",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.2.3",
        "cis-eks-1.5:4.2.3",
        "cis-eks-1.7:4.2.3",
        "cis-eks-1.8:4.2.3",
        "cis-k8s-1.12:5.2.4",
        "nsa:host-namespaces",
    ],
    stops: &[],
    source: include_str!("host_ipc.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        if value::flag(workload.pod.spec, &["hostIPC"]) == Some(true) {
            out.push(
                workload
                    .finding("hostIPC", "the pod shares memory and queues with the node")
                    .set("false")
                    .caution("programs that exchange shared memory with host processes"),
            );
        }
    }
}
