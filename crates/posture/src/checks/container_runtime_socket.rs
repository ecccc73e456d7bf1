//! No pod is given the socket of the container runtime.
//!
//! # What it ensures
//!
//! No `hostPath` volume is the socket of Docker, containerd or CRI-O.
//!
//! # Why
//!
//! The socket starts and enters any container of the node, privileged ones included; it is root on the node.
//!
//! # Example
//!
//! ```yaml
//! volumes:
//! - name: sock
//!   hostPath: {path: /var/run/docker.sock}
//! ```
//!
//! # Fix
//!
//! Remove the volume; build images with a rootless builder and read container facts from the Kubernetes API.

use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;
use crate::mounts::host_mounts;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "container-runtime-socket",
    severity: Severity::Critical,
    scope: Scope::Workload,
    maps: &[],
    stops: &[5, 6, 7],
    source: include_str!("container_runtime_socket.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (index, volume) in value::list(workload.pod.spec, &["volumes"])
            .iter()
            .enumerate()
        {
            let path = value::text(volume, &["hostPath", "path"]).unwrap_or_default();
            if !SOCKETS.contains(&path.trim_end_matches('/')) {
                continue;
            }
            let name = value::text(volume, &["name"]).unwrap_or_default();
            let mut finding = workload.finding(
                &format!("volumes[{index}]"),
                format!("volume {name:?} is the container runtime's socket {path:?}"),
            );
            finding.value = Some(path.to_owned());
            for mount in host_mounts(workload, name) {
                finding = finding.also(mount.path);
            }
            out.push(finding);
        }
    }
}

/// Where runtimes listen by default.
const SOCKETS: [&str; 10] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/var/run/docker",
    "/run/docker",
    "/run/containerd/containerd.sock",
    "/var/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/var/run/crio/crio.sock",
    "/run/crio/crio.sock",
    "/run/podman/podman.sock",
];
