//! Measures the store on a made-up cluster's fortnight: ingest, size, memory, and the questions that screens ask.
//!
//! `measure DIR RECORDS [ACTIVITY_PERMILLE [END_SECONDS]]` fills the store in DIR unless it holds as many records already, then asks
//! each question 20 times. Lines are `name<TAB>value`; `tools/bench-store` starts it and says what is beyond its bar.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for developers, which prints and may stop at the first error"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use vedette_history::{
    ActivityQuery, Filter, FindingQuery, History, MAX_LIMIT, Order, TimeRange, View, tree,
};
use vedette_store::Store;
use vedette_testkit::history::{Plan, records};

/// 2026-01-15T00:00:00Z: when the fortnight ends, unless another second is named.
const END: u64 = 1_768_435_200_000_000_000;
const HOUR: u64 = 3_600_000_000_000;
/// Records of an append: what an agent sends at once under load.
const BATCH: usize = 1000;
/// How often each question is asked.
const RUNS: usize = 20;

/// Fields whose values a screen of findings shows beside the list.
const FACETS: &[&str] = &[
    "severity",
    "rule",
    "k8s.ns.name",
    "workload",
    "container.image.repository",
    "node",
    "source",
    "tag",
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let dir = Path::new(&arguments[1]);
    let count: u64 = arguments[2].parse().unwrap();
    let permille: u64 = arguments.get(3).map_or(0, |text| text.parse().unwrap());
    let end = arguments
        .get(4)
        .map_or(END, |text| text.parse::<u64>().unwrap() * 1_000_000_000);
    let begin = Instant::now();
    let store = Store::open(dir).unwrap();
    println!("open ms\t{}", begin.elapsed().as_millis());
    let stats = store.stats().unwrap();
    if stats.findings.rows + stats.activity.rows < count {
        fill(&store, count, permille, end);
    }
    store.flush().unwrap();
    let stats = store.stats().unwrap();
    let rows = stats.findings.rows + stats.activity.rows;
    let bytes = stats.findings.bytes + stats.activity.bytes + stats.database_bytes;
    println!("records\t{rows}");
    println!("bytes per record\t{:.1}", bytes as f64 / rows as f64);
    println!("rss after ingest MiB\t{}", status("VmRSS:") / 1024);
    if stats.findings.rows > 0 {
        findings(&store, end);
    }
    if stats.activity.rows > 0 {
        activity(&store, end);
    }
    println!("rss at the end MiB\t{}", status("VmRSS:") / 1024);
    println!("rss at most MiB\t{}", status("VmHWM:") / 1024);
}

/// Makes records in one thread and appends them from two others, as a server does with several agents.
fn fill(store: &Store, count: u64, permille: u64, end: u64) {
    let plan = Plan {
        activity_permille: permille,
        ..Plan::fortnight(count, end)
    };
    let begin = Instant::now();
    let (send, receive) = std::sync::mpsc::sync_channel(4);
    let receive = std::sync::Mutex::new(receive);
    let mut slowest = Duration::ZERO;
    let before = processor_seconds("self");
    let making = std::thread::scope(|scope| {
        let maker = scope.spawn(move || {
            let mut made = records(plan);
            loop {
                let batch: Vec<_> = made.by_ref().take(BATCH).collect();
                if batch.is_empty() || send.send(batch).is_err() {
                    break processor_seconds("thread-self");
                }
            }
        });
        let workers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut slowest = Duration::ZERO;
                    loop {
                        let batch = receive.lock().unwrap().recv();
                        let Ok(batch) = batch else { break slowest };
                        let begin = Instant::now();
                        store.append(batch).unwrap();
                        slowest = slowest.max(begin.elapsed());
                    }
                })
            })
            .collect();
        for worker in workers {
            slowest = slowest.max(worker.join().unwrap());
        }
        maker.join().unwrap()
    });
    let seconds = begin.elapsed().as_secs_f64();
    // On a machine that others use too this is what the rate comes from; making the records is not ingest.
    let used = processor_seconds("self") - before - making;
    println!(
        "ingest processor us/record\t{:.1}",
        used * 1e6 / count as f64
    );
    println!("ingest records/s\t{:.0}", count as f64 / seconds);
    println!("ingest slowest append ms\t{}", slowest.as_millis());
}

/// Processor time of this process or thread so far, user and system.
fn processor_seconds(whose: &str) -> f64 {
    // Clock ticks are a hundredth of a second on every Linux that this runs on.
    const TICKS: f64 = 100.0;
    let text = std::fs::read_to_string(format!("/proc/{whose}/stat")).unwrap();
    // The name in parentheses may hold blanks; behind it the fields are numbered from 3.
    let (_, fields) = text.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks as f64 / TICKS
}

fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn median(name: &str, mut ask: impl FnMut() -> u64) {
    let mut times = Vec::new();
    let mut size = 0;
    for _ in 0..RUNS {
        let begin = Instant::now();
        size = ask();
        times.push(begin.elapsed());
    }
    let first = times[0].as_secs_f64() * 1000.0;
    times.sort_unstable();
    let middle = times[RUNS / 2].as_secs_f64() * 1000.0;
    println!(
        "{name} ms\t{middle:.1}\tfirst {first:.1}, slowest {:.1}, {size} results",
        times[RUNS - 1].as_secs_f64() * 1000.0
    );
}

fn findings(store: &Store, end: u64) {
    let fortnight = TimeRange {
        from: end - 14 * 24 * HOUR,
        to: end,
    };
    let parse = |text: &str| Filter::parse(text).unwrap();
    let all = Filter::all();
    median("Insights, 14 days", || {
        let (places, partial) = store.places(fortnight, &all).unwrap();
        assert!(partial.is_none());
        tree(View::Kubernetes, &places).counts.total()
    });
    median("Insights, 3 hours", || {
        let range = TimeRange {
            from: end - 3 * HOUR,
            to: end,
        };
        let (places, _) = store.places(range, &all).unwrap();
        tree(View::Kubernetes, &places).counts.total()
    });
    let zone = parse("k8s.ns.name in (team-01, team-02, team-03)");
    median("Insights of a team, 14 days", || {
        let (places, _) = store.places(fortnight, &zone).unwrap();
        tree(View::Kubernetes, &places).counts.total()
    });
    for (name, text) in [
        ("everything", ""),
        ("one namespace", "k8s.ns.name = team-03"),
        (
            "severity and namespace",
            "severity >= high and not k8s.ns.name in (team-00, team-01)",
        ),
        ("open only", "status = open and severity >= high"),
        ("nothing", "rule = nothing"),
    ] {
        let filter = parse(text);
        let first_page = || {
            let page = store
                .findings(&FindingQuery {
                    count: true,
                    ..FindingQuery::newest(fortnight, filter.clone(), 50)
                })
                .unwrap();
            page.total.unwrap()
        };
        median(&format!("Events first page with total, {name}"), first_page);
        median(&format!("Events histogram, {name}"), || {
            let histogram = store.histogram(fortnight, &filter, 60).unwrap();
            histogram
                .buckets
                .iter()
                .map(|bucket| bucket.counts.total())
                .sum()
        });
        median(&format!("Events {} facets, {name}", FACETS.len()), || {
            let facets = store.facets(fortnight, &filter, FACETS, 10).unwrap();
            facets
                .fields
                .values()
                .map(|values| values.len() as u64)
                .sum()
        });
    }
    let shell = parse("message contains 'mode 3' and severity >= high");
    median("Events first page, text in the message", || {
        let query = FindingQuery::newest(fortnight, shell.clone(), 50);
        store.findings(&query).unwrap().items.len() as u64
    });
    let urgent = parse("status = open and severity >= high");
    median("groups that need attention, 14 days", || {
        store.groups(fortnight, &urgent, 20).unwrap().0.len() as u64
    });
    let page = store
        .findings(&FindingQuery::newest(fortnight, all.clone(), MAX_LIMIT))
        .unwrap();
    let mut ids = page
        .items
        .iter()
        .map(|item| item.finding.id.clone())
        .cycle();
    median("finding by id", || {
        u64::from(store.finding(&ids.next().unwrap()).unwrap().is_some())
    });
}

fn activity(store: &Store, end: u64) {
    let range = TimeRange {
        from: end - 14 * 24 * HOUR,
        to: end,
    };
    let filter = Filter::parse("kind = command and k8s.ns.name = team-03").unwrap();
    median("activity first page", || {
        let query = ActivityQuery {
            range,
            filter: filter.clone(),
            order: Order::Newest,
            cursor: None,
            limit: 50,
            count: false,
        };
        store.activity(&query).unwrap().items.len() as u64
    });
    median("activity histogram", || {
        let (_, buckets, _) = store.activity_histogram(range, &filter, 60).unwrap();
        buckets.iter().map(|bucket| bucket.counts.total()).sum()
    });
    median("sessions of a day", || {
        let range = TimeRange {
            from: end - 24 * HOUR,
            to: end,
        };
        store.sessions(range, &Filter::all(), 50).unwrap().len() as u64
    });
}
