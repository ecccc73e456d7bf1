//! Panther's test events through our rules of the same meaning.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use shared::alerts::{alerts, every_match};
use shared::{conformance, files};
use vedette_audit::Source;
use vedette_detect::RuleSet;

/// Least share of tests on which we must agree.
const BAR: f64 = 0.95;

fn own(folder: &str, source: Source) -> Arc<RuleSet> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../rules")
        .join(folder);
    every_match(&files(&folder, ".yaml"), source)
}

/// Lines of a table, split at tabs.
fn table(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split('\t').collect())
}

/// The event of a test as the source writes it: the members that a test author left out but every record has.
fn event(test: &Value, source: Source) -> Option<Value> {
    let mut event = match source {
        Source::K8sAudit => test.get("native_k8s_audit_event")?.clone(),
        _ => test["event"].clone(),
    };
    let members = event.as_object_mut()?;
    members.retain(|_, value| !value.is_null());
    let mut default = |key: &str, value: Value| {
        members.entry(key.to_owned()).or_insert(value);
    };
    if source == Source::K8sAudit {
        let upgraded =
            test.pointer("/native_k8s_audit_event/responseStatus/code") == Some(&json!(101));
        default("auditID", json!("1"));
        default(
            "stage",
            json!(if upgraded {
                "ResponseStarted"
            } else {
                "ResponseComplete"
            }),
        );
        default("stageTimestamp", json!("2026-11-21T21:39:13Z"));
    } else {
        default("eventTime", json!("2026-11-21T21:39:13Z"));
        default("eventVersion", json!("1.08"));
    }
    Some(event)
}

#[test]
fn verdicts_agree_with_those_of_panther() {
    let Some(folder) = conformance("panther") else {
        return;
    };
    let covers: BTreeMap<&str, BTreeSet<&str>> = table(include_str!("data/panther.tsv"))
        .map(|row| (row[0], row[1].split('|').collect()))
        .collect();
    let differences: BTreeSet<(&str, &str)> = table(include_str!("data/panther_differences.tsv"))
        .map(|row| {
            assert!(!row[2].is_empty());
            (row[0], row[1])
        })
        .collect();
    for (file, rules, source) in [
        (
            "k8s_audit.jsonl",
            own("k8s_audit", Source::K8sAudit),
            Source::K8sAudit,
        ),
        (
            "aws_cloudtrail.jsonl",
            own("aws_cloudtrail", Source::AwsCloudtrail),
            Source::AwsCloudtrail,
        ),
    ] {
        let (mut tests, mut agree) = (0u32, 0u32);
        let mut unexplained = Vec::new();
        let mut covered = BTreeSet::new();
        for line in std::fs::read_to_string(folder.join(file)).unwrap().lines() {
            let test: Value = serde_json::from_str(line).unwrap();
            let id = test["rule_id"].as_str().unwrap();
            let Some(names) = covers.get(id) else {
                continue;
            };
            // Verdicts that depend on what a stub of Panther's cache or lookup answers say nothing about a rule.
            if test
                .get("mocks")
                .is_some_and(|mocks| mocks.as_array().is_some_and(|m| !m.is_empty()))
            {
                continue;
            }
            let Some(event) = event(&test, source) else {
                continue;
            };
            covered.insert(id.to_owned());
            let got = alerts(&rules, event.to_string().as_bytes(), source)
                .iter()
                .any(|alert| names.contains(alert["rule"].as_str().unwrap()));
            tests += 1;
            let expected = test["expected_result"].as_bool().unwrap();
            if got == expected {
                agree += 1;
                continue;
            }
            let name = test["test_name"].as_str().unwrap();
            if !differences.contains(&(id, name)) {
                unexplained.push(format!("{id}\t{name}\texpected {expected}: {event}"));
            }
        }
        let share = f64::from(agree) / f64::from(tests);
        println!(
            "{file}: {} rules, {agree} of {tests} tests agree ({:.1} %)",
            covered.len(),
            share * 100.0
        );
        assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
        assert!(share >= BAR);
    }
}

#[test]
fn every_detonation_is_detected() {
    let Some(folder) = conformance("cloudtrail/stratus") else {
        return;
    };
    let rules = own("aws_cloudtrail", Source::AwsCloudtrail);
    let mut got = String::new();
    let mut techniques = 0;
    for file in files(&folder, ".json") {
        techniques += 1;
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let fired: BTreeSet<String> = alerts(
            &rules,
            &std::fs::read(&file).unwrap(),
            Source::AwsCloudtrail,
        )
        .iter()
        .map(|alert| alert["rule"].as_str().unwrap().to_owned())
        .collect();
        assert!(!fired.is_empty(), "{name} is not detected");
        got.push_str(&format!(
            "{name}\t{}\n",
            fired.into_iter().collect::<Vec<_>>().join("|")
        ));
    }
    println!("{techniques} techniques");
    let expected: String = table(include_str!("data/stratus.tsv"))
        .map(|row| row.join("\t") + "\n")
        .collect();
    assert_eq!(got, expected);
}
