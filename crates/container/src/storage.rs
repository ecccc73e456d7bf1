//! Podman and CRI-O: both keep an OCI bundle for each container in the storage that they share, and the container's
//! names and image in the storage's list.

use std::path::Path;

use serde_json::Value;

use crate::json;
use crate::locate::Engine;
use crate::metadata::Metadata;
use crate::oci::{created, from_spec};

pub(crate) const STORAGE: &str = "var/lib/containers/storage/overlay-containers";
const IMAGES: &str = "var/lib/containers/storage/overlay-images/images.json";

pub(crate) fn find(root: &Path, id: &str) -> Option<Metadata> {
    let dir = root.join(STORAGE);
    let spec = json(&dir.join(id).join("userdata/config.json"))?;
    let crio = |name: &str| {
        spec["annotations"][format!("io.kubernetes.cri-o.{name}")]
            .as_str()
            .unwrap_or_default()
    };
    let is_crio = !crio("ContainerID").is_empty() || !crio("SandboxID").is_empty();
    let engine = if is_crio {
        Engine::Crio
    } else {
        Engine::Podman
    };
    let mut out = from_spec(&spec, id, engine);
    if is_crio {
        out.image = crio("ImageName").into();
        out.image_id = crio("Image").into();
        out.pod_sandbox_id = crio("SandboxID").into();
        out.is_pod_sandbox = crio("ContainerType") == "sandbox";
        out.ip = crio("IP.0").into();
        out.name = spec["annotations"]["io.kubernetes.container.name"]
            .as_str()
            .unwrap_or(crio("Name"))
            .into();
        if let Ok(Value::Object(labels)) = serde_json::from_str(crio("Labels")) {
            for (name, value) in labels {
                if let Value::String(value) = value {
                    out.labels.insert(name, value);
                }
            }
        }
    }
    let list = json(&dir.join("containers.json")).unwrap_or(Value::Null);
    let entry = list
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry["id"].as_str() == Some(id));
    if let Some(entry) = entry {
        let details: Value = entry["metadata"]
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(Value::Null);
        if out.image.is_empty() {
            out.image = details["image-name"].as_str().unwrap_or_default().into();
        }
        if out.image_id.is_empty() {
            out.image_id = entry["image"].as_str().unwrap_or_default().into();
        }
        if !is_crio && let Some(name) = entry["names"][0].as_str() {
            out.name = name.into();
        }
    }
    // the digest stands with the image
    let images = json(&root.join(IMAGES)).unwrap_or(Value::Null);
    let image = images
        .as_array()
        .into_iter()
        .flatten()
        .find(|image| !out.image_id.is_empty() && image["id"].as_str() == Some(&out.image_id));
    if let Some(image) = image {
        out.image_digest = image["digest"].as_str().unwrap_or_default().into();
    }
    if spec["annotations"]["io.podman.annotations.privileged"] == "TRUE" {
        out.privileged = true;
    }
    if let Ok(meta) = std::fs::metadata(&dir) {
        out.created = created(&meta);
    }
    Some(out)
}
