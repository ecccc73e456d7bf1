//! Questions: time ranges, orders, cursors, limits.

use std::fmt;
use std::str::FromStr;

use vedette_event::Severity;

use crate::Filter;

/// Most items that one page holds; more are a screenful nobody reads and a body nobody wants to parse.
pub const MAX_LIMIT: usize = 1000;

/// Most buckets of a histogram: more than a wide screen has columns for.
const MAX_BUCKETS: usize = 2000;

/// A stretch of time in nanoseconds since the Unix epoch: `from` belongs to it, `to` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// First nanosecond.
    pub from: u64,
    /// One past the last.
    pub to: u64,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self {
        from: 0,
        to: u64::MAX,
    };

    /// True when `time` lies in it.
    pub fn contains(self, time: u64) -> bool {
        self.from <= time && time < self.to
    }

    /// Its length in nanoseconds; 0 when it is empty or backwards.
    pub fn length(self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    /// The range of the same length that ends where this one begins.
    #[must_use]
    pub fn previous(self) -> Self {
        Self {
            from: self.from.saturating_sub(self.length()),
            to: self.from,
        }
    }
}

/// In which order a page comes. Items of the same time come in the order in which they arrived, or its reverse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Latest event first.
    #[default]
    Newest,
    /// Earliest event first.
    Oldest,
    /// Most severe first, the latest first among equals.
    Severity,
}

/// A place in an ordered listing: that of the last item shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Severity of the item; counts for [`Order::Severity`] only.
    pub severity: Severity,
    /// Time of its event.
    pub time: u64,
    /// Its sequence number.
    pub sequence: u64,
}

/// Where the next page begins. Opaque to clients: its text form may change between versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The order it was made for.
    pub order: Order,
    /// The last item of the page before.
    pub after: Position,
}

/// The text is no cursor of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that this server gave out; begin again without one")]
pub struct BadCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.order {
            Order::Newest => 'n',
            Order::Oldest => 'o',
            Order::Severity => 's',
        };
        let Position {
            severity,
            time,
            sequence,
        } = self.after;
        write!(f, "{order}{}-{time:x}-{sequence:x}", severity as u8)
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let mut letters = text.chars();
        let order = match letters.next() {
            Some('n') => Order::Newest,
            Some('o') => Order::Oldest,
            Some('s') => Order::Severity,
            _ => return Err(BadCursor),
        };
        let mut parts = letters.as_str().split('-');
        let mut part = |radix| {
            parts
                .next()
                .filter(|part| !part.starts_with('+'))
                .and_then(|part| u64::from_str_radix(part, radix).ok())
                .ok_or(BadCursor)
        };
        let (rank, time, sequence) = (part(10)?, part(16)?, part(16)?);
        let severity = Severity::ALL
            .into_iter()
            .find(|severity| *severity as u64 == rank)
            .ok_or(BadCursor)?;
        if parts.next().is_some() {
            return Err(BadCursor);
        }
        Ok(Self {
            order,
            after: Position {
                severity,
                time,
                sequence,
            },
        })
    }
}

/// A page of findings.
#[derive(Clone, Debug)]
pub struct FindingQuery {
    /// Time of the events.
    pub range: TimeRange,
    /// Which of them.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// Where the page begins; must have been made for the same order.
    pub cursor: Option<Cursor>,
    /// Most items; at least 1, at most [`MAX_LIMIT`].
    pub limit: usize,
    /// Whether the total is wanted.
    pub count: bool,
}

impl FindingQuery {
    /// The first page of the newest.
    pub fn newest(range: TimeRange, filter: Filter, limit: usize) -> Self {
        Self {
            range,
            filter,
            order: Order::Newest,
            cursor: None,
            limit,
            count: false,
        }
    }
}

/// Splits a range into at most `wanted` buckets of a length that people read: returns the step and the start of each,
/// all multiples of the step, so that neighbouring ranges share their bounds. The first and last may reach beyond the
/// range; counts never do.
pub fn buckets(range: TimeRange, wanted: usize) -> (u64, Vec<u64>) {
    const SECOND: u64 = 1_000_000_000;
    const STEPS: &[u64] = &[
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
        86_400,
    ];
    let wanted = wanted.clamp(1, MAX_BUCKETS) as u64;
    if range.length() == 0 {
        return (SECOND, Vec::new());
    }
    let fits = |step: u64| (range.to - 1) / step - range.from / step < wanted;
    let step = STEPS
        .iter()
        .map(|seconds| seconds * SECOND)
        .find(|step| fits(*step))
        .unwrap_or_else(|| {
            // Beyond days: whole numbers of days. One more than the quotient leaves room for the two cut ends.
            let day = 86_400 * SECOND;
            let days = (range.length() / day / wanted).saturating_add(1);
            let step = day.saturating_mul(days);
            if fits(step) {
                step
            } else {
                step.saturating_mul(2)
            }
        });
    let first = range.from / step;
    let last = (range.to - 1) / step;
    (
        step,
        (first..=last).take(MAX_BUCKETS).map(|n| n * step).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_and_strangers_are_refused() {
        for order in [Order::Newest, Order::Oldest, Order::Severity] {
            for severity in Severity::ALL {
                let cursor = Cursor {
                    order,
                    after: Position {
                        severity,
                        time: u64::MAX,
                        sequence: 7,
                    },
                };
                assert_eq!(cursor.to_string().parse(), Ok(cursor));
            }
        }
        for bad in [
            "", "n", "n9-0-0", "x1-0-0", "n1-0-0-0", "n1-+0-0", "n1--", "é1-0-0",
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(BadCursor), "{bad:?}");
        }
    }

    #[test]
    fn buckets_cover_the_range_and_are_never_more_than_asked() {
        let hour = 3_600_000_000_000;
        for (from, length, wanted) in [
            (7, 1, 10),
            (1_767_225_600_000_000_000, 14 * 24 * hour, 60),
            (1_767_225_600_000_000_123, 3 * hour, 60),
            (5, 4000 * 24 * hour, 10),
            (0, u64::MAX, 3),
        ] {
            let range = TimeRange {
                from,
                to: from.saturating_add(length),
            };
            let (step, starts) = buckets(range, wanted);
            assert!(!starts.is_empty() && starts.len() <= wanted, "{starts:?}");
            assert!(starts[0] <= range.from && range.from - starts[0] < step);
            let last = *starts.last().unwrap();
            assert!(
                last < range.to && range.to - last <= step,
                "{step} {starts:?}"
            );
            assert!(starts.iter().all(|start| start % step == 0));
        }
        assert!(buckets(TimeRange { from: 5, to: 5 }, 9).1.is_empty());
    }
}
