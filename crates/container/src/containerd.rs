//! containerd: the OCI bundle of each task, and the record of the container in containerd's database, which has what the
//! bundle lacks: the image of containers that Kubernetes did not make, digests, labels, and what CRI keeps about pods.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bolt::{Bolt, View};
use crate::json;
use crate::locate::Engine;
use crate::metadata::{MAX_ENTRIES, Metadata};
use crate::oci::{created, from_spec};

/// Where containerd keeps bundles and database, for its own and for embedded installations.
const PLACES: &[(&str, &str)] = &[
    ("run/containerd", "var/lib/containerd"),
    ("run/k3s/containerd", "var/lib/rancher/k3s/agent/containerd"),
    (
        "var/snap/microk8s/common/run/containerd",
        "var/snap/microk8s/common/var/lib/containerd",
    ),
];
/// Below a state directory: one directory for each namespace, therein one for each container.
pub(crate) const TASKS: &str = "io.containerd.runtime.v2.task";
const DATABASE: &str = "io.containerd.metadata.v1.bolt/meta.db";
/// Most namespaces of containerd that are looked through.
const MAX_NAMESPACES: usize = 64;

/// The directories in which namespaces and containers appear.
pub(crate) fn places(root: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for (state, _) in PLACES {
        let tasks = root.join(state).join(TASKS);
        let namespaces = std::fs::read_dir(&tasks).into_iter().flatten().flatten();
        out.extend(namespaces.take(MAX_NAMESPACES).map(|entry| entry.path()));
        out.push(tasks);
    }
    out
}

pub(crate) fn find(root: &Path, id: &str) -> Option<Metadata> {
    for (state, store) in PLACES {
        let Ok(namespaces) = std::fs::read_dir(root.join(state).join(TASKS)) else {
            continue;
        };
        for namespace in namespaces.flatten().take(MAX_NAMESPACES) {
            let bundle = namespace.path().join(id);
            let Some(spec) = json(&bundle.join("config.json")) else {
                continue;
            };
            let mut out = from_spec(&spec, id, Engine::Containerd);
            if let Ok(meta) = std::fs::metadata(&bundle) {
                out.created = created(&meta);
            }
            let name = namespace.file_name();
            let database: PathBuf = root.join(store).join(DATABASE);
            if let Some(bolt) = Bolt::open(&database) {
                let completed = bolt.read(|view| {
                    let mut out = out.clone();
                    complete(&mut out, view, name.as_encoded_bytes(), id);
                    Some(out)
                });
                out = completed.unwrap_or(out);
            }
            return Some(out);
        }
    }
    None
}

