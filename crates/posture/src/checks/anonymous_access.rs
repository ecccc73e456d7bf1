//! Nobody unknown is given a role.
//!
//! # What it ensures
//!
//! No binding names `system:anonymous` or `system:unauthenticated`, apart from the public discovery of the API
//! server.
//!
//! # Why
//!
//! The role is then everybody's who reaches the API endpoint.
//!
//! # Example
//!
//! ```yaml
//! subjects: [{kind: User, name: system:anonymous}]
//! ```
//!
//! # Fix
//!
//! Remove the subject.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "anonymous-access",
    severity: Severity::Critical,
    scope: Scope::Rbac,
    maps: &[],
    stops: &[],
    source: include_str!("anonymous_access.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for binding in &input.rbac.bindings {
        let public = matches!(
            binding.role,
            "system:public-info-viewer" | "system:discovery" | "system:basic-user"
        );
        for (index, subject) in binding.subjects.iter().enumerate() {
            if !public && matches!(subject.name, "system:anonymous" | "system:unauthenticated") {
                out.push(
                    Finding::new(
                        binding.object,
                        format!("subjects[{index}]"),
                        format!(
                            "everybody who reaches the API server has {} {}",
                            binding.role_kind, binding.role
                        ),
                    )
                    .remove()
                    .caution("callers that count on anonymous access, such as health checks"),
                );
            }
        }
    }
}
