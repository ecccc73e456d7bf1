//! Records a second of processor time through all audit rules and detectors, and the most memory that each measurement
//! held: the recorded scenarios, or records made here when they are not there.
//!
//! Processor time and not the clock's: what else runs on the machine is not what is measured. Each measurement is a
//! process of its own, so that its memory is its own too; `cargo bench -p vedette-audit -- whole` runs one of them.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops where it goes wrong and prints what it measures"
)]

#[path = "../tests/shared/mod.rs"]
mod shared;

use std::path::Path;

use rustix::time::{ClockId, clock_gettime};
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

/// Processor time of this process so far, in seconds.
fn processor() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A line of what the process says of itself, in megabytes.
fn memory(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or_default()
        / 1024
}

/// Most megabytes that this process held at a time.
fn most_resident() -> u64 {
    memory("VmHWM:")
}

fn measure(name: &str, input: &[u8], mut each: impl FnMut(&vedette_audit::Record<'_>)) {
    let start = processor();
    let (mut records, mut bytes) = (0, 0);
    while records < RECORDS {
        let mut splitter = Splitter::new(Some(Source::K8sAudit));
        splitter.feed(input, true, &mut |record| {
            records += 1;
            each(record.unwrap());
        });
        bytes += input.len();
    }
    let seconds = processor() - start;
    println!(
        "{name}: {:.0} records/s, {:.0} MB/s, at most {} MB",
        records as f64 / seconds,
        bytes as f64 / seconds / 1e6,
        most_resident()
    );
}

/// The measurements by name.
const PARTS: [(&str, fn()); 5] = [
    ("rules", rules),
    ("whole", whole_way),
    ("large", large_objects),
    ("principals", many_principals),
    ("findings", many_findings),
];

fn main() {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    if let [name] = asked.as_slice() {
        let (_, part) = PARTS
            .iter()
            .find(|(part, _)| part == name)
            .expect("a measurement of this name");
        part();
        return;
    }
    for (name, _) in PARTS {
        let own = std::env::current_exe().unwrap();
        let status = std::process::Command::new(own).arg(name).status().unwrap();
        assert!(status.success(), "{name}: {status}");
    }
}

/// Every rule for audit records: ours, and upstream's where they are.
fn engine() -> Option<vedette_detect::Detector> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/k8s_audit");
    let mut rule_files = if own.exists() {
        files(&own, ".yaml")
    } else {
        Vec::new()
    };
    rule_files.extend(conformance("falco/rules/k8s_audit_rules.yaml"));
    println!("{} rule files", rule_files.len());
    if rule_files.is_empty() {
        return None;
    }
    let rules = rule_set(&rule_files, Source::K8sAudit);
    Some(vedette_detect::Detector::new(rules))
}

fn rules() {
    let input = input();
    measure("reading", &input, |_| {});
    let mut detector = Detector::new(Origin::default(), Lists::new());
    let mut hits = Vec::new();
    measure("reading and detectors", &input, |record| {
        detector.observe(record, &mut hits);
        hits.clear();
    });
    let Some(mut engine) = engine() else {
        return;
    };
    let mut alerts = 0;
    measure("reading, detectors and rules", &input, |record| {
        detector.observe(record, &mut hits);
        hits.clear();
        engine.observe(record, |_| alerts += 1);
    });
    println!("{alerts} alerts");
}

fn judging() -> Analysis {
    Analysis::new(Setup {
        habits: Some(Settings::default()),
        ..Setup::default()
    })
}

/// As `vedette findings watch` does it: repetitions passed over, detectors, habits, sequences, rules. Twice as many records
/// must take twice as long.
fn whole_way() {
    let input = input();
    let Some(mut engine) = engine() else {
        return;
    };
    let mut seconds = Vec::new();
    for rounds in [RECORDS, 2 * RECORDS] {
        let mut analysis = judging();
        let (mut records, mut findings) = (0usize, 0);
        let start = processor();
        while records < rounds {
            let mut splitter = Splitter::new(Some(Source::K8sAudit));
            splitter.feed(&input, true, &mut |record| {
                let record = record.unwrap();
                records += 1;
                if analysis.observe(record, &mut |_, _| findings += 1) {
                    engine.observe(record, |_| {});
                }
            });
            // The same records again would be passed over; they come a day later instead.
            analysis.forget_records();
        }
        let took = processor() - start;
        println!(
            "the whole way, {records} records: {:.0} records/s, {findings} findings told, at most {} MB",
            records as f64 / took,
            most_resident()
        );
        seconds.push(took / records as f64);
    }
    println!(
        "time a record, twice as many against once: {:.2}",
        seconds[1] / seconds[0]
    );
}

/// A request of a service account of its own each time.
fn request(n: usize, verb: &str, resource: &str, namespace: &str, object: &str) -> String {
    let user = format!("system:serviceaccount:ns{}:sa{n}", n % 10_000);
    let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
    format!(
        r#"{{"kind":"Event","auditID":"{n}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/{namespace}/{resource}/{sub}","verb":"{verb}","user":{{"username":"{user}","groups":["g"]}},"sourceIPs":["192.0.2.1"],"userAgent":"kubectl/v1","objectRef":{{"resource":"{resource}","namespace":"{namespace}","name":"o{n}","subresource":"{sub}"}},"responseStatus":{{"code":200}},"requestObject":{object},"requestReceivedTimestamp":"2026-11-21T21:39:12Z","stageTimestamp":"2026-11-21T21:39:13Z"}}
"#
    )
}

/// A 10 MB object in the pieces in which it comes from a socket.
fn large_objects() {
    let object = format!(r#"{{"data":"{}"}}"#, "x".repeat(10 << 20));
    let line = request(1, "list", "secrets", "dev", &object);
    let mut analysis = Analysis::new(Setup::default());
    let mut splitter = Splitter::new(Some(Source::K8sAudit));
    let start = processor();
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
        "{records} records of 10 MB in pieces: {:.0} MB/s, at most {} MB",
        line.len() as f64 * 10.0 / (processor() - start) / 1e6,
        most_resident()
    );
}

const PRINCIPALS: usize = 1_000_000;

fn flood(name: &str, each: impl Fn(usize) -> String) {
    let mut analysis = judging();
    let mut splitter = Splitter::new(Some(Source::K8sAudit));
    let mut told = 0;
    let start = processor();
    for n in 0..PRINCIPALS {
        splitter.feed(each(n).as_bytes(), false, &mut |record| {
            analysis.observe(record.unwrap(), &mut |_, _| told += 1);
        });
    }
    println!(
        "{PRINCIPALS} principals {name}: {:.0} records/s, {told} findings told, at most {} MB",
        PRINCIPALS as f64 / (processor() - start),
        most_resident()
    );
}

/// Each principal reads secrets once, which has habits learnt of each.
fn many_principals() {
    flood("that read secrets", |n| {
        request(n, "list", "secrets", &format!("ns{}", n % 10_000), "{}")
    });
}

/// Each principal executes in a system pod, which is a finding and a signal each time.
fn many_findings() {
    flood("that each raise a finding", |n| {
        request(n, "create", "pods/exec", "kube-system", "{}")
    });
}
