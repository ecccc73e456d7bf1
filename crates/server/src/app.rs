//! What all handlers share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;
use tokio::sync::{Semaphore, broadcast, watch};
use vedette_event::Finding;
use vedette_history::{History, State};

use crate::auth::caller::Limits;
use crate::auth::oidc::Oidc;
use crate::config::Config;
use crate::http::limits;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::notify::Notifier;
use crate::respond::Contacts;
use crate::respond::wire::Bundle;

/// Says what would have stopped a finding; the detection rooms above implement it.
pub trait Stops: Send + Sync {
    /// Controls with their verdicts.
    fn stops(&self, finding: &Finding) -> Vec<Stop>;
}

/// A control, and whether it would have stopped something.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Stop {
    /// Name of the control, such as `drift prevention`.
    pub control: String,
    /// `stopped`, `not stopped`, `not reached`, `unknown`.
    pub verdict: String,
    /// The evidence, in a sentence.
    pub clause: String,
}

/// Checks the text of a policy.
pub trait Policies: Send + Sync {
    /// What is wrong with the text, and where.
    fn check(&self, text: &str) -> Vec<crate::diagnostics::Remark>;
}

/// What a server is made of beside its configuration.
pub struct Parts {
    /// Findings and activity.
    pub history: Arc<dyn History>,
    /// Users, tokens, rules and the like.
    pub state: Arc<dyn State>,
    /// Shipped rule files, as name and text, in loading order.
    pub shipped: Vec<(String, String)>,
    /// Says what would have stopped a finding.
    pub stops: Option<Arc<dyn Stops>>,
    /// Checks policies; without one only their YAML is looked at.
    pub policies: Option<Arc<dyn Policies>>,
    /// Where the log goes.
    pub log: Log,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// Shared by everything that works for one server.
pub(crate) type App = Arc<Inner>;

/// Names and times of custom rules, and the library that they gave.
type Cached = (Vec<(String, u64)>, Arc<crate::library::Library>);

/// See [`App`].
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) history: Arc<dyn History>,
    pub(crate) state: Arc<dyn State>,
    pub(crate) shipped: Vec<(String, String)>,
    pub(crate) stops: Option<Arc<dyn Stops>>,
    pub(crate) policies: Option<Arc<dyn Policies>>,
    pub(crate) log: Log,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) oidc: Option<Oidc>,
    pub(crate) notifier: Notifier,
    /// The rules library as it was loaded last, with what it was loaded from.
    pub(crate) library: Mutex<Option<Cached>>,
    /// Requests that are worked on.
    pub(crate) turns: Arc<Semaphore>,
    /// Large bodies that are read or worked on.
    pub(crate) large: Arc<Semaphore>,
    /// Sequence number of the last finding, for streams.
    pub(crate) last: watch::Sender<u64>,
    /// Live streams by user.
    pub(crate) streams: Mutex<HashMap<String, usize>>,
    /// When the server started.
    pub(crate) started: u64,
    /// What agents take from here, until it changes.
    pub(crate) bundle: Mutex<Option<Arc<Bundle>>>,
    /// Agents that ask for orders.
    pub(crate) contacts: Mutex<Contacts>,
    /// Counts what agents may have to be told.
    pub(crate) orders: watch::Sender<u64>,
    /// Responses that changed, by finding, for streams.
    pub(crate) responses: broadcast::Sender<(String, Json)>,
    /// The server is ending; whoever waits comes to an end.
    pub(crate) stopping: AtomicBool,
}

/// Large bodies at a time: with [`limits::INGEST_BYTES`] and what parsing them takes, some 200 MiB at the very most.
const LARGE_AT_WORK: usize = 6;

/// Changed responses that a stream may be behind with; people make them, one at a time.
const RESPONSES_WAITING: usize = 256;

impl Inner {
    /// Has agents that wait look again.
    pub(crate) fn news(&self) {
        self.orders.send_modify(|count| *count += 1);
    }

    /// Ends whatever waits.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Relaxed);
        self.news();
    }

    /// See [`Inner::stopping`].
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    pub(crate) fn new(config: Config, parts: Parts) -> App {
        let last = watch::Sender::new(parts.history.sequence());
        Arc::new(Self {
            oidc: config.oidc.clone().map(Oidc::new),
            notifier: Notifier::new(config.targets.clone()),
            config,
            history: parts.history,
            state: parts.state,
            shipped: parts.shipped,
            stops: parts.stops,
            policies: parts.policies,
            log: parts.log,
            limits: Limits::default(),
            metrics: Metrics::default(),
            library: Mutex::default(),
            turns: Arc::new(Semaphore::new(limits::AT_WORK)),
            large: Arc::new(Semaphore::new(LARGE_AT_WORK)),
            last,
            streams: Mutex::default(),
            started: crate::clock::now(),
            bundle: Mutex::default(),
            contacts: Mutex::default(),
            orders: watch::Sender::new(0),
            responses: broadcast::Sender::new(RESPONSES_WAITING),
            stopping: AtomicBool::new(false),
        })
    }
}
