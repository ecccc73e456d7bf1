//! A tiny image: busybox and nothing else, as a directory and as an OCI archive. Made here, so that no network is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

pub(crate) const NAME: &str = "localhost/vedette-test";
pub(crate) const TAG: &str = "1.0";

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The root file system below `dir`. `None`, with one printed line, when there is no static busybox.
pub(crate) fn root(dir: &Path) -> Option<PathBuf> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.is_file());
    let Some(busybox) = busybox else {
        println!("skipped: busybox is not installed (Debian: busybox-static)");
        return None;
    };
    let root = dir.join("root");
    for inside in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(inside)).unwrap();
    }
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    for applet in ["cat", "echo", "sh", "sleep", "true"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
    Some(root)
}

/// The root file system as a tar file.
pub(crate) fn tar(root: &Path, to: &Path) {
    run(Command::new("tar")
        .args(["--numeric-owner", "-cf"])
        .arg(to)
        .arg("-C")
        .arg(root)
        .arg("."));
}

/// An OCI archive with one layer, of an image with a shell. The image's digest comes back.
pub(crate) fn archive(root: &Path, work: &Path) -> (PathBuf, String) {
    archive_of(root, work, TAG, &["/bin/sh"])
}

/// The same with a tag and a command of its own, in files that are named after the tag.
pub(crate) fn archive_of(root: &Path, work: &Path, tag: &str, cmd: &[&str]) -> (PathBuf, String) {
    let layout = work.join(format!("layout-{tag}"));
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let add = |file: &Path| -> (String, u64) {
        let sum = run(Command::new("sha256sum").arg(file));
        let sum = sum.split(' ').next().unwrap().to_owned();
        let size = fs::metadata(file).unwrap().len();
        fs::rename(file, blobs.join(&sum)).unwrap();
        (format!("sha256:{sum}"), size)
    };
    let write = |name: &str, value: &serde_json::Value| {
        let file = work.join(name);
        fs::write(&file, value.to_string()).unwrap();
        file
    };
    let layer = work.join("layer.tar");
    tar(root, &layer);
    let (layer, layer_size) = add(&layer);
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let (config, config_size) = add(&write(
        "config.json",
        &json!({"architecture": arch, "os": "linux", "config": {"Cmd": cmd},
            "rootfs": {"type": "layers", "diff_ids": [layer]}}),
    ));
    let (manifest, size) = add(&write(
        "manifest.json",
        &json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": layer_size}]}),
    ));
    fs::write(
        layout.join("index.json"),
        json!({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest, "size": size, "platform": {"architecture": arch, "os": "linux"},
            "annotations": {"org.opencontainers.image.ref.name": tag}}]})
        .to_string(),
    )
    .unwrap();
    fs::write(
        layout.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
    let archive = work.join(format!("image-{tag}.tar"));
    tar(&layout, &archive);
    (archive, manifest)
}

/// An OCI bundle for runc over `root`, read-only, in the control group `cgroup`, running `args`.
pub(crate) fn bundle(dir: &Path, root: &Path, cgroup: &str, args: &[&str]) {
    fs::create_dir_all(dir).unwrap();
    let mount = |destination: &str, kind: &str| json!({"destination": destination, "type": kind, "source": kind});
    let namespaces: Vec<_> = ["pid", "mount", "ipc", "uts", "network"]
        .iter()
        .map(|kind| json!({"type": kind}))
        .collect();
    let spec = json!({
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/",
            "env": ["PATH=/bin", "API_TOKEN=hunter2"],
            "capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"]}},
        "root": {"path": root, "readonly": true},
        "hostname": "box",
        "mounts": [mount("/proc", "proc"), mount("/dev", "tmpfs")],
        "linux": {"cgroupsPath": cgroup, "namespaces": namespaces},
    });
    fs::write(dir.join("config.json"), spec.to_string()).unwrap();
}
