//! Miners as a stage: a container that only computes for a minute and holds a connection out makes a finding.
//!
//! The counters are read every [`EVERY`] seconds; between two readings this costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use vedette_container::Meter;
use vedette_event::{Clause, Finding, Priority, record_id};
use vedette_miner::{Suspect, Watch};

use super::emit::Emit;
use super::stage::Stage;

/// Time between two readings; the model's windows are about as long.
const EVERY: Duration = Duration::from_secs(10);

/// Far ends that a finding names.
const MAX_PEERS: usize = 8;

/// Watches containers for the behaviour of miners.
pub(crate) struct Miners {
    hostname: Arc<str>,
    meter: Meter,
    begun: Instant,
    last: Option<Instant>,
    watched: BTreeMap<String, Watch>,
}

impl Miners {
    pub(crate) fn new(hostname: &Arc<str>) -> Self {
        Self {
            hostname: Arc::clone(hostname),
            meter: Meter::new("/proc", "/sys/fs/cgroup"),
            begun: Instant::now(),
            last: None,
            watched: BTreeMap::new(),
        }
    }

    fn finding(&self, container: &str, pid: u32, suspect: &Suspect, peers: &[String]) -> Finding {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let time = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let window = suspect.window;
        let short: String = container.chars().take(12).collect();
        let clause = |text: &str, seen: String| Clause {
            text: text.to_owned(),
            holds: true,
            seen: Some(seen),
            clauses: Vec::new(),
        };
        let mut clauses: Vec<Clause> = suspect
            .score
            .reasons
            .iter()
            .map(|reason| Clause {
                text: format!(
                    "{} adds {:+.2} to the log-odds",
                    reason.feature, reason.weight
                ),
                holds: reason.weight > 0.0,
                seen: Some(format!("{:.3}", reason.value)),
                clauses: Vec::new(),
            })
            .collect();
        clauses.push(clause("windows in a row", suspect.windows.to_string()));
        clauses.push(clause("connections out", peers.join(", ")));
        Finding {
            id: record_id(&[
                self.hostname.as_bytes(),
                &time.to_le_bytes(),
                b"miner",
                container.as_bytes(),
            ]),
            time,
            source: "miner".to_owned(),
            rule: "Container Behaves Like a Crypto Miner".to_owned(),
            priority: Priority::Warning,
            message: format!(
                "A container computes without a pause and holds a connection out | cores={:.2} user={:.2} lasting={:.2} \
                 peers={} container_id={short}",
                window.cores,
                window.user,
                window.lasting,
                peers.join(","),
            ),
            tags: vec![
                "T1496".to_owned(),
                "container".to_owned(),
                "mitre_impact".to_owned(),
            ],
            node: self.hostname.to_string(),
            fields: BTreeMap::from([
                ("container.id".to_owned(), json!(short)),
                ("container.full_id".to_owned(), json!(container)),
                ("proc.pid".to_owned(), json!(pid)),
            ]),
            lineage: Vec::new(),
            why: Some(Clause {
                text: "and".to_owned(),
                holds: true,
                seen: None,
                clauses,
            }),
            policy: None,
            actions: Vec::new(),
            lost: 0,
        }
    }
}

impl Stage for Miners {
    fn idle(&mut self, emit: &mut Emit) {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        let time = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let containers = self.meter.containers();
        self.watched.retain(|id, _| containers.contains_key(id));
        for (id, pids) in &containers {
            let Some(usage) = self.meter.read(pids, time) else {
                continue;
            };
            let Some(suspect) = self.watched.entry(id.clone()).or_default().take(usage) else {
                continue;
            };
            let peers = pids
                .first()
                .map(|pid| self.meter.peers(*pid))
                .unwrap_or_default();
            // what only computes and talks to nobody earns nothing by it
            if !peers.is_empty() {
                let peers: Vec<String> = peers
                    .iter()
                    .take(MAX_PEERS)
                    .map(ToString::to_string)
                    .collect();
                let pid = pids
                    .first()
                    .and_then(|pid| u32::try_from(*pid).ok())
                    .unwrap_or_default();
                emit.propose(self.finding(id, pid, &suspect, &peers));
            }
        }
    }
}
