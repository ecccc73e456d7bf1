//! What is known of a container, read from the JSON text that container events carry.

use serde_json::Value;

/// Most labels or mounts of one container that are kept.
const MAX_ENTRIES: usize = 1024;

/// Length of a container id as it is shown.
pub(crate) const SHORT_ID: usize = 12;

/// A container, or the machine itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) id: Box<str>,
    pub(crate) full_id: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) kind: &'static str,
    pub(crate) image: Box<str>,
    pub(crate) image_id: Box<str>,
    pub(crate) image_repository: Box<str>,
    pub(crate) image_tag: Box<str>,
    pub(crate) image_digest: Box<str>,
    pub(crate) privileged: bool,
    pub(crate) host_pid: bool,
    pub(crate) host_network: bool,
    pub(crate) host_ipc: bool,
    pub(crate) ip: Box<str>,
    pub(crate) cni_json: Box<str>,
    pub(crate) pod_sandbox_id: Box<str>,
    pub(crate) mounts: Vec<Mount>,
    /// Sorted by name.
    pub(crate) labels: Vec<(Box<str>, Box<str>)>,
    /// Sorted by name.
    pub(crate) pod_labels: Vec<(Box<str>, Box<str>)>,
}

/// A mount of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) source: Box<str>,
    pub(crate) destination: Box<str>,
    pub(crate) mode: Box<str>,
    pub(crate) writable: bool,
    pub(crate) propagation: Box<str>,
}

impl Mount {
    /// Appends `source:destination:mode:writable:propagation`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for part in [&self.source, &self.destination, &self.mode] {
            out.extend_from_slice(part.as_bytes());
            out.push(b':');
        }
        out.extend_from_slice(if self.writable { b"true" } else { b"false" });
        out.push(b':');
        out.extend_from_slice(self.propagation.as_bytes());
    }
}

/// Name of a runtime by its number in container records.
pub(crate) fn kind_name(number: u64) -> &'static str {
    match number {
        0 => "docker",
        1 => "lxc",
        2 => "libvirt-lxc",
        3 => "mesos",
        4 => "rkt",
        5 => "custom",
        6 => "cri",
        7 => "containerd",
        8 => "cri-o",
        9 => "bpm",
        10 => "static",
        11 => "podman",
        0xfffe => "host",
        _ => "",
    }
}

impl Info {
    /// What stands for processes outside of containers.
    pub(crate) fn host() -> Self {
        Self {
            id: "host".into(),
            full_id: "host".into(),
            name: "host".into(),
            kind: "host",
            ..Self::default()
        }
    }

    /// Reads a container record. `None` when it is none.
    pub(crate) fn from_json(bytes: &[u8]) -> Option<Self> {
        let bytes = memchr::memchr(0, bytes).map_or(bytes, |end| &bytes[..end]);
        let record: Value = serde_json::from_slice(bytes).ok()?;
        let container = record.get("container")?.as_object()?;
        let text = |key: &str| -> Box<str> {
            container
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .into()
        };
        let flag = |key: &str| container.get(key).and_then(Value::as_bool).unwrap_or(false);
        let labels = |key: &str| {
            let mut labels: Vec<(Box<str>, Box<str>)> = container
                .get(key)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .take(MAX_ENTRIES)
                .map(|(name, value)| {
                    (
                        name.as_str().into(),
                        value.as_str().unwrap_or_default().into(),
                    )
                })
                .collect();
            labels.sort();
            labels
        };
        let mounts = container
            .get("Mounts")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .take(MAX_ENTRIES)
            .map(|mount| {
                let text = |key: &str| -> Box<str> {
                    mount
                        .get(key)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .into()
                };
                Mount {
                    source: text("Source"),
                    destination: text("Destination"),
                    mode: text("Mode"),
                    writable: mount.get("RW").and_then(Value::as_bool).unwrap_or(false),
                    propagation: text("Propagation"),
                }
            })
            .collect();
        let id = text("id");
        if id.is_empty() {
            return None;
        }
        Some(Self {
            id,
            full_id: text("full_id"),
            name: text("name"),
            kind: kind_name(
                container
                    .get("type")
                    .and_then(Value::as_u64)
                    .unwrap_or(u64::MAX),
            ),
            image: text("image"),
            image_id: text("imageid"),
            image_repository: text("imagerepo"),
            image_tag: text("imagetag"),
            image_digest: text("imagedigest"),
            privileged: flag("privileged"),
            host_pid: flag("host_pid"),
            host_network: flag("host_network"),
            host_ipc: flag("host_ipc"),
            ip: text("ip"),
            cni_json: text("cni_json"),
            pod_sandbox_id: text("pod_sandbox_id"),
            mounts,
            labels: labels("labels"),
            pod_labels: labels("pod_sandbox_labels"),
        })
    }

    /// Value of label `name`.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        find(&self.labels, name)
    }
}

/// Value of `name` in a sorted list of labels.
pub(crate) fn find<'a>(labels: &'a [(Box<str>, Box<str>)], name: &str) -> Option<&'a str> {
    labels
        .binary_search_by(|(key, _)| (**key).cmp(name))
        .ok()
        .map(|at| &*labels[at].1)
}

#[cfg(test)]
mod tests {
    use super::Info;

    #[test]
    fn a_record_tells_the_container() {
        let info = Info::from_json(
            br#"{"container":{"id":"3ad7b26ded6d","type":7,"name":"web","image":"r/w:1","imagerepo":"r/w","imagetag":"1",
            "privileged":true,"labels":{"io.kubernetes.pod.name":"p"},"pod_sandbox_labels":null,
            "Mounts":[{"Source":"/a","Destination":"/b","Mode":"","RW":true,"Propagation":"rprivate"}]}}"#,
        )
        .unwrap();
        assert_eq!(&*info.id, "3ad7b26ded6d");
        assert_eq!(info.kind, "containerd");
        assert!(info.privileged);
        assert_eq!(info.label("io.kubernetes.pod.name"), Some("p"));
        let mut mounts = Vec::new();
        info.mounts[0].write(&mut mounts);
        assert_eq!(mounts, b"/a:/b::true:rprivate");
    }

    #[test]
    fn other_text_is_no_record() {
        for text in [
            "",
            "{}",
            "[1]",
            "{\"container\":3}",
            "{\"container\":{\"name\":\"x\"}}",
        ] {
            assert_eq!(Info::from_json(text.as_bytes()), None, "{text}");
        }
    }
}
