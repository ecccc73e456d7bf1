//! From an alert in a real container, over the server, to that container held still, resumed and stopped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

use crate::{Up, unique};

/// A container of runc that only sleeps; its program's arguments tell it from all others.
struct Container {
    id: String,
    room: tempfile::TempDir,
}

fn quiet(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

impl Container {
    /// `None`, with a line that says why, where there can be none.
    fn start(mark: &str) -> Option<Self> {
        let busybox = ["/usr/bin/busybox", "/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let (Some(busybox), true) = (busybox, quiet("runc", &["--version"])) else {
            println!("not run: it needs runc and busybox");
            return None;
        };
        let container = Self {
            // an id as runtimes make them: 64 hexadecimal digits
            id: format!(
                "{:064x}",
                0xcafe_0000_0000_u64 + u64::from(std::process::id())
            ),
            room: tempfile::tempdir().unwrap(),
        };
        let room = container.room.path();
        for dir in ["rootfs/bin", "rootfs/proc", "rootfs/dev", "rootfs/sys"] {
            fs::create_dir_all(room.join(dir)).unwrap();
        }
        fs::copy(busybox, room.join("rootfs/bin/busybox")).unwrap();
        let at = room.display().to_string();
        let spec = quiet("runc", &["spec", "--bundle", &at]);
        if spec {
            let file = room.join("config.json");
            let mut config: Json =
                serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            config["process"]["terminal"] = json!(false);
            config["process"]["env"] = json!([format!("MARK={mark}")]);
            // the mark is the name by which the shell calls itself
            let script = "sleep 300 & sleep 300 & wait";
            config["process"]["args"] = json!(["/bin/busybox", "sh", "-c", script, mark]);
            config["linux"]["cgroupsPath"] = json!(format!("/{}", container.id));
            fs::write(&file, config.to_string()).unwrap();
        }
        let up = spec && quiet("runc", &["run", "--detach", "--bundle", &at, &container.id]);
        if !up {
            println!("not run: runc cannot start a container here");
        }
        up.then_some(container)
    }

    /// What the freezer and the process table say.
    fn state(&self) -> &'static str {
        let output = Command::new("runc")
            .args(["state", &self.id])
            .output()
            .unwrap();
        let state: Json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if state["status"] == "stopped" || state["pid"] == 0 {
            return "stopped";
        }
        let pid = u32::try_from(state["pid"].as_u64().unwrap()).unwrap();
        let says = |file: PathBuf, word: &str| {
            fs::read_to_string(file).is_ok_and(|text| text.contains(word))
        };
        let frozen = vedette_guard::control_groups(pid).iter().any(|dir| {
            says(dir.join("cgroup.events"), "frozen 1") || says(dir.join("freezer.state"), "FROZEN")
        });
        if frozen { "frozen" } else { "runs" }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        for dir in ["/sys/fs/cgroup", "/sys/fs/cgroup/freezer"] {
            let dir = Path::new(dir).join(&self.id);
            let _ = fs::write(dir.join("cgroup.freeze"), "0");
            let _ = fs::write(dir.join("freezer.state"), "THAWED");
        }
        quiet("runc", &["delete", "--force", &self.id]);
    }
}

#[test]
fn a_person_holds_and_stops_the_container_behind_an_alert() {
    let mark = unique("c");
    let rule = format!(
        "- rule: Contained\n  desc: d\n  condition: evt.type in (execve, execveat) and container.id != host and proc.args endswith {mark}\n  output: ran %proc.cmdline\n  priority: CRITICAL\n"
    );
    let Some(up) = Up::start(&rule) else {
        return;
    };
    let Some(container) = Container::start(&mark) else {
        return;
    };
    let found = up.finding("Contained");
    let id = found["id"].as_str().unwrap();
    up.until("connected agent", || {
        let page = up.get(&format!("/findings/{id}"));
        let offer = page["respond"].clone();
        let actions = offer["actions"].as_array()?;
        (offer["unreachable"].is_null()
            && ["pause_container", "stop_container"].iter().all(|wanted| {
                actions
                    .iter()
                    .any(|one| one["action"] == *wanted && one["impossible"].is_null())
            }))
        .then_some(())
    });
    for (action, before, after) in [
        ("pause_container", "runs", "frozen"),
        ("resume_container", "frozen", "runs"),
        ("stop_container", "runs", "stopped"),
    ] {
        let tried = up.respond(id, action, None);
        assert_eq!(tried["outcome"], "dry_run", "{action}: {tried}");
        assert_eq!(container.state(), before, "a rehearsal of {action}");
        let done = up.respond(id, action, Some(&tried));
        assert_eq!(done["outcome"], "done", "{action}: {done}");
        assert!(
            done["total"].as_u64() >= Some(3),
            "a shell and two that sleep: {done}"
        );
        assert_eq!(container.state(), after, "{action}");
    }
    let again = up.respond(id, "pause_container", None);
    assert_eq!(again["outcome"], "withheld", "{again}");
}
