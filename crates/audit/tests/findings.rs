//! Findings over recorded scenarios against the table derived from their commands, and none over benign traffic.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod shared;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use shared::{conformance, files, for_each_record, stem};
use vedette_audit::findings::{Detector, Findings, Origin};
use vedette_audit::lists::Lists;
use vedette_audit::Source;

/// Findings in a file, by type and subject, with their counts.
fn findings(path: &Path) -> BTreeMap<(String, String), u64> {
    let origin = Origin::default();
    let mut detector = Detector::new(origin.clone(), Lists::new());
    let mut findings = Findings::default();
    let mut hits = Vec::new();
    for_each_record(path, Source::K8sAudit, |record| {
        detector.observe(record, &mut hits);
        for hit in hits.drain(..) {
            findings.add(&origin, hit);
        }
    });
    findings
        .sorted()
        .into_iter()
        .map(|finding| {
            let key = (finding.hit.kind.clone(), finding.hit.subject.clone());
            (key, finding.count)
        })
        .collect()
}

#[test]
fn scenarios_give_exactly_the_findings_of_the_table() {
    let Some(folder) = conformance("k8s_audit") else {
        return;
    };
    let mut got = String::new();
    let mut scenarios = 0;
    for file in files(&folder, ".jsonl") {
        scenarios += 1;
        for ((kind, subject), count) in findings(&file) {
            writeln!(got, "{}\t{kind}\t{subject}\t{count}", stem(&file)).unwrap();
        }
    }
    println!("{scenarios} scenarios, {} findings", got.lines().count());
    let table = include_str!("data/scenario_findings.tsv");
    let expected: String = table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .fold(String::new(), |all, line| all + line + "\n");
    assert_eq!(got, expected);
}

#[test]
fn background_traffic_gives_no_finding() {
    let Some(folder) = conformance("k8s_audit/background") else {
        return;
    };
    let mut records = 0;
    for file in files(&folder, ".jsonl") {
        for_each_record(&file, Source::K8sAudit, |_| records += 1);
        assert_eq!(findings(&file), BTreeMap::new(), "{}", stem(&file));
    }
    println!("{records} records");
}
