//! What the agent tells the server of itself, every few seconds: that it lives, what it runs on, what it lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value as Json, json};
use vedette_outputs::Snapshot;
use vedette_sensor::Stats;

use super::bundle::{Board, InUse};
use super::config::Server;
use super::server::Client;
use super::stage::Prevention;

/// How often the server hears of this node; it calls a node silent after four times this.
const EVERY: Duration = Duration::from_secs(15);
/// Time one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is told next.
pub(crate) struct Heartbeat {
    said: Arc<Mutex<Option<Json>>>,
    kernel: String,
    bundle: Board,
}

impl Heartbeat {
    /// Starts the thread that tells the server.
    pub(crate) fn start(server: &Server, bundle: &Board) -> anyhow::Result<Self> {
        let client = Client::new(server, TIMEOUT)?;
        let said: Arc<Mutex<Option<Json>>> = Arc::default();
        let shared = Arc::clone(&said);
        std::thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(move || {
                let mut sent: Option<Instant> = None;
                loop {
                    std::thread::sleep(Duration::from_millis(500));
                    if sent.is_some_and(|sent| sent.elapsed() < EVERY) {
                        continue;
                    }
                    let Some(body) = shared.lock().ok().and_then(|mut said| said.take()) else {
                        continue;
                    };
                    // A server that is away hears of us later; the records are what must not be lost.
                    let _ = client.post("/heartbeat", &body);
                    sent = Some(Instant::now());
                }
            })
            .context("starting the heartbeat")?;
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Ok(Self {
            said,
            kernel: kernel.trim().to_owned(),
            bundle: Arc::clone(bundle),
        })
    }

    /// Takes the figures of this second.
    pub(crate) fn take(&self, stats: &Stats, outputs: &[Snapshot], prevention: Option<Prevention>) {
        let (tier, canary) = match prevention {
            None => ("observe", String::new()),
            Some(Prevention { tier, proved }) => (
                tier,
                proved.map_or_else(|why| format!("failed: {why}"), |()| "passed".to_owned()),
            ),
        };
        let in_use = self
            .bundle
            .lock()
            .map_or_else(|_| InUse::default(), |bundle| bundle.clone());
        let mut drops: BTreeMap<String, u64> = BTreeMap::new();
        drops.insert("kernel".to_owned(), stats.dropped());
        let server = || outputs.iter().filter(|one| one.name == "server");
        let spooled = server().map(|one| one.spooled).sum::<u64>();
        let given_up = server().map(|one| one.given_up + one.dropped).sum::<u64>();
        drops.insert("records not delivered".to_owned(), given_up);
        let body = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "kernel": self.kernel,
            "tier": tier,
            "canary": canary,
            "bundle": in_use.version,
            "bundle_problem": in_use.problem,
            "state": "running",
            "events": stats.events,
            "drops": drops,
            "lag_ms": 0,
            "spooled": spooled,
            "more": {"waiting_bytes": stats.waiting, "late": stats.late, "malformed": stats.malformed},
        });
        if let Ok(mut said) = self.said.lock() {
            *said = Some(body);
        }
    }
}
