//! Only volume types that the restricted standard allows are used.
//!
//! # What it ensures
//!
//! Volumes are configMap, csi, downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim, projected or
//! secret.
//!
//! # Why
//!
//! In-tree drivers for remote storage carry credentials in the pod and widen the kubelet's attack surface.
//!
//! # Example
//!
//! ```yaml
//! volumes:
//! - name: v
//!   nfs: {server: s, path: /}
//! ```
//!
//! # Fix
//!
//! Use a persistent volume claim.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::standard::standard;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "restricted-volume-types",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("restricted_volume_types.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    standard(
        input,
        out,
        "restrictedVolumes",
        "uses a volume type that the restricted standard forbids",
        |f| f,
    );
}
