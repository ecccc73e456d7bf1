//! Sequences: findings and alerts of several tactics on the same entities within a day are one incident.
//!
//! A signal names the entities it touches (a user, a service account, a pod, a node, a session of a cloud role). Signals
//! that share an entity with an incident join it, and join incidents that had nothing to do with each other until then.
//! Unlike GuardDuty, signals that were suppressed may be fed in too: putting a finding aside does not blind the machine.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Hit, Signal};
use crate::source::Source;
use crate::time::{SECOND, to_rfc3339_millis};

/// How long an incident stays open after its last signal.
pub const WINDOW: u64 = 24 * 3600 * SECOND;

/// Incidents that are open at a time; those that were quiet longest are forgotten for new ones.
pub const MAX_INCIDENTS: usize = 5_000;

/// One incident in so many is forgotten at a time when there is no room.
const ROOM: usize = 16;

/// Signals that are kept of an incident; later ones only count.
const MAX_SIGNALS: usize = 200;

/// Signals that are kept of all incidents, about 600 bytes each: incidents that were quiet longest are forgotten for more.
const MAX_KEPT: usize = 40_000;

/// Entities that an incident may hold: more is not one intruder's way but one shared name.
const MAX_ENTITIES: usize = 500;

/// Signals, and entities of each, that a finding shows; the bound of GuardDuty's shape.
const MAX_SHOWN: usize = 100;

/// Tactics that make an incident on their own.
const ENOUGH_TACTICS: usize = 3;

/// From this severity on, two tactics are enough.
const HIGH: f64 = 7.0;

/// Signals that belong together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Incident {
    /// Number, from 1, in the order of first signals.
    pub number: u64,
    /// Signals by time.
    pub signals: Vec<Signal>,
    /// How many there were, those not kept included.
    pub count: u64,
    /// What they touch.
    pub entities: BTreeSet<String>,
    /// Time of the first signal.
    pub first: u64,
    /// Time of the last signal.
    pub last: u64,
    /// Enough was seen to call it an attack.
    pub raised: bool,
    /// The entity with which it began; it names the incident.
    pub lead: String,
    /// Type of its finding, fixed when it was raised: what joins later does not make it another finding.
    kind: Option<String>,
    /// Id of its finding, once there is one.
    pub(super) finding: Option<String>,
    /// Signals joined that the finding does not show yet.
    pub(super) behind: bool,
}

impl Incident {
    /// Tactics in the order in which they were first seen, with the time of the first signal of each.
    pub fn timeline(&self) -> Vec<(&str, u64)> {
        let mut first: BTreeMap<&str, u64> = BTreeMap::new();
        for signal in self.signals.iter().filter(|signal| !signal.weak) {
            let at = first.entry(&signal.tactic).or_insert(signal.ts);
            *at = signal.ts.min(*at);
        }
        let mut timeline: Vec<(&str, u64)> = first.into_iter().collect();
        timeline.sort_by_key(|(tactic, ts)| (*ts, *tactic));
        timeline
    }

    /// The incident as an occurrence of GuardDuty's sequence types, with its signals as evidence.
    pub fn hit(&self) -> Hit {
        let cluster = self
            .entities
            .iter()
            .any(|entity| entity.starts_with("pod "))
            || self
                .signals
                .iter()
                .any(|signal| signal.name.contains(":Kubernetes/"));
        // Data taken out of buckets, or spoilt there.
        let data = self.signals.iter().any(|signal| {
            ["Exfiltration:S3/", "Impact:S3/"]
                .iter()
                .any(|start| signal.name.starts_with(start))
        });
        let kind = self.kind.as_deref().unwrap_or(if cluster {
            "AttackSequence:EKS/CompromisedCluster"
        } else if data {
            "AttackSequence:S3/CompromisedData"
        } else {
            "AttackSequence:IAM/CompromisedCredentials"
        });
        let uid = format!("incident-{}", self.number);
        let tactics: Vec<String> = self
            .timeline()
            .into_iter()
            .map(|(tactic, _)| tactic.to_owned())
            .collect();
        let signals: Vec<Value> = self
            .signals
            .iter()
            .take(MAX_SHOWN)
            .map(|signal| {
                let time = to_rfc3339_millis(signal.ts);
                json!({
                    "uid": signal.id,
                    "type": "FINDING",
                    "name": signal.name,
                    "createdAt": time,
                    "updatedAt": time,
                    "firstSeenAt": time,
                    "lastSeenAt": time,
                    "severity": signal.severity,
                    "count": 1,
                    "resourceUids": signal.entities.iter().take(MAX_SHOWN).collect::<Vec<_>>(),
                    "signalIndicators": [{"key": "ATTACK_TACTIC", "values": [signal.tactic]}],
                })
            })
            .collect();
        let description = format!(
            "{} signals of the tactics {}",
            self.count,
            tactics.join(", ")
        );
        Hit {
            kind: kind.to_owned(),
            severity: super::catalogue::severity(kind),
            subject: format!("{uid} ({})", self.lead),
            actor: self.lead.clone(),
            ts: self.last,
            source: if cluster {
                Source::K8sAudit
            } else {
                Source::AwsCloudtrail
            },
            record_id: String::new(),
            resource: json!({"resourceType": if cluster { "EKSCluster" } else { "AccessKey" }})
                .into(),
            action: json!({}).into(),
            lists: Vec::new(),
            extra: vec![
                ("tactics".to_owned(), tactics.join(", ")),
                ("timeline".to_owned(), self.story()),
            ],
            detection: Some(
                json!({"sequence": {
                    "uid": uid,
                    "description": description,
                    "signals": signals,
                    "sequenceIndicators": [{"key": "ATTACK_TACTIC", "values": tactics}],
                }})
                .into(),
            ),
        }
    }

