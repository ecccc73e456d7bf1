//! The agent with policies against a real container (runc, overlay root): a dropped program is refused, told with policy
//! and action, and what came with the image runs. Needs root, runc and busybox.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test shall fail loudly and say what it left out"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

struct Runc {
    id: String,
    base: PathBuf,
}

fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()
}

impl Runc {
    fn start() -> Option<Self> {
        let busybox = ["/usr/bin/busybox", "/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(busybox) = busybox else {
            println!("skipped: busybox is not installed");
            return None;
        };
        if run("runc", &["--version"]).is_none() {
            println!("skipped: runc is not installed");
            return None;
        }
        let pid = std::process::id();
        let base = std::env::temp_dir().join(format!("vedette-guard-{pid}"));
        let room = base.join("room");
        fs::create_dir_all(&room).unwrap();
        // an id as runtimes make them: 64 hexadecimal digits
        let container = Self {
            id: format!("{:064x}", 0xfeed_0000_0000_u64 + u64::from(pid)),
            base,
        };
        let text = |path: PathBuf| path.display().to_string();
        let mounted = run("mount", &["-t", "tmpfs", "room", &text(room.clone())]);
        if !mounted.is_some_and(|o| o.status.success()) {
            println!("skipped: nothing can be mounted");
            return None;
        }
        for dir in [
            "lower/bin",
            "lower/tmp",
            "lower/proc",
            "upper",
            "work",
            "rootfs",
        ] {
            fs::create_dir_all(room.join(dir)).unwrap();
        }
        fs::copy(busybox, room.join("lower/bin/busybox")).unwrap();
        for applet in ["sh", "cp", "echo", "sleep"] {
            std::os::unix::fs::symlink("busybox", room.join("lower/bin").join(applet)).unwrap();
        }
        let layers = format!(
            "lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work",
            room.display()
        );
        let mounted = run(
            "mount",
            &[
                "-t",
                "overlay",
                "o",
                "-o",
                &layers,
                &text(room.join("rootfs")),
            ],
        );
        let spec = run("runc", &["spec", "--bundle", &text(room.clone())]);
        if ![mounted, spec]
            .into_iter()
            .all(|o| o.is_some_and(|o| o.status.success()))
        {
            println!("skipped: no overlay, or runc refuses");
            return None;
        }
        let file = room.join("config.json");
        let mut config: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/bin/sleep", "300"]);
        config["root"]["readonly"] = json!(false);
        config["linux"]["cgroupsPath"] = json!(format!("/{}", container.id));
        fs::write(&file, config.to_string()).unwrap();
        Some(container)
    }

    fn up(&self) -> bool {
        // The container inherits what runc is given, so its complaint goes to a file: a pipe would end with the container.
        let complaint = self.base.join("runc.err");
        let started = Command::new("runc")
            .args(["run", "--detach", "--bundle"])
            .arg(self.base.join("room"))
            .arg(&self.id)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&complaint).unwrap())
            .status()
            .unwrap();
        if !started.success() {
            let said = fs::read_to_string(&complaint).unwrap_or_default();
            println!("skipped: runc: {}", said.trim());
        }
        started.success()
    }

    fn exec(&self, script: &str) -> String {
        let output = run("runc", &["exec", &self.id, "/bin/sh", "-c", script]).unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        text
    }
}

impl Drop for Runc {
    fn drop(&mut self) {
        run("runc", &["delete", "--force", &self.id]);
        let room = self.base.join("room");
        run("umount", &[&room.join("rootfs").display().to_string()]);
        run("umount", &[&room.display().to_string()]);
        let _ = fs::remove_dir_all(&self.base);
    }
}

struct Agent {
    child: Child,
    lines: Receiver<String>,
}

