//! No container is given SYS_ADMIN.
//!
//! # What it ensures
//!
//! `capabilities.add` contains neither `SYS_ADMIN` nor `ALL`.
//!
//! # Why
//!
//! `SYS_ADMIN` mounts file systems and enters namespaces; a container with it is privileged in all but name.
//!
//! # Example
//!
//! ```yaml
//! securityContext:
//!   capabilities: {add: [SYS_ADMIN]}
//! ```
//!
//! # Fix
//!
//! Remove it and find the narrower capability.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "sys-admin-capability",
    severity: Severity::Critical,
    scope: Scope::Workload,
    maps: &[],
    stops: &[4],
    source: include_str!("sys_admin_capability.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            let added = container
                .security(&["capabilities", "add"])
                .and_then(vedette_yaml::Node::as_seq)
                .unwrap_or_default();
            for (index, item) in added.iter().enumerate() {
                let name = item.as_str().unwrap_or_default();
                if matches!(name, "SYS_ADMIN" | "CAP_SYS_ADMIN" | "ALL") {
                    let field = format!("securityContext.capabilities.add[{index}]");
                    out.push(
                        workload
                            .container_finding(&container, &field, "is as good as privileged")
                            .remove()
                            .caution("mounts and other administrative calls"),
                    );
                }
            }
        }
    }
}
