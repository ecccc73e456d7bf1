//! Docker: `config.v2.json` and `hostconfig.json` of each container.

use std::path::Path;

use serde_json::Value;

use crate::json;
use crate::locate::Engine;
use crate::metadata::{CPU_PERIOD, CPU_SHARES, MAX_ENTRIES, Metadata, Mount, redacted};

pub(crate) fn find(root: &Path, id: &str) -> Option<Metadata> {
    let dir = root.join("var/lib/docker/containers").join(id);
    let config = json(&dir.join("config.v2.json"))?;
    let host = json(&dir.join("hostconfig.json")).unwrap_or(Value::Null);
    Some(from_config(id, &config, &host))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn from_config(id: &str, config: &Value, host: &Value) -> Metadata {
    let number = |name: &str, default: i64| match host[name].as_i64() {
        Some(0) | None => default,
        Some(value) => value,
    };
    Metadata {
        id: id.to_owned(),
        engine: Engine::Docker.number(),
        name: text(&config["Name"]).trim_start_matches('/').to_owned(),
        image: text(&config["Config"]["Image"]),
        image_id: text(&config["Image"])
            .trim_start_matches("sha256:")
            .to_owned(),
        user: text(&config["Config"]["User"]),
        env: config["Config"]["Env"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .take(MAX_ENTRIES)
            .map(redacted)
            .collect(),
        labels: config["Config"]["Labels"]
            .as_object()
            .into_iter()
            .flatten()
            .take(MAX_ENTRIES)
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        mounts: config["MountPoints"]
            .as_object()
            .into_iter()
            .flatten()
            .take(MAX_ENTRIES)
            .map(|(_, mount)| Mount {
                source: text(&mount["Source"]),
                destination: text(&mount["Destination"]),
                mode: text(&mount["Mode"]),
                writable: mount["RW"].as_bool().unwrap_or(true),
                propagation: text(&mount["Propagation"]),
            })
            .collect(),
        privileged: host["Privileged"].as_bool().unwrap_or(false),
        host_network: host["NetworkMode"] == "host",
        host_pid: host["PidMode"] == "host",
        host_ipc: host["IpcMode"] == "host",
        ip: config["NetworkSettings"]["Networks"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, network)| text(&network["IPAddress"]))
            .find(|ip| !ip.is_empty())
            .unwrap_or_default(),
        memory_limit: number("Memory", 0),
        swap_limit: number("MemorySwap", 0),
        cpu_shares: number("CpuShares", CPU_SHARES),
        cpu_quota: number("CpuQuota", 0),
        cpu_period: number("CpuPeriod", CPU_PERIOD),
        ..Metadata::default()
    }
}
