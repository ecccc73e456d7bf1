//! Admission webhooks fail closed.
//!
//! # What it ensures
//!
//! No validating or mutating webhook sets `failurePolicy: Ignore`.
//!
//! # Why
//!
//! A guard that is skipped when it does not answer can be switched off by making it slow.
//!
//! # Example
//!
//! ```yaml
//! webhooks:
//! - failurePolicy: Ignore
//! ```
//!
//! # Fix
//!
//! Set `failurePolicy: Fail` and exempt what must go on during an outage by `namespaceSelector`.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "webhook-failure-policy",
    severity: Severity::Low,
    scope: Scope::Webhook,
    maps: &[],
    stops: &[],
    source: include_str!("webhook_failure_policy.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for (index, hook) in [
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ]
    .iter()
    .flat_map(|kind| input.of_kind(kind))
    {
        for (at, webhook) in value::list(&hook.node, &["webhooks"]).iter().enumerate() {
            if value::text(webhook, &["failurePolicy"]) == Some("Ignore") {
                out.push(
                    Finding::new(
                        index,
                        format!("webhooks[{at}].failurePolicy"),
                        "the webhook is skipped when it does not answer",
                    )
                    .set("Fail")
                    .caution("what happens to deployments while the webhook is down"),
                );
            }
        }
    }
}
