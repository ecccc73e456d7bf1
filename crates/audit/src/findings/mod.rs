//! Findings: what records mean, under the names, severities and shapes that GuardDuty gave to such things, and under
//! names of our own where it has none.
//!
//! [`Detector`] looks at records and gives [`Hit`]s; [`Findings`] joins hits on the same thing to one [`Finding`] that
//! counts them; `format` writes findings for other systems. Who has which type is in [`catalogue`].

mod analysis;
pub mod catalogue;
mod cloudtrail;
mod credentials;
mod k8s;
pub(crate) mod memory;
mod object;
mod request;
mod rule;
mod seen;
mod sequence;
mod service;
mod signal;
mod store;
mod suppress;
mod tactic;
mod texts;
mod workload;

/// What records say, for whoever else compares them.
pub(crate) mod facts {
    pub(crate) use super::cloudtrail::Call as TrailCall;
    pub(crate) use super::object::{
        containers, has_sensitive_mount, image_prefix, is_privileged, pod_spec, result, touches,
    };
    pub(crate) use super::request::{Call, peer};
    pub(crate) use super::tactic::WORKLOADS;
}

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

pub use analysis::{Analysis, STATE_SCHEMA, Setup, StateError, Tell, UPDATE_EVERY};
pub use k8s::SystemActor;
pub use sequence::{Incident, MAX_INCIDENTS, Sequences, Step, WINDOW};
pub use signal::Signal;
pub use store::{Change, Finding, Findings, MAX_FINDINGS, Sample};
pub use suppress::{Suppression, SuppressionError};
pub use tactic::Tactic;
pub use texts::{Texts, texts};

use crate::lists::Lists;
use crate::record::Record;
use crate::source::Source;

/// Where the records come from, as far as they do not say so themselves; findings carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// AWS account, twelve digits; zeros for clusters outside AWS.
    pub account: String,
    /// AWS region; `local` outside AWS.
    pub region: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Id of what GuardDuty calls the detector: the installation that raised the finding.
    pub detector: String,
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            account: "000000000000".into(),
            region: "local".into(),
            cluster: "cluster".into(),
            detector: "vedette".into(),
        }
    }
}

/// Something that was seen once: an occurrence of a finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hit {
    /// Type in the grammar `ThreatPurpose:ResourceType/ThreatFamily.DetectionMechanism!Artifact`.
    pub kind: String,
    /// 1.0 to 10.0, in GuardDuty's bands: low below 4, medium below 7, high below 9, then critical.
    pub severity: f64,
    /// What it is about; hits of the same kind, subject and actor are one finding.
    pub subject: String,
    /// Who did it.
    pub actor: String,
    /// Time of the record in nanoseconds since the Unix epoch.
    pub ts: u64,
    /// Source of the record.
    pub source: Source,
    /// Id of the record (audit id, event id).
    pub record_id: String,
    /// `resource` of the GuardDuty shape.
    pub resource: Part,
    /// `service.action` of the GuardDuty shape.
    pub action: Part,
    /// Names of the lists that an address was on.
    pub lists: Vec<String>,
    /// What else the finding should say, as name and value.
    pub extra: Vec<(String, String)>,
    /// `service.detection` of the GuardDuty shape, for sequences.
    pub detection: Option<Part>,
}

/// A part of a finding in the GuardDuty shape: JSON as text, which takes a fifth of the room of a tree of values. Many
/// findings are held, few are looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Part(Box<RawValue>);

impl Part {
    /// The part as a value.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
}

impl From<Value> for Part {
    fn from(value: Value) -> Self {
        Self(to_raw_value(&value).expect("a value is always JSON"))
    }
}

/// Looks at records one after the other and gives what they mean. Deterministic: the same records give the same hits.
#[derive(Debug, Default)]
pub struct Detector {
    origin: Origin,
    lists: Lists,
    memories: Memories,
}

/// What a detector has learnt, to be saved and taken up again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Memories {
    k8s: k8s::State,
    credentials: credentials::State,
    seen: seen::Seen,
}

impl Default for Memories {
    fn default() -> Self {
        Self {
            k8s: k8s::State::default(),
            credentials: credentials::State::default(),
            seen: seen::Seen::new(seen::REQUESTS),
        }
    }
}

impl Detector {
    /// A detector for records of `origin` with these address lists.
    pub fn new(origin: Origin, lists: Lists) -> Self {
        Self {
            origin,
            lists,
            ..Self::default()
        }
    }

    /// Replaces the address lists; everything learnt stays.
    pub fn set_lists(&mut self, lists: Lists) {
        self.lists = lists;
    }

    /// The address lists, with their hit counters.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    pub(crate) fn memories(&self) -> &Memories {
        &self.memories
    }

    pub(crate) fn set_memories(&mut self, memories: Memories) {
        self.memories = memories;
    }

    /// Looks at a record. Records that arrive twice (retries of the webhook, both stages of a request) count once.
    pub fn observe(&mut self, record: &Record<'_>, hits: &mut Vec<Hit>) {
        match record.source {
            Source::K8sAudit => {
                k8s::observe(
                    record,
                    &self.origin,
                    &mut self.lists,
                    &mut self.memories.k8s,
                    &mut self.memories.seen,
                    hits,
                );
            }
            Source::AwsCloudtrail => {
                let before = hits.len();
                cloudtrail::observe(record, &mut self.lists, hits);
                credentials::observe(
                    record,
                    &mut self.lists,
                    &mut self.memories.credentials,
                    hits,
                );
                if hits.len() > before && !self.memories.seen.first_trail(record) {
                    hits.truncate(before);
                }
            }
            Source::GcpAuditlog | Source::Okta | Source::Github | Source::Json => {}
        }
    }
}
