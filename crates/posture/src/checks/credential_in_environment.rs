//! No credential is written into a manifest.
//!
//! # What it ensures
//!
//! No environment variable whose name speaks of a password, key, token or secret has a value written in the
//! manifest.
//!
//! # Why
//!
//! Whoever reads the manifest, its history or the pod's description has the credential.
//!
//! # Example
//!
//! ```yaml
//! env:
//! - {name: DB_PASSWORD, value: hunter2}
//! ```
//!
//! # Fix
//!
//! Put the value into a secret and mount it.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "credential-in-environment",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &["nsa:credentials"],
    stops: &[6, 7],
    source: include_str!("credential_in_environment.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            for (index, variable) in value::list(container.node, &["env"]).iter().enumerate() {
                let name = value::text(variable, &["name"]).unwrap_or_default();
                let text = value::text(variable, &["value"]).unwrap_or_default();
                if !text.is_empty() && speaks_of_secrets(name) {
                    let field = format!("env[{index}].name");
                    // The finding names the variable and never repeats what it holds.
                    out.push(workload.container_finding(
                        &container,
                        &field,
                        "has a credential written into the manifest",
                    ));
                }
            }
        }
    }
}

/// Words that make a name sound like a credential, and endings that make it a place or a switch instead.
fn speaks_of_secrets(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "access_key",
        "api_key",
        "apikey",
        "bearer",
        "credential",
        "jwt",
        "passwd",
        "password",
        "private_key",
        "pwd",
        "secret",
        "token",
    ];
    const ENDINGS: [&str; 8] = [
        "_file", "_path", "_name", "_url", "_dir", "_enabled", "_ttl", "_length",
    ];
    let name = name.to_ascii_lowercase().replace('-', "_");
    WORDS.iter().any(|word| name.contains(word)) && !ENDINGS.iter().any(|end| name.ends_with(end))
}
