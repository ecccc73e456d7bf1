//! A container of runc over an overlay, and an agent with a policy.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Runc {
    pub(crate) id: String,
    pub(crate) base: PathBuf,
}

pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()
}

impl Runc {
    pub(crate) fn start() -> Option<Self> {
        Self::start_as(0, &["/bin/sleep", "300"])
    }

    /// One of several containers of a test, and what it runs.
    pub(crate) fn start_as(number: u64, program: &[&str]) -> Option<Self> {
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
        let base = std::env::temp_dir().join(format!("vedette-guard-{pid}-{number}"));
        let room = base.join("room");
        fs::create_dir_all(&room).unwrap();
        // an id as runtimes make them: 64 hexadecimal digits
        let container = Self {
            id: format!(
                "{:064x}",
                0xfeed_0000_0000_u64 + (number << 48) + u64::from(pid)
            ),
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
        for applet in ["sh", "cat", "cp", "echo", "sleep", "nc"] {
            std::os::unix::fs::symlink("busybox", room.join("lower/bin").join(applet)).unwrap();
        }
        fs::create_dir_all(room.join("lower/etc")).unwrap();
        for lure in ["dry", "process", "pause", "stop", "container", "capture"] {
            fs::write(room.join(format!("lower/etc/lure-{lure}")), "x\n").unwrap();
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
        config["process"]["args"] = json!(program);
        config["root"]["readonly"] = json!(false);
        config["linux"]["cgroupsPath"] = json!(format!("/{}", container.id));
        fs::write(&file, config.to_string()).unwrap();
        Some(container)
    }

    pub(crate) fn up(&self) -> bool {
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

    pub(crate) fn exec(&self, script: &str) -> String {
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

pub(crate) struct Agent {
    pub(crate) child: Child,
    lines: Receiver<String>,
    past: RefCell<Vec<String>>,
}

impl Agent {
    pub(crate) fn start(policy: &Path) -> Self {
        Self::start_with(policy, &[])
    }

    pub(crate) fn start_with(policy: &Path, arguments: &[&str]) -> Self {
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
            .args(arguments)
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
        Self {
            child,
            lines,
            past: RefCell::default(),
        }
    }

    pub(crate) fn wait_for(&self, parts: &[&str]) -> Result<String, Vec<String>> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            let Ok(line) = self.lines.recv_timeout(left) else {
                break;
            };
            self.past.borrow_mut().push(line.clone());
            if parts.iter().all(|part| line.contains(part)) {
                return Ok(line);
            }
            seen.push(line);
        }
        Err(seen)
    }

    /// What it says for so long, and has said before, if it has all these parts.
    pub(crate) fn says(&self, time: Duration, parts: &[&str]) -> Vec<String> {
        let deadline = Instant::now() + time;
        let mut past = self.past.borrow_mut();
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            past.extend(self.lines.recv_timeout(left));
        }
        let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
        past.iter().filter(has_all).cloned().collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
