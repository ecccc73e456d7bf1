//! Findings: an alert with everything a person needs beside it, and the records of everyday activity.
//!
//! What agents send, the store keeps and screens show. The JSON form (through serde) is the one wire format between
//! agent and server; [`SCHEMA`] counts its incompatible changes. Unknown keys are passed over when read, so that an older
//! server understands a newer agent.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::Priority;

/// Version of the wire format. A reader refuses greater ones.
pub const SCHEMA: u32 = 1;

/// What agents and importers send: one JSON object a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// Something to look at.
    Finding(Finding),
    /// Something that happened.
    Activity(Activity),
}

/// Something to look at: a rule that fired, a denied start, a detector's verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// 32 hexadecimal digits, see [`record_id`]. The same event and rule give the same id, so a record sent twice is one.
    pub id: String,
    /// Time of the event in nanoseconds since the Unix epoch.
    pub time: u64,
    /// Event source (`syscall`, `k8s_audit`, …) or detector (`drift`, `malware`, `miner`, `incident`).
    pub source: String,
    /// Name of the rule or finding type.
    pub rule: String,
    /// Priority of the rule.
    pub priority: Priority,
    /// What happened, in a sentence, with the values seen.
    pub message: String,
    /// Tags of the rule, such as `mitre_execution` and `T1059`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Host the event happened on.
    pub node: String,
    /// Fields of the catalogue with their values: those the rule's output names, and the context fields
    /// (`container.*`, `k8s.*`, `proc.*`, `user.*`, `fd.*`, `evt.type`, …) that have a value.
    #[serde(default)]
    pub fields: BTreeMap<String, Json>,
    /// The process behind the event first, then its ancestors up to the oldest known.
    #[serde(default)]
    pub lineage: Vec<Process>,
    /// The rule's condition with what each clause saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Clause>,
    /// The policy whose rule this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What was done about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// Events of this node known to be lost up to this one; above zero, lineage and fields may have gaps.
    #[serde(default)]
    pub lost: u64,
}

/// A process of a lineage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id in the host's namespace.
    pub pid: i64,
    /// Name (`comm`).
    pub name: String,
    /// Path of the executable.
    #[serde(default)]
    pub exepath: String,
    /// Command line, secrets hidden.
    #[serde(default)]
    pub cmdline: String,
    /// Start in nanoseconds since the Unix epoch; 0 when unknown. With `node` and `pid` it names the process for good.
    #[serde(default)]
    pub started: u64,
    /// User name, or the number where no name is known. Known for the process behind the event only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
}

/// A clause of a condition, evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// `and`, `or`, `not`, or the comparison as the rules language writes it.
    pub text: String,
    /// Whether it was true.
    pub holds: bool,
    /// The value seen on the left of a comparison; `None` for a missing one and for `and`, `or`, `not`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What `and`, `or` and `not` combine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<Clause>,
}

/// Something done in answer to a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// `deny`, `kill_process`, `kill_container`, `pause_container`, `stop_container`, `capture`, `notify`.
    pub kind: String,
    /// How it went.
    pub outcome: Outcome,
    /// By which means (`fanotify`, `bpf_lsm`, `pidfd`, …), and why when it did not work.
    #[serde(default)]
    pub detail: String,
}

/// How an action went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Done,
    /// Would have been done; the policy only audits.
    DryRun,
    /// Tried without success.
    Failed,
    /// Not tried: over the rate limit, excepted, or aimed at something protected.
    Withheld,
}

/// Something that happened and may matter later: the activity audit's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// See [`record_id`].
    pub id: String,
    /// Time of the event in nanoseconds since the Unix epoch.
    pub time: u64,
    /// Host it happened on.
    pub node: String,
    /// What kind of activity.
    pub kind: ActivityKind,
    /// The process that did it.
    pub process: Process,
    /// Its parent.
    #[serde(default)]
    pub parent: Process,
    /// Groups what one interactive session did: node, container and terminal or session leader. Empty outside of one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// As in [`Finding::fields`].
    #[serde(default)]
    pub fields: BTreeMap<String, Json>,
}

