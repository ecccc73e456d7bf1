//! The agent with policies against a real container (runc, overlay root): a dropped program is refused, told with policy
//! and action, and what came with the image runs. Needs root, runc and busybox.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test shall fail loudly and say what it left out"
)]

mod cell;
mod miner;
mod respond;
mod storm;

use std::fs;
use std::process::Command;

use serde_json::Value;

use cell::{Agent, Runc, run};

pub(crate) const POLICY: &str = "\
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
    // the shell that `runc exec` started, and what is above it
    let lineage = finding["lineage"].as_array().unwrap();
    assert!(lineage.len() > 2, "{line}");
    let shell = lineage[1]["cmdline"].as_str().unwrap();
    assert!(shell.starts_with("/bin/sh -c"), "{line}");
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
