//! Each runtime's files, as it lays them out, and what is read from them.

#![allow(clippy::unwrap_used, reason = "a test program")]

use std::fs;
use std::path::{Path, PathBuf};

use vedette_container::{Engine, Located, Observer, Runtimes};
use vedette_event::{EventBuf, EventType};

const ID: &str = "3ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e";

struct Root(PathBuf);

impl Root {
    fn new(name: &str) -> Self {
        let dir =
            std::env::temp_dir().join(format!("vedette-container-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(Path::new(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn runtimes(&self) -> Runtimes {
        Runtimes::new(&self.0)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn located() -> Located {
    Located {
        id: ID.into(),
        engine: Engine::Other,
        is_certain: true,
    }
}

const SPEC: &str = r#"{
  "process": {"user": {"uid": 1000}, "env": ["PATH=/bin", "API_TOKEN=abc"],
    "capabilities": {"bounding": ["CAP_CHOWN"]}},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/host", "type": "bind", "source": "/etc", "options": ["rbind", "rprivate", "ro"]}],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "network", "path": "/proc/1/ns/net"}],
    "resources": {"memory": {"limit": 4096}}, "seccomp": {}},
  "annotations": {"io.kubernetes.cri.container-name": "web", "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.image-name": "docker.io/library/webapp:1.2.3", "io.kubernetes.cri.sandbox-id": "aaaa",
    "io.kubernetes.cri.sandbox-name": "web-0", "io.kubernetes.cri.sandbox-namespace": "shop",
    "io.kubernetes.cri.sandbox-uid": "1b2c"}}"#;

#[test]
fn containerd() {
    let root = Root::new("containerd");
    let tasks = "run/containerd/io.containerd.runtime.v2.task/k8s.io";
    root.write(&format!("{tasks}/{ID}/config.json"), SPEC);
    let found = root.runtimes().find(&located()).unwrap();
    assert_eq!(
        (found.name.as_str(), found.short_id()),
        ("web", "3ad7b26ded6d")
    );
    assert_eq!(
        found.repository_and_tag(),
        ("docker.io/library/webapp", "1.2.3")
    );
    assert_eq!(found.engine, 7);
    assert_eq!(found.user, "1000");
    assert_eq!(found.env, ["PATH=/bin", "API_TOKEN=<redacted>"]);
    assert_eq!(found.labels["io.kubernetes.pod.namespace"], "shop");
    assert!(found.host_network && !found.host_pid && !found.privileged);
    assert_eq!(found.mounts.len(), 1);
    assert_eq!(
        (found.mounts[0].source.as_str(), found.mounts[0].writable),
        ("/etc", false)
    );
    assert_eq!(found.memory_limit, 4096);
}

#[test]
fn docker() {
    let root = Root::new("docker");
    let dir = format!("var/lib/docker/containers/{ID}");
    root.write(
        &format!("{dir}/config.v2.json"),
        r#"{"Name": "/db", "Image": "sha256:00ff", "Config": {"Image": "postgres:16", "User": "postgres",
            "Env": ["POSTGRES_PASSWORD=x"], "Labels": {"tier": "db"}},
            "MountPoints": {"/data": {"Source": "/srv", "Destination": "/data", "RW": true, "Mode": "z"}},
            "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}}}"#,
    );
    root.write(
        &format!("{dir}/hostconfig.json"),
        r#"{"Privileged": true, "PidMode": "host", "CpuShares": 0}"#,
    );
    let found = root.runtimes().find(&located()).unwrap();
    assert_eq!(
        (
            found.name.as_str(),
            found.image.as_str(),
            found.image_id.as_str()
        ),
        ("db", "postgres:16", "00ff")
    );
    assert_eq!((found.engine, found.cpu_shares), (0, 1024));
    assert!(found.privileged && found.host_pid && !found.host_network);
    assert_eq!(
        (found.ip.as_str(), found.mounts[0].mode.as_str()),
        ("172.17.0.2", "z")
    );
}

#[test]
fn podman_and_crio() {
    let root = Root::new("storage");
    let dir = "var/lib/containers/storage/overlay-containers";
    root.write(
        &format!("{dir}/{ID}/userdata/config.json"),
        r#"{"process": {"user": {"uid": 0}}}"#,
    );
    root.write(
        &format!("{dir}/containers.json"),
        &format!(r#"[{{"id": "{ID}", "names": ["job"], "image": "beef", "metadata": "{{\"image-name\": \"quay.io/x/y:3\"}}"}}]"#),
    );
    let found = root.runtimes().find(&located()).unwrap();
    assert_eq!(
        (found.engine, found.name.as_str(), found.image.as_str()),
        (11, "job", "quay.io/x/y:3")
    );
    root.write(
        &format!("{dir}/{ID}/userdata/config.json"),
        r#"{"annotations": {"io.kubernetes.cri-o.SandboxID": "s", "io.kubernetes.cri-o.ImageName": "quay.io/a/b:1",
            "io.kubernetes.container.name": "app", "io.kubernetes.cri-o.Labels": "{\"io.kubernetes.pod.name\": \"p\"}"}}"#,
    );
    let found = root.runtimes().find(&located()).unwrap();
    assert_eq!(
        (found.engine, found.name.as_str(), found.image.as_str()),
        (8, "app", "quay.io/a/b:1")
    );
    assert_eq!(found.labels["io.kubernetes.pod.name"], "p");
}

