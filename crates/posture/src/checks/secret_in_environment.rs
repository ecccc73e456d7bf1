//! Secrets reach programs as files, not as environment variables.
//!
//! # What it ensures
//!
//! No container takes an environment variable from a secret (`secretKeyRef`, `envFrom.secretRef`).
//!
//! # Why
//!
//! The environment leaks: into crash reports, child processes, and to anyone who can run `set` in the container
//! or read `/proc/<pid>/environ` on the node.
//!
//! # Example
//!
//! ```yaml
//! env:
//! - name: API_KEY
//!   valueFrom: {secretKeyRef: {name: s, key: k}}
//! ```
//!
//! # Fix
//!
//! Mount the secret as a volume and read the file.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "secret-in-environment",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.4.1",
        "cis-eks-1.5:4.4.1",
        "cis-eks-1.7:4.4.1",
        "cis-eks-1.8:4.4.1",
        "cis-k8s-1.12:5.4.1",
    ],
    stops: &[6],
    source: include_str!("secret_in_environment.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            for (index, variable) in value::list(container.node, &["env"]).iter().enumerate() {
                if value::at(variable, &["valueFrom", "secretKeyRef"]).is_some() {
                    let field = format!("env[{index}].name");
                    out.push(workload.container_finding(
                        &container,
                        &field,
                        "takes a secret from the environment",
                    ));
                }
            }
            for (index, source) in value::list(container.node, &["envFrom"]).iter().enumerate() {
                if value::field(source, "secretRef").is_some() {
                    let field = format!("envFrom[{index}].secretRef");
                    out.push(workload.container_finding(
                        &container,
                        &field,
                        "takes a whole secret from the environment",
                    ));
                }
            }
        }
    }
}
