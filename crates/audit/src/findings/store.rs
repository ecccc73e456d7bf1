//! Hits on the same thing are one finding: counted, with its first and last time, and the records that show it.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Hit, Origin, texts};

/// Findings that are held, about 2 kB each; those that were quiet longest make room. Who must keep more has a store.
pub const MAX_FINDINGS: usize = 15_000;

/// One in so many makes room at a time.
const ROOM: usize = 16;

/// Occurrences of a finding whose records are named: the first ones and the last ones. What a finding first was is not
/// overwritten by what it is now.
const KEPT: usize = 5;

/// A record that shows the finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Time in nanoseconds since the Unix epoch.
    pub ts: u64,
    /// Id of the record.
    pub record_id: String,
}

/// A finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// The same for every occurrence and after every restart: made from detector, type, subject and actor.
    pub id: String,
    /// The latest occurrence.
    pub hit: Hit,
    /// How often.
    pub count: u64,
    /// Time of the first occurrence, nanoseconds since the Unix epoch.
    pub first: u64,
    /// Time of the last occurrence.
    pub last: u64,
    /// Records of the first occurrences.
    pub earliest: Vec<Sample>,
    /// Records of the last occurrences.
    pub latest: VecDeque<Sample>,
    /// Put aside by hand or by a suppression rule.
    pub archived: bool,
    /// Name of the suppression rule that put it aside.
    pub suppressed_by: Option<String>,
    /// Made on demand, not seen.
    pub sample: bool,
    /// Time of the occurrence with which it was last told; 0 before the first.
    pub(super) told: u64,
}

impl Finding {
    /// A finding from its first occurrence.
    pub fn new(origin: &Origin, hit: Hit) -> Self {
        let id = id(&[
            &origin.account,
            &origin.cluster,
            &origin.detector,
            &hit.kind,
            &hit.subject,
            &hit.actor,
        ]);
        let sample = Sample {
            ts: hit.ts,
            record_id: hit.record_id.clone(),
        };
        Self {
            id,
            count: 1,
            first: hit.ts,
            last: hit.ts,
            earliest: vec![sample],
            latest: VecDeque::new(),
            archived: false,
            suppressed_by: None,
            sample: false,
            told: 0,
            hit,
        }
    }

    /// One line for people.
    pub fn title(&self) -> String {
        // What a rule says is better than what can be said of every rule.
        let message = self.hit.extra.iter().find(|(key, _)| key == "message");
        let title = match message {
            Some((_, message)) => message.clone(),
            None => texts(&self.hit.kind)
                .title
                .replace("{subject}", &self.hit.subject)
                .replace("{actor}", &self.hit.actor),
        };
        if self.sample {
            format!("[SAMPLE] {title}")
        } else {
            title
        }
    }

    /// A made-up finding of a type, marked as such, with which users try what they connected.
    pub fn sample(origin: &Origin, kind: &str, ts: u64) -> Self {
        let kubernetes = kind.contains(":Kubernetes/") || kind.contains(":EKS/");
        let resource = if kubernetes {
            json!({
                "resourceType": "EKSCluster",
                "eksClusterDetails": {"name": origin.cluster},
                "kubernetesDetails": {
                    "kubernetesUserDetails": {"username": "sample-user", "groups": ["sample-group"]},
                    "kubernetesWorkloadDetails": {"name": "sample", "type": "pods", "namespace": "sample"},
                },
            })
        } else {
            json!({
                "resourceType": "AccessKey",
                "accessKeyDetails": {"accessKeyId": "AKIASAMPLESAMPLE", "userName": "sample-user", "userType": "IAMUser"},
            })
        };
        let action = if kubernetes {
            json!({
                "actionType": "KUBERNETES_API_CALL",
                "kubernetesApiCallAction": {"requestUri": "/sample", "verb": "get", "sourceIPs": ["198.51.100.1"], "statusCode": 200},
            })
        } else {
            json!({
                "actionType": "AWS_API_CALL",
                "awsApiCallAction": {"api": "Sample", "serviceName": "sample.amazonaws.com"},
            })
        };
        let mut finding = Self::new(
            origin,
            Hit {
                kind: kind.to_owned(),
                severity: super::catalogue::severity(kind),
                subject: "sample".into(),
                actor: "sample-user".into(),
                ts,
                source: crate::Source::K8sAudit,
                record_id: "sample".into(),
                resource: resource.into(),
                action: action.into(),
                lists: Vec::new(),
                extra: Vec::new(),
                detection: None,
            },
        );
        finding.sample = true;
        finding
    }

    /// What stands beside the fixed parts, as one object.
    pub fn extra(&self) -> Value {
        let mut extra: serde_json::Map<String, Value> = self
            .hit
            .extra
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        if self.sample {
            extra.insert("sample".into(), json!(true));
        }
        Value::Object(extra)
    }

    fn again(&mut self, hit: Hit) {
        self.count += 1;
        self.first = self.first.min(hit.ts);
        self.last = self.last.max(hit.ts);
        let sample = Sample {
            ts: hit.ts,
            record_id: hit.record_id.clone(),
        };
        if self.earliest.len() < KEPT {
            self.earliest.push(sample);
        } else {
            if self.latest.len() >= KEPT {
                self.latest.pop_front();
            }
            self.latest.push_back(sample);
        }
        if hit.ts >= self.hit.ts {
            self.hit = hit;
        }
    }
}

/// 32 hexadecimal digits over the parts. Names in records are an attacker's to choose, so that the digest must be one in
/// which he cannot find two names with one id.
fn id(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    let bytes = digest.finalize();
    let number = bytes[..16]
        .iter()
        .fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{number:032x}")
}

/// What a hit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new finding.
    New,
    /// One more occurrence.
    Again,
}

/// Every finding that is held.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Findings {
    by_id: HashMap<String, Finding>,
    evicted: u64,
}

impl Findings {
    /// Takes a hit in.
    pub fn add(&mut self, origin: &Origin, hit: Hit) -> (Change, &Finding) {
        let new = Finding::new(origin, hit);
        let id = new.id.clone();
        if let Some(known) = self.by_id.get_mut(&id) {
            known.again(new.hit);
            return (Change::Again, &self.by_id[&id]);
        }
        if self.by_id.len() >= MAX_FINDINGS {
            self.make_room();
        }
        (Change::New, self.by_id.entry(id).or_insert(new))
    }

    /// Lets the findings go that were quiet longest, several at a time: looking for one among all at every new finding
    /// would let a flood of findings cost as much as all the rest.
    fn make_room(&mut self) {
        let goes = MAX_FINDINGS / ROOM;
        let mut quiet: Vec<(u64, &str)> = self
            .by_id
            .values()
            .map(|finding| (finding.last, finding.id.as_str()))
            .collect();
        quiet.select_nth_unstable(goes);
        let gone: Vec<String> = quiet[..goes].iter().map(|(_, id)| (*id).into()).collect();
        for id in gone {
            self.by_id.remove(&id);
            self.evicted += 1;
        }
    }

    /// Every finding, the first seen first.
    pub fn sorted(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.by_id.values().collect();
        findings.sort_by(|a, b| (a.first, &a.id).cmp(&(b.first, &b.id)));
        findings
    }

    /// The finding with this id.
    pub fn get(&self, id: &str) -> Option<&Finding> {
        self.by_id.get(id)
    }

    /// The finding with this id, to archive it.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Finding> {
        self.by_id.get_mut(id)
    }

    /// How many findings made room for others.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}
