//! Does a workload behave like a crypto miner?
//!
//! A miner has little choice: it computes for as long as it lives, in a few threads that never wait, with hardly a
//! system call. [`Window`] turns two readings of a control group's counters ([`Usage`]) into [`FEATURES`] that say how
//! much a workload does that; [`score`] weighs them (a logistic model whose weights `tools/train-miner` makes from real
//! runs, see `docs/miner.md`) and says which features decided. It ranks; the precise rules on names, arguments, pools and
//! protocols stay the first answer.
//!
//! Pure: counters in, a score out. Nothing here is random or remembers anything but what it is given.

mod features;
mod watch;
mod weights;

pub use features::{FEATURES, Task, Usage, Window};
pub use watch::{Contact, Glance, Watch};
pub use weights::{MEANS, SCALES, THRESHOLD, WEIGHTS};

use serde::Serialize;

/// How much a window looks like mining.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Between 0 and 1. At [`THRESHOLD`] and above the window counts as mining.
    pub probability: f64,
    /// What spoke for it and against it, the weightiest first.
    pub reasons: Vec<Reason>,
}

/// A feature's part in a score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// Name of the feature.
    pub feature: &'static str,
    /// Its value.
    pub value: f64,
    /// What it added to the log-odds: above zero speaks for mining.
    pub weight: f64,
}

/// Weighs a window.
pub fn score(window: &Window) -> Score {
    let mut reasons: Vec<Reason> = FEATURES
        .iter()
        .zip(window.values())
        .enumerate()
        .map(|(i, (feature, value))| Reason {
            feature,
            value,
            weight: WEIGHTS[i + 1] * (value - MEANS[i]) / SCALES[i],
        })
        .collect();
    let odds = WEIGHTS[0] + reasons.iter().map(|reason| reason.weight).sum::<f64>();
    reasons.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    Score {
        probability: 1.0 / (1.0 + (-odds).exp()),
        reasons,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
