//! Requests that were already judged, so that retries and the stages of one request count once, and records that were
//! already read, so that what arrives twice counts once.
//!
//! The audit id alone does not do: a client may choose it (the API server takes the `Audit-ID` header), so that an
//! attacker who reuses the id of a harmless request would hide behind it. The times that the server wrote, to the
//! microsecond, are not his to choose.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::memory::fingerprint;
use crate::json::{Json, Text};
use crate::record::Record;
use crate::source::Source;

/// Records that are remembered: half of them at least, all of them at most. A webhook re-sends a batch within a minute;
/// this is several minutes of a large cluster, in about 16 MB.
pub(super) const RECORDS: usize = 1 << 19;

/// Requests that led to findings, which are few.
pub(super) const REQUESTS: usize = 1 << 16;

/// Two generations of fingerprints; the older is dropped when the younger is full.
///
/// A fingerprint is the beginning of a SHA-256: what goes into it is partly an attacker's to choose, and two records with
/// one fingerprint would hide one of them. Nothing about it is random, so that the same records give the same answers
/// after a restart too.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    most: usize,
    young: HashSet<u128>,
    old: HashSet<u128>,
    #[serde(skip)]
    text: Vec<u8>,
}

impl Seen {
    /// Remembers `most` fingerprints at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            young: HashSet::new(),
            old: HashSet::new(),
            text: Vec::new(),
        }
    }

    /// True when this request is seen for the first time, at whatever stage.
    pub(super) fn first_audit(&mut self, record: &Record<'_>) -> bool {
        self.first(
            record,
            &["auditID", "requestReceivedTimestamp", "requestURI"],
        )
    }

    /// True when this event is seen for the first time.
    pub(super) fn first_trail(&mut self, record: &Record<'_>) -> bool {
        self.first(record, &["eventID", "eventTime", "eventName"])
    }

    /// True when this very record is read for the first time. Records without an id of their own always are.
    pub(super) fn first_record(&mut self, record: &Record<'_>) -> bool {
        match record.source {
            Source::K8sAudit => self.first(
                record,
                &[
                    "auditID",
                    "stage",
                    "stageTimestamp",
                    "requestReceivedTimestamp",
                    "requestURI",
                ],
            ),
            Source::AwsCloudtrail if record.json.get("eventID").is_some() => {
                self.first_trail(record)
            }
            Source::GcpAuditlog if record.json.get("insertId").is_some() => {
                self.first(record, &["insertId", "timestamp", "logName"])
            }
            Source::Okta if record.json.get("uuid").is_some() => {
                self.first(record, &["uuid", "published"])
            }
            _ => true,
        }
    }

    fn first(&mut self, record: &Record<'_>, keys: &[&str]) -> bool {
        self.text.clear();
        for key in keys {
            if let Some(value) = record.json.get(key).and_then(Json::text) {
                Text::write(value, &mut self.text);
            }
            self.text.push(0);
        }
        let print = fingerprint(&self.text);
        if self.young.contains(&print) || self.old.contains(&print) {
            return false;
        }
        if self.young.len() >= self.most / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(print);
        true
    }
}
