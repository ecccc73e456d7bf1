//! The kubelet keeps its iptables chains.
//!
//! # What it ensures
//!
//! `makeIPTablesUtilChains` is true or unset.
//!
//! # Why
//!
//! Without the chains, rules of the node and of the cluster may contradict each other.
//!
//! # Example
//!
//! ```yaml
//! makeIPTablesUtilChains: false
//! ```
//!
//! # Fix
//!
//! Remove the setting or set it to true.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-iptables-chains",
    severity: Severity::Low,
    scope: Scope::Node,
    maps: &[
        "cis-eks-1.4:3.2.6",
        "cis-eks-1.5:3.2.6",
        "cis-eks-1.7:3.2.6",
        "cis-eks-1.8:3.2.6",
    ],
    stops: &[],
    source: include_str!("kubelet_iptables_chains.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "make-iptables-util-chains",
            config: &["makeIPTablesUtilChains"],
            fact: "kubeletMakeIptablesUtilChainsArgumentSet",
        },
        |found| {
            (found == Some("false"))
                .then(|| "the kubelet leaves its iptables chains to others".to_owned())
        },
    );
}
