//! System calls are filtered by a seccomp profile.
//!
//! # What it ensures
//!
//! Every container has `RuntimeDefault` or `Localhost` as seccomp profile, of its own or of its pod.
//!
//! # Why
//!
//! The default profile withholds some fifty system calls that container escapes were built on.
//!
//! # Example
//!
//! ```yaml
//! spec:
//!   containers:
//!   - name: app
//! ```
//!
//! # Fix
//!
//! Set `securityContext.seccompProfile.type: RuntimeDefault` on the pod.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use vedette_yaml::Node;

use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "seccomp-profile",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.5.2",
        "cis-eks-1.5:4.5.2",
        "cis-k8s-1.12:5.7.3",
        "cis-k8s-1.12:5.7.2",
        "nsa:hardening",
    ],
    stops: &[],
    source: include_str!("seccomp_profile.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    const FIELD: &str = "securityContext.seccompProfile.type";
    const TEST: &str = "programs that use rare system calls (debuggers, nested containers)";
    let filtered = |profile: &Node| {
        let kind = value::text(profile, &["type"]);
        matches!(kind, Some("RuntimeDefault" | "Localhost"))
    };
    for workload in input.workloads() {
        if workload.pod.windows() {
            continue;
        }
        let on_pod = workload.pod.security(&["seccompProfile"]).map(filtered);
        if on_pod == Some(false) {
            let finding = workload.finding(FIELD, "the pod asks for no seccomp filter");
            out.push(finding.set("RuntimeDefault").caution(TEST));
        }
        for (container, _) in workload.containers() {
            let here = container.security(&["seccompProfile"]).map(filtered);
            // A bad profile of the pod is one finding, not one for each container that inherits it.
            if here.or(on_pod) == Some(true) || (here.is_none() && on_pod.is_some()) {
                continue;
            }
            let finding =
                workload.container_finding(&container, FIELD, "runs without a seccomp filter");
            out.push(finding.set("RuntimeDefault").caution(TEST));
        }
    }
}
