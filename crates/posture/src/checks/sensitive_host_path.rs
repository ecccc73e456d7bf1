//! No pod is given a system directory of the node.
//!
//! # What it ensures
//!
//! No container mounts `/`, `/boot`, `/dev`, `/etc`, `/lib`, `/proc`, `/sys`, `/usr`, `/root` or the kubelet's
//! directories of the node.
//!
//! # Why
//!
//! These directories hold credentials, start-up files and kernel switches.
//!
//! # Example
//!
//! ```yaml
//! volumes:
//! - name: etc
//!   hostPath: {path: /etc}
//! ```
//!
//! # Fix
//!
//! Mount the one file that is needed, read-only, or remove the volume.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::mounts::{host_mounts, host_volumes};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "sensitive-host-path",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("sensitive_host_path.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (volume, path) in host_volumes(workload) {
            let bare = match path.trim_end_matches('/') {
                "" => "/",
                bare => bare,
            };
            if !DIRECTORIES.contains(&bare) {
                continue;
            }
            for mount in host_mounts(workload, volume) {
                let mut finding = crate::check::Finding::new(
                    workload.object,
                    mount.path,
                    format!("container {:?} mounts the node's {path:?}", mount.container),
                );
                finding.value = Some(path.to_owned());
                finding.container = Some(mount.container.to_owned());
                out.push(finding);
            }
        }
    }
}

/// Directories whose content is the node's own.
const DIRECTORIES: [&str; 12] = [
    "/",
    "/boot",
    "/dev",
    "/etc",
    "/etc/kubernetes",
    "/lib",
    "/proc",
    "/root",
    "/sys",
    "/usr",
    "/var/lib/kubelet",
    "/var/run/docker.sock",
];
