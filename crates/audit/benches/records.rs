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
use vedette_audit::anomaly::Settings;
use vedette_audit::findings::{Analysis, Detector, Origin, Setup};
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
    whole_way(&input, &mut engine);
    large_objects();
    many_principals();
}

/// As `vedette findings watch` does it: repetitions passed over, detectors, habits, sequences, rules. Twice as many records
/// must take twice as long.
fn whole_way(input: &[u8], engine: &mut vedette_detect::Detector) {
    let mut seconds = Vec::new();
    for rounds in [RECORDS, 2 * RECORDS] {
        let mut analysis = Analysis::new(Setup {
            habits: Some(Settings::default()),
            ..Setup::default()
        });
        let (mut records, mut findings) = (0usize, 0);
        let start = Instant::now();
        while records < rounds {
            let mut splitter = Splitter::new(Some(Source::K8sAudit));
            splitter.feed(input, true, &mut |record| {
                let record = record.unwrap();
                records += 1;
                if analysis.observe(record, &mut |_, _| findings += 1) {
                    engine.observe(record, |_| {});
                }
            });
            // The same records again would be passed over; they come a day later instead.
            analysis.forget_records();
        }
        let took = start.elapsed().as_secs_f64();
        println!(
            "the whole way, {records} records: {:.0} records/s, {findings} findings told, {} MB resident",
            records as f64 / took,
            resident()
        );
        seconds.push(took / records as f64);
    }
    println!(
        "time a record, twice as many against once: {:.2}",
        seconds[1] / seconds[0]
    );
}

fn event(n: usize, user: &str, object: &str) -> String {
    format!(
        r#"{{"kind":"Event","auditID":"{n}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/dev/secrets","verb":"list","user":{{"username":"{user}","groups":["g"]}},"sourceIPs":["192.0.2.1"],"userAgent":"kubectl/v1","objectRef":{{"resource":"secrets","namespace":"dev"}},"responseStatus":{{"code":200}},"requestObject":{{"data":"{object}"}},"requestReceivedTimestamp":"2026-11-21T21:39:12Z","stageTimestamp":"2026-11-21T21:39:13Z"}}
"#
    )
}

fn large_objects() {
    let line = event(1, "u", &"x".repeat(10 << 20));
    let mut analysis = Analysis::new(Setup::default());
    let mut splitter = Splitter::new(Some(Source::K8sAudit));
    let start = Instant::now();
    let mut records = 0;
    for _ in 0..10 {
        for piece in line.as_bytes().chunks(256 << 10) {
            splitter.feed(piece, false, &mut |record| {
                records += 1;
                analysis.observe(record.unwrap(), &mut |_, _| {});
            });
        }
    }
    println!(
        "{records} records of 10 MB in pieces: {:.0} MB/s, {} MB resident",
        line.len() as f64 * 10.0 / start.elapsed().as_secs_f64() / 1e6,
        resident()
    );
}

fn many_principals() {
    const PRINCIPALS: usize = 1_000_000;
    let mut analysis = Analysis::new(Setup {
        habits: Some(Settings::default()),
        ..Setup::default()
    });
    let mut splitter = Splitter::new(Some(Source::K8sAudit));
    let start = Instant::now();
    for n in 0..PRINCIPALS {
        let line = event(
            n,
            &format!("system:serviceaccount:ns{}:sa{n}", n % 10_000),
            "",
        );
        splitter.feed(line.as_bytes(), false, &mut |record| {
            analysis.observe(record.unwrap(), &mut |_, _| {});
        });
    }
    println!(
        "{PRINCIPALS} principals: {:.0} records/s, {} MB resident",
        PRINCIPALS as f64 / start.elapsed().as_secs_f64(),
        resident()
    );
}

/// Megabytes that the process holds.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or_default()
        / 1024
}
