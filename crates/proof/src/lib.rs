//! What would have stopped it: controls evaluated against a recorded attack.
//!
//! An attack is a list of [`Step`]s. What a step needs to succeed is said as conditions of the rules language: its
//! *evidence*. [`Prover`] watches the recording, turns each event that is evidence into an [`Act`] (what was done, as
//! whom, in whose namespaces) and asks each [`Control`] whether that act would have been refused, and by which clause.
//! A step is stopped when one of the things it needs is; it is not reached when a step that it builds on is stopped.
//!
//! The same acts can be made of a single finding ([`of_finding`]), for its page.
//!
//! Nothing is assumed in favour of a control: what the recording does not say is [`Answer::Unknown`], with the reason.

mod act;
mod control;
mod judge;
mod paths;
mod prover;
mod tracker;

pub use act::{Act, Deed, Namespaces, Past};
pub use control::{Answer, CONTROLS, Control, by_id};
pub use judge::{ControlProof, StepProof, Verdict};
pub use prover::{Error, Evidence, Prover, Step, of_range};

use vedette_event::Finding;

/// What each control says of a finding's event; controls that have no bearing on it are left out.
pub fn of_finding(finding: &Finding) -> Vec<(&'static Control, Answer)> {
    // a finding stands alone: that it left its container is known only by the tool in its lineage
    let outside = finding
        .lineage
        .iter()
        .any(|process| process.name == "nsenter");
    let past = Past {
        left: Namespaces::all(outside),
        ..Past::default()
    };
    let act = Act::of(&finding.fields, &finding.lineage, past);
    CONTROLS
        .iter()
        .map(|control| (control, control.answer(&act)))
        .filter(|(_, answer)| *answer != Answer::Allows)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