    /// What happened, a line a signal.
    pub fn story(&self) -> String {
        self.signals
            .iter()
            .take(MAX_SHOWN)
            .map(|signal| {
                let time = to_rfc3339_millis(signal.ts);
                format!(
                    "{time} {} {}: {}",
                    signal.tactic, signal.name, signal.message
                )
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn is_attack(&self) -> bool {
        let tactics = self.timeline().len();
        let mut strong = self.signals.iter().filter(|signal| !signal.weak);
        tactics >= ENOUGH_TACTICS || tactics >= 2 && strong.any(|signal| signal.severity >= HIGH)
    }

    fn take(&mut self, signal: Signal) {
        self.count += 1;
        self.first = self.first.min(signal.ts);
        self.last = self.last.max(signal.ts);
        for entity in &signal.entities {
            if self.entities.len() < MAX_ENTITIES {
                self.entities.insert(entity.clone());
            }
        }
        let new_kind = !self.signals.iter().any(|known| known.name == signal.name);
        if self.signals.len() < MAX_SIGNALS || new_kind {
            let at = self.signals.partition_point(|known| known.ts <= signal.ts);
            self.signals.insert(at, signal);
            // The middle goes first: how it began and where it is count most.
            if self.signals.len() > MAX_SIGNALS * 2 {
                self.signals.remove(MAX_SIGNALS);
            }
        }
    }
}

/// What a signal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing to tell yet.
    Quiet,
    /// The incident with this number became an attack.
    Raised(u64),
    /// The attack with this number went on.
    Continued(u64),
}

/// Every incident that is open.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sequences {
    incidents: HashMap<u64, Incident>,
    by_entity: HashMap<String, u64>,
    numbers: u64,
    /// Signals that are kept.
    kept: usize,
}

impl Sequences {
    /// Takes a signal in.
    pub fn observe(&mut self, signal: Signal) -> Step {
        let mut known: Vec<u64> = signal
            .entities
            .iter()
            .filter_map(|entity| self.by_entity.get(entity).copied())
            .filter(|number| {
                self.incidents.get(number).is_some_and(|incident| {
                    signal.ts.saturating_sub(incident.last) <= WINDOW
                        && incident.first.saturating_sub(signal.ts) <= WINDOW
                })
            })
            .collect();
        known.sort_unstable();
        known.dedup();
        let number = known.first().copied().unwrap_or_else(|| self.open(&signal));
        for other in known.into_iter().skip(1) {
            self.join(number, other);
        }
        for entity in &signal.entities {
            self.by_entity.insert(entity.clone(), number);
        }
        if self.kept >= MAX_KEPT {
            self.make_room(number);
        }
        let Some(incident) = self.incidents.get_mut(&number) else {
            return Step::Quiet;
        };
        let before = incident.signals.len();
        incident.take(signal);
        self.kept = self.kept + incident.signals.len() - before;
        if incident.raised {
            Step::Continued(number)
        } else if incident.is_attack() {
            incident.raised = true;
            incident.kind = Some(incident.hit().kind);
            Step::Raised(number)
        } else {
            Step::Quiet
        }
    }

