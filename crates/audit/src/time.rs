//! Time stamps of records: RFC 3339 to nanoseconds since the Unix epoch, and back in the shapes that rules ask for.
//!
//! The calendar is jiff's; what is decided here is which stamps logs may have.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{Offset, TimeZone};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// Reads `2026-11-21T21:39:13.170454Z`, with any fraction (cut after nine digits) and `Z` or an offset; a blank may stand
/// for the `T`, and without `Z` or offset it is UTC, as log stores export it. `None` for anything else and for times
/// before 1970 or after 2500.
pub fn parse_rfc3339(text: &[u8]) -> Option<u64> {
    const PARSER: DateTimeParser = DateTimeParser::new();
    /// Digits of a fraction that are read.
    const DIGITS: usize = 9;
    let mark = |at: usize, marks: &[u8]| text.get(at).is_some_and(|b| marks.contains(b));
    if !(mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt ") && mark(13, b":") && mark(16, b":")) {
        return None;
    }
    let fraction = text.get(20..).filter(|_| mark(19, b".,"));
    let digits = fraction.map_or(0, |rest| {
        rest.iter().take_while(|b| b.is_ascii_digit()).count()
    });
    if digits > DIGITS {
        let cut = [&text[..20 + DIGITS], &text[20 + digits..]].concat();
        return parse_rfc3339(&cut);
    }
    let last = *text.last()?;
    let zoned =
        matches!(last, b'Z' | b'z') || text.get(19..)?.iter().any(|b| matches!(b, b'+' | b'-'));
    let at = if zoned {
        PARSER.parse_timestamp(text).ok()?
    } else {
        let local = PARSER.parse_datetime(text).ok()?;
        TimeZone::UTC.to_timestamp(local).ok()?
    };
    /// The first second of the year 2500.
    const END: u64 = 16_725_225_600;
    let nanos = u64::try_from(at.as_nanosecond()).ok()?;
    (nanos < END * SECOND).then_some(nanos)
}

/// What calendar and clock show in UTC, nanoseconds `ts` after the Unix epoch.
pub fn utc(ts: u64) -> DateTime {
    Offset::UTC.to_datetime(moment(ts))
}

/// `2026-11-21T21:39:13.170Z`: the shape that findings carry.
pub fn to_rfc3339_millis(ts: u64) -> String {
    format!("{:.3}", moment(ts))
}

fn moment(ts: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(ts)).expect("64 bits of nanoseconds end in 2554")
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
            "2026-11-21T21:39:13+99:00",
            "2500-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
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
