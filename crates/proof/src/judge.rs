//! From acts to verdicts: what a set of controls does to each step.

use serde::Serialize;

use crate::act::Act;
use crate::control::{Answer, Control};

/// What a set of controls does to a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// One of the things it needs is refused.
    Stopped {
        /// The control.
        by: &'static str,
        /// Its clause.
        clause: String,
        /// What the clause refuses.
        fact: String,
    },
    /// Nothing it needs is refused.
    NotStopped,
    /// A step that it builds on is stopped.
    NotReached {
        /// That step.
        step: u32,
    },
    /// The recording does not say enough.
    Unknown {
        /// What is missing.
        why: String,
    },
}

impl Verdict {
    /// The verdict in a word or two.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Stopped { .. } => "stopped",
            Self::NotStopped => "not stopped",
            Self::NotReached { .. } => "not reached",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// True when the step does not happen.
    pub fn prevented(&self) -> bool {
        matches!(self, Self::Stopped { .. } | Self::NotReached { .. })
    }
}

/// What one control alone does to a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControlProof {
    /// The control's id.
    pub control: &'static str,
    /// What it does.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// The proof of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepProof {
    /// Number of the step.
    pub step: u32,
    /// What it does.
    pub title: String,
    /// What all the controls together do to it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What each control alone does.
    pub controls: Vec<ControlProof>,
    /// The acts in the recording that are evidence of it.
    pub acts: Vec<Act>,
}

/// A step with what was found of it, as the judge needs it.
pub(crate) struct Found<'a> {
    pub(crate) id: u32,
    pub(crate) needs: &'a [u32],
    /// For each thing it needs, the acts that were seen.
    pub(crate) evidence: Vec<(&'a str, &'a [Act])>,
}

/// What these controls do to each of the steps, in order.
pub(crate) fn judge(steps: &[Found<'_>], controls: &[&'static Control]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(steps.len());
    for step in steps {
        let own = alone(step, controls);
        let before = step.needs.iter().find(|needed| {
            steps
                .iter()
                .zip(&verdicts)
                .any(|(earlier, verdict)| earlier.id == **needed && verdict.prevented())
        });
        verdicts.push(match (own, before) {
            // what would have been refused in its own right is not even tried
            (_, Some(&step)) => Verdict::NotReached { step },
            (other, None) => other,
        });
    }
    verdicts
}

/// What the controls do to a step whose needs are met.
fn alone(step: &Found<'_>, controls: &[&'static Control]) -> Verdict {
    let mut unknown = None;
    for (name, acts) in &step.evidence {
        if acts.is_empty() {
            unknown.get_or_insert_with(|| format!("the recording has no event that shows: {name}"));
            continue;
        }
        // each act that would have done must be refused, not only one of them
        let mut first = None;
        let mut all = true;
        for act in *acts {
            let mut refused = false;
            for control in controls {
                match control.answer(act) {
                    Answer::Stops { clause, fact } => {
                        refused = true;
                        first.get_or_insert(Verdict::Stopped {
                            by: control.id,
                            clause,
                            fact,
                        });
                        break;
                    }
                    Answer::Unknown { why } => {
                        unknown.get_or_insert(why);
                    }
                    Answer::Allows => {}
                }
            }
            all &= refused;
        }
        if let (true, Some(stopped)) = (all, first) {
            return stopped;
        }
    }
    match unknown {
        Some(why) => Verdict::Unknown { why },
        None => Verdict::NotStopped,
    }
}