impl Agent {
    fn start(policy: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .args([
                "agent",
                "--output",
                "finding",
                "--priority",
                "emergency",
                "--policy",
            ])
            .arg(policy)
            .args(["--set", "log.level=debug"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let also = send.clone();
        let out = child.stdout.take().unwrap();
        let err = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                let _ = also.send(line);
            }
        });
        Self { child, lines }
    }

    fn wait_for(&self, parts: &[&str]) -> Result<String, Vec<String>> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.lines.recv_timeout(left) {
                Ok(line) if parts.iter().all(|part| line.contains(part)) => return Ok(line),
                Ok(line) => seen.push(line),
                Err(_) => break,
            }
        }
        Err(seen)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const POLICY: &str = "\
- name: no drift here
  severity: critical
  mode: deny
  detectors: [drift]
  exceptions:
    - {path: /tmp/busybox-allowed, reason: a test's}
";

#[test]
fn a_dropped_program_is_refused_in_a_real_container() {
    let Some(container) = Runc::start() else {
        return;
    };
    let policy = container.base.join("policy.yaml");
    fs::write(&policy, POLICY).unwrap();
    let agent = Agent::start(&policy);
    let begun = agent.wait_for(&["watching"]);
    if begun.is_err() {
        println!("skipped: the agent cannot run here: {begun:?}");
        return;
    }
    if !container.up() {
        return;
    }
    agent
        .wait_for(&["guarded", &container.id])
        .expect("the container is guarded");
    let said = container.exec(
        "cp /bin/busybox /tmp/busybox-dropped; cp /bin/busybox /tmp/busybox-allowed; \
         /tmp/busybox-allowed echo ALLOWED; /bin/busybox echo IMAGE; /tmp/busybox-dropped echo DROPPED; echo over",
    );
    for word in ["IMAGE", "ALLOWED", "over"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("DROPPED"), "{said}");
    let line = agent
        .wait_for(&["\"record\":\"finding\"", "/tmp/busybox-dropped"])
        .expect("it is told");
    let finding: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(finding["policy"], "no drift here");
    assert_eq!(finding["source"], "drift");
    assert_eq!(finding["priority"], "Critical");
    assert_eq!(finding["actions"][0]["outcome"], "done");
    assert_eq!(
        finding["fields"]["container.full_id"],
        container.id.as_str()
    );
    assert_eq!(finding["lineage"][0]["exepath"], "/bin/busybox", "{line}");
    // what has no name is stopped too, by the kernel
    println!("refused by {}", finding["actions"][0]["detail"]);
}

/// What a container says of a program that it was given just now.
fn drop_and_run(container: &Runc) -> String {
    container
        .exec("cp /bin/busybox /tmp/busybox-dropped; /tmp/busybox-dropped echo DROPPED; echo over")
}

#[test]
fn a_container_that_starts_again_is_guarded_again() {
    let Some(container) = Runc::start() else {
        return;
    };
    let policy = container.base.join("policy.yaml");
    fs::write(&policy, POLICY).unwrap();
    let agent = Agent::start(&policy);
    if agent.wait_for(&["watching"]).is_err() || !container.up() {
        println!("skipped: no agent or no container here");
        return;
    }
    for _ in 0..3 {
        agent.wait_for(&["guarded", &container.id]).unwrap();
        let said = drop_and_run(&container);
        assert!(!said.contains("DROPPED") && said.contains("over"), "{said}");
        run("runc", &["delete", "--force", &container.id]);
        agent
            .wait_for(&["not guarded any more", &container.id])
            .unwrap();
        assert!(container.up());
    }
}

#[test]
fn a_policy_that_comes_later_holds_for_containers_that_run() {
    let Some(container) = Runc::start() else {
        return;
    };
    let policy = container.base.join("policy.yaml");
    let elsewhere = format!("{POLICY}  scope: {{hosts: [none-such]}}\n");
    fs::write(&policy, &elsewhere).unwrap();
    let agent = Agent::start(&policy);
    if agent.wait_for(&["watching"]).is_err() || !container.up() {
        println!("skipped: no agent or no container here");
        return;
    }
    let said = drop_and_run(&container);
    assert!(said.contains("DROPPED"), "{said}");
    let change = |text: &str| {
        // as editors do it: whole or not at all
        let next = container.base.join("next");
        fs::write(&next, text).unwrap();
        fs::rename(&next, &policy).unwrap();
        agent.wait_for(&["policies read again"]).unwrap();
    };
    change(POLICY);
    let said = drop_and_run(&container);
    assert!(!said.contains("DROPPED") && said.contains("over"), "{said}");
    change(&elsewhere);
    let said = drop_and_run(&container);
    assert!(said.contains("DROPPED"), "{said}");
}

#[test]
fn policies_are_listed_checked_and_shown() {
    let vedette = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_vedette"))
            .args(arguments)
            .output()
            .unwrap()
    };
    let listed = vedette(&["policy", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("Container drift"));
    let shown = vedette(&["policy", "show", "Known-bad files", "-o", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["detectors"]["malware"], "deny");
    assert_eq!(
        vedette(&["policy", "show", "none such"]).status.code(),
        Some(2)
    );

    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = write(
        "good.yaml",
        "- name: web\n  detectors: [drift]\n  scope: {workloads: [deployment/web]}\n\
         - name: nobody\n  detectors: [drift]\n  scope: {namespaces: [nowhere]}\n",
    );
    let manifest = write(
        "web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n\
         spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}}\n",
    );
    let checked = vedette(&["policy", "check", &good, "--workloads", &manifest]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.status.code(), Some(0), "{text}");
    assert!(
        text.contains("policy `nobody` concerns none of 1 containers"),
        "{text}"
    );
    assert!(!text.contains("`web`"), "{text}");
    let strict = vedette(&[
        "policy",
        "check",
        &good,
        "--workloads",
        &manifest,
        "--strict",
    ]);
    assert_eq!(strict.status.code(), Some(1));
    let bad = write(
        "bad.yaml",
        "- name: x\n  mode: maybe\n  detectors: [drift]\n",
    );
    let checked = vedette(&["policy", "check", &bad]);
    assert_eq!(checked.status.code(), Some(1));
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        text.contains("bad.yaml:2:9: error: `mode` is one of audit, deny"),
        "{text}"
    );
}
