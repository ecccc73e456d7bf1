//! Real containers of real runtimes: an alert names the container, its image and its pod, also when it lives for a moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::image::{self, NAME, TAG, run};
use crate::running::{Agent, has, may_run, rules, wait_for};

/// An agent that looks for runtimes' files below `root`, and prints findings about `echo MARKER`.
pub(crate) fn agent(dir: &Path, root: &Path, marker: &str) -> Agent {
    let rules = rules(dir, marker);
    let root = format!("containers.root={}", root.display());
    Agent::start(&["-r", &rules, "-o", "finding", "--set", &root])
}

pub(crate) fn field<'a>(finding: &'a Value, name: &str) -> &'a str {
    let value = &finding["fields"][name];
    value
        .as_str()
        .unwrap_or_else(|| panic!("{name} is {value} in {finding:#}"))
}

/// A containerd of our own.
pub(crate) struct Containerd {
    child: Child,
    pub(crate) socket: PathBuf,
}

impl Containerd {
    /// State and store lie below `root` as they lie below `/` on a real machine.
    fn start(root: &Path) -> Self {
        Self::with(root, "disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n")
    }

    /// The same with more in its configuration.
    pub(crate) fn with(root: &Path, more: &str) -> Self {
        let socket = root.join("containerd.sock");
        let config = root.join("containerd.toml");
        let text = format!(
            "version = 2\nroot = \"{0}/var/lib/containerd\"\nstate = \"{0}/run/containerd\"\n\
             {more}[grpc]\naddress = \"{1}\"\n",
            root.display(),
            socket.display()
        );
        fs::write(&config, text).unwrap();
        let log = fs::File::create(root.join("containerd.log")).unwrap();
        let child = Command::new("containerd")
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let containerd = Self { child, socket };
        wait_for("containerd", || {
            containerd
                .ctr()
                .arg("version")
                .output()
                .ok()?
                .status
                .success()
                .then_some(())
        });
        containerd
    }

