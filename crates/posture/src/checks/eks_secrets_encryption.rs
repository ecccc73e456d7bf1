//! Secrets are encrypted with a key of your own.
//!
//! # What it ensures
//!
//! `encryptionConfig` lists `secrets` with a KMS key.
//!
//! # Why
//!
//! A copy of etcd or of its disks otherwise shows every secret to whoever has AWS’s own key.
//!
//! # Example
//!
//! ```yaml
//! cluster:
//!   name: c
//!   resourcesVpcConfig: {}
//! ```
//!
//! # Fix
//!
//! `aws eks associate-encryption-config` with a KMS key; it cannot be taken back.

use crate::check::{Check, Findings, Scope, Severity};
use crate::eks::{clusters, either};
use crate::input::Input;
use vedette_yaml::Node;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "eks-secrets-encryption",
    severity: Severity::Medium,
    scope: Scope::EksCluster,
    maps: &[
        "cis-eks-1.4:5.3.1",
        "cis-eks-1.5:5.3.1",
        "cis-eks-1.7:5.3.1",
        "cis-eks-1.8:5.3.1",
    ],
    stops: &[],
    source: include_str!("eks_secrets_encryption.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for cluster in clusters(input) {
        let configs = cluster
            .get(&["encryptionConfig"])
            .0
            .and_then(Node::as_seq)
            .unwrap_or_default();
        let encrypted = configs.iter().any(|config| {
            let listed = either(config, "resources")
                .and_then(Node::as_seq)
                .unwrap_or_default();
            let key = either(config, "provider").and_then(|provider| either(provider, "keyArn"));
            key.is_some()
                && listed
                    .iter()
                    .any(|resource| resource.as_str() == Some("secrets"))
        });
        if !encrypted {
            cluster.fail(
                out,
                &["encryptionConfig"],
                "secrets are not encrypted with a key of your own",
            );
        }
    }
}
