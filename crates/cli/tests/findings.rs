//! `vedette findings`: recorded logs, types, explanations and samples, as a user calls them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn vedette(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vedette"))
        .arg("findings")
        .args(words)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn values(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_str(&text(output)).unwrap()
}

/// `kubectl exec` into a pod of kube-system, number `n`.
fn exec(n: u32, user: &str) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": format!("id-{n}"),
        "stage": "ResponseStarted", "verb": "get",
        "requestURI": format!("/api/v1/namespaces/kube-system/pods/proxy-{n}/exec?command=sh"),
        "user": {"username": user, "groups": ["system:authenticated"]},
        "sourceIPs": ["192.0.2.7"], "userAgent": "kubectl/v1.36",
        "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "kube-system", "name": format!("proxy-{n}")},
        "responseStatus": {"code": 101},
        "requestReceivedTimestamp": format!("2026-11-21T10:00:00.{n:06}Z"),
        "stageTimestamp": format!("2026-11-21T10:00:01.{n:06}Z"),
    })
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn log(dir: &Path) -> PathBuf {
    let lines = [exec(1, "ada"), exec(1, "ada"), exec(2, "bob")];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    write(dir, "audit.log", &lines.join("\n"))
}

#[test]
fn a_log_becomes_findings_in_every_shape() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let log = log.to_str().unwrap();
    let kind = "Execution:Kubernetes/ExecInKubeSystemPod";
    let table = text(&vedette(&[log]));
    assert_eq!(table.matches(kind).count(), 2, "{table}");
    let own = values(&vedette(&[log, "-o", "json"]));
    let who: Vec<_> = own.iter().map(|f| (&f["actor"], &f["count"])).collect();
    // The first record is there twice and counts once.
    assert_eq!(
        who,
        [(&json!("ada"), &json!(1)), (&json!("bob"), &json!(1))]
    );
    assert_eq!(own[0]["evidence"]["first"][0]["recordId"], "id-1");
    for (shape, pointer) in [("guardduty", "/type"), ("ocsf", "/finding_info/types/0")] {
        let findings = values(&vedette(&[log, "-o", shape]));
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].pointer(pointer).unwrap(), kind);
    }
    let hub = values(&vedette(&[log, "-o", "asff"]));
    assert_eq!(hub[1]["SchemaVersion"], "2018-10-08");
    for shape in ["ndjson", "records"] {
        let lines = text(&vedette(&[log, "-o", shape]));
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2, "{shape}");
    }
    let fails = vedette(&[log, "--fail-on", "medium"]);
    assert_eq!(fails.status.code(), Some(1));
    assert_eq!(vedette(&[log, "--fail-on", "high"]).status.code(), Some(0));
    assert_eq!(vedette(&["/no/such/file"]).status.code(), Some(2));
    assert_eq!(vedette(&[]).status.code(), Some(2));
}

#[test]
fn suppression_puts_aside_counts_and_can_be_tried() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let log = log.to_str().unwrap();
    let rules = write(
        dir.path(),
        "s.yaml",
        "suppressions:\n- name: ada may\n  owner: team\n  reason: on call\n  criteria:\n    resource.kubernetesDetails.kubernetesUserDetails.username: {equals: [ada]}\n",
    );
    let rules = rules.to_str().unwrap();
    let put = vedette(&[log, "--suppress", rules, "-o", "json"]);
    let said = String::from_utf8_lossy(&put.stderr).into_owned();
    assert!(
        said.contains("`ada may` (team) put aside 1 occurrences"),
        "{said}"
    );
    assert_eq!(values(&put).len(), 1);
    let all = values(&vedette(&[
        log,
        "--suppress",
        rules,
        "--archived",
        "-o",
        "json",
    ]));
    assert_eq!(all[0]["suppressedBy"], "ada may");
    let dry = vedette(&[log, "--suppress", rules, "--dry-run", "-o", "json"]);
    let said = String::from_utf8_lossy(&dry.stderr).into_owned();
    assert!(said.contains("would put aside 1"), "{said}");
    assert_eq!(values(&dry).len(), 2);
}

#[test]
fn lists_and_rules_of_users_stand_beside_the_detectors() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let log = log.to_str().unwrap();
    let list = write(dir.path(), "bad.txt", "192.0.2.0/24\n");
    let list = format!("mine={}", list.display());
    let rule = write(
        dir.path(),
        "r.yaml",
        "- rule: Exec by bob\n  desc: bob may not\n  condition: ka.user.name=bob\n  output: bob did it (pod=%ka.target.name)\n  priority: CRITICAL\n  source: k8s_audit\n  tags: [mitre_execution]\n",
    );
    let found = values(&vedette(&[
        log,
        "--custom-list",
        &list,
        "-r",
        rule.to_str().unwrap(),
        "-o",
        "json",
    ]));
    let types: Vec<&str> = found.iter().map(|f| f["type"].as_str().unwrap()).collect();
    assert!(
        types.contains(&"Impact:Kubernetes/MaliciousIPCaller.Custom"),
        "{types:?}"
    );
    let ours = found
        .iter()
        .find(|f| f["type"] == "Execution:Kubernetes/Rule.ExecByBob")
        .unwrap();
    assert_eq!(ours["severity"], 8.0);
    assert!(
        ours["title"]
            .as_str()
            .unwrap()
            .starts_with("bob did it (pod=proxy-2)")
    );
    let trusted = values(&vedette(&[
        log,
        "--custom-list",
        &list,
        "--trusted-list",
        &list.replace("mine=", "ours="),
        "-o",
        "json",
    ]));
    assert!(
        trusted
            .iter()
            .all(|f| f["type"] == "Execution:Kubernetes/ExecInKubeSystemPod")
    );
}

#[test]
fn every_type_has_its_row_its_explanation_and_its_sample() {
    let rows = values(&vedette(&["types", "-o", "json"]));
    let shared = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/guardduty/finding_types.json");
    match std::fs::read_to_string(&shared) {
        Ok(text) => {
            let types: Value = serde_json::from_str(&text).unwrap();
            let types = types["findings"].as_array().unwrap();
            for expected in types {
                let row = rows.iter().find(|row| row["type"] == expected["type"]);
                let row = row.unwrap_or_else(|| panic!("{} has no row", expected["type"]));
                assert_ne!(row["detail"], "", "{row}");
            }
            println!("{} types have their row", types.len());
        }
        Err(_) => println!("no ../shared/conformance: the list of all types is left out"),
    }
    assert!(rows.len() > 180);
    for row in &rows {
        let kind = row["type"].as_str().unwrap();
        let output = vedette(&["explain", kind, "-o", "json"]);
        let page: Value = serde_json::from_str(&text(&output)).unwrap();
        for key in ["what", "why", "remediation"] {
            assert!(page[key].as_str().unwrap().len() > 10, "{kind}: {key}");
        }
    }
    let samples = values(&vedette(&["sample", "-o", "guardduty"]));
    assert!(samples.len() > 70, "{}", samples.len());
    for sample in &samples {
        assert!(sample["title"].as_str().unwrap().starts_with("[SAMPLE]"));
    }
    let near = vedette(&["explain", "execinkubesystem"]);
    assert_eq!(near.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&near.stderr).contains("ExecInKubeSystemPod meant?"));
}
