//! Answers about findings. Plain data; `serde` gives the JSON that the API carries unless the server says otherwise.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vedette_event::{Finding, Severity};

use crate::Place;
use crate::query::Cursor;

/// What became of appended records. Answered after they are on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Appended {
    /// Records that are new.
    pub accepted: u64,
    /// Records that were there already.
    pub duplicate: u64,
    /// Records that cannot be kept.
    pub refused: Vec<Refused>,
    /// Sequence number of the last new finding, or of the last one before when none is new.
    pub sequence: u64,
}

/// A record that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its place among the records handed over, from 0.
    pub index: usize,
    /// Why, in one sentence without a full stop.
    pub message: String,
}

/// A stretch of a listing.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The items in the order asked for.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end. A page that is [`Partial`] may be short or even empty and still
    /// have a next one.
    #[serde(serialize_with = "as_text")]
    pub next: Option<Cursor>,
    /// How many there are on all pages, when asked for and known exactly.
    pub total: Option<u64>,
    /// Set when not everything was looked at.
    pub partial: Option<Partial>,
}

#[allow(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
fn as_text<S: serde::Serializer>(
    cursor: &Option<Cursor>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match cursor {
        Some(cursor) => serializer.collect_str(cursor),
        None => serializer.serialize_none(),
    }
}

/// Says how far a question got that would have cost too much: the answer is right for what was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Partial {
    /// Records that were read in full to decide.
    pub looked_at: u64,
    /// Records that would have had to be, counting those.
    pub of: u64,
}

impl fmt::Display for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "looked at {} of {} records; narrow the time range or filter by an indexed field for the rest",
            self.looked_at, self.of
        )
    }
}

/// Whether someone has seen to a finding.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody yet.
    #[default]
    Open,
    /// Someone is on it.
    Acknowledged,
    /// Done with.
    Closed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Closed];

    /// The word of API and filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == text)
            .ok_or_else(|| "expected one of open, acknowledged, closed".to_owned())
    }
}

/// What people did about a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triage {
    /// Where it stands.
    pub status: Status,
    /// Who changed it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When, in nanoseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// What they wrote, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<TriageNote>,
}

/// A note on a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriageNote {
    /// When, in nanoseconds since the Unix epoch.
    pub at: u64,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

/// A finding as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredFinding {
    /// Counts findings in the order in which they arrived, from 1, without gaps; the id of stream events.
    pub sequence: u64,
    /// From its priority.
    pub severity: Severity,
    /// Where it happened.
    pub place: Place,
    /// What people did about it.
    pub triage: Triage,
    /// The finding itself.
    pub finding: Finding,
}

/// Findings that arrived after a sequence number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tail {
    /// Those that match, in order of arrival.
    pub items: Vec<StoredFinding>,
    /// Where to go on: everything up to here was looked at.
    pub last: u64,
    /// True when findings after the number asked for are gone already (retention), so some may have been missed.
    pub gap: bool,
}

/// Counts by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the words say it")]
pub struct Counts {
    pub critical: u64,
    pub high: u64,
    pub medium: u64,
    pub low: u64,
    pub info: u64,
}

impl Counts {
    /// The count of one severity.
    pub fn of(self, severity: Severity) -> u64 {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
            Severity::Info => self.info,
        }
    }

    /// Adds `count` to one severity.
    pub fn add(&mut self, severity: Severity, count: u64) {
        match severity {
            Severity::Critical => self.critical += count,
            Severity::High => self.high += count,
            Severity::Medium => self.medium += count,
            Severity::Low => self.low += count,
            Severity::Info => self.info += count,
        }
    }

    /// Adds all counts of `other`.
    pub fn merge(&mut self, other: Self) {
        for severity in Severity::ALL {
            self.add(severity, other.of(severity));
        }
    }

    /// All severities together.
    pub fn total(self) -> u64 {
        Severity::ALL.into_iter().map(|s| self.of(s)).sum()
    }

    /// The most urgent severity with a count.
    pub fn worst(self) -> Option<Severity> {
        Severity::ALL.into_iter().find(|s| self.of(*s) > 0)
    }
}

/// Findings over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// Length of a bucket in nanoseconds.
    pub step: u64,
    /// The buckets in order, empty ones too.
    pub buckets: Vec<Bucket>,
    /// Set when not everything was counted.
    pub partial: Option<Partial>,
}

/// A bucket of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Its start in nanoseconds since the Unix epoch.
    pub at: u64,
    /// Findings in it.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Values of fields with how often each was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facets {
    /// Per field asked for, the most frequent values first.
    pub fields: BTreeMap<String, Vec<FacetValue>>,
    /// Set when not everything was counted.
    pub partial: Option<Partial>,
}

/// A value with how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FacetValue {
    /// The value; `None` for findings without one.
    pub value: Option<String>,
    /// How often.
    pub count: u64,
}

/// Findings of one rule in one workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The rule.
    pub rule: String,
    /// Where, up to the workload; pod and container are empty.
    pub place: Place,
    /// How many, by severity.
    pub counts: Counts,
    /// Time of the first one in the range.
    pub first: u64,
    /// Time of the last one.
    pub last: u64,
    /// Id of the last one.
    pub latest: String,
}

/// Findings at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlaceCount {
    /// Where.
    pub place: Place,
    /// How many, by severity.
    pub counts: Counts,
    /// How many of them were denied.
    pub denied: u64,
    /// Time of the last one.
    pub last: u64,
}

/// What a node of the Insights tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words say it")]
pub enum NodeKind {
    Cluster,
    Namespace,
    Workload,
    Pod,
    Container,
    Node,
}

/// A node of the Insights tree; counts include those of its children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Stays the same between answers: the names on the way from the root, joined by `/`.
    pub id: String,
    /// Name to show; empty for the root.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Findings by severity.
    pub counts: Counts,
    /// How many of them were denied.
    pub denied: u64,
    /// Time of the last one.
    pub last: u64,
    /// What is inside, most urgent first.
    pub children: Vec<Self>,
}

/// What is kept and what it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Findings.
    pub findings: TableStats,
    /// Activity.
    pub activity: TableStats,
    /// Bytes of the database (state, manifest, records not yet in segments).
    pub database_bytes: u64,
}

/// What is kept of one kind of record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableStats {
    /// Records.
    pub rows: u64,
    /// Segment files.
    pub segments: u64,
    /// Bytes of the segment files.
    pub bytes: u64,
    /// Time of the oldest record; 0 when there is none.
    pub oldest: u64,
    /// Time of the newest record; 0 when there is none.
    pub newest: u64,
    /// Sequence number of the last record.
    pub sequence: u64,
}
