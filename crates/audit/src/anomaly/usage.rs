//! How often values were seen: counts that fade, the days on which they were seen, and room for a bounded number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Seconds after which a count has faded to a half: two weeks, so that a habit of last quarter does not excuse today.
pub(super) const HALF_LIFE: f64 = 14.0 * DAY as f64;

/// Seconds of a day.
pub(super) const DAY: u64 = 86_400;

/// Days that are remembered of a value, today included.
const DAYS: u32 = 30;

/// How usual a value is, in the words that GuardDuty shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    /// Never seen.
    Unseen,
    /// Seen on one day of the last thirty.
    Rare,
    /// Seen on a few days.
    Infrequent,
    /// Seen weekly or daily.
    Frequent,
}

impl Word {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            Self::Rare => "rare",
            Self::Infrequent => "infrequent",
            Self::Frequent => "frequent",
        }
    }
}

/// One value.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Use {
    /// Faded count as of `last`.
    count: f32,
    /// Time of the last occurrence, seconds since the Unix epoch.
    last: u64,
    /// Bit `n`: seen `n` days before the day of `last`.
    days: u32,
}

fn faded(count: f32, last: u64, now: u64) -> f64 {
    let age = now.saturating_sub(last) as f64;
    f64::from(count) * (-age / HALF_LIFE).exp2()
}

impl Use {
    fn note(&mut self, now: u64) {
        let passed = (now / DAY).saturating_sub(self.last / DAY);
        let days =
            u32::try_from(passed).map_or(0, |passed| self.days.checked_shl(passed).unwrap_or(0));
        self.days = (days | 1) & ((1 << DAYS) - 1);
        self.count = faded(self.count, self.last, now) as f32 + 1.0;
        self.last = self.last.max(now);
    }

    pub(super) fn count(&self, now: u64) -> f64 {
        faded(self.count, self.last, now)
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    fn days_seen(&self, now: u64) -> u32 {
        let passed = (now / DAY).saturating_sub(self.last / DAY);
        let days =
            u32::try_from(passed).map_or(0, |passed| self.days.checked_shl(passed).unwrap_or(0));
        (days & ((1 << DAYS) - 1)).count_ones()
    }

    pub(super) fn word(&self, now: u64) -> Word {
        match self.days_seen(now) {
            0 => Word::Unseen,
            1 => Word::Rare,
            2..=3 => Word::Infrequent,
            _ => Word::Frequent,
        }
    }
}

/// The values of one factor for one principal, group or cluster.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Usage {
    values: BTreeMap<Box<str>, Use>,
    total: f32,
    last: u64,
}

impl Usage {
    /// Counts a value; with `most` values held, the faintest one goes. Gives by how many entries it grew.
    pub(super) fn note(&mut self, value: &str, now: u64, most: usize) -> usize {
        self.total = faded(self.total, self.last, now) as f32 + 1.0;
        self.last = self.last.max(now);
        if let Some(known) = self.values.get_mut(value) {
            known.note(now);
            return 0;
        }
        let full = self.values.len() >= most;
        if full {
            let faintest = self
                .values
                .iter()
                .min_by(|a, b| a.1.count(now).total_cmp(&b.1.count(now)).then(a.0.cmp(b.0)))
                .map(|(value, _)| value.clone());
            if let Some(faintest) = faintest {
                self.values.remove(&faintest);
            }
        }
        let mut new = Use {
            last: now,
            ..Use::default()
        };
        new.note(now);
        self.values.insert(value.into(), new);
        usize::from(!full)
    }

    pub(super) fn get(&self, value: &str) -> Option<&Use> {
        self.values.get(value)
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Occurrences of all values.
    pub(super) fn total(&self, now: u64) -> f64 {
        faded(self.total, self.last, now)
    }

    /// How many different values there are, as evidence that new ones are normal here. A value counts when it came back
    /// on another day: a flood of names within an hour, which costs an attacker nothing, makes no new name usual.
    pub(super) fn variety(&self, now: u64) -> f64 {
        let settled = self
            .values
            .values()
            .filter(|value| value.days_seen(now) > 1);
        // One of those that did not come back is what every new principal has.
        settled.count() as f64 + f64::from(u8::from(!self.values.is_empty()))
    }

    /// The most usual values, the most frequent first.
    pub(super) fn usual(&self, now: u64, most: usize) -> Vec<&str> {
        let mut values: Vec<(&Box<str>, f64)> = self
            .values
            .iter()
            .map(|(value, known)| (value, known.count(now)))
            .collect();
        values.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        values
            .into_iter()
            .take(most)
            .map(|(value, _)| &**value)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fade_and_days_are_told_apart() {
        let mut usage = Usage::default();
        for day in 0..6 {
            usage.note("daily", day * DAY, 10);
        }
        usage.note("once", 5 * DAY, 10);
        let now = 5 * DAY;
        let daily = usage.get("daily").unwrap();
        assert_eq!(daily.word(now), Word::Frequent);
        assert_eq!(usage.get("once").unwrap().word(now), Word::Rare);
        assert!(daily.count(now) > 5.0);
        let later = now + HALF_LIFE as u64;
        assert!((daily.count(later) - daily.count(now) / 2.0).abs() < 0.01);
        assert_eq!(daily.word(now + 40 * DAY), Word::Unseen);
        assert_eq!(usage.usual(now, 1), ["daily"]);
    }

    #[test]
    fn a_flood_of_names_makes_no_new_name_usual() {
        let mut usage = Usage::default();
        for n in 0..1000 {
            usage.note(&format!("n{n}"), 10, 2000);
        }
        assert!(usage.variety(10) < 2.0);
        for n in 0..50 {
            usage.note(&format!("n{n}"), DAY + 10, 2000);
        }
        assert!(usage.variety(DAY + 10) > 50.0);
    }

    #[test]
    fn the_faintest_makes_room() {
        let mut usage = Usage::default();
        usage.note("a", 0, 2);
        usage.note("a", 1, 2);
        usage.note("b", 2, 2);
        assert_eq!(usage.note("c", 3, 2), 0);
        assert_eq!((usage.len(), usage.get("b").is_none()), (2, true));
    }
}
