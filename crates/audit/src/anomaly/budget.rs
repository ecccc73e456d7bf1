//! The threshold: not a number of bits that somebody chose, but the score above which a cluster has so few sessions a day
//! that people can look at each of them.

use serde::{Deserialize, Serialize};

use super::usage::{DAY, HALF_LIFE};

/// Scores are told apart to half a bit, up to 128 bits.
const BINS: usize = 256;

/// Scores of sessions, fading, and the alerts that may still be given today.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Budget {
    bins: Vec<f64>,
    /// Time as of which the bins are faded.
    faded: u64,
    began: u64,
    /// Alerts left; grows with time up to a day's worth.
    left: f64,
    refilled: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bins: vec![0.0; BINS],
            faded: 0,
            began: 0,
            left: 0.0,
            refilled: 0,
        }
    }
}

fn bin(score: f64) -> usize {
    ((score.max(0.0) * 2.0) as usize).min(BINS - 1)
}

impl Budget {
    /// Counts the score of a session.
    pub(super) fn note(&mut self, score: f64, now: u64) {
        if self.began == 0 {
            (self.began, self.faded) = (now, now);
        }
        // Fading every bin at every session would be slow; an hour changes them by two thousandths.
        if now.saturating_sub(self.faded) >= 3600 {
            let factor = (-((now - self.faded) as f64) / HALF_LIFE).exp2();
            for bin in &mut self.bins {
                *bin *= factor;
            }
            self.faded = now;
        }
        self.bins[bin(score)] += 1.0;
    }

    /// The least score of which there are at most `per_day` sessions a day.
    pub(super) fn threshold(&self, per_day: f64, now: u64) -> f64 {
        // The sum of what fades by half every half-life stands for no more than this much time.
        let age = now.saturating_sub(self.began).max(1) as f64;
        let memory = HALF_LIFE / std::f64::consts::LN_2;
        let days = memory * (1.0 - (-age / memory).exp()) / DAY as f64;
        let most = per_day * days.max(1.0);
        let mut above = 0.0;
        for (at, count) in self.bins.iter().enumerate().rev() {
            above += count;
            if above > most {
                return (at + 1) as f64 / 2.0;
            }
        }
        0.0
    }

    /// Takes one of today's alerts; false when they are used up.
    pub(super) fn spend(&mut self, per_day: f64, now: u64) -> bool {
        if self.refilled == 0 {
            (self.left, self.refilled) = (per_day, now);
        }
        let passed = now.saturating_sub(self.refilled) as f64 / DAY as f64;
        self.left = (self.left + passed * per_day).min(per_day);
        self.refilled = self.refilled.max(now);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_lets_through_what_the_budget_allows() {
        let mut budget = Budget::default();
        for day in 1..=10u64 {
            for n in 0..100 {
                budget.note(f64::from(n) / 4.0, day * DAY + u64::from(n as u32) * 60);
            }
        }
        let now = 11 * DAY;
        let threshold = budget.threshold(5.0, now);
        assert!((22.0..25.0).contains(&threshold), "{threshold}");
        assert!(budget.threshold(1.0, now) >= threshold);
        assert!(budget.threshold(1000.0, now) < 1.0);
    }

    #[test]
    fn alerts_are_used_up_and_come_back() {
        let mut budget = Budget::default();
        let spent = (0..10).filter(|_| budget.spend(3.0, DAY)).count();
        assert_eq!(spent, 3);
        assert!(budget.spend(3.0, DAY + DAY / 2));
        assert!(!budget.spend(3.0, DAY + DAY / 2));
    }
}
