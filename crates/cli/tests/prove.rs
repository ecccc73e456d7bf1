//! `vedette prove` as a user runs it, on the recording that the demo shows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::process::{Command, Output};

use serde_json::Value;

fn prove(args: &[&str]) -> Output {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lab/demo/attack.scap.gz");
    Command::new(env!("CARGO_BIN_EXE_vedette"))
        .arg("prove")
        .args(args)
        .arg(demo)
        .output()
        .unwrap()
}

/// Verdict and deciding control of each step.
fn verdicts(output: &Output) -> BTreeMap<String, (String, String)> {
    let whole: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let steps = whole["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| {
            (
                text(&step["title"]),
                (text(&step["verdict"]), text(&step["by"])),
            )
        })
        .collect()
}

#[test]
fn controls_stop_the_steps_that_they_bear_on() {
    let drift = verdicts(&prove(&["--control", "drift-prevention", "-o", "json"]));
    let is = |step: &str, verdict: &str, by: &str| {
        let (seen, control) = &drift[step];
        assert_eq!((seen.as_str(), control.as_str()), (verdict, by), "{step}");
    };
    is(
        "Drop and execute new binary in container (xmrig)",
        "stopped",
        "drift-prevention",
    );
    is(
        "Drop and execute new binary in container (hello)",
        "stopped",
        "drift-prevention",
    );
    is("Read sensitive file untrusted (cat)", "not_stopped", "");
    is("Schedule Cron Jobs (sh)", "not_stopped", "");
    let user = verdicts(&prove(&["--control", "run-as-non-root", "-o", "json"]));
    assert_eq!(user["Read sensitive file untrusted (cat)"].0, "stopped");
    assert_eq!(
        user["Malicious File Name Written (cp)"].0, "not_stopped",
        "/tmp is everybody's"
    );
}

#[test]
fn steps_can_be_given_and_the_exit_code_says_whether_all_are_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("steps.yaml");
    std::fs::write(
        &file,
        "steps:\n\
         - {id: 1, name: a, title: drops, requests: [{exec: x}], attack: [T1105], expected: {}, evidence: [{shows: it is written, condition: 'evt.type in (open, openat) and evt.is_open_write = true and fd.name = /tmp/xmrig'}]}\n\
         - {id: 2, name: b, title: mines, requests: [{exec: x}], attack: [T1496], expected: {}, needs: [1], evidence: [{shows: it runs, condition: evt.type = execve and proc.name = xmrig}]}\n\
         - {id: 3, name: c, title: never, requests: [{exec: x}], attack: [T1496], expected: {}, evidence: [{shows: it happens, condition: evt.type = execve and proc.name = nobody}]}\n",
    )
    .unwrap();
    let steps = file.to_str().unwrap();
    let output = prove(&[
        "--steps",
        steps,
        "--control",
        "read-only-root",
        "--fail",
        "-o",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let seen = verdicts(&output);
    assert_eq!(seen["drops"].0, "stopped");
    assert_eq!(seen["mines"].0, "not_reached");
    assert_eq!(seen["never"].0, "unknown");
    std::fs::write(&file, "steps:\n- id: 1\n  title: x\n").unwrap();
    let output = prove(&["--steps", steps]);
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("steps.yaml:2:"), "{complaint}");
    let output = prove(&["--control", "selinux"]);
    assert_eq!(output.status.code(), Some(2));
}

/// The lab's recording of the attack without any control proves what its other profiles do: the same verdicts that
/// `vedette lab run` finds in their own runs (the lab's test holds those to the same expectations).
#[test]
fn the_recorded_attack_proves_every_profile_of_the_lab() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let vedette = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let recording = format!("{root}/lab/recordings/playground.scap.gz");
    let lab = vedette(&["lab", "steps", "-o", "json"]);
    let mut compared = 0;
    for profile in lab["profiles"].as_array().unwrap() {
        let profile = profile["name"].as_str().unwrap();
        let proof = vedette(&[
            "prove",
            &recording,
            "--lab",
            "--profile",
            profile,
            "-o",
            "json",
        ]);
        for (step, proved) in lab["steps"]
            .as_array()
            .unwrap()
            .iter()
            .zip(proof["steps"].as_array().unwrap())
        {
            let word = match proved["verdict"].as_str().unwrap() {
                "stopped" => "blocked",
                "not_stopped" => "allowed",
                other => other,
            };
            assert_eq!(
                step["expected"][profile], word,
                "step {} of {profile}: {proved}",
                step["id"]
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 30, "three profiles of ten steps");
    println!("prove: {compared} verdicts equal to the lab's");
}
