//! Kubernetes objects in audit records: the object that a request leaves behind, and what its pods may do.

use crate::json::{Json, Kind};

/// Directories and sockets of a node that give power over it to whoever can write there.
const SENSITIVE: [&str; 16] = [
    "/etc",
    "/proc",
    "/sys",
    "/root",
    "/home/admin",
    "/boot",
    "/var/lib/kubelet",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/etcd",
    "/var/run/docker.sock",
    "/var/run/crio/crio.sock",
    "/var/run/containerd/containerd.sock",
    "/run/docker.sock",
    "/run/crio/crio.sock",
    "/run/containerd/containerd.sock",
];

/// Files below [`SENSITIVE`] that half the world mounts and that give no power.
const HARMLESS: [&str; 3] = ["/etc/localtime", "/etc/timezone", "/etc/machine-id"];

/// The object as it is after the request: what was answered, or what was asked where the policy keeps no answers.
pub(crate) fn result(record: Json<'_>) -> Option<Json<'_>> {
    let object = |key: &str| {
        record.get(key).filter(|object| {
            object.is_object()
                && !object.get("kind").is_some_and(|k| k.is_text("Status"))
                // A patch of annotations or one that is a list of operations is no object.
                && object.get("kind").is_some()
        })
    };
    object("responseObject").or_else(|| object("requestObject"))
}

/// True when the request says something about member `key` of the object. Requests without a body that is kept count as
/// saying it.
pub(crate) fn touches(record: Json<'_>, key: &str) -> bool {
    let Some(request) = record.get("requestObject") else {
        return true;
    };
    match request.kind() {
        Kind::Array => request.items().any(|operation| {
            operation
                .get("path")
                .and_then(Json::to_text)
                .is_some_and(|path| {
                    path.split('/')
                        .nth(1)
                        .is_none_or(|top| top.is_empty() || top == key)
                })
        }),
        Kind::Object => request.get(key).is_some(),
        _ => true,
    }
}

/// Where a workload says what its pods are.
pub(crate) fn template(resource: &str) -> &'static [&'static str] {
    match resource {
        "pods" => &["spec"],
        "cronjobs" => &["spec", "jobTemplate"],
        "podtemplates" => &["template"],
        _ => &["spec", "template"],
    }
}

/// As [`touches`] for what is at `keys` and below: scaling a workload is not changing its pods.
pub(crate) fn touches_at(record: Json<'_>, keys: &[&str]) -> bool {
    let Some(request) = record.get("requestObject") else {
        return true;
    };
    match request.kind() {
        Kind::Array => request.items().any(|operation| {
            operation
                .get("path")
                .and_then(Json::to_text)
                .is_some_and(|path| {
                    // Whatever stands above it holds it, whatever stands below is part of it.
                    let steps = path.split('/').skip(1).filter(|step| !step.is_empty());
                    steps.zip(keys).all(|(step, key)| step == *key)
                })
        }),
        Kind::Object => request.path(keys).is_some(),
        _ => true,
    }
}

/// The pod specification inside a workload.
pub(crate) fn pod_spec<'a>(object: Json<'a>, resource: &str) -> Option<Json<'a>> {
    match resource {
        "pods" => object.get("spec"),
        "cronjobs" => object.path(&["spec", "jobTemplate", "spec", "template", "spec"]),
        "podtemplates" => object.path(&["template", "spec"]),
        _ => object.path(&["spec", "template", "spec"]),
    }
}

/// Every container of a pod, of all three kinds.
pub(crate) fn containers(spec: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    ["containers", "initContainers", "ephemeralContainers"]
        .into_iter()
        .filter_map(move |list| spec.get(list))
        .flat_map(Json::items)
}

/// True for a privileged container.
pub(crate) fn is_privileged(container: Json<'_>) -> bool {
    container
        .path(&["securityContext", "privileged"])
        .and_then(Json::as_bool)
        == Some(true)
}

/// Image of a container without tag and digest.
pub(crate) fn image_prefix(container: Json<'_>) -> Option<String> {
    let image = container.get("image")?.to_text()?;
    let name = image.split('@').next().unwrap_or_default();
    // A colon behind the last slash begins the tag; one before it is a registry's port.
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let end = name[slash..].find(':').map_or(name.len(), |at| slash + at);
    Some(name[..end].to_owned())
}

/// The volumes that one of these containers of the pod can write to.
pub(crate) fn writable_mounts<'a>(
    spec: Json<'a>,
    containers: &[Json<'a>],
) -> impl Iterator<Item = Json<'a>> {
    let volumes = spec.get("volumes").into_iter().flat_map(Json::items);
    volumes.filter(|volume| {
        let Some(name) = volume.get("name").and_then(Json::to_text) else {
            return false;
        };
        containers
            .iter()
            .filter_map(|container| container.get("volumeMounts"))
            .flat_map(Json::items)
            .any(|mount| {
                mount.get("name").is_some_and(|n| n.is_text(&name))
                    && mount.get("readOnly").and_then(Json::as_bool) != Some(true)
            })
    })
}

/// True when a container can write to a sensitive path of the node.
pub(crate) fn has_sensitive_mount(spec: Json<'_>) -> bool {
    let containers: Vec<Json<'_>> = containers(spec).collect();
    writable_mounts(spec, &containers)
        .filter_map(|volume| volume.path(&["hostPath", "path"])?.to_text())
        .any(|path| is_sensitive(&path))
}

/// True for a path that is sensitive, lies below a sensitive one, or holds one; the empty path is none.
pub(crate) fn is_sensitive(path: &str) -> bool {
    if path.is_empty() {
        return false;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let path = format!("/{}", parts.join("/"));
    let below = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path == "/"
        || !HARMLESS.contains(&path.as_str())
            && SENSITIVE
                .iter()
                .any(|sensitive| below(&path, sensitive) || below(sensitive, &path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Tape;

    #[test]
    fn sensitive_paths_are_known_however_they_are_written() {
        for path in [
            "/",
            "//",
            "/etc",
            "/etc/",
            "/etc/kubernetes/pki",
            "/var",
            "/var/run",
            "/tmp/../etc",
            "/run",
            "/./proc",
        ] {
            assert!(is_sensitive(path), "{path}");
        }
        for path in [
            "",
            "/etcd",
            "/tmp",
            "/var/log",
            "/lib/modules",
            "/etc/localtime",
            "/data/etc",
        ] {
            assert!(!is_sensitive(path), "{path}");
        }
    }

    #[test]
    fn images_lose_tag_and_digest_but_not_the_port() {
        let prefix = |image: &str| {
            let text = format!("{{\"image\":\"{image}\"}}");
            let mut tape = Tape::default();
            tape.parse(text.as_bytes(), 0).unwrap();
            image_prefix(tape.root(text.as_bytes()).unwrap()).unwrap()
        };
        assert_eq!(prefix("alpine:3.20"), "alpine");
        assert_eq!(prefix("registry:5000/a/b"), "registry:5000/a/b");
        assert_eq!(prefix("registry:5000/a/b:1@sha256:0"), "registry:5000/a/b");
    }
}
