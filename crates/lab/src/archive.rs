//! The images as one archive that container runtimes import: an OCI image layout in a tar file.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::image::tar;

/// The image that holds a pod's namespaces open.
pub(crate) const PAUSE: &str = "registry.range/pause:3.9";

/// A directory tree and the name that it gets as an image.
pub(crate) type Named<'a> = (&'a str, &'a str);

/// Writes an archive with each of these directories below `images` as an image with one layer. `scratch` must not exist.
pub(crate) fn write(
    images: &Path,
    named: &[Named<'_>],
    scratch: &Path,
    to: &Path,
) -> io::Result<()> {
    let blobs = scratch.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let mut manifests = Vec::new();
    for (directory, name) in named {
        let draft = scratch.join("layer.tar");
        tar(&["--numeric-owner"], &images.join(directory), ".", &draft)?;
        let mut hash = Sha256::new();
        let size = io::copy(&mut File::open(&draft)?, &mut hash)?;
        let layer = digest(hash);
        fs::rename(&draft, blobs.join(layer.trim_start_matches("sha256:")))?;
        // what starts is said by the pods, except for the one that nobody describes
        let entry = if *name == PAUSE {
            json!({"Entrypoint": ["/pause"]})
        } else {
            json!({})
        };
        let config = blob(
            &blobs,
            &json!({"architecture": architecture, "os": "linux", "config": entry,
                "rootfs": {"type": "layers", "diff_ids": [layer]}}),
        )?;
        let mut manifest = blob(
            &blobs,
            &json!({"schemaVersion": 2, "mediaType": MANIFEST,
                "config": described(&config, "application/vnd.oci.image.config.v1+json"),
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": size}]}),
        )
        .map(|blob| described(&blob, MANIFEST))?;
        manifest["platform"] = json!({"architecture": architecture, "os": "linux"});
        manifest["annotations"] = json!({"io.containerd.image.name": name});
        manifests.push(manifest);
    }
    let index = json!({"schemaVersion": 2, "manifests": manifests});
    fs::write(scratch.join("index.json"), index.to_string())?;
    fs::write(
        scratch.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    tar(&[], scratch, ".", to)?;
    fs::remove_dir_all(scratch)
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn digest(hash: Sha256) -> String {
    let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// Writes a document under its digest. Gives digest and size.
fn blob(blobs: &Path, document: &Value) -> io::Result<(String, usize)> {
    let text = document.to_string();
    let digest = digest(Sha256::new_with_prefix(&text));
    fs::write(blobs.join(digest.trim_start_matches("sha256:")), &text)?;
    Ok((digest, text.len()))
}

fn described(blob: &(String, usize), kind: &str) -> Value {
    json!({"mediaType": kind, "digest": blob.0, "size": blob.1})
}
