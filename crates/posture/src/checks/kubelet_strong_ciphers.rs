//! The kubelet speaks strong cryptography only.
//!
//! # What it ensures
//!
//! `tlsCipherSuites` is set and lists strong suites only.
//!
//! # Why
//!
//! The defaults still contain suites that auditors refuse.
//!
//! # Example
//!
//! ```yaml
//! tlsCipherSuites: [TLS_RSA_WITH_RC4_128_SHA]
//! ```
//!
//! # Fix
//!
//! List the ECDHE suites with AES-GCM or ChaCha20.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::node::{Setting, judge};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "kubelet-strong-ciphers",
    severity: Severity::Low,
    scope: Scope::Node,
    maps: &[],
    stops: &[],
    source: include_str!("kubelet_strong_ciphers.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    judge(
        input,
        out,
        Setting {
            flag: "tls-cipher-suites",
            config: &["tlsCipherSuites"],
            fact: "kubeletOnlyUseStrongCryptographic",
        },
        |found| {
            let Some(list) = found.filter(|list| !list.is_empty()) else {
                return Some("no cipher suites are chosen".to_owned());
            };
            let weak = list
                .trim_matches(['[', ']'])
                .split(',')
                .map(str::trim)
                .find(|suite| !STRONG.contains(suite))?;
            Some(format!("the suite {weak} is not a strong one"))
        },
    );
}

/// Suites of TLS 1.2 that CIS calls strong.
const STRONG: [&str; 8] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
];
