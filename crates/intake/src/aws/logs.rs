//! CloudWatch Logs: the events of a group, which is where EKS puts its audit log.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{AwsError, Client};
use crate::journal::Journal;
use crate::source::{Meta, Stop, now};

/// How far back is looked for events that arrived late, in milliseconds.
const LATE: u64 = 5 * 60 * 1000;
/// Events of that time which are remembered so that they count once.
const REMEMBERED: usize = 200_000;
/// Pages that one look reads; more is for the next look, so that a stop is noticed.
const PAGES: usize = 10_000;

/// How far a group was read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Mark {
    /// Latest time stamp, milliseconds since the Unix epoch.
    latest: u64,
}

/// A log group.
#[derive(Clone, Debug)]
pub struct LogGroup {
    name: String,
    /// Prefix of the streams that are read, such as `kube-apiserver-audit`.
    streams: Option<String>,
    source: Option<String>,
    mark: Mark,
    /// Events at or after the beginning of the next look, by time and id.
    seen: BTreeSet<(u64, String)>,
}

impl LogGroup {
    /// A group, from `since` (milliseconds since the Unix epoch) on or from where `position` (the journal's) says.
    pub fn new(
        name: impl Into<String>,
        streams: Option<String>,
        source: Option<String>,
        since: u64,
        position: Option<&Value>,
    ) -> Self {
        let mark = position
            .and_then(|position| serde_json::from_value(position.clone()).ok())
            .unwrap_or(Mark { latest: since });
        Self {
            name: name.into(),
            streams,
            source,
            mark,
            seen: BTreeSet::new(),
        }
    }

    /// Origin of what comes from this group.
    pub fn origin(&self) -> String {
        format!("logs {}", self.name)
    }

    /// Looks once for new events; gives their number. After a restart the last minutes are read again: records carry ids
    /// by which who judges them knows them.
    ///
    /// # Errors
    /// When AWS or the journal refuses; the next look begins where this one did.
    pub fn pull(
        &mut self,
        client: &Client,
        journal: &Journal,
        stop: &Stop,
    ) -> Result<u64, AwsError> {
        let start = self.mark.latest.saturating_sub(LATE);
        let mut token: Option<String> = None;
        let mut events = 0;
        for _ in 0..PAGES {
            let mut request = json!({"logGroupName": self.name, "startTime": start});
            if let Some(prefix) = &self.streams {
                request["logStreamNamePrefix"] = json!(prefix);
            }
            if let Some(token) = &token {
                request["nextToken"] = json!(token);
            }
            let answer = client.call("logs", "Logs_20140328.FilterLogEvents", "1.1", &request)?;
            events += self.take(journal, &answer)?;
            token = answer
                .get("nextToken")
                .and_then(Value::as_str)
                .map(str::to_owned);
            if token.is_none() || stop.is_set() {
                break;
            }
        }
        Ok(events)
    }

    fn take(&mut self, journal: &Journal, answer: &Value) -> Result<u64, AwsError> {
        let mut lines = String::new();
        let mut seen = Vec::new();
        let mut latest = self.mark.latest;
        let listed = answer.get("events").and_then(Value::as_array);
        for event in listed.into_iter().flatten() {
            let time = event
                .get("timestamp")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            let id = event
                .get("eventId")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let Some(message) = event.get("message").and_then(Value::as_str) else {
                continue;
            };
            // Not every endpoint that speaks this API heeds the prefix.
            let stream = event.get("logStreamName").and_then(Value::as_str);
            if let (Some(prefix), Some(stream)) = (&self.streams, stream)
                && !stream.starts_with(prefix.as_str())
            {
                continue;
            }
            let key = (time, id.to_owned());
            if self.seen.contains(&key) {
                continue;
            }
            latest = latest.max(time);
            seen.push(key);
            lines.push_str(message.trim_end());
            lines.push('\n');
        }
        if lines.is_empty() {
            return Ok(0);
        }
        let mark = Mark { latest };
        let meta = Meta {
            origin: self.origin(),
            source: self.source.clone(),
            arrival: now(),
            position: serde_json::to_value(&mark).ok(),
        };
        journal
            .append(&meta, lines.as_bytes())
            .map_err(|error| AwsError::Journal(error.to_string()))?;
        let events = seen.len() as u64;
        self.mark = mark;
        self.seen.extend(seen);
        let still = latest.saturating_sub(LATE);
        self.seen = self.seen.split_off(&(still, String::new()));
        while self.seen.len() > REMEMBERED {
            self.seen.pop_first();
        }
        Ok(events)
    }
}
