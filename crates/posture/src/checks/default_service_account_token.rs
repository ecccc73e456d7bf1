//! The default service account hands out no tokens.
//!
//! # What it ensures
//!
//! Every service account named `default` sets `automountServiceAccountToken: false`.
//!
//! # Why
//!
//! Every pod that names no account runs as `default`; a right that it is given once, all of them have.
//!
//! # Example
//!
//! ```yaml
//! kind: ServiceAccount
//! metadata: {name: default}
//! ```
//!
//! # Fix
//!
//! Set `automountServiceAccountToken: false` on it.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "default-service-account-token",
    severity: Severity::Medium,
    scope: Scope::ServiceAccount,
    maps: &[
        "cis-eks-1.4:4.1.5",
        "cis-eks-1.5:4.1.5",
        "cis-eks-1.7:4.1.5",
        "cis-eks-1.8:4.1.5",
        "cis-k8s-1.12:5.1.5",
    ],
    stops: &[8],
    source: include_str!("default_service_account_token.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for (index, account) in input.of_kind("ServiceAccount") {
        let mounts = value::flag(&account.node, &["automountServiceAccountToken"]);
        if account.name == "default" && mounts != Some(false) {
            out.push(
                Finding::new(
                    index,
                    "automountServiceAccountToken",
                    "the default service account hands out tokens",
                )
                .set("false")
                .caution("pods that run as default and call the API server"),
            );
        }
    }
}
