//! Pods do not mount directories of the node.
//!
//! # What it ensures
//!
//! No pod has a `hostPath` volume.
//!
//! # Why
//!
//! Whoever can write below `/` of the node owns it; even reading finds kubelet credentials and other pods'
//! secrets.
//!
//! # Example
//!
//! ```yaml
//! volumes:
//! - name: root
//!   hostPath: {path: /}
//! ```
//!
//! # Fix
//!
//! Use an emptyDir, a persistent volume, a configMap or a projected volume instead.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::mounts::host_mounts;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "host-path-volume",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &["cis-k8s-1.12:5.2.12"],
    stops: &[],
    source: include_str!("host_path_volume.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (index, volume) in value::list(workload.pod.spec, &["volumes"])
            .iter()
            .enumerate()
        {
            if value::field(volume, "hostPath").is_none() {
                continue;
            }
            let name = value::text(volume, &["name"]).unwrap_or_default();
            let path = value::text(volume, &["hostPath", "path"]).unwrap_or_default();
            let mut finding = workload.finding(
                &format!("volumes[{index}]"),
                format!("volume {name:?} is the directory {path:?} of the node"),
            );
            finding.value = Some(path.to_owned());
            for mount in host_mounts(workload, name) {
                finding = finding.also(mount.path);
            }
            out.push(finding);
        }
    }
}
