//! The attack lab as a program: its table, its recording, its quiet, and what it leaves behind.
//!
//! What needs root and a sensor says so in one line where it cannot run, and passes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test program that says what it skips"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use vedette_lab::{Control, Pod, Profile, Runtime, Security, pods};

/// One lab at a time: two would only slow each other down. (Across processes the test runner's groups see to that.)
static ONE: Mutex<()> = Mutex::new(());

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn vedette(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(arguments)
        .output()
        .unwrap()
}

/// A turn at the lab, when it can run here.
fn turn() -> Option<MutexGuard<'static, ()>> {
    if let Some(missing) = vedette_lab::missing().first() {
        eprintln!("skipped: {}", missing.what);
        return None;
    }
    if vedette(&["doctor"]).status.code() == Some(3) {
        eprintln!("skipped: this kernel does not take the sensor");
        return None;
    }
    Some(ONE.lock().unwrap_or_else(PoisonError::into_inner))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// `profile step verdict`, and what was missed, of each outcome that is not as expected.
fn unexpected(outcomes: &Value) -> Vec<String> {
    let (steps, problems) = vedette_range::Steps::parse(vedette_range::STEPS);
    assert_eq!(problems, []);
    let mut out = Vec::new();
    for outcome in outcomes["steps"].as_array().unwrap() {
        let profile = outcome["profile"].as_str().unwrap();
        let step = steps
            .step(u8::try_from(outcome["step"].as_u64().unwrap()).unwrap())
            .unwrap();
        if outcome["verdict"] != step.expected[profile].name()
            || outcome["missed"] != serde_json::json!([])
        {
            out.push(format!(
                "{profile} {}: {} by {}, missed {}",
                step.id, outcome["verdict"], outcome["by"], outcome["missed"]
            ));
        }
    }
    out
}

