//! Recent failures of multi-factor sign-in per user, which `okta.mfa.*.countlast` counts.

use std::collections::HashMap;

use crate::json::Json;

/// Users that are remembered; the one whose last failure is longest ago makes room.
const MAX_USERS: usize = 10_000;

/// Failures that are remembered for a user.
const MAX_FAILURES: usize = 200;

/// Times of recent failures.
#[derive(Debug, Default)]
pub(crate) struct MfaHistory {
    users: HashMap<Vec<u8>, Vec<u64>>,
}

impl MfaHistory {
    /// Notes the event if it is a failure or denial of a second factor; the times of those of the same kind by the same
    /// user, this one included, or nothing for other events.
    pub(crate) fn note(&mut self, event: Json<'_>, ts: u64) -> &[u64] {
        let Some(kind) = event.text_at(&["eventType"]) else {
            return &[];
        };
        let denied = kind.is(b"user.mfa.okta_verify.deny_push");
        let failed = kind.is(b"user.authentication.auth_via_mfa")
            && event
                .text_at(&["outcome", "result"])
                .is_some_and(|result| result.is(b"FAILURE"));
        if !denied && !failed {
            return &[];
        }
        let mut key = vec![u8::from(denied)];
        if let Some(actor) = event.text_at(&["actor", "id"]) {
            actor.write(&mut key);
        }
        if self.users.len() >= MAX_USERS && !self.users.contains_key(&key) {
            let oldest = self
                .users
                .iter()
                .min_by_key(|(user, times)| (times.last().copied(), *user))
                .map(|(user, _)| user.clone());
            if let Some(oldest) = oldest {
                self.users.remove(&oldest);
            }
        }
        let times = self.users.entry(key).or_default();
        if times.len() >= MAX_FAILURES {
            times.remove(0);
        }
        times.push(ts);
        times
    }
}
