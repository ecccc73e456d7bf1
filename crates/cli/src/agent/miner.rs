//! Miners as a stage: a container that only computes for a minute and holds a connection out makes a finding.
//!
//! The counters are read once a window (`miners_window_seconds`); between two readings this costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use vedette_container::Meter;
use vedette_event::{Clause, Finding, Priority, record_id};
use vedette_miner::{Glance, Score, Watch, Window};

use super::config::Config;
use super::emit::Emit;
use super::stage::Stage;

/// Far ends that a finding names.
const MAX_PEERS: usize = 8;

/// Reads the counters of every container and follows each.
pub(crate) struct Lookout {
    meter: Meter,
    begun: Instant,
    watched: BTreeMap<String, Watch>,
    /// The control group whose children are looked at in place of containers.
    parent: Option<String>,
}

/// What one look says of a container.
pub(crate) struct Look {
    /// The container's full id, or the control group's name.
    pub(crate) container: String,
    /// Its processes, never none.
    pub(crate) pids: Vec<i64>,
    /// What it did since the last look.
    pub(crate) glance: Glance,
}

impl Lookout {
    /// Looks at the control groups directly below `parent`; at the containers when that is `None`.
    pub(crate) fn new(parent: Option<String>) -> Self {
        Self {
            parent,
            meter: Meter::new("/proc", "/sys/fs/cgroup"),
            begun: Instant::now(),
            watched: BTreeMap::new(),
        }
    }

    /// What runs now, each since the last look.
    pub(crate) fn look(&mut self) -> Vec<Look> {
        let time = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let containers = match &self.parent {
            Some(parent) => self.meter.groups(parent),
            None => self.meter.containers(),
        };
        self.watched.retain(|id, _| containers.contains_key(id));
        let mut looks = Vec::with_capacity(containers.len());
        for (container, pids) in containers {
            let Some(usage) = self.meter.read(&pids, time) else {
                continue;
            };
            let watch = self.watched.entry(container.clone()).or_default();
            let glance = watch.take(usage, || self.meter.contacts(&pids));
            looks.push(Look {
                container,
                pids,
                glance,
            });
        }
        looks
    }
}

/// Watches containers for the behaviour of miners.
pub(crate) struct Miners {
    hostname: Arc<str>,
    lookout: Lookout,
    every: Duration,
    last: Option<Instant>,
}

impl Miners {
    pub(crate) fn new(hostname: &Arc<str>, every: Duration) -> Self {
        Self {
            hostname: Arc::clone(hostname),
            lookout: Lookout::new(None),
            every,
            last: None,
        }
    }

    fn finding(&self, look: &Look, window: &Window, score: &Score) -> Finding {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let time = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let container = &look.container;
        let pid = look.pids.first().copied().unwrap_or_default();
        let far = look.glance.held.iter().take(MAX_PEERS);
        let peers = far.map(ToString::to_string).collect::<Vec<_>>().join(",");
        let short: String = container.chars().take(12).collect();
        let clause = |text: &str, seen: String| Clause {
            text: text.to_owned(),
            holds: true,
            seen: Some(seen),
            clauses: Vec::new(),
        };
        let mut clauses: Vec<Clause> = score
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
        clauses.push(clause(
            "windows like this, less those of rest or other work",
            look.glance.heat.to_string(),
        ));
        clauses.push(clause(
            "connections that it opened and holds",
            peers.clone(),
        ));
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
                 peers={peers} container_id={short}",
                window.cores, window.user, window.lasting,
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
        if self.last.is_some_and(|last| last.elapsed() < self.every) {
            return;
        }
        self.last = Some(Instant::now());
        for look in self.lookout.look() {
            if let Some((window, score)) = &look.glance.judged
                && look.glance.is_told
            {
                emit.propose(self.finding(&look, window, score));
            }
        }
    }

    fn reload(&mut self, config: &Config) {
        self.every = config.miners_window;
    }
}
