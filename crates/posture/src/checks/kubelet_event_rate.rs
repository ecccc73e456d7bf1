//! The kubelet reports all events.
//!
//! # What it ensures
//!
//! `eventRecordQPS` (unset means 50) is not 0, which switches the limit off and lets one node flood the API
//! server.
//!
//! # Why
//!
//! Events are evidence; too low a rate drops them, no limit at all is a way to deny service.
//!
//! # Example
//!
//! ```yaml
//! eventRecordQPS: 0
//! ```
//!
//! # Fix
//!
//! Set a rate that fits the node, such as 50.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-event-rate",
    severity: Severity::Low,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.2.7",
        "cis-eks-1.5:3.2.7",
        "cis-eks-1.7:3.2.7",
        "cis-eks-1.8:3.2.7",
    ],
    stops: &[],
    source: include_str!("kubelet_event_rate.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "event-qps",
            config: &["eventRecordQPS"],
            fact: "kubeletEventQpsArgumentSet",
        },
        |found| (found == Some("0")).then(|| "the rate of events is not limited".to_owned()),
    );
}
