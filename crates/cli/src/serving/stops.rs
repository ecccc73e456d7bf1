//! What would have stopped a finding, as its page shows it.

use vedette_event::Finding;
use vedette_proof::Answer;
use vedette_server::{Stop, Stops};

/// The controls of the proof engine.
pub(super) struct Controls;

impl Stops for Controls {
    fn stops(&self, finding: &Finding) -> Vec<Stop> {
        let answers = vedette_proof::of_finding(finding).into_iter();
        answers
            .filter_map(|(control, answer)| {
                let (verdict, clause) = match answer {
                    Answer::Stops { clause, fact } => ("stopped", format!("{clause}: {fact}")),
                    Answer::Unknown { why } => ("unknown", why),
                    Answer::Allows => return None,
                };
                Some(Stop {
                    control: control.title.to_owned(),
                    verdict: verdict.to_owned(),
                    clause,
                })
            })
            .collect()
    }
}
