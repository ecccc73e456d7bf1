//! Idle connections to the kubelet end.
//!
//! # What it ensures
//!
//! `streamingConnectionIdleTimeout` is not 0.
//!
//! # Why
//!
//! Connections that never end exhaust ports and hide a forgotten shell.
//!
//! # Example
//!
//! ```yaml
//! streamingConnectionIdleTimeout: 0s
//! ```
//!
//! # Fix
//!
//! Remove the setting or set it to `4h`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-streaming-timeout",
    severity: Severity::Low,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.2.5",
        "cis-eks-1.5:3.2.5",
        "cis-eks-1.7:3.2.5",
        "cis-eks-1.8:3.2.5",
    ],
    stops: &[],
    source: include_str!("kubelet_streaming_timeout.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "streaming-connection-idle-timeout",
            config: &["streamingConnectionIdleTimeout"],
            fact: "kubeletStreamingConnectionIdleTimeoutArgumentSet",
        },
        |found| {
            found
                .is_some_and(|time| time.trim_end_matches(|c: char| c.is_ascii_alphabetic()) == "0")
                .then(|| "idle connections to the kubelet never end".to_owned())
        },
    );
}
