//! What is known of a container, and its shape in the `container` event.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A mount of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// Where it comes from on the host.
    pub source: String,
    /// Where it is in the container.
    pub destination: String,
    /// The runtime's mode text.
    pub mode: String,
    /// Whether the container may write.
    pub writable: bool,
    /// Mount propagation.
    pub propagation: String,
}

/// What a runtime knows of a container. Unknown texts are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Full id.
    pub id: String,
    /// [`crate::Engine::number`].
    pub engine: u8,
    /// Its name.
    pub name: String,
    /// The image as it was asked for: `docker.io/library/nginx:1.25`.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// The image's digest, `sha256:…`.
    pub image_digest: String,
    /// User the first process runs as.
    pub user: String,
    /// Environment; values of names that look like secrets are hidden.
    pub env: Vec<String>,
    /// Labels, Kubernetes' own included.
    pub labels: BTreeMap<String, String>,
    /// Labels of the pod.
    pub pod_labels: BTreeMap<String, String>,
    /// Id of the pod's sandbox.
    pub pod_sandbox_id: String,
    /// Whether this is a sandbox itself.
    pub is_pod_sandbox: bool,
    /// Mounts from the host.
    pub mounts: Vec<Mount>,
    /// Whether nothing is kept from it.
    pub privileged: bool,
    /// Whether it shares the host's network.
    pub host_network: bool,
    /// Whether it shares the host's processes.
    pub host_pid: bool,
    /// Whether it shares the host's IPC.
    pub host_ipc: bool,
    /// Its address.
    pub ip: String,
    /// When it was made, seconds since the Unix epoch.
    pub created: i64,
    /// Bytes of memory it may use; 0: no limit.
    pub memory_limit: i64,
    /// Bytes of memory and swap.
    pub swap_limit: i64,
    /// Relative weight.
    pub cpu_shares: i64,
    /// Microseconds of a period.
    pub cpu_quota: i64,
    /// The period.
    pub cpu_period: i64,
}

/// Parts of names whose values are hidden.
const SECRET_NAMES: &[&str] = &[
    "PASS",
    "SECRET",
    "TOKEN",
    "KEY",
    "CREDENTIAL",
    "AUTH",
    "COOKIE",
    "DSN",
];
/// Most environment variables, labels and mounts that are kept of one container.
pub(crate) const MAX_ENTRIES: usize = 256;
/// Letters of the short id.
const SHORT_ID: usize = 12;
/// The kernel's defaults, which the event carries where nothing else is set.
pub(crate) const CPU_SHARES: i64 = 1024;
pub(crate) const CPU_PERIOD: i64 = 100_000;

/// An environment variable with its value hidden when its name looks like a secret's.
pub(crate) fn redacted(variable: &str) -> String {
    match variable.split_once('=') {
        Some((name, _))
            if SECRET_NAMES
                .iter()
                .any(|s| name.to_ascii_uppercase().contains(s)) =>
        {
            format!("{name}=<redacted>")
        }
        _ => variable.to_owned(),
    }
}

impl Metadata {
    /// The short id that events and rules use.
    pub fn short_id(&self) -> &str {
        self.id.get(..SHORT_ID).unwrap_or(&self.id)
    }

    /// Repository and tag of the image.
    pub fn repository_and_tag(&self) -> (&str, &str) {
        let image = self
            .image
            .split_once('@')
            .map_or(self.image.as_str(), |(image, _)| image);
        match image.rsplit_once(':') {
            // a colon before a slash belongs to a port
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (image, ""),
        }
    }

    /// The data of the `container` event.
    pub fn to_json(&self) -> String {
        let (repository, tag) = self.repository_and_tag();
        let mounts: Vec<Value> = self
            .mounts
            .iter()
            .map(|m| {
                json!({
                    "Source": m.source,
                    "Destination": m.destination,
                    "Mode": m.mode,
                    "RW": m.writable,
                    "Propagation": m.propagation,
                })
            })
            .collect();
        json!({"container": {
            "type": self.engine,
            "id": self.short_id(),
            "full_id": self.id,
            "name": self.name,
            "image": self.image,
            "imagedigest": self.image_digest,
            "imageid": self.image_id,
            "imagerepo": repository,
            "imagetag": tag,
            "User": self.user,
            "cni_json": "",
            "cpu_period": self.cpu_period,
            "cpu_quota": self.cpu_quota,
            "cpu_shares": self.cpu_shares,
            "cpuset_cpu_count": 0,
            "created_time": self.created,
            "env": self.env,
            "host_ipc": self.host_ipc,
            "host_network": self.host_network,
            "host_pid": self.host_pid,
            "ip": self.ip,
            "size": -1,
            "is_pod_sandbox": self.is_pod_sandbox,
            "labels": self.labels,
            "memory_limit": self.memory_limit,
            "swap_limit": self.swap_limit,
            "pod_sandbox_id": self.pod_sandbox_id,
            "privileged": self.privileged,
            "pod_sandbox_labels": self.pod_labels,
            "port_mappings": [],
            "Mounts": mounts,
        }})
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        let of = |image: &str| {
            let metadata = Metadata {
                image: image.into(),
                ..Metadata::default()
            };
            let (repository, tag) = metadata.repository_and_tag();
            (repository.to_owned(), tag.to_owned())
        };
        assert_eq!(of("nginx:1.25"), ("nginx".into(), "1.25".into()));
        assert_eq!(of("host:5000/a/b"), ("host:5000/a/b".into(), String::new()));
        assert_eq!(
            of("host:5000/a:2@sha256:00"),
            ("host:5000/a".into(), "2".into())
        );
    }

    #[test]
    fn secrets_are_hidden() {
        assert_eq!(redacted("DB_PASSWORD=x=y"), "DB_PASSWORD=<redacted>");
        assert_eq!(
            redacted("aws_secret_access_key=x"),
            "aws_secret_access_key=<redacted>"
        );
        assert_eq!(redacted("PATH=/bin"), "PATH=/bin");
    }
}
