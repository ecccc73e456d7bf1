//! Probes and lifecycle handlers speak to their own pod.
//!
//! # What it ensures
//!
//! No probe or lifecycle handler names a host.
//!
//! # Why
//!
//! A named host makes the kubelet send requests on the pod's behalf to anywhere the node reaches.
//!
//! # Example
//!
//! ```yaml
//! livenessProbe:
//!   httpGet: {host: 10.0.0.1, port: 80}
//! ```
//!
//! # Fix
//!
//! Remove `host`; the pod's own address is the default.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "probe-host",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("probe_host.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "hostProbesAndHostLifecycle",
        "sends the kubelet to another host",
        crate::check::Finding::remove,
    );
}
