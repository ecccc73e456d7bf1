//! How often values were seen: counts that fade, the days on which they were seen, and room for a bounded number.

use serde::{Deserialize, Serialize};

use super::names::{Name, Names};

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

/// One value. Sixteen bytes: what a cluster does is mostly values that many share, so that the text is elsewhere.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Use {
    name: Name,
    /// Faded count as of `last`.
    count: f32,
    /// Time of the last occurrence, seconds since the Unix epoch.
    last: u32,
    /// Bit `n`: seen `n` days before the day of `last`.
    days: u32,
}

/// Seconds since the Unix epoch in half the room, which is enough until 2106.
fn short(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

fn faded(count: f32, last: u32, now: u64) -> f64 {
    let age = now.saturating_sub(u64::from(last));
    if age == 0 {
        return f64::from(count);
    }
    f64::from(count) * (-(age as f64) / HALF_LIFE).exp2()
}

impl Use {
    fn new(name: Name, now: u64) -> Self {
        Self {
            name,
            count: 1.0,
            last: short(now),
            days: 1,
        }
    }

    fn note(&mut self, now: u64) {
        self.days = self.days_as_of(now) | 1;
        self.count = faded(self.count, self.last, now) as f32 + 1.0;
        self.last = self.last.max(short(now));
    }

    pub(super) fn count(&self, now: u64) -> f64 {
        faded(self.count, self.last, now)
    }

    pub(super) fn last(&self) -> u64 {
        u64::from(self.last)
    }

    /// As [`Self::days`], counted from the day of `now`.
    fn days_as_of(&self, now: u64) -> u32 {
        let passed = (now / DAY).saturating_sub(self.last() / DAY);
        let days =
            u32::try_from(passed).map_or(0, |passed| self.days.checked_shl(passed).unwrap_or(0));
        days & ((1 << DAYS) - 1)
    }

    fn days_seen(&self, now: u64) -> u32 {
        self.days_as_of(now).count_ones()
    }

    /// Seen on more than one day, so that it is more than a name that somebody made up once.
    fn is_settled(&self, now: u64) -> bool {
        self.days_seen(now) > 1
    }

    /// Puts values in the order of their faded counts, whatever the time: counts fade alike.
    fn rank(&self) -> f64 {
        f64::from(self.count).log2() + f64::from(self.last) / HALF_LIFE
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

/// Of a factor that is full, one value in so many makes room at a time: looking for the faintest at every new value
/// would let a flood of names cost as much as all the rest.
const ROOM: usize = 16;

/// The values of one factor for one principal, group or cluster.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Usage {
    /// By name.
    values: Vec<Use>,
    total: f32,
    last: u32,
    /// Values that are settled as of `settled_on`, a day since the Unix epoch.
    settled: u32,
    settled_on: u32,
}

impl Usage {
    /// Counts a value; with `most` values held, the faintest ones go. Gives by how many entries it grew.
    pub(super) fn note(&mut self, value: &str, names: &mut Names, now: u64, most: usize) -> isize {
        self.total = faded(self.total, self.last, now) as f32 + 1.0;
        self.last = self.last.max(short(now));
        self.settle(now);
        if let Some(at) = names.find(value).and_then(|name| self.place(name).ok()) {
            let known = &mut self.values[at];
            let before = known.is_settled(now);
            known.note(now);
            self.settled += u32::from(!before && known.is_settled(now));
            return 0;
        }
        let mut grown = 1;
        if self.values.len() >= most {
            grown -= self.make_room(most, names, now) as isize;
        }
        let name = names.hold(value);
        if let Err(at) = self.place(name) {
            // Most principals have few values: doubling would leave half of all room unused.
            let len = self.values.len();
            if len == self.values.capacity() {
                self.values.reserve_exact(1 + len / 2);
            }
            self.values.insert(at, Use::new(name, now));
        }
        grown
    }

    /// Where the value of this name is, or belongs.
    fn place(&self, name: Name) -> Result<usize, usize> {
        self.values.binary_search_by_key(&name, |known| known.name)
    }

    /// Lets the faintest values go and gives how many they were.
    fn make_room(&mut self, most: usize, names: &mut Names, now: u64) -> usize {
        let mut ranks: Vec<(f64, &str, Name)> = self
            .values
            .iter()
            .map(|known| (known.rank(), names.text(known.name), known.name))
            .collect();
        let goes = (self.values.len() + 1)
            .saturating_sub(most)
            .max(most / ROOM);
        let goes = goes.min(ranks.len());
        if goes == 0 {
            return 0;
        }
        ranks.select_nth_unstable_by(goes - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
        let mut gone: Vec<Name> = ranks[..goes].iter().map(|(_, _, name)| *name).collect();
        gone.sort_unstable();
        self.values
            .retain(|known| gone.binary_search(&known.name).is_err());
        for name in gone {
            names.release(name);
        }
        self.settled = self.count_settled(now);
        goes
    }

    fn count_settled(&self, now: u64) -> u32 {
        self.values.iter().filter(|v| v.is_settled(now)).count() as u32
    }

    /// Counts the settled values once a day.
    fn settle(&mut self, now: u64) {
        let day = short(now / DAY);
        if self.settled_on != day {
            self.settled = self.count_settled(now);
            self.settled_on = day;
        }
    }

    /// Lets every value go.
    pub(super) fn release(&self, names: &mut Names) {
        for known in &self.values {
            names.release(known.name);
        }
    }

    pub(super) fn get(&self, name: Name) -> Option<&Use> {
        self.place(name).ok().map(|at| &self.values[at])
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
        let settled = if self.settled_on == short(now / DAY) {
            self.settled
        } else {
            self.count_settled(now)
        };
        // One of those that did not come back is what every new principal has.
        f64::from(settled) + f64::from(u8::from(!self.values.is_empty()))
    }

    /// The most usual values, the most frequent first.
    pub(super) fn usual<'n>(&self, names: &'n Names, now: u64, most: usize) -> Vec<&'n str> {
        let mut values: Vec<(&str, f64)> = self
            .values
            .iter()
            .map(|known| (names.text(known.name), known.count(now)))
            .collect();
        values.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        values.truncate(most);
        values.into_iter().map(|(value, _)| value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fade_and_days_are_told_apart() {
        let (mut usage, mut names) = (Usage::default(), Names::default());
        for day in 0..6 {
            usage.note("daily", &mut names, day * DAY, 10);
        }
        usage.note("once", &mut names, 5 * DAY, 10);
        let now = 5 * DAY;
        let get = |name: &str| usage.get(names.find(name).unwrap()).unwrap();
        let daily = get("daily");
        assert_eq!(daily.word(now), Word::Frequent);
        assert_eq!(get("once").word(now), Word::Rare);
        assert!(daily.count(now) > 5.0);
        let later = now + HALF_LIFE as u64;
        assert!((daily.count(later) - daily.count(now) / 2.0).abs() < 0.01);
        assert_eq!(daily.word(now + 40 * DAY), Word::Unseen);
        assert_eq!(usage.usual(&names, now, 1), ["daily"]);
    }

    #[test]
    fn a_flood_of_names_makes_no_new_name_usual() {
        let (mut usage, mut names) = (Usage::default(), Names::default());
        for n in 0..1000 {
            usage.note(&format!("n{n}"), &mut names, 10, 2000);
        }
        assert!(usage.variety(10) < 2.0);
        for n in 0..50 {
            usage.note(&format!("n{n}"), &mut names, DAY + 10, 2000);
        }
        assert!(usage.variety(DAY + 10) > 50.0);
        // A month later none of them counts any more, whether or not anything was noted since.
        let later = 40 * DAY;
        assert!(usage.variety(later) < 2.0);
        usage.note("new", &mut names, later, 2000);
        assert!(usage.variety(later) < 2.0);
    }

    #[test]
    fn the_faintest_makes_room() {
        let (mut usage, mut names) = (Usage::default(), Names::default());
        usage.note("a", &mut names, 0, 2);
        usage.note("a", &mut names, 1, 2);
        usage.note("b", &mut names, 2, 2);
        assert_eq!(usage.note("c", &mut names, 3, 2), 0);
        assert_eq!((usage.len(), names.find("b")), (2, None));
        usage.release(&mut names);
        assert_eq!((names.find("a"), names.find("c")), (None, None));
    }

    #[test]
    fn a_flood_costs_and_holds_a_bounded_amount() {
        let (mut usage, mut names) = (Usage::default(), Names::default());
        let mut entries = 0;
        for n in 0..100_000u64 {
            entries += usage.note(&format!("n{n}"), &mut names, n, 64);
        }
        assert_eq!(usize::try_from(entries).unwrap(), usage.len());
        assert!(usage.len() <= 64);
        assert!(names.find("n99999").is_some() && names.find("n0").is_none());
    }
}
