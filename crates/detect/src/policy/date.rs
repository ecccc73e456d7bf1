//! Dates of exceptions.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Seconds since the Unix epoch of a date (its begin in UTC) or a date and time in UTC, ending with `Z`.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let time = if text.len() == "2027-01-31".len() {
        let date: Date = text.parse().ok()?;
        date.to_zoned(TimeZone::UTC).ok()?.timestamp()
    } else if text.ends_with('Z') {
        text.parse::<Timestamp>().ok()?
    } else {
        return None;
    };
    let seconds = time.as_second();
    (seconds >= 0).then_some(seconds)
}
