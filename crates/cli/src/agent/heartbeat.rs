//! What the agent tells the server of itself, every few seconds: that it lives, what it runs on, what it lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value as Json, json};
use vedette_outputs::Snapshot;
use vedette_sensor::Stats;

use super::config::Server;
use crate::serving::read_secret;

/// How often the server hears of this node; it calls a node silent after four times this.
const EVERY: Duration = Duration::from_secs(15);
/// Time one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is told next.
pub(crate) struct Heartbeat {
    said: Arc<Mutex<Option<Json>>>,
    kernel: String,
    tier: &'static str,
}

impl Heartbeat {
    /// Starts the thread that tells the server.
    pub(crate) fn start(server: &Server, guards: bool) -> anyhow::Result<Self> {
        let token = server.token_file.as_deref().map(read_secret).transpose()?;
        let url = format!("{}/api/v1/heartbeat", server.url);
        let said: Arc<Mutex<Option<Json>>> = Arc::default();
        let shared = Arc::clone(&said);
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .build()
            .new_agent();
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
                    let mut request = agent.post(&url).header("content-type", "application/json");
                    if let Some(token) = &token {
                        request = request.header("authorization", format!("Bearer {token}"));
                    }
                    // A server that is away hears of us later; the records are what must not be lost.
                    let _ = request.send(body.to_string());
                    sent = Some(Instant::now());
                }
            })
            .context("starting the heartbeat")?;
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Ok(Self {
            said,
            kernel: kernel.trim().to_owned(),
            tier: if guards { "guard" } else { "observe" },
        })
    }

    /// Takes the figures of this second.
    pub(crate) fn take(&self, stats: &Stats, outputs: &[Snapshot]) {
        let mut drops: BTreeMap<String, u64> = BTreeMap::new();
        drops.insert("kernel".to_owned(), stats.dropped());
        let server = || outputs.iter().filter(|one| one.name == "server");
        let spooled = server().map(|one| one.spooled).sum::<u64>();
        let given_up = server().map(|one| one.given_up + one.dropped).sum::<u64>();
        drops.insert("records not delivered".to_owned(), given_up);
        let body = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "kernel": self.kernel,
            "tier": self.tier,
            "canary": "",
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
