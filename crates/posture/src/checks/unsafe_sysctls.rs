//! Only safe sysctls are set.
//!
//! # What it ensures
//!
//! `securityContext.sysctls` names nothing outside the set that Kubernetes calls safe.
//!
//! # Why
//!
//! Other sysctls reach beyond the pod and can starve or weaken the node.
//!
//! # Example
//!
//! ```yaml
//! securityContext:
//!   sysctls: [{name: kernel.msgmax, value: "1"}]
//! ```
//!
//! # Fix
//!
//! Remove the entry.

use crate::check::Edit;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "unsafe-sysctls",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("unsafe_sysctls.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "sysctls",
        "sets an unsafe sysctl",
        |mut finding| {
            if let Some(entry) = finding.path().strip_suffix(".name") {
                finding.fix.push(Edit::Remove(entry.to_owned()));
            }
            finding.caution("the program may count on the setting")
        },
    );
}
