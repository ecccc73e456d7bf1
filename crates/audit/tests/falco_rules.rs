//! Upstream's rule files, unmodified, over recorded records: the same alerts as Falco.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod shared;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use shared::alerts::{alerts, rule_set};
use shared::{conformance, files, stem};
use vedette_audit::Source;

#[test]
fn alerts_on_recorded_scenarios_equal_those_of_falco() {
    let (Some(folder), Some(rules)) = (
        conformance("k8s_audit"),
        conformance("falco/rules/k8s_audit_rules.yaml"),
    ) else {
        return;
    };
    let rules = rule_set(&[rules], Source::K8sAudit);
    let (mut scenarios, mut compared) = (0, 0);
    for golden in files(&folder.join("golden_falco/rules"), ".jsonl") {
        let input = std::fs::read(folder.join(format!("{}.jsonl", stem(&golden)))).unwrap();
        let got = alerts(&rules, &input, Source::K8sAudit);
        let text = std::fs::read_to_string(&golden).unwrap();
        let expected: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // Falco ends where its plugin gives an error; what it said until then is compared.
        for (expected, got) in expected.iter().zip(&got) {
            compared += 1;
            for (key, value) in got.as_object().unwrap() {
                assert_eq!(&expected[key], value, "{} {key}", stem(&golden));
            }
        }
        if got.len() != expected.len() {
            println!(
                "{}: Falco ended after {} alerts, here {}",
                stem(&golden),
                expected.len(),
                got.len()
            );
        }
        assert!(got.len() >= expected.len(), "{}", stem(&golden));
        scenarios += 1;
    }
    println!("{scenarios} scenarios, {compared} alerts");
}

/// What a case of the regression suite says of the alerts.
#[derive(Debug)]
struct Case {
    test: String,
    input: std::path::PathBuf,
    rules: Vec<std::path::PathBuf>,
    expected: Vec<Value>,
}

fn regression(root: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(root.join("manifest.json")).unwrap();
    let manifest: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut cases = Vec::new();
    for case in manifest {
        let test = case["test"].as_str().unwrap().to_owned();
        let Some(capture) = case["capture"]
            .as_str()
            .filter(|c| c.starts_with("k8s_audit/"))
        else {
            continue;
        };
        let output = root.join(format!("output/{test}.stdout"));
        let (Some(args), true) = (case["args"].as_array(), output.exists()) else {
            continue;
        };
        let args: Vec<&str> = args.iter().map(|arg| arg.as_str().unwrap()).collect();
        let rules = args
            .windows(2)
            .filter(|pair| pair[0] == "-r")
            .map(|pair| root.join(pair[1]))
            .collect();
        // Alerts come as JSON or, where the case does not ask for it, as text; a summary follows.
        let expected = std::fs::read_to_string(output)
            .unwrap()
            .lines()
            .take_while(|line| !line.starts_with("Events detected"))
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| json!({ "output": line })))
            .collect();
        cases.push(Case {
            test,
            input: root.join(format!(
                "../../falco_k8saudit/{}",
                capture.trim_start_matches("k8s_audit/")
            )),
            rules,
            expected,
        });
    }
    cases
}

#[test]
fn the_regression_suite_of_the_plugin_gives_the_same_alerts() {
    let Some(root) = conformance("falco/regression") else {
        return;
    };
    let mut count = 0;
    for case in regression(&root) {
        let rules = rule_set(&case.rules, Source::K8sAudit);
        let input = std::fs::read(&case.input).unwrap();
        let got = alerts(&rules, &input, Source::K8sAudit);
        assert_eq!(got.len(), case.expected.len(), "{}: {got:#?}", case.test);
        for (expected, got) in case.expected.iter().zip(&got) {
            for (key, value) in got.as_object().unwrap() {
                if let Some(expected) = expected.get(key) {
                    assert_eq!(expected, value, "{} {key}", case.test);
                }
            }
        }
        count += 1;
    }
    println!("{count} cases");
    assert!(count > 0);
}

#[test]
fn the_expectations_of_the_plugins_own_tests_hold() {
    let Some(folder) = conformance("falco_k8saudit") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("expectations.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let regression_rules = folder.join("../falco/regression/files/rules");
    let (mut run, mut asserted) = (0, 0);
    for case in &cases {
        let files: Vec<_> = case["rule_files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| {
                let folder = regression_rules.join(name.as_str().unwrap());
                self::files(&folder, ".yaml").remove(0)
            })
            .collect();
        let rules = rule_set(&files, Source::K8sAudit);
        let input = std::fs::read(folder.join(case["file"].as_str().unwrap())).unwrap();
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for alert in alerts(&rules, &input, Source::K8sAudit) {
            *counts
                .entry(alert["rule"].as_str().unwrap().into())
                .or_insert(0) += 1;
        }
        run += 1;
        let test = case["test"].as_str().unwrap();
        if case["expected_zero_detections"] == true {
            asserted += 1;
            assert!(counts.is_empty(), "{test}: {counts:?}");
        }
        for expected in case["expected_rules"].as_array().into_iter().flatten() {
            asserted += 1;
            let rule = expected["rule"].as_str().unwrap();
            let count = expected["count"].as_u64().unwrap();
            assert_eq!(counts.get(rule), Some(&count), "{test} {rule}: {counts:?}");
        }
    }
    println!("{run} cases, {asserted} expectations");
}

#[test]
fn rules_of_the_other_sources_load_and_run() {
    let Some(folder) = conformance("falco/rules") else {
        return;
    };
    for (file, source, record) in [
        (
            "aws_cloudtrail_rules.yaml",
            Source::AwsCloudtrail,
            r#"{"eventVersion":"1.08","eventID":"1","eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","eventTime":"2026-11-21T21:39:13Z","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.1","userIdentity":{"type":"Root","userName":"root","accountId":"1"},"additionalEventData":{"MFAUsed":"No"},"responseElements":{"ConsoleLogin":"Success"}}"#,
        ),
        (
            "gcp_auditlog_rules.yaml",
            Source::GcpAuditlog,
            r#"{"logName":"x","timestamp":"2026-11-21T21:39:13Z","protoPayload":{"serviceName":"storage.googleapis.com","methodName":"storage.setIamPermissions","serviceData":{"policyDelta":{"bindingDeltas":[{"action":"ADD","role":"roles/storage.objectViewer","member":"allUsers"}]}}},"resource":{"type":"gcs_bucket","labels":{"bucket_name":"b"}}}"#,
        ),
        (
            "okta_rules.yaml",
            Source::Okta,
            r#"{"eventType":"user.session.access_admin_app","published":"2026-11-21T21:39:13Z","actor":{"id":"1","displayName":"Ada"}}"#,
        ),
        (
            "github.yaml",
            Source::Github,
            r#"{"webhook_type":"repository","action":"publicized","sender":{"login":"ada"},"repository":{"html_url":"https://x/y","name":"y","private":false}}"#,
        ),
    ] {
        let rules = rule_set(&[folder.join(file)], source);
        let alerts = alerts(&rules, record.as_bytes(), source);
        println!(
            "{file}: {} rules, {:?}",
            rules.len(),
            alerts.iter().map(|a| &a["rule"]).collect::<Vec<_>>()
        );
        assert_eq!(alerts.len(), 1, "{file}");
    }
}