/// What kind of activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// A program was started.
    Command,
    /// A connection was made or accepted.
    Connection,
    /// A file was opened for writing, removed, renamed or changed.
    File,
    /// A request to the Kubernetes API, such as the `exec` that opened a session.
    Kubernetes,
}

impl ActivityKind {
    /// Every kind, in the order screens show them.
    pub const ALL: [Self; 4] = [
        Self::Command,
        Self::Connection,
        Self::File,
        Self::Kubernetes,
    ];

    /// The word of the wire format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Connection => "connection",
            Self::File => "file",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// How urgent something is for a person, in five steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words say it")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// Every severity, most urgent first.
    pub const ALL: [Self; 5] = [
        Self::Critical,
        Self::High,
        Self::Medium,
        Self::Low,
        Self::Info,
    ];

    /// The word of the wire format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is no severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSeverity;

impl fmt::Display for UnknownSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected one of critical, high, medium, low, info")
    }
}

impl std::error::Error for UnknownSeverity {}

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(text: &str) -> Result<Self, UnknownSeverity> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.name().eq_ignore_ascii_case(text))
            .ok_or(UnknownSeverity)
    }
}

impl From<Priority> for Severity {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Emergency | Priority::Alert | Priority::Critical => Self::Critical,
            Priority::Error => Self::High,
            Priority::Warning => Self::Medium,
            Priority::Notice => Self::Low,
            Priority::Informational | Priority::Debug => Self::Info,
        }
    }
}

/// The id of a record: 128-bit FNV-1a over the parts that make it one, as 32 hexadecimal digits.
///
/// `parts` are the node, the event's time and number, and the rule or kind: nothing that an attacker chooses.
/// Source: Fowler, Noll, Vo, "FNV Hash", 128-bit parameters.
pub fn record_id(parts: &[&[u8]]) -> String {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash = OFFSET;
    for part in parts {
        // the length separates the parts
        for byte in (part.len() as u64).to_le_bytes().iter().chain(*part) {
            hash = (hash ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_wire() {
        let finding = Finding {
            id: record_id(&[b"node", b"1", b"rule"]),
            time: 1,
            source: "syscall".to_owned(),
            rule: "r".to_owned(),
            priority: Priority::Critical,
            message: "m\n\u{202e}".to_owned(),
            tags: vec!["T1059".to_owned()],
            node: "node".to_owned(),
            fields: BTreeMap::from([("evt.type".to_owned(), Json::from("execve"))]),
            lineage: vec![Process {
                pid: 7,
                name: "sh".to_owned(),
                ..Process::default()
            }],
            why: None,
            policy: None,
            actions: vec![Action {
                kind: "deny".to_owned(),
                outcome: Outcome::DryRun,
                detail: String::new(),
            }],
            lost: 0,
        };
        let record = Record::Finding(finding);
        let text = serde_json::to_string(&record).unwrap();
        assert!(text.starts_with("{\"record\":\"finding\","), "{text}");
        assert!(text.contains("\"priority\":\"Critical\""), "{text}");
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        let newer = text.replacen('{', "{\"later\":[1],", 1);
        assert_eq!(serde_json::from_str::<Record>(&newer).unwrap(), record);
    }

    #[test]
    fn ids_tell_the_parts_apart() {
        assert_ne!(record_id(&[b"ab", b"c"]), record_id(&[b"a", b"bc"]));
        assert_eq!(record_id(&[b"ab"]), record_id(&[b"ab"]));
        assert_eq!(record_id(&[]), "6c62272e07bb014262b821756295c58d");
    }

    #[test]
    fn severities_order_and_parse() {
        assert!(Severity::Critical > Severity::High && Severity::Low > Severity::Info);
        for severity in Severity::ALL {
            assert_eq!(severity.name().parse(), Ok(severity));
        }
        assert_eq!(Severity::from(Priority::Warning), Severity::Medium);
        assert_eq!("urgent".parse::<Severity>(), Err(UnknownSeverity));
    }
}
