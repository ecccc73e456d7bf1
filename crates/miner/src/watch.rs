//! Windows over time: one hot window is a burst, several in a row are a habit.

use crate::{Score, THRESHOLD, Usage, Window, score};

/// Windows in a row that must count as mining before anybody is told. With windows of ten seconds this is a minute: a
/// compiler's longest steady phases are shorter, a miner's first hour is not.
const IN_A_ROW: u32 = 6;

/// Windows after which a workload that goes on is told again.
const AGAIN: u32 = 360;

/// Follows one control group.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    last: Option<Usage>,
    hot: u32,
}

/// A workload that behaves like a miner.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// The latest window.
    pub window: Window,
    /// Its score.
    pub score: Score,
    /// Windows in a row that counted.
    pub windows: u32,
}

impl Watch {
    /// Takes in a reading; answers when the workload has earned a finding.
    pub fn take(&mut self, usage: Usage) -> Option<Suspect> {
        let window = self
            .last
            .as_ref()
            .and_then(|before| Window::between(before, &usage));
        self.last = Some(usage);
        let score = window.as_ref().map(score);
        let (Some(window), Some(score)) = (window, score) else {
            self.hot = 0;
            return None;
        };
        if score.probability < THRESHOLD {
            self.hot = 0;
            return None;
        }
        self.hot += 1;
        let told = self.hot == IN_A_ROW
            || (self.hot > IN_A_ROW && (self.hot - IN_A_ROW).is_multiple_of(AGAIN));
        told.then_some(Suspect {
            window,
            score,
            windows: self.hot,
        })
    }
}
