//! Figures for Prometheus and the answer to "are you well?".

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::app::App;
use crate::clock::{self, SECOND};
use crate::http::call::{Outcome, Reply};
use crate::http::route::Route;
use crate::problem::Problem;

/// Upper bounds of the buckets of answer times, in seconds.
const TIMES: [f64; 8] = [0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0];

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, &'static str, u16), u64>>,
    times: [AtomicU64; TIMES.len() + 1],
    time_sum_us: AtomicU64,
    refused: Mutex<BTreeMap<String, u64>>,
    exports: Arc<AtomicUsize>,
    pub(crate) accepted: AtomicU64,
    pub(crate) duplicate: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) notified: AtomicU64,
    pub(crate) notify_failed: AtomicU64,
    pub(crate) notify_withheld: AtomicU64,
}

/// Counts an export down when it ends.
pub(crate) struct Exporting(Arc<AtomicUsize>);

impl Drop for Exporting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Metrics {
    pub(crate) fn request(&self, row: &Route, status: u16, took: Duration) {
        if let Ok(mut requests) = self.requests.lock() {
            *requests
                .entry((row.method.name(), row.path, status))
                .or_insert(0) += 1;
        }
        let seconds = took.as_secs_f64();
        let bucket = TIMES
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(TIMES.len());
        self.times[bucket].fetch_add(1, Relaxed);
        self.time_sum_us
            .fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn refused(&self, code: &str) {
        if let Ok(mut refused) = self.refused.lock() {
            *refused.entry(code.to_owned()).or_insert(0) += 1;
        }
    }

    /// Begins an export unless there are `most` already.
    pub(crate) fn export_begins(&self, most: usize) -> Option<Exporting> {
        if self.exports.fetch_add(1, Relaxed) >= most {
            self.exports.fetch_sub(1, Relaxed);
            return None;
        }
        Some(Exporting(Arc::clone(&self.exports)))
    }
}

/// `/healthz`: whether the store answers.
pub(crate) fn health(app: &App) -> Outcome {
    app.history.stats().map_err(|error| {
        let mut problem = Problem::new(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            "unwell",
            "the store does not answer",
        );
        problem.cause = Some(crate::chain(&error));
        app.log
            .say("error", "health", json!({"cause": crate::chain(&error)}));
        problem
    })?;
    Reply::json(&json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

/// `/metrics` in Prometheus' text format.
pub(crate) fn page(app: &App) -> Outcome {
    let metrics = &app.metrics;
    let mut out = String::new();
    let mut one = |name: &str, kind: &str, help: &str, lines: &[(String, f64)]| {
        let _ = writeln!(
            out,
            "# HELP vedette_server_{name} {help}\n# TYPE vedette_server_{name} {kind}"
        );
        for (labels, value) in lines {
            let _ = writeln!(out, "vedette_server_{name}{labels} {value}");
        }
    };
    let plain = |value: u64| vec![(String::new(), value as f64)];
    one(
        "info",
        "gauge",
        "Version of the server",
        &[(
            format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")),
            1.0,
        )],
    );
    let uptime = clock::now().saturating_sub(app.started) / SECOND;
    one(
        "uptime_seconds",
        "gauge",
        "Time since the start",
        &plain(uptime),
    );
    if let Ok(requests) = metrics.requests.lock() {
        let lines: Vec<_> = requests
            .iter()
            .map(|((method, path, status), count)| {
                (
                    format!("{{method=\"{method}\",route=\"{path}\",status=\"{status}\"}}"),
                    *count as f64,
                )
            })
            .collect();
        one(
            "requests_total",
            "counter",
            "Requests by route and status",
            &lines,
        );
    }
    if let Ok(refused) = metrics.refused.lock() {
        let lines: Vec<_> = refused
            .iter()
            .map(|(code, count)| (format!("{{reason=\"{code}\"}}"), *count as f64))
            .collect();
        one(
            "refused_total",
            "counter",
            "Requests refused, by reason",
            &lines,
        );
    }
    let mut sum = 0;
    let mut lines = Vec::new();
    for (index, count) in metrics.times.iter().enumerate() {
        sum += count.load(Relaxed);
        let bound = TIMES.get(index).map_or("+Inf".to_owned(), f64::to_string);
        lines.push((format!("_bucket{{le=\"{bound}\"}}"), sum as f64));
    }
    lines.push((
        "_sum".to_owned(),
        metrics.time_sum_us.load(Relaxed) as f64 / 1e6,
    ));
    lines.push(("_count".to_owned(), sum as f64));
    one("request_seconds", "histogram", "Time to answer", &lines);
    let ingest = [
        ("accepted", &metrics.accepted),
        ("duplicate", &metrics.duplicate),
        ("refused", &metrics.rejected),
    ]
    .map(|(name, count)| {
        (
            format!("{{outcome=\"{name}\"}}"),
            count.load(Relaxed) as f64,
        )
    });
    one(
        "records_total",
        "counter",
        "Records that agents sent",
        &ingest,
    );
    let sent = [
        ("sent", &metrics.notified),
        ("failed", &metrics.notify_failed),
        ("withheld", &metrics.notify_withheld),
    ]
    .map(|(name, count)| {
        (
            format!("{{outcome=\"{name}\"}}"),
            count.load(Relaxed) as f64,
        )
    });
    one("notifications_total", "counter", "Notifications", &sent);
    let streams = app
        .streams
        .lock()
        .map_or(0, |streams| streams.values().sum::<usize>());
    one(
        "streams",
        "gauge",
        "Live streams that are open",
        &plain(streams as u64),
    );
    let stats = app.history.stats()?;
    let both = |of: fn(&vedette_history::TableStats) -> u64| {
        [("finding", &stats.findings), ("activity", &stats.activity)]
            .map(|(name, table)| (format!("{{record=\"{name}\"}}"), of(table) as f64))
    };
    one(
        "stored_records",
        "gauge",
        "Records kept",
        &both(|table| table.rows),
    );
    one(
        "stored_bytes",
        "gauge",
        "Bytes of segments",
        &both(|table| table.bytes),
    );
    one(
        "database_bytes",
        "gauge",
        "Bytes of the database",
        &plain(stats.database_bytes),
    );
    if let Some(bytes) = resident() {
        one("resident_bytes", "gauge", "Memory in use", &plain(bytes));
    }
    Ok(Reply::of("text/plain; version=0.0.4; charset=utf-8", out))
}

/// Resident memory, as the kernel says.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
