//! The whole way from a record to findings: what arrives twice is passed over, detectors judge, occurrences become
//! findings, suppression puts aside, sequences join. Deterministic, and its state can be saved and taken up again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::seen::{RECORDS, Seen};
use super::sequence::Step;
use super::store::Change;
use super::{Detector, Finding, Findings, Hit, Memories, Origin, Sequences, Signal, Suppression};
use crate::anomaly::{Model, Settings};
use crate::lists::{ListKind, Lists};
use crate::record::Record;
use crate::time::SECOND;

/// Version of the saved state; another one is not read.
pub const STATE_SCHEMA: u32 = 2;

/// How often a finding that goes on is told again, by the records' time; the shortest of GuardDuty's three.
pub const UPDATE_EVERY: u64 = 15 * 60 * SECOND;

/// What to do besides detecting.
#[derive(Debug, Default)]
pub struct Setup {
    /// Where the records come from.
    pub origin: Origin,
    /// Address lists.
    pub lists: Lists,
    /// Suppression rules, in order.
    pub suppressions: Vec<Suppression>,
    /// How to judge by habits; `None` not to.
    pub habits: Option<Settings>,
}

/// From records to findings.
#[derive(Debug)]
pub struct Analysis {
    origin: Origin,
    records: Seen,
    repeated: u64,
    detector: Detector,
    findings: Findings,
    suppressions: Vec<Suppression>,
    sequences: Sequences,
    model: Option<Model>,
    hits: Vec<Hit>,
}

/// Takes findings as they are made: new ones, and those that went on long enough to be told again.
pub type Tell<'t> = dyn FnMut(Change, &Finding) + 't;

impl Analysis {
    /// An analysis that has seen nothing.
    pub fn new(setup: Setup) -> Self {
        Self {
            records: Seen::new(RECORDS),
            repeated: 0,
            detector: Detector::new(setup.origin.clone(), setup.lists),
            findings: Findings::default(),
            origin: setup.origin,
            suppressions: setup.suppressions,
            sequences: Sequences::default(),
            model: setup.habits.map(Model::new),
            hits: Vec::new(),
        }
    }

    /// Looks at a record; false when this very record was read before and nothing is made of it, by rules neither.
    pub fn observe(&mut self, record: &Record<'_>, tell: &mut Tell<'_>) -> bool {
        if !self.records.first_record(record) {
            self.repeated += 1;
            return false;
        }
        let mut hits = std::mem::take(&mut self.hits);
        self.detector.observe(record, &mut hits);
        if let Some(model) = &mut self.model {
            let listed = self
                .detector
                .lists()
                .address_of(record)
                .is_some_and(|address| {
                    let lists = self.detector.lists();
                    [ListKind::Threat, ListKind::Custom, ListKind::Tor]
                        .into_iter()
                        .any(|kind| lists.contains(kind, address))
                });
            if let Some(anomaly) = model.observe(record, listed) {
                hits.push(Hit::of_anomaly(&anomaly, record, &self.origin));
            }
        }
        for hit in hits.drain(..) {
            self.take(hit, tell);
        }
        self.hits = hits;
        if let Some(signal) = Signal::of_record(record) {
            self.signal(signal, record.ts, tell);
        }
        true
    }

    /// Takes in an occurrence that something else than the detectors made, such as a rule's alert.
    pub fn take(&mut self, hit: Hit, tell: &mut Tell<'_>) {
        let now = hit.ts;
        let id = self.record(hit, tell);
        let Some(finding) = self.findings.get(&id) else {
            return;
        };
        // What is put aside is a signal all the same.
        self.signal(Signal::of(finding), now, tell);
    }

    /// Takes in a signal from elsewhere, such as a finding of the system call engine.
    pub fn signal(&mut self, signal: Signal, now: u64, tell: &mut Tell<'_>) {
        let (number, raised) = match self.sequences.observe(signal) {
            Step::Quiet => return,
            Step::Raised(number) => (number, true),
            Step::Continued(number) => (number, false),
        };
        let Some(incident) = self.sequences.get_mut(number) else {
            return;
        };
        incident.behind = true;
        // To write a hundred signals out at each of them would be most of the work; who asks at the end gets it too.
        let known = incident.finding.as_ref();
        let due = known
            .and_then(|id| self.findings.get(id))
            .is_none_or(|finding| now.saturating_sub(finding.told) >= UPDATE_EVERY);
        if raised || due {
            self.show(number, now, tell);
        }
    }

    /// Has the finding of an incident say what the incident is by now.
    fn show(&mut self, number: u64, now: u64, tell: &mut Tell<'_>) {
        let Some(incident) = self.sequences.get_mut(number) else {
            return;
        };
        incident.behind = false;
        let mut hit = incident.hit();
        hit.ts = hit.ts.max(now);
        let id = self.record(hit, tell);
        if let Some(incident) = self.sequences.get_mut(number) {
            incident.finding = Some(id);
        }
    }

