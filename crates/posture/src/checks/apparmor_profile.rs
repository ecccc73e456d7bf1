//! AppArmor confinement is not switched off.
//!
//! # What it ensures
//!
//! No pod, container or annotation asks for an AppArmor profile other than the runtime's default or a local one.
//!
//! # Why
//!
//! `Unconfined` takes away the last barrier in front of `/proc` and mounts.
//!
//! # Example
//!
//! ```yaml
//! securityContext:
//!   appArmorProfile: {type: Unconfined}
//! ```
//!
//! # Fix
//!
//! Set `RuntimeDefault`, or remove the setting.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "apparmor-profile",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &["nsa:hardening"],
    stops: &[],
    source: include_str!("apparmor_profile.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "appArmorProfile",
        "switches AppArmor off",
        |finding| {
            let annotation = finding.path().contains("annotations[");
            finding.set(if annotation {
                "runtime/default"
            } else {
                "RuntimeDefault"
            })
        },
    );
}
