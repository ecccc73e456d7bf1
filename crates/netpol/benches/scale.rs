//! Figures for large clusters: 2,000 policies over 10,000 pods, and how time grows with both.
//!
//! Prints one line for each figure with its bar, and a table of growth. Everything is made up from numbers, so two
//! runs measure the same thing.

#![allow(clippy::print_stdout, reason = "the figures are the output")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use vedette_manifest::Source;
use vedette_netpol::compile::Compiled;
use vedette_netpol::evaluate::{Assumptions, Decision, Party, Question};
use vedette_netpol::list;
use vedette_netpol::load::from_sources;
use vedette_netpol::traffic::Protocol;

/// Pods of one workload, and workloads of one namespace.
const REPLICAS: usize = 10;
const WORKLOADS: usize = 20;

/// A cluster as `kubectl get -o json` would give it: pods with addresses, owners and hashes, and policies of the
/// kinds that teams write: default deny, DNS, workload to workload, namespace to namespace, blocks.
fn cluster(policies: usize, pods: usize) -> String {
    let mut out = String::from("{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n");
    let namespaces = pods.div_ceil(REPLICAS * WORKLOADS);
    for n in 0..namespaces {
        let _ = writeln!(
            out,
            "{{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{{\"name\":\"ns{n}\",\"labels\":{{\"team\":\"t{}\"}}}}}},",
            n % 10
        );
    }
    for pod in 0..pods {
        let (n, w, r) = (
            pod / (REPLICAS * WORKLOADS),
            pod / REPLICAS % WORKLOADS,
            pod % REPLICAS,
        );
        let _ = writeln!(
            out,
            "{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"name\":\"w{w}-{r}\",\"namespace\":\"ns{n}\",\"labels\":{{\"app\":\"w{w}\",\"tier\":\"t{}\",\"pod-template-hash\":\"h{w}\"}},\"ownerReferences\":[{{\"kind\":\"ReplicaSet\",\"name\":\"w{w}\",\"controller\":true}}]}},\"spec\":{{\"nodeName\":\"node{}\",\"containers\":[{{\"name\":\"c\",\"ports\":[{{\"containerPort\":8080,\"name\":\"http\"}}]}}]}},\"status\":{{\"podIP\":\"10.{}.{}.{}\"}}}},",
            w % 4,
            pod % 100,
            pod / 62_500,
            pod / 250 % 250,
            pod % 250 + 1
        );
    }
    for policy in 0..policies {
        let (n, w) = (policy % namespaces, policy / namespaces % WORKLOADS);
        let spec = match policy % 5 {
            0 => "\"podSelector\":{},\"policyTypes\":[\"Ingress\"]".to_owned(),
            1 => format!(
                "\"podSelector\":{{\"matchLabels\":{{\"app\":\"w{w}\"}}}},\"ingress\":[{{\"from\":[{{\"podSelector\":{{\"matchLabels\":{{\"app\":\"w{}\"}}}}}}],\"ports\":[{{\"port\":8080}}]}}]",
                (w + 1) % WORKLOADS
            ),
            2 => format!(
                "\"podSelector\":{{\"matchLabels\":{{\"app\":\"w{w}\"}}}},\"ingress\":[{{\"from\":[{{\"namespaceSelector\":{{\"matchLabels\":{{\"team\":\"t{}\"}}}},\"podSelector\":{{\"matchLabels\":{{\"tier\":\"t1\"}}}}}}],\"ports\":[{{\"port\":\"http\"}}]}}]",
                n % 10
            ),
            3 => format!(
                "\"podSelector\":{{\"matchLabels\":{{\"app\":\"w{w}\"}}}},\"policyTypes\":[\"Egress\"],\"egress\":[{{\"to\":[{{\"namespaceSelector\":{{\"matchLabels\":{{\"kubernetes.io/metadata.name\":\"ns0\"}}}}}}],\"ports\":[{{\"port\":53,\"protocol\":\"UDP\"}}]}},{{\"to\":[{{\"podSelector\":{{\"matchExpressions\":[{{\"key\":\"tier\",\"operator\":\"NotIn\",\"values\":[\"t3\"]}}]}}}}]}}]"
            ),
            _ => format!(
                "\"podSelector\":{{\"matchLabels\":{{\"tier\":\"t{}\"}}}},\"policyTypes\":[\"Egress\"],\"egress\":[{{\"to\":[{{\"ipBlock\":{{\"cidr\":\"0.0.0.0/0\",\"except\":[\"10.0.0.0/8\",\"172.{}.0.0/16\"]}}}}]}}]",
                w % 4,
                16 + policy % 16
            ),
        };
        let _ = writeln!(
            out,
            "{{\"apiVersion\":\"networking.k8s.io/v1\",\"kind\":\"NetworkPolicy\",\"metadata\":{{\"name\":\"p{policy}\",\"namespace\":\"ns{n}\"}},\"spec\":{{{spec}}}}},"
        );
    }
    out.push_str(
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"end\"}}]}\n",
    );
    out
}