    pub(crate) fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.arg("-a").arg(&self.socket);
        command
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// 64 hexadecimal digits, as runtimes make them; `n` tells several of a test apart, within the 12 that rules see.
fn id(n: u32) -> String {
    format!("{:07x}{n:05x}{:052x}", std::process::id(), 0xabc_u32)
}

#[test]
fn containerd_native_and_with_what_cri_writes() {
    if !may_run("containerd") || !has("containerd") || !has("ctr") || !has("runc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let host = dir.path().join("host");
    fs::create_dir_all(host.join("run")).unwrap();
    let Some(root) = image::root(dir.path()) else {
        return;
    };
    let (archive, digest) = image::archive(&root, dir.path());
    let containerd = Containerd::start(&host);
    let marker = format!("ctr-{}", std::process::id());
    let agent = agent(dir.path(), &host, &marker);
    let reference = format!("{NAME}:{TAG}");
    for namespace in ["default", "k8s.io"] {
        run(containerd
            .ctr()
            .args(["-n", namespace, "images", "import", "--base-name", NAME])
            .arg(&archive));
    }
    // as ctr makes containers by itself: the bundle does not say the image
    let name = format!("vedette-{}", std::process::id());
    run(containerd
        .ctr()
        .args([
            "run",
            "--rm",
            "--null-io",
            "--label",
            "tier=web",
            "--env",
            "DB_PASSWORD=hunter2",
        ])
        .args([&reference, &name, "/bin/echo", &format!("{marker}-native")]));
    let finding = agent.wait_for_alert(&format!("{marker}-native"));
    assert_eq!(field(&finding, "container.name"), name);
    assert_eq!(field(&finding, "container.type"), "containerd");
    assert_eq!(field(&finding, "container.image.repository"), NAME);
    assert_eq!(field(&finding, "container.image.tag"), TAG);
    assert_eq!(field(&finding, "container.image.digest"), digest);
    assert_eq!(finding["fields"]["container.privileged"], false);
    assert!(!finding.to_string().contains("hunter2"));
    // as CRI makes them: annotations in the bundle, a control group of the pod
    let container = id(1);
    let mut cri = containerd.ctr();
    cri.args(["-n", "k8s.io", "run", "--rm", "--null-io", "--privileged"]);
    cri.args([
        "--cgroup",
        &format!("/kubepods/burstable/pod1b2c/{container}"),
    ]);
    for (name, value) in [
        ("io.kubernetes.cri.container-name", "web"),
        ("io.kubernetes.cri.container-type", "container"),
        ("io.kubernetes.cri.image-name", reference.as_str()),
        ("io.kubernetes.cri.sandbox-id", "5a5a"),
        ("io.kubernetes.cri.sandbox-name", "web-0"),
        ("io.kubernetes.cri.sandbox-namespace", "shop"),
        ("io.kubernetes.cri.sandbox-uid", "1b2c-uid"),
    ] {
        cri.args(["--label", &format!("{name}={value}")]);
    }
    run(cri.args([
        &reference,
        &container,
        "/bin/echo",
        &format!("{marker}-cri"),
    ]));
    let finding = agent.wait_for_alert(&format!("{marker}-cri"));
    assert_eq!(field(&finding, "container.id"), &container[..12]);
    assert_eq!(field(&finding, "container.name"), "web");
    assert_eq!(field(&finding, "container.image.digest"), digest);
    assert_eq!(field(&finding, "k8s.pod.name"), "web-0");
    assert_eq!(field(&finding, "k8s.ns.name"), "shop");
    assert_eq!(field(&finding, "k8s.pod.uid"), "1b2c-uid");
    assert_eq!(finding["fields"]["container.privileged"], true);
    agent.stop();
}

/// Takes a container of runc away, also when the test fails.
struct Delete(String);

impl Drop for Delete {
    fn drop(&mut self) {
        let _ = Command::new("runc")
            .args(["delete", "-f", &self.0])
            .output();
    }
}

#[test]
fn podman() {
    if !may_run("Podman") || !has("podman") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let host = dir.path().join("host");
    let Some(root) = image::root(dir.path()) else {
        return;
    };
    let tar = dir.path().join("root.tar");
    image::tar(&root, &tar);
    let podman = || {
        let mut command = Command::new("podman");
        for (option, path) in [
            ("--root", "var/lib/containers/storage"),
            ("--runroot", "run/containers"),
            ("--tmpdir", "tmp"),
        ] {
            command.arg(option).arg(host.join(path));
        }
        command.args(["--cgroup-manager=cgroupfs", "--events-backend=none"]);
        command
    };
    let reference = format!("{NAME}:{TAG}");
    let import = podman()
        .args(["import", "--change", "CMD=/bin/sh"])
        .arg(&tar)
        .arg(&reference)
        .output()
        .unwrap();
    if !import.status.success() {
        let why = String::from_utf8_lossy(&import.stderr).into_owned();
        println!(
            "skipped: this machine's Podman cannot import an image: {}",
            why.trim()
        );
        return;
    }
    let marker = format!("podman-{}", std::process::id());
    let agent = agent(dir.path(), &host, &marker);
    let name = format!("vedette-{}", std::process::id());
    let output = podman()
        .args([
            "run",
            "--rm",
            "--network=none",
            "--env",
            "DB_PASSWORD=hunter2",
            "--name",
            &name,
        ])
        // its own defaults need CAP_SYS_RESOURCE, which not every root has
        .args(["--ulimit", "nofile=256:256", "--ulimit", "nproc=256:256"])
        .args([&reference, "/bin/echo", &marker])
        .output()
        .unwrap();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        println!(
            "skipped: this machine's Podman cannot run a container: {}",
            why.trim()
        );
        return;
    }
    let finding = agent.wait_for_alert(&marker);
    assert_eq!(field(&finding, "container.name"), name);
    assert_eq!(field(&finding, "container.type"), "podman");
    assert_eq!(field(&finding, "container.image.repository"), NAME);
    assert_eq!(field(&finding, "container.image.tag"), TAG);
    assert!(field(&finding, "container.image.digest").starts_with("sha256:"));
    assert_eq!(field(&finding, "container.image.id").len(), 64);
    agent.stop();
}

#[test]
fn runc_alone_and_what_ran_before_the_agent() {
    if !may_run("runc") || !has("runc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(root) = image::root(dir.path()) else {
        return;
    };
    let marker = format!("runc-{}", std::process::id());
    let (before, after) = (id(2), id(3));
    let script = format!("while true; do /bin/echo {marker}-before; sleep 1; done");
    let bundles: [(&str, &str, &[&str]); 2] = [
        ("before", &before, &["/bin/sh", "-c", &script]),
        ("after", &after, &["/bin/echo", &format!("{marker}-after")]),
    ];
    for (name, id, args) in bundles {
        image::bundle(
            &dir.path().join(name),
            &root,
            &format!("/vedette-test/{id}"),
            args,
        );
    }
    let delete = Delete(before.clone());
    let mut running = Command::new("runc")
        .args(["run", "-b"])
        .arg(dir.path().join("before"))
        .arg(&before)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the container", || {
        let state = Command::new("runc")
            .args(["state", &before])
            .output()
            .ok()?;
        String::from_utf8_lossy(&state.stdout)
            .contains("running")
            .then_some(())
    });
    let agent = agent(dir.path(), Path::new("/"), &marker);
    run(Command::new("runc")
        .args(["run", "-b"])
        .arg(dir.path().join("after"))
        .arg(&after)
        .stdin(Stdio::null()));
    for (which, id) in [("after", &after), ("before", &before)] {
        let finding = agent.wait_for_alert(&format!("echo {marker}-{which}"));
        assert_eq!(field(&finding, "container.id"), &id[..12]);
        assert_eq!(field(&finding, "container.name"), id.as_str());
    }
    agent.stop();
    drop(delete);
    let _ = running.wait();
}