    /// The incident with this number.
    pub fn get(&self, number: u64) -> Option<&Incident> {
        self.incidents.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Incident> {
        self.incidents.get_mut(&number)
    }

    /// Every incident that was raised, by number.
    pub fn raised(&self) -> Vec<&Incident> {
        let mut raised: Vec<&Incident> = self
            .incidents
            .values()
            .filter(|incident| incident.raised)
            .collect();
        raised.sort_by_key(|incident| incident.number);
        raised
    }

    fn open(&mut self, signal: &Signal) -> u64 {
        if self.incidents.len() >= MAX_INCIDENTS {
            self.make_room(0);
        }
        self.numbers += 1;
        self.incidents.insert(
            self.numbers,
            Incident {
                number: self.numbers,
                signals: Vec::new(),
                count: 0,
                entities: BTreeSet::new(),
                first: signal.ts,
                last: signal.ts,
                raised: false,
                lead: signal.entities.first().cloned().unwrap_or_default(),
                kind: None,
                finding: None,
                behind: false,
            },
        );
        self.numbers
    }

    /// Forgets the incidents that were quiet longest, except one that is about to go on.
    fn make_room(&mut self, except: u64) {
        let mut quiet: Vec<(u64, u64)> = self
            .incidents
            .values()
            .filter(|incident| incident.number != except)
            .map(|incident| (incident.last, incident.number))
            .collect();
        quiet.sort_unstable();
        for (_, number) in quiet.iter().take(quiet.len().div_ceil(ROOM)) {
            self.forget(*number);
        }
    }

    fn forget(&mut self, number: u64) -> Option<Incident> {
        let incident = self.incidents.remove(&number)?;
        self.kept -= incident.signals.len();
        for entity in &incident.entities {
            if self.by_entity.get(entity) == Some(&number) {
                self.by_entity.remove(entity);
            }
        }
        Some(incident)
    }

    /// Makes two incidents one.
    fn join(&mut self, number: u64, other: u64) {
        let Some(other) = self.forget(other) else {
            return;
        };
        for entity in &other.entities {
            self.by_entity.insert(entity.clone(), number);
        }
        if let Some(incident) = self.incidents.get_mut(&number) {
            let unkept = other.count - other.signals.len() as u64;
            incident.raised |= other.raised;
            if incident.kind.is_none() {
                incident.kind = other.kind;
            }
            incident.count += unkept;
            let before = incident.signals.len();
            for signal in other.signals {
                incident.take(signal);
            }
            self.kept = self.kept + incident.signals.len() - before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(hour: u64, tactic: &str, severity: f64, entities: &[&str]) -> Signal {
        Signal {
            id: format!("{tactic}{hour}"),
            name: tactic.to_owned(),
            tactic: tactic.to_owned(),
            severity,
            ts: hour * 3600 * SECOND,
            weak: false,
            message: String::new(),
            entities: entities.iter().map(|e| (*e).to_owned()).collect(),
        }
    }

    #[test]
    fn tactics_on_one_entity_add_up_to_an_attack() {
        let mut sequences = Sequences::default();
        let mut step = |hour, tactic, severity, entities: &[&str]| {
            sequences.observe(signal(hour, tactic, severity, entities))
        };
        assert_eq!(step(0, "Discovery", 2.0, &["user a"]), Step::Quiet);
        assert_eq!(step(1, "Execution", 5.0, &["user a", "pod p"]), Step::Quiet);
        assert_eq!(step(1, "Discovery", 5.0, &["user b"]), Step::Quiet);
        assert_eq!(step(2, "Persistence", 5.0, &["pod p"]), Step::Raised(1));
        assert_eq!(step(3, "Impact", 5.0, &["pod p"]), Step::Continued(1));
        let incident = &sequences.raised()[0];
        let tactics: Vec<&str> = incident.timeline().iter().map(|(t, _)| *t).collect();
        assert_eq!(tactics, ["Discovery", "Execution", "Persistence", "Impact"]);
    }

    #[test]
    fn a_severe_signal_needs_one_other_and_a_day_of_silence_ends_it() {
        let mut sequences = Sequences::default();
        let mut step =
            |hour, tactic, severity| sequences.observe(signal(hour, tactic, severity, &["u"]));
        assert_eq!(step(0, "Discovery", 2.0), Step::Quiet);
        assert_eq!(step(25, "CredentialAccess", 8.0), Step::Quiet);
        assert_eq!(step(26, "Discovery", 2.0), Step::Raised(2));
    }

    #[test]
    fn a_signal_that_links_two_incidents_makes_them_one() {
        let mut sequences = Sequences::default();
        sequences.observe(signal(0, "Discovery", 2.0, &["user a"]));
        sequences.observe(signal(0, "Execution", 2.0, &["node n"]));
        let step = sequences.observe(signal(1, "Impact", 2.0, &["user a", "node n"]));
        assert_eq!(step, Step::Raised(1));
        let incident = sequences.get(1).unwrap();
        assert_eq!((incident.count, incident.entities.len()), (3, 2));
        assert!(sequences.get(2).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let mut sequences = Sequences::default();
        for number in 0..MAX_INCIDENTS as u64 + 100 {
            let entity = format!("user {number}");
            sequences.observe(signal(number, "Discovery", 2.0, &[&entity]));
        }
        let held = sequences.incidents.len();
        assert!((MAX_INCIDENTS - MAX_INCIDENTS / ROOM..=MAX_INCIDENTS).contains(&held));
        assert_eq!((sequences.by_entity.len(), sequences.kept), (held, held));
        for at in 0..2000 {
            sequences.observe(signal(20_000 + at / 100, "Discovery", 2.0, &["user x"]));
        }
        let number = sequences.by_entity["user x"];
        let incident = sequences.get(number).unwrap();
        assert_eq!(
            (incident.count, incident.signals.len()),
            (2000, MAX_SIGNALS)
        );
        for number in 0..200_000u64 {
            let entity = format!("user {}", number % 1000);
            sequences.observe(signal(30_000, "Discovery", 2.0, &[&entity]));
        }
        let kept: usize = sequences.incidents.values().map(|i| i.signals.len()).sum();
        assert_eq!(sequences.kept, kept);
        assert!(kept <= MAX_KEPT, "{kept}");
    }
}
