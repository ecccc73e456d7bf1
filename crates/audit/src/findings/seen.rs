//! Requests that were already judged, so that retries and the stages of one request count once.
//!
//! The audit id alone does not do: a client may choose it (the API server takes the `Audit-ID` header), so that an
//! attacker who reuses the id of a harmless request would hide behind it. The time at which the server received the
//! request, to the microsecond, and the URI are not his to choose.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::json::{Json, Text};
use crate::record::Record;

/// Requests that are remembered: half of them at least, all of them at most. A webhook re-sends within seconds; this is
/// several minutes of a large cluster.
const REMEMBERED: usize = 1 << 17;

/// Two generations of fingerprints; the older is dropped when the younger is full.
#[derive(Debug, Default)]
pub(super) struct Seen {
    young: HashSet<u64>,
    old: HashSet<u64>,
    // Keyed, so that nobody can make fingerprints collide from outside. What is in the sets never leaves them, so results
    // do not depend on the key.
    hasher: RandomState,
}

impl Seen {
    /// True when this request is seen for the first time.
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

    fn first(&mut self, record: &Record<'_>, keys: &[&str]) -> bool {
        let mut text = Vec::with_capacity(256);
        for key in keys {
            if let Some(value) = record.json.get(key).and_then(Json::text) {
                Text::write(value, &mut text);
            }
            text.push(0);
        }
        let print = self.hasher.hash_one(&text);
        if self.young.contains(&print) || self.old.contains(&print) {
            return false;
        }
        if self.young.len() >= REMEMBERED / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(print);
        true
    }
}
