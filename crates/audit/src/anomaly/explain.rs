//! How a judgement came about, in words, in GuardDuty's shape, and in OCSF's.

use serde_json::{Map, Value, json};

use super::behaviour::{Behaviour, Factor};
use super::usage::{Use, Word};
use super::{Model, Profile};
use crate::time::{SECOND, to_rfc3339_millis};

/// Usual values that are shown beside an unusual one.
const USUAL: usize = 3;

/// Bits from which a factor is worth mentioning.
const MENTIONED: f64 = 1.0;

/// What one factor said.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// The factor, such as `api`, `namespace`, `userAgent`.
    pub factor: &'static str,
    /// The value seen.
    pub value: String,
    /// Bits that it added.
    pub bits: f64,
    /// How usual it is for the principal: `unseen`, `rare`, `infrequent`, `frequent`.
    pub principal: &'static str,
    /// How usual for its group.
    pub peers: &'static str,
    /// How usual for the whole cluster or account.
    pub cluster: &'static str,
    /// When the principal last had it, seconds since the Unix epoch.
    pub last: Option<u64>,
    /// What the principal, or else its group, usually has.
    pub usual: Vec<String>,
}

/// Something unusual.
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    /// Type of the finding.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Severity, where it is not the type's usual one.
    pub severity: Option<f64>,
    /// Who.
    pub principal: String,
    /// The group he was compared with.
    pub peers: String,
    /// Bits of surprise in all.
    pub score: f64,
    /// Bits above which there are as few sessions a day as the budget allows.
    pub threshold: f64,
    /// The factors, the weightiest first.
    pub causes: Vec<Cause>,
    /// What makes it grave however usual, with its bits.
    pub scope: Vec<(String, f64)>,
}

impl Model {
    pub(super) fn cause(
        &self,
        behaviour: &Behaviour,
        factor: Factor,
        value: &str,
        bits: f64,
        now: u64,
    ) -> Cause {
        let principal = self.habits.principal(&behaviour.principal);
        let peers = self.habits.group(&behaviour.peers);
        let name = self.habits.find(value);
        let used = |profile: Option<&Profile>| -> Option<Use> {
            profile?.usage(factor)?.get(name?).copied()
        };
        let word = |profile: Option<&Profile>| {
            used(profile)
                .map_or(Word::Unseen, |known| known.word(now))
                .name()
        };
        let last = used(principal).map(|known| known.last());
        let usual = |profile: Option<&Profile>| -> Vec<String> {
            profile
                .map(|profile| self.habits.usual(profile, factor, now, USUAL))
                .unwrap_or_default()
        };
        let mut shown = Vec::new();
        if bits >= MENTIONED {
            shown = usual(principal);
            if shown.is_empty() {
                shown = usual(peers);
            }
        }
        Cause {
            factor: factor.name(),
            value: value.to_owned(),
            bits,
            principal: word(principal),
            peers: word(peers),
            cluster: word(Some(self.habits.all())),
            last,
            usual: shown,
        }
    }
}

/// A level of comparison, and how usual a value is there.
type Level = (&'static str, fn(&Cause) -> &'static str);

impl Anomaly {
    /// The judgement in a sentence or two.
    pub fn text(&self) -> String {
        let mut parts: Vec<String> = self
            .scope
            .iter()
            .map(|(what, bits)| format!("{what} (+{bits:.0} bits)"))
            .collect();
        for cause in self.causes.iter().filter(|cause| cause.bits >= MENTIONED) {
            let mut part = format!(
                "{} {} is {} for the principal, {} for {}, {} in all (+{:.1} bits",
                cause.factor,
                cause.value,
                cause.principal,
                cause.peers,
                self.peers,
                cause.cluster,
                cause.bits
            );
            if !cause.usual.is_empty() {
                part.push_str(&format!("; usual: {}", cause.usual.join(", ")));
            }
            if let Some(last) = cause.last {
                part.push_str(&format!(
                    "; last on {}",
                    &to_rfc3339_millis(last * SECOND)[..10]
                ));
            }
            part.push(')');
            parts.push(part);
        }
        format!(
            "{:.1} bits of surprise, {:.1} are enough here: {}",
            self.score,
            self.threshold,
            parts.join("; ")
        )
    }

    /// `detection` of GuardDuty's shape.
    pub fn detection(&self) -> Value {
        let object = |cause: &Cause, word: &str| {
            json!({
                "profileType": "FREQUENCY",
                "profileSubtype": word.to_ascii_uppercase(),
                "observations": {"text": [cause.value]},
            })
        };
        let mut profiles = Map::new();
        let mut unusual = Map::new();
        let levels: [Level; 3] = [
            ("userName", |cause| cause.principal),
            ("peerGroup", |cause| cause.peers),
            ("cluster", |cause| cause.cluster),
        ];
        for (level, word) in levels {
            let mut behaviours: Map<String, Value> = Map::new();
            let mut strange = Map::new();
            for cause in &self.causes {
                let entry = behaviours
                    .entry(cause.factor)
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = entry {
                    list.push(object(cause, word(cause)));
                }
                if matches!(word(cause), "unseen" | "rare") && cause.bits >= MENTIONED {
                    strange.insert(cause.factor.to_owned(), object(cause, word(cause)));
                }
            }
            profiles.insert(level.to_owned(), Value::Object(behaviours));
            if !strange.is_empty() {
                unusual.insert(level.to_owned(), Value::Object(strange));
            }
        }
        json!({"anomaly": {"profiles": profiles, "unusual": {"behavior": unusual}}})
    }
}
