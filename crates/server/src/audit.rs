//! The audit log: who changed what, when, from where. Every change is written together with its entry or not at all.

use serde_json::{Value as Json, json};
use vedette_history::Change;

use crate::clock;
use crate::http::call::Call;
use crate::problem::Problem;

/// Name of the log.
pub(crate) const LOG: &str = "audit";

/// The entry for a change that this call makes.
pub(crate) fn entry(
    call: &Call,
    action: &str,
    target: &str,
    detail: &Json,
) -> Result<Change, Problem> {
    of(
        &call.caller.name,
        &call.peer.to_string(),
        action,
        target,
        detail,
    )
}

/// An entry.
pub(crate) fn of(
    by: &str,
    peer: &str,
    action: &str,
    target: &str,
    detail: &Json,
) -> Result<Change, Problem> {
    let value =
        json!({"by": by, "peer": peer, "action": action, "target": target, "detail": detail});
    Ok(Change::append(LOG, &value, clock::now())?)
}
