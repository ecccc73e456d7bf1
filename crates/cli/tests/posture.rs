//! `vedette posture` as a program: its words, its lines and its exit codes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::process::{Command, Stdio};

const PLAYGROUND: &str = "# the playground\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: security-playground}\nspec:\n  template:\n    spec:\n      hostPID: true # why?\n      containers:\n      - name: security-playground\n        securityContext: {privileged: true}\n";

fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .arg("posture")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let done = child.wait_with_output().unwrap();
    (
        done.status.code().unwrap(),
        String::from_utf8(done.stdout).unwrap(),
        String::from_utf8(done.stderr).unwrap(),
    )
}

#[test]
fn pss_prints_the_workshops_warning() {
    let (code, out, _) = run(&["pss", "--level", "restricted", "-"], PLAYGROUND);
    assert_eq!(code, 1);
    assert!(
        out.contains(
            "Warning: would violate PodSecurity \"restricted:latest\": host namespaces (hostPID=true), privileged (container \"security-playground\" must not set securityContext.privileged=true), allowPrivilegeEscalation != false (container \"security-playground\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"security-playground\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"security-playground\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"security-playground\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")\n"
        ),
        "{out}"
    );
}

#[test]
fn pss_gives_a_json_line_for_each_object() {
    let (code, out, _) = run(
        &[
            "pss",
            "--level",
            "baseline",
            "--version",
            "v1.30",
            "-o",
            "json",
            "-",
        ],
        PLAYGROUND,
    );
    assert_eq!(code, 1);
    let line: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(line["allowed"], false);
    assert_eq!(line["reason"], "host namespaces, privileged");
    assert_eq!(line["name"], "security-playground");
}

#[test]
fn checks_fail_with_1_and_pass_with_0() {
    let (code, out, _) = run(&["check", "--check", "host-pid", "-"], PLAYGROUND);
    assert_eq!(code, 1);
    assert!(out.contains("8:7 high [host-pid]"), "{out}");
    let (code, ..) = run(&["check", "--check", "host-ipc", "-"], PLAYGROUND);
    assert_eq!(code, 0);
    let (code, _, err) = run(&["check", "--check", "nothing", "-"], PLAYGROUND);
    assert_eq!(code, 2);
    assert!(err.contains("no check"), "{err}");
}

#[test]
fn a_fix_is_a_patch_that_keeps_comments() {
    let (code, out, _) = run(&["fix", "--check", "host-pid", "-"], PLAYGROUND);
    assert_eq!(code, 0);
    assert!(
        out.contains("-      hostPID: true # why?\n+      hostPID: false # why?\n"),
        "{out}"
    );
}
