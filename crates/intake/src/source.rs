//! What all sources have in common: the note beside each piece of input, how they are told to stop, how they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What stands in the journal beside a piece of input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Where the piece came from, such as `webhook` or `file /var/log/audit.log`; with [`Self::position`] the source goes on
    /// from there after a restart.
    pub origin: String,
    /// Source of the records (`k8s_audit`, `aws_cloudtrail`, …), where the place they came from says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Time of arrival in nanoseconds since the Unix epoch.
    #[serde(default)]
    pub arrival: u64,
    /// How far the source had read when this piece was taken in, in its own terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<serde_json::Value>,
}

/// The wish to stop, shared by all sources.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Nobody wishes to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// A wish that somebody else sets, such as a signal's handler.
    pub fn from_flag(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }

    /// Wishes to stop.
    pub fn stop(&self) {
        self.0.store(true, Relaxed);
    }

    /// True when it is time to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Waits for `time`, or until it is time to stop.
    pub fn wait(&self, time: Duration) {
        /// How long a wish to stop may wait.
        const STEP: Duration = Duration::from_millis(50);
        let until = Instant::now() + time;
        while !self.is_set() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(STEP));
        }
    }
}

/// What is wrong with each source at the moment; empty when all is well.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, String>>>);

impl Health {
    /// All is well.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes what is wrong with `what`, or that all is well again. True when that is news.
    pub fn note(&self, what: &str, wrong: Option<String>) -> bool {
        let Ok(mut all) = self.0.lock() else {
            return false;
        };
        match wrong {
            Some(wrong) => all.insert(what.to_owned(), wrong.clone()) != Some(wrong),
            None => all.remove(what).is_some(),
        }
    }

    /// Everything that is wrong.
    pub fn wrongs(&self) -> Vec<(String, String)> {
        let all = self.0.lock();
        all.map(|all| all.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
            .unwrap_or_default()
    }
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos() as u64)
}