    /// Has the findings of incidents say what joined since they were last told, before somebody reads them all.
    pub fn settle(&mut self) {
        let behind: Vec<(u64, u64)> = self
            .sequences
            .raised()
            .into_iter()
            .filter(|incident| incident.behind)
            .map(|incident| (incident.number, incident.last))
            .collect();
        for (number, last) in behind {
            self.show(number, last, &mut |_, _| {});
        }
    }

    fn record(&mut self, hit: Hit, tell: &mut Tell<'_>) -> String {
        let now = hit.ts;
        let (change, finding) = self.findings.add(&self.origin, hit);
        let id = finding.id.clone();
        let Some(finding) = self.findings.get_mut(&id) else {
            return id;
        };
        // A rule's end is told by the records' time, so that a replay gives what the live run gave.
        finding.archived = false;
        finding.suppressed_by = None;
        for rule in &mut self.suppressions {
            if rule.apply(finding, &self.origin, now) && finding.archived {
                break;
            }
        }
        if change == Change::New || now.saturating_sub(finding.told) >= UPDATE_EVERY {
            finding.told = now;
            tell(change, finding);
        }
        id
    }

    /// Where the records come from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Every finding that is held.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Suppression rules with their hits.
    pub fn suppressions(&self) -> &[Suppression] {
        &self.suppressions
    }

    /// Address lists with their hits.
    pub fn lists(&self) -> &Lists {
        self.detector.lists()
    }

    /// Replaces the address lists.
    pub fn set_lists(&mut self, lists: Lists) {
        self.detector.set_lists(lists);
    }

    /// Incidents.
    pub fn sequences(&self) -> &Sequences {
        &self.sequences
    }

    /// The model of habits, when there is one.
    pub fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// Takes up a model that learnt elsewhere.
    pub fn set_model(&mut self, model: Model) {
        self.model = Some(model);
    }

    /// Takes records that were read before for new ones again, as after more records than are remembered.
    pub fn forget_records(&mut self) {
        self.records = Seen::new(RECORDS);
    }

    /// Records that came more than once.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// The state as JSON text.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn save(&self, out: impl std::io::Write) -> Result<(), StateError> {
        let hits = self
            .suppressions
            .iter()
            .map(|rule| (rule.name.as_str(), rule.hits))
            .collect();
        let state = Saved {
            schema: STATE_SCHEMA,
            records: &self.records,
            repeated: self.repeated,
            detector: self.detector.memories(),
            findings: &self.findings,
            sequences: &self.sequences,
            suppressions: hits,
            model: self.model.as_ref(),
        };
        Ok(serde_json::to_writer(out, &state)?)
    }

    /// Takes up a state that [`Self::save`] wrote. Setup, lists and rules stay what they are.
    ///
    /// # Errors
    /// When the text is damaged or of another version; nothing has changed then.
    pub fn restore(&mut self, text: &[u8]) -> Result<(), StateError> {
        let state: Restored = serde_json::from_slice(text)?;
        if state.schema != STATE_SCHEMA {
            return Err(StateError::Schema(state.schema));
        }
        self.records = state.records;
        self.repeated = state.repeated;
        self.detector.set_memories(state.detector);
        self.findings = state.findings;
        self.sequences = state.sequences;
        // A model that is switched off is not taken up, and settings are today's.
        if let (Some(model), Some(mut saved)) = (&mut self.model, state.model) {
            saved.set_settings(model.settings().clone());
            *model = saved;
        }
        for rule in &mut self.suppressions {
            rule.hits = state.suppressions.get(&rule.name).copied().unwrap_or(0);
        }
        Ok(())
    }
}

/// Why a saved state could not be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// Damaged, or it could not be written.
    #[error("state of the analysis")]
    Json(#[from] serde_json::Error),
    /// Another version.
    #[error(
        "state of the analysis has version {0}, expected {STATE_SCHEMA}: another version of Vedette wrote it; go on with that one, or with an empty state directory"
    )]
    Schema(u32),
}

#[derive(Serialize)]
struct Saved<'s> {
    schema: u32,
    records: &'s Seen,
    repeated: u64,
    detector: &'s Memories,
    findings: &'s Findings,
    sequences: &'s Sequences,
    suppressions: BTreeMap<&'s str, u64>,
    model: Option<&'s Model>,
}

#[derive(Deserialize)]
struct Restored {
    schema: u32,
    records: Seen,
    repeated: u64,
    detector: Memories,
    findings: Findings,
    sequences: Sequences,
    suppressions: BTreeMap<String, u64>,
    #[serde(default)]
    model: Option<Model>,
}
