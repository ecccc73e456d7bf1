//! What policies do when a rule has fired, on real processes and containers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use vedette_guard::act::ContainerGroups;
use vedette_guard::control_groups;

use crate::cell::{Agent, Runc, run};

/// A rule for each lure, and a policy for each rule. The rules are urgent enough for any priority that an agent shows.
fn write(container: &Runc, lures: &[(&str, &str)]) -> (PathBuf, PathBuf) {
    let (mut rules, mut policies) = (String::new(), String::new());
    for (lure, rest) in lures {
        rules.push_str(&format!(
            "- rule: reads {lure}\n  desc: a test\n  condition: evt.type in (open, openat, openat2) and evt.rawres >= 0 and evt.is_open_read = true and fd.name endswith /lure-{lure}\n  output: lure\n  priority: EMERGENCY\n"
        ));
        policies.push_str(&format!(
            "- name: about {lure}\n  rules: {{names: [reads {lure}]}}\n{rest}"
        ));
    }
    let files = (
        container.base.join("rules.yaml"),
        container.base.join("policy.yaml"),
    );
    fs::write(&files.0, rules).unwrap();
    fs::write(&files.1, policies).unwrap();
    files
}

fn begin(lures: &[(&str, &str)], arguments: &[&str]) -> Option<(Runc, Agent)> {
    let container = Runc::start()?;
    let (rules, policy) = write(&container, lures);
    let mut all = vec!["-r", rules.to_str().unwrap()];
    all.extend(arguments);
    let agent = Agent::start_with(&policy, &all);
    if agent.wait_for(&["watching"]).is_err() || !container.up() {
        println!("skipped: no agent or no container here");
        return None;
    }
    Some((container, agent))
}

/// The next finding about a lure: kind, outcome and detail of each action.
fn answers(agent: &Agent, lure: &str) -> Vec<(String, String, String)> {
    let line = agent
        .wait_for(&["\"record\":\"finding\"", &format!("\"reads {lure}\"")])
        .expect("it is told");
    let finding: Value = serde_json::from_str(&line).unwrap();
    let text = |action: &Value, key: &str| action[key].as_str().unwrap_or_default().to_owned();
    let actions = finding["actions"].as_array().cloned().unwrap_or_default();
    actions
        .iter()
        .map(|action| {
            (
                text(action, "kind"),
                text(action, "outcome"),
                text(action, "detail"),
            )
        })
        .collect()
}

fn is(found: &[(String, String, String)], kind: &str, outcome: &str) {
    assert!(
        found.iter().any(|(k, o, _)| k == kind && o == outcome),
        "{kind} {outcome}: {found:?}"
    );
}

pub(crate) fn state(container: &Runc) -> String {
    let output = run("runc", &["state", &container.id]).unwrap();
    let state: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    state["status"].as_str().unwrap_or("gone").to_owned()
}

/// The container's first process.
pub(crate) fn init(container: &Runc) -> u32 {
    let output = run("runc", &["state", &container.id]).unwrap();
    let state: Value = serde_json::from_slice(&output.stdout).unwrap();
    u32::try_from(state["pid"].as_u64().unwrap()).unwrap()
}

pub(crate) fn frozen(container: &Runc) -> bool {
    let says =
        |file: PathBuf, word: &str| fs::read_to_string(file).is_ok_and(|text| text.contains(word));
    control_groups(init(container)).iter().any(|dir| {
        says(dir.join("cgroup.events"), "frozen 1") || says(dir.join("freezer.state"), "FROZEN")
    })
}

