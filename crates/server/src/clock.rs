//! Times: the wall clock, RFC 3339 texts with nanoseconds, and relative times such as `now-3h`.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Nanoseconds of a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Now, in nanoseconds since the Unix epoch.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| {
            u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
        })
}

/// RFC 3339 in UTC with nine digits behind the point.
pub fn rfc3339(time: u64) -> String {
    let at = Timestamp::from_nanosecond(i128::from(time)).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{at:.9}")
}

/// Reads an RFC 3339 time, `now`, or `now-` with a number and a unit (`s`, `m`, `h`, `d`, `w`).
pub fn parse(text: &str, now: u64) -> Option<u64> {
    if text == "now" {
        return Some(now);
    }
    if let Some(back) = text.strip_prefix("now-") {
        let (number, unit) = back.split_at_checked(back.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        let back = number
            .parse::<u64>()
            .ok()?
            .checked_mul(seconds)?
            .checked_mul(SECOND)?;
        return Some(now.saturating_sub(back));
    }
    let at: Timestamp = text.parse().ok()?;
    u64::try_from(at.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_both_ways() {
        let time = 1_700_000_000_123_456_789;
        assert_eq!(rfc3339(time), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(parse("2023-11-14T22:13:20.123456789Z", 0), Some(time));
        assert_eq!(parse("2023-11-14T23:13:20.123456789+01:00", 0), Some(time));
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
    }

    #[test]
    fn relative_times_count_back() {
        let now = 1_000_000 * SECOND;
        assert_eq!(parse("now", now), Some(now));
        assert_eq!(parse("now-3h", now), Some(now - 10_800 * SECOND));
        assert_eq!(parse("now-90s", now), Some(now - 90 * SECOND));
        assert_eq!(parse("now-999w", now), Some(0));
        for wrong in [
            "",
            "now-",
            "now-h",
            "now-3",
            "now-3y",
            "yesterday",
            "now-99999999999999999w",
            "now-3ü",
        ] {
            assert_eq!(parse(wrong, now), None, "{wrong}");
        }
    }
}