/// Peak memory of this process in MiB, as Linux counts it; `None` elsewhere.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

struct Figures {
    load: Duration,
    compile: Duration,
    verdicts: f64,
    list: Duration,
    lines: usize,
}

fn measure(policies: usize, pods: usize, questions: usize) -> Figures {
    let text = cluster(policies, pods);
    let start = Instant::now();
    let input = from_sources(&[Source {
        name: "cluster.json".into(),
        text: text.into(),
    }]);
    let load = start.elapsed();
    assert!(!input.has_errors(), "{:?}", input.diagnostics.first());
    assert_eq!(input.world.policies().count(), policies);
    let assumptions = Assumptions::default();
    let start = Instant::now();
    let mut compiled = Compiled::new(&input.world, &assumptions);
    let compile = start.elapsed();
    // A linear congruence spreads the questions over all pairs without a source of randomness.
    let mut state = 1u64;
    let mut next = |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let asked: Vec<Question> = (0..questions)
        .map(|_| Question {
            from: Party::Pod(next(pods)),
            to: Party::Pod(next(pods)),
            protocol: Protocol::TCP,
            port: if next(2) == 0 { 8080 } else { 53 },
        })
        .collect();
    let start = Instant::now();
    let allowed = asked
        .iter()
        .filter(|q| compiled.decide(q) == Decision::Allowed)
        .count();
    let verdicts = questions as f64 / start.elapsed().as_secs_f64();
    assert!(allowed > 0 && allowed < questions);
    let start = Instant::now();
    let map = list::from_compiled(&mut compiled);
    Figures {
        load,
        compile,
        verdicts,
        list: start.elapsed(),
        lines: map.len(),
    }
}

fn line(what: &str, value: &str, bar: &str, met: bool) {
    println!(
        "{what:<44} {value:>14}   bar {bar:<16} {}",
        if met { "met" } else { "MISSED" }
    );
}

fn main() {
    // `cargo test --benches` runs this too, unoptimised: a small cluster then shows that it works.
    if !std::env::args().any(|a| a == "--bench") {
        measure(50, 400, 1_000);
        return;
    }
    let big = measure(2_000, 10_000, 2_000_000);
    let ready = big.load + big.compile;
    line(
        "load and compile, 2,000 policies, 10,000 pods",
        &format!("{:.3} s", ready.as_secs_f64()),
        "< 1 s",
        ready < Duration::from_secs(1),
    );
    println!(
        "  of which load {:.3} s, compile {:.3} s",
        big.load.as_secs_f64(),
        big.compile.as_secs_f64()
    );
    line(
        "verdicts on one core, rows made on the way",
        &format!("{:.2} M/s", big.verdicts / 1e6),
        ">= 1 M/s",
        big.verdicts >= 1e6,
    );
    line(
        "connectivity by workload",
        &format!("{:.3} s", big.list.as_secs_f64()),
        "< 5 s",
        big.list < Duration::from_secs(5),
    );
    println!("  {} lines", big.lines);
    if let Some(peak) = peak_memory() {
        line(
            "peak memory",
            &format!("{peak} MiB"),
            "< 300 MB",
            peak < 286,
        );
    }
    println!(
        "\ngrowth      policies     pods    load s  compile s  verdicts M/s    list s      lines"
    );
    for (policies, pods) in [
        (500, 10_000),
        (1_000, 10_000),
        (2_000, 10_000),
        (4_000, 10_000),
        (2_000, 2_500),
        (2_000, 5_000),
        (2_000, 20_000),
    ] {
        let f = measure(policies, pods, 500_000);
        let bar = "#".repeat((f.list.as_secs_f64() * 20.0).ceil() as usize);
        println!(
            "            {policies:>8} {pods:>8} {:>9.3} {:>10.3} {:>13.2} {:>9.3} {:>10}  {bar}",
            f.load.as_secs_f64(),
            f.compile.as_secs_f64(),
            f.verdicts / 1e6,
            f.list.as_secs_f64(),
            f.lines
        );
    }
}