/// Adds what the database knows.
fn complete(out: &mut Metadata, view: &View<'_>, namespace: &[u8], id: &str) {
    let containers: [&[u8]; 3] = [b"v1", namespace, b"containers"];
    let own = |id: &str, key: &[u8]| -> Option<String> {
        view.text(&[
            containers[0],
            containers[1],
            containers[2],
            id.as_bytes(),
            key,
        ])
    };
    if out.image.is_empty() {
        out.image = own(id, b"image").unwrap_or_default();
    }
    let labels = |id: &str| {
        view.list(&[b"v1", namespace, b"containers", id.as_bytes(), b"labels"])
            .into_iter()
            .take(MAX_ENTRIES)
            .filter_map(|(key, value)| {
                Some((String::from_utf8(key).ok()?, String::from_utf8(value).ok()?))
            })
            // its own notes (`io.cri-containerd.kind` and the like), which nobody labelled anything with
            .filter(|(key, _)| !key.starts_with("io.cri-containerd."))
    };
    for (key, value) in labels(id) {
        out.labels.entry(key).or_insert(value);
    }
    let extension = |kind: &[u8], id: &str, name: &[u8]| -> Option<Value> {
        let any = view.get(&[b"v1", namespace, kind, id.as_bytes(), b"extensions", name])?;
        let value: Value = serde_json::from_slice(any_value(&any)?).ok()?;
        value.get("Metadata").cloned()
    };
    if let Some(cri) = extension(b"containers", id, b"io.cri-containerd.container.metadata") {
        text(&cri["ImageRef"]).clone_into(&mut out.image_id);
        if out.image.is_empty() {
            text(&cri["Config"]["image"]["image"]).clone_into(&mut out.image);
        }
        // on a node that lacks capabilities itself, the bundle of a privileged container does not look like one's
        out.privileged |= cri["Config"]["linux"]["security_context"]["privileged"] == true;
    }
    out.image_id = out.image_id.trim_start_matches("sha256:").to_owned();
    if out.image_digest.is_empty() && !out.image.is_empty() {
        let target: [&[u8]; 6] = [
            b"v1",
            namespace,
            b"images",
            out.image.as_bytes(),
            b"target",
            b"digest",
        ];
        out.image_digest = view.text(&target).unwrap_or_default();
    }
    let pod = if out.is_pod_sandbox {
        id.to_owned()
    } else {
        out.pod_sandbox_id.clone()
    };
    if pod.is_empty() {
        return;
    }
    // before containerd 2.0 a sandbox is a container, since then a record of its own
    out.pod_labels.extend(labels(&pod));
    let sandbox = extension(b"containers", &pod, b"io.cri-containerd.sandbox.metadata")
        .or_else(|| extension(b"sandboxes", &pod, b"metadata"));
    if let Some(sandbox) = sandbox {
        if out.ip.is_empty() {
            text(&sandbox["IP"]).clone_into(&mut out.ip);
        }
        let labels = sandbox["Config"]["labels"].as_object();
        for (key, value) in labels.into_iter().flatten().take(MAX_ENTRIES) {
            out.pod_labels.insert(key.clone(), text(value).to_owned());
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The `value` (field 2) of a `google.protobuf.Any`.
fn any_value(mut bytes: &[u8]) -> Option<&[u8]> {
    /// Wire type of everything with a length in front.
    const DELIMITED: u64 = 2;
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        if key & 7 != DELIMITED {
            return None;
        }
        let length = usize::try_from(varint(&mut bytes)?).ok()?;
        let value = bytes.get(..length)?;
        if key >> 3 == 2 {
            return Some(value);
        }
        bytes = &bytes[length..];
    }
    None
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolt::tests::{Entry, database};

    fn any(json: &str) -> Entry {
        let mut bytes = vec![0x0a, 3, b'u', b'r', b'l', 0x12];
        assert!(json.len() < 1 << 14, "two bytes of length");
        bytes.push((json.len() & 0x7f) as u8 | 0x80);
        bytes.push((json.len() >> 7) as u8);
        bytes.extend(json.as_bytes());
        Entry::Value(bytes)
    }

    #[test]
    fn what_cri_and_the_image_store_know_is_added() {
        let value = |text: &str| Entry::Value(text.as_bytes().to_vec());
        let container = Entry::Bucket(vec![
            (
                "extensions",
                Entry::Bucket(vec![(
                    "io.cri-containerd.container.metadata",
                    any(
                        r#"{"Version":"v1","Metadata":{"ImageRef":"sha256:beef","Config":{"linux":{"security_context":{"privileged":true}}}}}"#,
                    ),
                )]),
            ),
            ("image", value("docker.io/library/web:1")),
            ("labels", Entry::Bucket(vec![("app", value("web"))])),
        ]);
        let pod = Entry::Bucket(vec![(
            "extensions",
            Entry::Bucket(vec![(
                "io.cri-containerd.sandbox.metadata",
                any(r#"{"Metadata":{"IP":"10.0.0.7","Config":{"labels":{"tier":"front"}}}}"#),
            )]),
        )]);
        let image = Entry::Bucket(vec![(
            "docker.io/library/web:1",
            Entry::Bucket(vec![(
                "target",
                Entry::Bucket(vec![("digest", value("sha256:d1"))]),
            )]),
        )]);
        let namespace = Entry::Bucket(vec![
            (
                "containers",
                Entry::Bucket(vec![("c1", container), ("p1", pod)]),
            ),
            ("images", image),
        ]);
        let bytes = database([
            &[("a", value(""))],
            &[("v1", Entry::Bucket(vec![("k8s.io", namespace)]))],
        ]);
        let path = std::env::temp_dir().join(format!("vedette-meta-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let mut found = Metadata {
            pod_sandbox_id: "p1".to_owned(),
            ..Metadata::default()
        };
        Bolt::open(&path)
            .unwrap()
            .read(|view| {
                let mut out = found.clone();
                complete(&mut out, view, b"k8s.io", "c1");
                Some(out)
            })
            .map(|out| found = out)
            .unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            (
                found.image.as_str(),
                found.image_id.as_str(),
                found.image_digest.as_str(),
                found.ip.as_str()
            ),
            ("docker.io/library/web:1", "beef", "sha256:d1", "10.0.0.7")
        );
        assert!(found.privileged);
        assert_eq!(
            (
                found.labels["app"].as_str(),
                found.pod_labels["tier"].as_str()
            ),
            ("web", "front")
        );
    }

    #[test]
    fn wrapped_values_are_unwrapped_or_nothing() {
        assert_eq!(
            any_value(&[0x0a, 1, b'u', 0x12, 2, b'{', b'}']),
            Some(&b"{}"[..])
        );
        for bad in [
            &[][..],
            &[0x12, 9, 1],
            &[0x10, 1],
            &[0x80; 20],
            &[0x0a, 0xff, 0xff],
        ] {
            assert_eq!(any_value(bad), None);
        }
    }
}
