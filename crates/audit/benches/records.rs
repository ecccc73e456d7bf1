//! Records a second through all audit rules and detectors, on one core: the recorded scenarios, or records made here
//! when they are not there.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops where it goes wrong and prints what it measures"
)]

#[path = "../tests/shared/mod.rs"]
mod shared;

use std::path::Path;
use std::time::Instant;

use shared::alerts::rule_set;
use shared::{conformance, files};
use vedette_audit::findings::{Detector, Origin};
use vedette_audit::lists::Lists;
use vedette_audit::{Source, Splitter};

/// Records that each measurement reads at least.
const RECORDS: usize = 200_000;

fn input() -> Vec<u8> {
    let mut input = Vec::new();
    if let Some(folder) = conformance("k8s_audit") {
        for folder in [folder.clone(), folder.join("background")] {
            for file in files(&folder, ".jsonl") {
                input.extend(std::fs::read(file).unwrap());
            }
        }
    } else {
        for id in 0..1000 {
            input.extend(
                format!(
                    r#"{{"kind":"Event","auditID":"{id}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/dev/pods","verb":"create","user":{{"username":"u","groups":["g"]}},"sourceIPs":["192.0.2.1"],"userAgent":"kubectl","objectRef":{{"resource":"pods","namespace":"dev","name":"p"}},"responseStatus":{{"code":201}},"requestObject":{{"kind":"Pod","metadata":{{"name":"p"}},"spec":{{"containers":[{{"name":"c","image":"nginx:1"}}]}}}},"stageTimestamp":"2026-11-21T21:39:13Z"}}"#
                )
                .bytes(),
            );
            input.push(b'\n');
        }
    }
    input
}

fn measure(name: &str, input: &[u8], mut each: impl FnMut(&vedette_audit::Record<'_>)) {
    let start = Instant::now();
    let (mut records, mut bytes) = (0, 0);
    while records < RECORDS {
        let mut splitter = Splitter::new(Some(Source::K8sAudit));
        splitter.feed(input, true, &mut |record| {
            records += 1;
            each(record.unwrap());
        });
        bytes += input.len();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{name}: {:.0} records/s, {:.0} MB/s",
        records as f64 / seconds,
        bytes as f64 / seconds / 1e6
    );
}

fn main() {
    let input = input();
    measure("reading", &input, |_| {});
    let mut detector = Detector::new(Origin::default(), Lists::new());
    let mut hits = Vec::new();
    measure("reading and detectors", &input, |record| {
        detector.observe(record, &mut hits);
        hits.clear();
    });
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/k8s_audit");
    let mut rule_files = if own.exists() {
        files(&own, ".yaml")
    } else {
        Vec::new()
    };
    println!("{} own rule files", rule_files.len());
    rule_files.extend(conformance("falco/rules/k8s_audit_rules.yaml"));
    if rule_files.is_empty() {
        return;
    }
    let rules = rule_set(&rule_files, Source::K8sAudit);
    let mut engine = vedette_detect::Detector::new(rules);
    let mut alerts = 0;
    measure("reading, detectors and rules", &input, |record| {
        detector.observe(record, &mut hits);
        hits.clear();
        engine.observe(record, |_| alerts += 1);
    });
    println!("{alerts} alerts");
}
