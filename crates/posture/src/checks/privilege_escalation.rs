//! Containers do not let a process gain more privileges than its parent.
//!
//! # What it ensures
//!
//! Every container sets `securityContext.allowPrivilegeEscalation: false`.
//!
//! # Why
//!
//! Unset means true: set-user-id programs such as `sudo` work, and a flaw in one of them makes root of any user.
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
//! Set `allowPrivilegeEscalation: false`.

use crate::check::Edit;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "privilege-escalation",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.5.2",
        "cis-eks-1.5:4.5.2",
        "cis-k8s-1.12:5.7.3",
        "cis-eks-1.4:4.2.5",
        "cis-eks-1.5:4.2.5",
        "cis-eks-1.7:4.2.5",
        "cis-eks-1.8:4.2.5",
        "cis-k8s-1.12:5.2.6",
        "nsa:privilege-escalation",
    ],
    stops: &[],
    source: include_str!("privilege_escalation.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        if workload.pod.windows() {
            continue;
        }
        for (container, _) in workload.containers() {
            let allowed = container.security(&["allowPrivilegeEscalation"]);
            if allowed.and_then(value::truth) != Some(false) {
                let finding = workload.container_finding(
                    &container,
                    "securityContext.allowPrivilegeEscalation",
                    "lets processes gain privileges",
                );
                // The API server refuses privileged containers that forbid escalation, so the two go together.
                let path = format!("{}.securityContext", container.path(&workload.pod));
                let mut finding = finding
                    .set("false")
                    .caution("set-user-id programs in the image (sudo, ping)");
                if container.security(&["privileged"]).and_then(value::truth) == Some(true) {
                    finding = finding.edit(Edit::Set(format!("{path}.privileged"), "false".into()));
                }
                out.push(finding);
            }
        }
    }
}