#[test]
fn the_table_is_the_workshops() {
    let Some(_turn) = turn() else { return };
    let directory = tempfile::tempdir().unwrap();
    let record = directory.path().to_str().unwrap();
    let began = Instant::now();
    let output = vedette(&[
        "lab",
        "run",
        "--yes",
        "-p",
        "playground",
        "-p",
        "restricted",
        "-o",
        "json",
        "--record",
        record,
    ]);
    let outcomes = json(&output);
    eprintln!(
        "20 steps in {:.1} s, {} events lost",
        began.elapsed().as_secs_f64(),
        outcomes["lost"]
    );
    assert_eq!(unexpected(&outcomes), Vec::<String>::new());
    assert_eq!(output.status.code(), Some(0));
    let runtime = match Runtime::Containerd.missing() {
        None => Runtime::Containerd,
        Some(missing) => {
            eprintln!("with runc alone: {missing}");
            Runtime::Runc
        }
    };
    assert_eq!(outcomes["runtime"], runtime.name());
    // every step that was done was found, with the processes behind it up to the server
    for outcome in outcomes["steps"].as_array().unwrap() {
        if outcome["verdict"] == "allowed" {
            let findings = outcome["findings"].as_array().unwrap();
            let trees = findings
                .iter()
                .map(|finding| finding["lineage"].to_string());
            assert!(
                trees.into_iter().any(|tree| tree.contains("gunicorn")),
                "{outcome}"
            );
        }
    }
    // the recordings say the same as the run
    for profile in ["playground", "restricted"] {
        let recording = directory.path().join(format!("{profile}.scap.gz"));
        let again = vedette(&[
            "lab",
            "judge",
            "-p",
            profile,
            "-o",
            "json",
            recording.to_str().unwrap(),
        ]);
        assert_eq!(unexpected(&json(&again)), Vec::<String>::new());
        let verdicts = |outcomes: &Value| {
            let all = outcomes["steps"].as_array().unwrap().iter();
            all.filter(|outcome| outcome["profile"] == profile)
                .map(|outcome| {
                    (
                        outcome["step"].clone(),
                        outcome["verdict"].clone(),
                        outcome["by"].clone(),
                    )
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(verdicts(&json(&again)), verdicts(&outcomes));
    }
}

/// On a machine without containerd: one line says so, and the playground comes out the same. A copy of this machine's mounts
/// in which a program of containerd cannot be run stands in for it.
#[test]
fn without_containerd_runc_makes_the_pods() {
    let Some(_turn) = turn() else { return };
    let hide = "if file=$(command -v ctr); then mount --bind /dev/null $file; fi; exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-ec", hide, "sh"])
        .arg(env!("CARGO_BIN_EXE_vedette"))
        .args(["lab", "run", "--yes", "-p", "playground", "-o", "json"])
        .output()
        .unwrap();
    let outcomes = json(&output);
    assert_eq!(unexpected(&outcomes), Vec::<String>::new());
    assert_eq!(outcomes["runtime"], "runc");
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("runc")).collect();
    assert!(
        matches!(lines[..], [line] if line.contains("ctr")),
        "{said}"
    );
    // who asks for containerd is told, and nothing is started
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-ec", hide, "sh"])
        .arg(env!("CARGO_BIN_EXE_vedette"))
        .args(["lab", "run", "--yes", "--runtime", "containerd"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("package containerd"));
}

/// The playground with one control more, for each control there is, against what `vedette prove` makes of the shipped
/// recording of the playground without any.
#[test]
fn every_control_by_itself_does_what_its_proof_says() {
    let Some(_turn) = turn() else { return };
    let known: Vec<&str> = Control::ALL.iter().map(|control| control.name()).collect();
    let listed = json(&vedette(&["prove", "--list-controls", "-o", "json"]));
    let ids: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|control| control["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        known, ids,
        "every control that is proved can be put in place"
    );
    if let Some(missing) = Control::ALL
        .into_iter()
        .find_map(|control| vedette_lab::missing_for(Some(control)).pop())
    {
        eprintln!("skipped: {}", missing.what);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run.json");
    let began = Instant::now();
    let output = vedette(&["lab", "run", "--yes", "--control", "all", "-o", "json"]);
    std::fs::write(&run, &output.stdout).unwrap();
    let outcomes = json(&output);
    let recording = root().join("lab/recordings/playground.scap.gz");
    let mut wrong = Vec::new();
    for control in known {
        let output = vedette(&[
            "prove",
            recording.to_str().unwrap(),
            "--lab",
            "--control",
            control,
            "--against",
            run.to_str().unwrap(),
        ]);
        if output.status.code() != Some(0) {
            wrong.push(format!(
                "{control}: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "{outcomes}");
    // done, and found as without the control
    assert_eq!(output.status.code(), Some(0), "{outcomes}");
    let steps = outcomes["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 120);
    let refused = steps
        .iter()
        .filter(|outcome| outcome["verdict"] != "allowed")
        .count();
    eprintln!(
        "12 controls, 120 verdicts equal to the proof, {refused} of them not `allowed`, in {:.0} s",
        began.elapsed().as_secs_f64()
    );
}

#[test]
fn the_shipped_recordings_hold_the_whole_attack() {
    for profile in Profile::ALL {
        let recording = root().join(format!("lab/recordings/{}.scap.gz", profile.name()));
        let output = vedette(&[
            "lab",
            "judge",
            "-p",
            profile.name(),
            "-o",
            "json",
            recording.to_str().unwrap(),
        ]);
        let outcomes = json(&output);
        assert_eq!(outcomes["steps"].as_array().unwrap().len(), 10);
        assert_eq!(unexpected(&outcomes), Vec::<String>::new());
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn everyday_work_raises_nothing() {
    let Some(_turn) = turn() else { return };
    let output = vedette(&["lab", "soak", "--seconds", "20", "-o", "json"]);
    let figures = json(&output);
    eprintln!(
        "{} requests, {} events, {} lost",
        figures["requests"], figures["events"], figures["lost"]
    );
    assert_eq!(figures["findings"], serde_json::json!([]));
    assert!(figures["requests"].as_u64().unwrap() > 0 && figures["events"].as_u64().unwrap() > 0);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_killed_run_leaves_nothing_that_down_does_not_remove() {
    let Some(_turn) = turn() else { return };
    let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(["lab", "run", "--yes", "-p", "restricted"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let name = format!("vedette-lab-{}-", child.id());
    let group = || {
        let unified = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].map(Path::new);
        unified.into_iter().find_map(|hierarchy| {
            let entries = std::fs::read_dir(hierarchy).ok()?;
            let mut own = entries.flatten().map(|entry| entry.path());
            own.find(|path| {
                path.file_name()
                    .is_some_and(|file| file.to_string_lossy().starts_with(&name))
            })
        })
    };
    // a process of the node, as it is in the node's control group
    let member = || {
        let text = std::fs::read_to_string(group()?.join("node.slice/cgroup.procs")).ok()?;
        text.lines().next()?.parse::<u32>().ok()
    };
    assert!(
        eventually(|| member().is_some()),
        "the node did not come up"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        eventually(|| member().is_none()),
        "a process of the node lives on"
    );
    // a control group can be removed a moment after its last process ended
    assert!(eventually(|| {
        vedette(&["lab", "down"]);
        group().is_none()
    }));
    // nor its directory, nor what it announced to agents
    let runtime = PathBuf::from("/run/containerd/io.containerd.runtime.v2.task");
    for place in [std::env::temp_dir(), runtime] {
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        let left: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().contains(&name))
            .collect();
        assert_eq!(left, Vec::<PathBuf>::new());
    }
}

#[test]
fn an_agent_beside_it_names_the_pods() {
    let Some(_turn) = turn() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    // with the privileges that it keeps by itself: not those to look into other roots
    let mut agent = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(["agent", "--output", "json"])
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(path("alerts")).unwrap())
        .stderr(std::fs::File::create(path("log")).unwrap())
        .spawn()
        .unwrap();
    let text = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let watches = eventually(|| text("log").contains("watching"));
    let output = vedette(&["lab", "run", "--yes", "-p", "restricted", "-o", "json"]);
    let pods = || -> Vec<String> {
        let alerts = text("alerts");
        let alerts = alerts.lines().filter_map(|l| serde_json::from_str(l).ok());
        alerts
            .filter(|alert: &Value| {
                alert["output_fields"]["proc.cmdline"]
                    .as_str()
                    .is_some_and(|line| line.contains("xmrig"))
            })
            .map(|alert| alert["output_fields"]["k8s.pod.name"].to_string())
            .collect()
    };
    let told = eventually(|| !pods().is_empty());
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(watches, "{}", text("log"));
    assert_eq!(output.status.code(), Some(0));
    assert!(told, "the agent saw nothing: {}", text("log"));
    let pods = pods();
    eprintln!("{} alerts of the miner, of {}", pods.len(), pods[0]);
    assert!(
        pods.iter().all(|pod| pod.contains("security-playground-")),
        "{pods:?}"
    );
}

fn eventually(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn nothing_starts_without_a_word() {
    let Some(_turn) = turn() else { return };
    let output = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(["lab", "run"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--yes"));
}

/// What a manifest says of a pod's container, in the words of the lab.
fn described(file: &str) -> Vec<(String, String, String, bool, bool, bool)> {
    let text = std::fs::read_to_string(root().join("lab/kubernetes").join(file)).unwrap();
    let mut out = Vec::new();
    for document in vedette_yaml::parse(&text).documents {
        let root = &document.root;
        if root.get("kind").and_then(vedette_yaml::Node::as_str) != Some("Deployment") {
            continue;
        }
        let word = |node: &vedette_yaml::Node, path: &[&str]| {
            path.iter()
                .try_fold(node.clone(), |node, key| node.get(key).cloned())
                .and_then(|node| node.as_str().map(str::to_owned))
                .unwrap_or_default()
        };
        let spec = ["spec", "template", "spec"]
            .iter()
            .try_fold(root.clone(), |node, key| node.get(key).cloned())
            .unwrap();
        let container = &spec.get("containers").unwrap().as_seq().unwrap()[0];
        out.push((
            word(root, &["metadata", "namespace"]),
            word(container, &["name"]),
            word(container, &["image"]),
            word(&spec, &["hostPID"]) == "true",
            word(container, &["securityContext", "privileged"]) == "true",
            word(&spec, &["securityContext", "runAsUser"]) == "1000",
        ));
    }
    out
}

#[test]
fn the_manifests_are_the_same_lab() {
    let of = |pod: &Pod| {
        let privileged = pod.security == Security::Privileged;
        assert_eq!(privileged, pod.host_pid);
        (
            pod.namespace.to_owned(),
            pod.name.to_owned(),
            pod.image_name.to_owned(),
            privileged,
            privileged,
            pod.user == 1000,
        )
    };
    for profile in Profile::ALL {
        let pods = pods(profile);
        assert_eq!(
            described(&format!("{}.yaml", profile.name())),
            [of(&pods[0])]
        );
        let victims: Vec<_> = pods[1..].iter().filter(|pod| pod.started).map(of).collect();
        assert_eq!(described("victims.yaml"), victims);
    }
    let pss = |file: &str| {
        let path = root().join("lab/kubernetes").join(file);
        let output = vedette(&[
            "posture",
            "pss",
            "--level",
            "restricted",
            path.to_str().unwrap(),
        ]);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    assert_eq!(pss("restricted.yaml"), (Some(0), String::new()));
    assert_eq!(pss("restricted-nodrift.yaml"), (Some(0), String::new()));
    let (code, text) = pss("playground.yaml");
    assert_eq!(code, Some(1));
    assert!(
        text.contains("hostPID=true") && text.contains("privileged"),
        "{text}"
    );
    let all = root().join("lab/kubernetes");
    let loaded = vedette(&["posture", "check", all.to_str().unwrap()]);
    assert!(
        matches!(loaded.status.code(), Some(0 | 1)),
        "{}",
        String::from_utf8_lossy(&loaded.stderr)
    );
}