#[test]
fn nothing_outside_is_read() {
    let root = Root::new("outside");
    root.write("secret/config.v2.json", "{}");
    for id in ["../../../../secret", "..", "", "a/b", "a\0b"] {
        let located = Located {
            id: id.into(),
            engine: Engine::Other,
            is_certain: true,
        };
        assert_eq!(root.runtimes().find(&located), None, "{id:?}");
    }
    root.write(
        &format!("var/lib/docker/containers/{ID}/config.v2.json"),
        "{ cut",
    );
    assert_eq!(root.runtimes().find(&located()), None);
}

#[test]
fn the_first_event_of_a_container_introduces_it() {
    let root = Root::new("observer");
    let mut observer = Observer::new(root.runtimes());
    let kind = EventType::by_symbol("SYSCALL_EXECVE_19_X").unwrap();
    let info = kind.info().unwrap();
    let mut buf = EventBuf::default();
    buf.start(kind);
    for param in info.params {
        if param.name == "cgroups" {
            buf.push(format!("memory=/docker/{ID}\0").as_bytes());
        } else {
            buf.push(&[]);
        }
    }
    let exec = buf.event(1, 5, 7, 0);
    assert!(
        observer.observe(&exec).is_none(),
        "its files are not there yet"
    );
    root.write(
        &format!("var/lib/docker/containers/{ID}/config.v2.json"),
        r#"{"Name": "/late", "Config": {"Image": "busybox"}}"#,
    );
    assert!(
        observer.observe(&exec).is_none(),
        "it is not looked for again at once"
    );
    assert_eq!((observer.stats().found, observer.stats().unknown), (0, 1));
    let later = 5 + 1_000_000;
    let exec = buf.event(2, later, 7, 0);
    let introduced = observer.observe(&exec).unwrap();
    assert_eq!(
        (introduced.kind.name(), introduced.ts),
        ("asyncevent", later)
    );
    assert_eq!(introduced.text(1), Some(&b"container"[..]));
    let text = String::from_utf8(introduced.text(2).unwrap().to_vec()).unwrap();
    assert!(
        text.contains(r#""name":"late""#) && text.contains(r#""id":"3ad7b26ded6d""#),
        "{text}"
    );
    assert!(observer.observe(&exec).is_none(), "once is enough");
    assert_eq!((observer.stats().found, observer.stats().unknown), (1, 0));
}