pub(crate) fn becomes(container: &Runc, wanted: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while state(container) != wanted {
        assert!(
            Instant::now() < deadline,
            "{} is not {wanted}",
            state(container)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_dry_run_does_nothing_and_a_process_is_killed() {
    let lures = [
        ("dry", "  dry_run: true\n  actions: [kill_process]\n"),
        ("process", "  actions: [kill_process]\n"),
    ];
    let Some((container, agent)) = begin(&lures, &[]) else {
        return;
    };
    let reads =
        |lure: &str| container.exec(&format!("exec 3< /etc/lure-{lure}; sleep 2; echo SURVIVED"));
    assert!(reads("dry").contains("SURVIVED"));
    is(&answers(&agent, "dry"), "kill_process", "dry_run");
    assert!(!reads("process").contains("SURVIVED"));
    is(&answers(&agent, "process"), "kill_process", "done");
    assert_eq!(state(&container), "running");
}

#[test]
fn a_container_is_paused_once_and_stopped_and_killed() {
    let lures = [
        ("pause", "  actions: [pause_container]\n"),
        ("stop", "  actions: [stop_container]\n"),
        ("container", "  actions: [kill_container]\n"),
    ];
    let Some((container, agent)) = begin(&lures, &[]) else {
        return;
    };
    // `runc exec` does not come back from a container that is frozen
    let reads = |lure: &str| {
        Command::new("runc")
            .args([
                "exec",
                &container.id,
                "/bin/sh",
                "-c",
                // still there when it is answered
                &format!("exec 3< /etc/lure-{lure}; sleep 2"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut first = reads("pause");
    is(&answers(&agent, "pause"), "pause_container", "done");
    // not by `runc state`: it looks at the old freezer only, where there are both
    let groups = ContainerGroups::of(init(&container), &container.id).unwrap();
    assert!(frozen(&container));
    groups.pause(false).unwrap();
    assert!(!frozen(&container));
    first.wait().unwrap();
    // the same again within a minute is not
    reads("pause").wait().unwrap();
    is(&answers(&agent, "pause"), "pause_container", "withheld");
    assert!(!frozen(&container));

    let mut asked = reads("stop");
    is(&answers(&agent, "stop"), "stop_container", "done");
    becomes(&container, "stopped");
    asked.wait().unwrap();
    run("runc", &["delete", "--force", &container.id]).unwrap();
    assert!(container.up());

    // a process that has ended when it is answered
    let mut asked = Command::new("runc")
        .args(["exec", &container.id, "cat", "/etc/lure-container"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    is(&answers(&agent, "container"), "kill_container", "done");
    becomes(&container, "stopped");
    asked.wait().unwrap();
}

/// A shell under another name that opens a file on the host and then waits to be killed.
fn on_the_host(container: &Runc, name: &str, lure: &str) -> bool {
    let shell = container.base.join(name);
    if !shell.exists() {
        fs::copy("/bin/dash", &shell).unwrap();
    }
    let file = container.base.join(format!("lure-{lure}"));
    fs::write(&file, "").unwrap();
    let output = Command::new(&shell)
        .args([
            "-c",
            &format!("exec 3< {}; sleep 1; echo SURVIVED", file.display()),
        ])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).contains("SURVIVED")
}

#[test]
fn what_keeps_the_host_running_is_spared_and_a_flood_is_not_answered_without_end() {
    if !Path::new("/bin/dash").exists() {
        println!("skipped: no dash here");
        return;
    }
    let lures = [
        ("host", "  actions: [kill_process]\n"),
        ("flood", "  actions: [kill_process]\n"),
    ];
    let Some((container, agent)) = begin(&lures, &[]) else {
        return;
    };
    assert!(!on_the_host(&container, "a-program", "host"));
    assert!(on_the_host(&container, "sshd", "host"));
    let mut outcomes = Vec::new();
    while outcomes.len() < 2 || !outcomes.iter().any(|o: &String| o == "withheld") {
        // the test's own writing of the lure opens it, too, and is another process each time
        for (kind, outcome, detail) in answers(&agent, "host") {
            assert_eq!(kind, "kill_process");
            if outcome == "withheld" {
                assert!(detail.contains("sshd"), "{detail}");
            }
            outcomes.push(outcome);
        }
    }
    let file = container.base.join("lure-flood");
    fs::write(&file, "").unwrap();
    // 30 a minute: of so many some are left over, even where a minute ends among them
    let script = format!(
        "i=0; while [ $i -lt 75 ]; do cat {} > /dev/null; i=$((i+1)); done",
        file.display()
    );
    run("sh", &["-c", &script]).unwrap();
    let mut withheld = false;
    while !withheld {
        withheld = answers(&agent, "flood").iter().any(|(_, outcome, detail)| {
            outcome == "withheld" && detail.contains("actions of this kind")
        });
    }
}

#[test]
fn a_policy_takes_a_capture_where_there_is_a_place_for_it() {
    let lures = [("capture", "  actions: [capture]\n")];
    let place = tempfile::tempdir().unwrap();
    let dir = format!("capture.dir={}", place.path().display());
    let Some((container, agent)) =
        begin(&lures, &["--set", &dir, "--set", "capture.after_seconds=1"])
    else {
        return;
    };
    container.exec("cat /etc/lure-capture");
    let found = answers(&agent, "capture");
    is(&found, "capture", "done");
    let file = PathBuf::from(
        &found
            .iter()
            .find(|(kind, _, _)| kind == "capture")
            .unwrap()
            .2,
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    // some event must come after the end for it to be seen
    while !file.exists() {
        assert!(Instant::now() < deadline, "{} is not there", file.display());
        container.exec("echo");
        std::thread::sleep(Duration::from_millis(100));
    }
    let replayed = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .arg("replay")
        .arg(&file)
        .arg("-r")
        .arg(container.base.join("rules.yaml"))
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&replayed.stdout).contains("lure"),
        "{replayed:?}"
    );
}
