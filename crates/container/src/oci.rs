//! OCI bundles: the `config.json` that a runtime writes before it starts a container. Plain runc keeps the bundle's place
//! in its state.

use std::path::Path;

use serde_json::Value;

use crate::json;
use crate::locate::Engine;
use crate::metadata::{CPU_PERIOD, CPU_SHARES, MAX_ENTRIES, Metadata, Mount, redacted};

/// Where the low-level runtimes keep their state when nobody tells them another place.
pub(crate) const STATES: &[&str] = &["run/runc", "run/crun"];

pub(crate) fn find(root: &Path, id: &str) -> Option<Metadata> {
    STATES
        .iter()
        .find_map(|place| in_state(root, &root.join(place).join(id), id))
}

/// By a runtime's state: runc's `state.json` holds labels, among them the bundle's path; crun's `status` the path itself.
fn in_state(root: &Path, dir: &Path, id: &str) -> Option<Metadata> {
    let bundle = match json(&dir.join("state.json")) {
        Some(state) => state["config"]["labels"]
            .as_array()?
            .iter()
            .filter_map(Value::as_str)
            .find_map(|label| label.strip_prefix("bundle="))?
            .to_owned(),
        None => json(&dir.join("status"))?["bundle"].as_str()?.to_owned(),
    };
    let file = root
        .join(bundle.trim_start_matches('/'))
        .join("config.json");
    let spec = json(&file)?;
    let mut out = from_spec(&spec, id, Engine::Other);
    if let Ok(meta) = std::fs::metadata(dir) {
        out.created = created(&meta);
    }
    Some(out)
}

/// When a file was made or last changed, seconds since the Unix epoch.
pub(crate) fn created(meta: &std::fs::Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    meta.ctime()
}

/// What an OCI runtime specification says of its container.
pub(crate) fn from_spec(spec: &Value, id: &str, engine: Engine) -> Metadata {
    let annotation = |name: &str| {
        spec["annotations"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let cri = |name: &str| annotation(&format!("io.kubernetes.cri.{name}"));
    let resources = &spec["linux"]["resources"];
    let number = |value: &Value, default: i64| value.as_i64().unwrap_or(default);
    let mut out = Metadata {
        id: id.to_owned(),
        engine: engine.number(),
        name: cri("container-name"),
        image: cri("image-name"),
        user: spec["process"]["user"]["uid"]
            .as_u64()
            .map(|uid| uid.to_string())
            .unwrap_or_default(),
        env: strings(&spec["process"]["env"]).map(redacted).collect(),
        pod_sandbox_id: cri("sandbox-id"),
        is_pod_sandbox: cri("container-type") == "sandbox",
        mounts: mounts(&spec["mounts"]),
        privileged: is_privileged(spec),
        host_network: shares(spec, "network"),
        host_pid: shares(spec, "pid"),
        host_ipc: shares(spec, "ipc"),
        memory_limit: number(&resources["memory"]["limit"], 0),
        swap_limit: number(&resources["memory"]["swap"], 0),
        cpu_shares: number(&resources["cpu"]["shares"], CPU_SHARES),
        cpu_quota: number(&resources["cpu"]["quota"], 0),
        cpu_period: number(&resources["cpu"]["period"], CPU_PERIOD),
        ..Metadata::default()
    };
    for (from, to) in [
        ("container-name", "io.kubernetes.container.name"),
        ("sandbox-name", "io.kubernetes.pod.name"),
        ("sandbox-namespace", "io.kubernetes.pod.namespace"),
        ("sandbox-uid", "io.kubernetes.pod.uid"),
    ] {
        let value = cri(from);
        if !value.is_empty() {
            out.labels.insert(to.to_owned(), value);
        }
    }
    if out.name.is_empty() {
        out.name = if out.is_pod_sandbox {
            cri("sandbox-name")
        } else {
            id.to_owned()
        };
    }
    out
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(MAX_ENTRIES)
}

/// Mounts from the host; what the runtime makes for every container (proc, tmpfs and so on) is left out.
fn mounts(value: &Value) -> Vec<Mount> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter(|mount| {
            mount["type"].as_str() == Some("bind")
                || strings(&mount["options"]).any(|o| o == "bind" || o == "rbind")
        })
        .take(MAX_ENTRIES)
        .map(|mount| {
            let options: Vec<&str> = strings(&mount["options"]).collect();
            Mount {
                source: mount["source"].as_str().unwrap_or_default().to_owned(),
                destination: mount["destination"].as_str().unwrap_or_default().to_owned(),
                mode: String::new(),
                writable: !options.contains(&"ro"),
                propagation: options
                    .iter()
                    .find(|o| {
                        [
                            "rprivate", "private", "rshared", "shared", "rslave", "slave",
                        ]
                        .contains(o)
                    })
                    .map_or(String::new(), |o| (*o).to_owned()),
            }
        })
        .collect()
}

/// A specification does not say `privileged`; every runtime turns that into these together.
fn is_privileged(spec: &Value) -> bool {
    let all = strings(&spec["process"]["capabilities"]["bounding"]).any(|c| c == "CAP_SYS_ADMIN")
        && strings(&spec["process"]["capabilities"]["bounding"]).any(|c| c == "CAP_SYS_MODULE");
    let unconfined = spec["linux"]["seccomp"].is_null();
    let unmasked = strings(&spec["linux"]["maskedPaths"]).next().is_none();
    all && unconfined && unmasked
}

/// Whether a namespace is the host's: it is not listed, or is listed with the first process's.
fn shares(spec: &Value, kind: &str) -> bool {
    let Some(listed) = spec["linux"]["namespaces"].as_array() else {
        return false;
    };
    listed
        .iter()
        .find(|n| n["type"].as_str() == Some(kind))
        .is_none_or(|n| {
            n["path"]
                .as_str()
                .is_some_and(|p| p.starts_with("/proc/1/ns/"))
        })
}
