//! Hard days: the agent is killed while it loads, processes come faster than anybody reads, a ring is too small.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::running::{Agent, echo, get, may_run, rules, sample, wait_for};
use crate::storm::{MAX_RSS_KIB, rss_kib};

/// What is pinned below the BPF file system, by name.
fn pinned() -> BTreeSet<String> {
    fs::read_dir("/sys/fs/bpf").map_or_else(
        |_| BTreeSet::new(),
        |entries| {
            let names = entries.flatten().map(|entry| entry.file_name());
            names
                .filter_map(|name| name.into_string().ok())
                .filter(|name| name.contains("vedette"))
                .collect()
        },
    )
}

/// Sum over all processors of what was lost for a cause.
fn dropped(page: &str, cause: &str) -> f64 {
    let label = format!("cause=\"{cause}\"}} ");
    page.lines()
        .filter(|line| line.starts_with("vedette_sensor_drops_total{"))
        .filter_map(|line| line.split_once(&label)?.1.parse::<f64>().ok())
        .sum()
}

fn handled(page: &str, kind: &str) -> f64 {
    let name = format!("vedette_events_total{{source=\"syscall\",type=\"{kind}\"}}");
    sample(page, &name).unwrap_or(0.0)
}

/// The figures once nearly nothing waits any more. They are published once a second: the first ones may be from before.
fn settled(address: std::net::SocketAddr) -> String {
    let mut looked = 0;
    wait_for("the rings to be empty", || {
        std::thread::sleep(Duration::from_millis(1100));
        looked += 1;
        let (_, page) = get(address, "/metrics");
        let waiting = sample(&page, "vedette_sensor_waiting_bytes")?;
        (looked > 1 && waiting < 65536.0).then_some(page)
    })
}

/// Killed at every stage of its start, and later while it watches: nothing stays behind, the next one starts, says for
/// how long nobody watched, and alerts.
#[test]
fn killed_while_it_loads_and_started_again() {
    if !may_run("kills") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let marker = format!("kill-{}", std::process::id());
    let rules = rules(dir.path(), &marker);
    let note = format!("watched.file={}/watched.json", dir.path().display());
    let args = [
        "-r",
        &rules,
        "-o",
        "json",
        "--set",
        &note,
        "--set",
        "metrics.listen=127.0.0.1:0",
    ];
    let before = pinned();
    for delay in [0, 5, 10, 20, 30, 40, 60, 80, 120, 200, 400] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .arg("agent")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(pinned(), before, "pinned by one killed after {delay} ms");
    }
    let mut agent = Agent::start(&args);
    agent.address();
    echo(&format!("{marker}-before"));
    agent.wait_for_alert(&format!("{marker}-before"));
    agent.signal("KILL");
    drop(agent);
    // nobody sees this, and the next start says so
    echo(&format!("{marker}-meanwhile"));
    let mut agent = Agent::start(&args);
    let said = agent.wait_for_log("nobody watched");
    assert!(said.contains("last_run=killed"), "{said}");
    let address = agent.address();
    let away = wait_for("the figures", || {
        sample(&get(address, "/metrics").1, "vedette_unwatched_seconds")
    });
    assert!(away > 0.0 && away < 3600.0, "{away}");
    echo(&format!("{marker}-after"));
    agent.wait_for_alert(&format!("{marker}-after"));
    assert!(!agent.lines().iter().any(|line| line.contains("-meanwhile")));
    agent.stop();
    let mut agent = Agent::start(&args);
    let said = agent.wait_for_log("nobody watched");
    assert!(said.contains("last_run=stopped"), "{said}");
    agent.stop();
    println!(
        "killed at 12 moments; each time the next start worked, {away:.1} s without anybody told"
    );
}

/// Processes started in the burst.
const FORKS: u32 = 20_000;

#[test]
fn a_burst_of_forks() {
    if !may_run("a burst of forks") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let marker = format!("forks-{}", std::process::id());
    let rules = rules(dir.path(), &marker);
    let mut agent = Agent::start(&[
        "-r",
        &rules,
        "-o",
        "json",
        "--set",
        "metrics.listen=127.0.0.1:0",
    ]);
    let address = agent.address();
    let threads_before = wait_for("figures", || {
        sample(&get(address, "/metrics").1, "vedette_threads")
    });
    let started = std::time::Instant::now();
    let script = format!("i=0; while [ $i -lt {FORKS} ]; do (:); i=$((i+1)); done");
    crate::image::run(Command::new("/bin/sh").args(["-c", &script]));
    let took = started.elapsed().as_secs_f64();
    let page = settled(address);
    let (born, died) = (handled(&page, "clone"), handled(&page, "procexit"));
    let lost = dropped(&page, "ring_full");
    // Each fork is told by the child and by its parent, each end once.
    let all = 3.0 * f64::from(FORKS);
    assert!(
        born + died + lost >= all,
        "{born} births, {died} ends, {lost} lost"
    );
    let threads = sample(&page, "vedette_threads").unwrap();
    // Where an end was lost its process stays known until its number comes up again.
    assert!(
        threads < threads_before + 500.0 + lost,
        "{threads_before} threads, then {threads}"
    );
    let rss = rss_kib(agent.pid());
    assert!(rss < MAX_RSS_KIB, "{rss}");
    echo(&marker);
    agent.wait_for_alert(&marker);
    println!(
        "{FORKS} forks in {took:.1} s: {born} births and {died} ends told, {lost} lost; {threads} threads known, {rss} KiB \
         resident"
    );
    agent.stop();
}

/// The agent does not get to run while far more happens than its smallest ring holds.
#[test]
fn a_ring_that_is_too_small_says_what_was_lost() {
    if !may_run("a ring that overflows") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let marker = format!("ring-{}", std::process::id());
    let rules = rules(dir.path(), &marker);
    let mut agent = Agent::start(&[
        "-r",
        &rules,
        "-o",
        "json",
        "--set",
        "metrics.listen=127.0.0.1:0",
        "--set",
        "buffers.ring_mib=1",
        "--set",
        "buffers.cpus_per_ring=4096",
    ]);
    let address = agent.address();
    echo(&format!("{marker}-before"));
    agent.wait_for_alert(&format!("{marker}-before"));
    agent.signal("STOP");
    // Births carry the arguments of their process: 3 KiB each.
    let script = "i=0; while [ $i -lt 2500 ]; do (:); i=$((i+1)); done";
    crate::image::run(Command::new("/bin/sh").args(["-c", script, &"x".repeat(3000)]));
    // lost too, and never made up for
    echo(&format!("{marker}-meanwhile"));
    agent.signal("CONT");
    wait_for("/healthz to say so", || {
        let (code, health) = get(address, "/healthz");
        (code == 503 && health.contains("were lost")).then_some(())
    });
    let page = settled(address);
    let lost = dropped(&page, "ring_full");
    assert!(lost > 1000.0, "{lost} lost");
    for cause in ["too_long", "nested", "no_program", "pending_full"] {
        assert!(dropped(&page, cause) < 1.0, "{cause}");
    }
    echo(&format!("{marker}-after"));
    agent.wait_for_alert(&format!("{marker}-after"));
    let rss = rss_kib(agent.pid());
    assert!(rss < MAX_RSS_KIB, "{rss}");
    let log = agent.stop();
    let said: f64 = log
        .rsplit_once(" lost=")
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
        .unwrap();
    assert!(said >= lost, "{log}");
    assert!(log.contains("msg=\"not well\""), "{log}");
    println!("{lost} events lost and said so by cause, by /healthz and in the log; alerts went on");
}
