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
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "seccomp-profile",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &["cis-k8s-1.12:5.7.2", "nsa:hardening"],
    stops: &[],
    source: include_str!("seccomp_profile.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "seccompProfile_restricted",
        "runs without a seccomp profile",
        |finding| {
            finding
                .set("RuntimeDefault")
                .caution("programs that use rare system calls (debuggers, nested containers)")
        },
    );
}
