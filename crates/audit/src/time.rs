//! Time stamps of records: RFC 3339 to nanoseconds since the Unix epoch, and back in the shapes that rules ask for.

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// Reads `2026-11-21T21:39:13.170454Z`, with any fraction (cut after nine digits) and `Z` or an offset; a blank may stand
/// for the `T`, and without `Z` or offset it is UTC, as log stores export it. `None` for anything else and for times
/// before 1970 or after 2500.
pub fn parse_rfc3339(text: &[u8]) -> Option<u64> {
    let number = |from: usize, to: usize| -> Option<u64> {
        text.get(from..to)?.iter().try_fold(0, |sum, b| {
            b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0'))
        })
    };
    let mark = |at: usize, marks: &[u8]| text.get(at).is_some_and(|b| marks.contains(b));
    if !(mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt ") && mark(13, b":") && mark(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1970..2500).contains(&year)
        || !(1..=days_in_month).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut at = 19;
    let mut nanos = 0;
    if mark(at, b".,") {
        let digits = text[at + 1..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if digits == 0 {
            return None;
        }
        for place in 0..9 {
            nanos *= 10;
            if place < digits {
                nanos += u64::from(text[at + 1 + place] - b'0');
            }
        }
        at += 1 + digits;
    }
    let offset = match text.get(at..)? {
        b"" | b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, rest @ ..] => {
            let minutes_at = if rest.first() == Some(&b':') {
                at + 4
            } else {
                at + 3
            };
            if text.len() != minutes_at + 2 {
                return None;
            }
            let minutes = number(at + 1, at + 3)? * 60 + number(minutes_at, minutes_at + 2)?;
            let seconds = i64::try_from(minutes * 60).ok()?;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    let seconds = seconds.checked_add_signed(-offset)?;
    Some(seconds * SECOND + nanos)
}

/// Days from 1970-01-01 (the counting of Howard Hinnant's `days_from_civil`).
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A point in time taken apart, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the calendar's own words")]
pub struct Civil {
    pub year: u64,
    pub month: u64,
    pub day: u64,
    pub hour: u64,
    pub minute: u64,
    pub second: u64,
    pub nanos: u64,
}

impl Civil {
    /// Takes nanoseconds since the Unix epoch apart.
    pub fn from_ts(ts: u64) -> Self {
        let seconds = ts / SECOND;
        let days = seconds / 86400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days - era * 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        Self {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            hour: seconds / 3600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            nanos: ts % SECOND,
        }
    }
}

/// `2026-11-21T21:39:13.170Z`: the shape that findings carry.
pub fn to_rfc3339_millis(ts: u64) -> String {
    let c = Civil::from_ts(ts);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        c.year,
        c.month,
        c.day,
        c.hour,
        c.minute,
        c.second,
        c.nanos / 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_with_fractions_and_offsets() {
        let read = |text: &str| parse_rfc3339(text.as_bytes());
        assert_eq!(
            read("2026-11-21T21:39:13.170454Z"),
            Some(1_795_297_153_170_454_000)
        );
        assert_eq!(read("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(read("1970-01-01 00:00:01"), Some(SECOND));
        assert_eq!(
            read("2000-02-29T23:59:59.1234567899+01:00"),
            Some(951_865_199_123_456_789)
        );
        assert_eq!(read("2000-02-29T23:59:59-0130"), Some(951_874_199 * SECOND));
        for bad in [
            "2001-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21",
            "2026-11-21T21:39:13.Z",
            "",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn stamps_survive_the_way_there_and_back() {
        for ts in [0, 951_865_199_123_000_000, 1_795_297_153_170_000_000] {
            assert_eq!(parse_rfc3339(to_rfc3339_millis(ts).as_bytes()), Some(ts));
        }
    }
}
