//! `vedette replay` as a user runs it, on the recording that the demo shows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/demo/attack.scap.gz")
}

fn vedette(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(args)
        .env("TZ", "UTC")
        .env("FALCO_HOSTNAME", "node-1")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn rules(stdout: &[u8]) -> Vec<String> {
    text(stdout)
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["rule"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

/// What the shipped rules make of the recorded attack, step by step.
const STEPS: &[&str] = &[
    "Read sensitive file untrusted",
    "Write below binary dir",
    "Container Drift Detected (chmod)",
    "Drop and execute new binary in container",
    "Write below binary dir",
    "Drop and execute new binary in container",
    "Service Account Token Read by Unexpected Program",
    "Adding ssh keys to authorized_keys",
    "Schedule Cron Jobs",
    "Malicious File Name Written",
    "Drop and execute new binary in container",
    "Clear Log Activities",
    "Delete or rename shell history",
];

#[test]
fn every_step_of_the_recorded_attack_raises_its_alert() {
    let demo = demo();
    let output = vedette(&["replay", demo.to_str().unwrap(), "-o", "json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(rules(&output.stdout), STEPS);
    let first: Value = serde_json::from_str(text(&output.stdout).lines().next().unwrap()).unwrap();
    let keys: Vec<_> = first.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        keys,
        [
            "hostname",
            "output",
            "output_fields",
            "priority",
            "rule",
            "source",
            "tags",
            "time"
        ]
    );
    assert_eq!(first["hostname"], "node-1");
    assert_eq!(first["output_fields"]["container.id"], "5eed0000da7a");
}

#[test]
fn all_rules_passes_threads_and_standard_input_agree() {
    let demo = demo();
    let path = demo.to_str().unwrap();
    let once = vedette(&["replay", path, "-o", "json", "--all"]);
    let alerts = rules(&once.stdout);
    assert!(alerts.len() > STEPS.len());
    let thrice = vedette(&[
        "replay",
        path,
        "-o",
        "json",
        "--all",
        "--loop",
        "3",
        "--threads",
        "3",
        "--stats",
    ]);
    assert_eq!(
        rules(&thrice.stdout),
        [alerts.clone(), alerts.clone(), alerts.clone()].concat()
    );
    let stats = text(&thrice.stderr);
    assert!(
        stats.contains(&format!("alerts: {}", alerts.len() * 3)),
        "{stats}"
    );
    let piped = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(["replay", "-", "-o", "json", "--all"])
        .stdin(Stdio::from(fs::File::open(&demo).unwrap()))
        .output()
        .unwrap();
    assert_eq!(rules(&piped.stdout), alerts);
}

#[test]
fn exit_codes_say_what_happened() {
    let demo = demo();
    let path = demo.to_str().unwrap();
    let code = |args: &[&str]| vedette(args).status.code().unwrap();
    assert_eq!(code(&["replay", path, "-q"]), 0);
    assert_eq!(code(&["replay", path, "-q", "--fail-on", "critical"]), 1);
    assert_eq!(code(&["replay", path, "-q", "--fail-on", "emergency"]), 0);
    assert_eq!(code(&["replay", "/nonexistent.scap"]), 2);
    assert_eq!(code(&["replay", path, "--no-such-option"]), 2);
}

#[test]
fn a_cut_capture_gives_what_was_before_the_damage_and_says_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let cut = dir.path().join("cut.scap.gz");
    let whole = fs::read(demo()).unwrap();
    fs::write(&cut, &whole[..whole.len() * 2 / 3]).unwrap();
    let output = vedette(&["replay", cut.to_str().unwrap(), "-o", "json"]);
    let found = rules(&output.stdout);
    assert!(!found.is_empty() && found.len() < STEPS.len(), "{found:?}");
    assert_eq!(found, STEPS[..found.len()]);
    assert_eq!(output.status.code(), Some(2));
    let complaint = text(&output.stderr);
    assert!(
        complaint.contains("cut.scap.gz") && complaint.lines().count() == 1,
        "{complaint}"
    );
}

#[test]
fn alerts_reach_a_file_and_a_program_too() {
    let dir = tempfile::tempdir().unwrap();
    let (file, program) = (dir.path().join("a.jsonl"), dir.path().join("b.txt"));
    let output = vedette(&[
        "replay",
        demo().to_str().unwrap(),
        "-q",
        "--to",
        &format!("file:{}?priority=critical", file.display()),
        "--to",
        &format!("program:cat >> {}?keep=yes&format=text", program.display()),
    ]);
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{}",
        text(&output.stderr)
    );
    let critical = STEPS
        .iter()
        .filter(|rule| rule.starts_with("Drop") || rule.starts_with("Malicious"))
        .count();
    assert_eq!(rules(&fs::read(file).unwrap()).len(), critical);
    assert_eq!(
        fs::read_to_string(program).unwrap().lines().count(),
        STEPS.len()
    );
}

#[test]
fn events_can_be_browsed_with_a_filter() {
    let output = vedette(&[
        "replay",
        demo().to_str().unwrap(),
        "--print-events",
        "evt.type = execve and proc.name = hello",
        "--format",
        "%proc.name %proc.args %proc.is_exe_upper_layer",
    ]);
    assert_eq!(
        text(&output.stdout),
        "hello hello-world true\n",
        "{}",
        text(&output.stderr)
    );
    let wrong = vedette(&[
        "replay",
        demo().to_str().unwrap(),
        "--print-events",
        "proc.nam = x",
    ]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        text(&wrong.stderr).contains("proc.name"),
        "{}",
        text(&wrong.stderr)
    );
}

#[test]
fn shipped_rules_load_without_complaint_and_pass_their_tests() {
    let check = vedette(&["rules", "check"]);
    assert!(check.status.success());
    assert!(
        text(&check.stdout).contains("0 errors, 0 warnings"),
        "{}{}",
        text(&check.stdout),
        text(&check.stderr)
    );
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let tests = vedette(&["rules", "test", rules.to_str().unwrap()]);
    assert!(tests.status.success(), "{}", text(&tests.stdout));
}

#[test]
fn records_carry_lineage_reason_and_activity() {
    let output = vedette(&["replay", demo().to_str().unwrap(), "--records"]);
    assert!(output.status.success());
    let records: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &'static str| records.iter().filter(move |r| r["record"] == kind);
    let found: Vec<&str> = of("finding").map(|f| f["rule"].as_str().unwrap()).collect();
    assert_eq!(found, STEPS);
    for finding in of("finding") {
        assert_eq!(finding["why"]["holds"], true, "{finding}");
        assert_eq!(finding["fields"]["container.id"], "5eed0000da7a");
        let lineage = finding["lineage"].as_array().unwrap();
        let names: Vec<&str> = lineage
            .iter()
            .map(|p| p["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.last(), Some(&"sh"), "{finding}");
        assert_eq!(lineage[0]["pid"], finding["fields"]["proc.pid"]);
    }
    let dropped = of("activity").find(|a| a["process"]["cmdline"] == "xmrig --donate-level 1");
    assert_eq!(dropped.unwrap()["kind"], "command");
    let written: Vec<&str> = of("activity")
        .filter(|a| a["kind"] == "file")
        .filter_map(|a| a["fields"]["fs.path.name"].as_str())
        .collect();
    assert!(written.contains(&"/etc/cron.d/demo"), "{written:?}");
    let mut ids: Vec<&str> = records.iter().map(|r| r["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "ids are unique");
    let again = vedette(&["replay", demo().to_str().unwrap(), "--records"]);
    assert_eq!(again.stdout, output.stdout, "ids are deterministic");
}
