//! No user id 0 is asked for.
//!
//! # What it ensures
//!
//! Neither a pod nor a container sets `runAsUser: 0`.
//!
//! # Why
//!
//! An explicit 0 overrides the user that the image was built for.
//!
//! # Example
//!
//! ```yaml
//! securityContext:
//!   runAsUser: 0
//! ```
//!
//! # Fix
//!
//! Set the id of an unprivileged user, such as 1000.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "run-as-root-user",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[],
    stops: &[1, 2, 3],
    source: include_str!("run_as_root_user.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "runAsUser",
        "asks for root by its id",
        |finding| {
            finding
                .set("1000")
                .caution("files in the image that belong to another user")
        },
    );
}
