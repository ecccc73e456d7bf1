//! Our own rules for logs: they load, each has its test beside it, and each test holds.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod shared;

use std::path::Path;

use shared::alerts::{alerts, every_match};
use shared::{conformance, files};
use vedette_audit::Source;
use vedette_testkit::{Input, parse_markdown};

fn check(folder: &str, source: Source) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../rules")
        .join(folder);
    let rule_files = files(&folder, ".yaml");
    let rules = every_match(&rule_files, source);
    let (mut cases, mut wrong) = (0, Vec::new());
    for file in &rule_files {
        if file.ends_with("00_macros.yaml") {
            continue;
        }
        let own = every_match(&[folder.join("00_macros.yaml"), file.clone()], source);
        assert!(!own.is_empty(), "{}", file.display());
        let test = file.with_extension("md");
        let text =
            std::fs::read_to_string(&test).unwrap_or_else(|e| panic!("{}: {e}", test.display()));
        let names: Vec<String> = text
            .lines()
            .filter_map(|line| Some(line.strip_prefix("# ")?.to_owned()))
            .collect();
        for case in parse_markdown(&text).unwrap() {
            cases += 1;
            let Input::Records(records) = &case.input else {
                panic!("{}: line {}: no records", test.display(), case.line);
            };
            let got: Vec<String> = alerts(&rules, records.as_bytes(), source)
                .iter()
                .map(|alert| alert["rule"].as_str().unwrap().to_owned())
                .filter(|rule| names.contains(rule))
                .collect();
            if got != case.alerts {
                wrong.push(format!(
                    "{}:{} {}: got {got:?}, not {:?}",
                    test.display(),
                    case.line,
                    case.title,
                    case.alerts
                ));
            }
        }
    }
    println!("{} rules, {cases} cases", rules.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_for_kubernetes_audit_hold_their_tests() {
    check("k8s_audit", Source::K8sAudit);
}

#[test]
fn rules_for_cloudtrail_hold_their_tests() {
    check("aws_cloudtrail", Source::AwsCloudtrail);
}

#[test]
fn the_control_plane_at_work_raises_nothing_to_look_at() {
    let Some(folder) = conformance("k8s_audit/background") else {
        return;
    };
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/k8s_audit");
    let rules = every_match(&files(&own, ".yaml"), Source::K8sAudit);
    let mut fired = std::collections::BTreeMap::new();
    for file in files(&folder, ".jsonl") {
        for alert in alerts(&rules, &std::fs::read(file).unwrap(), Source::K8sAudit) {
            let key = format!("{} {}", alert["priority"], alert["rule"]);
            *fired.entry(key).or_insert(0) += 1;
        }
    }
    println!("{fired:?}");
    let loud: Vec<&String> = fired
        .keys()
        .filter(|key| !key.contains("Informational") && !key.contains("Notice"))
        .collect();
    assert!(loud.is_empty(), "{loud:?}");
}
