//! Times as text, without asking any clock.

use crate::number::push_padded;

const NS_PER_S: u64 = 1_000_000_000;

/// A moment split into what a calendar and a clock show.
struct Civil {
    year: i64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    ns: u64,
}

impl Civil {
    /// `ts` nanoseconds since the Unix epoch, `offset` seconds east of UTC.
    fn new(ts: u64, offset: i32) -> Self {
        let seconds = (ts / NS_PER_S) as i64 + i64::from(offset);
        let days = seconds.div_euclid(86_400);
        let of_day = seconds.rem_euclid(86_400) as u64;
        // Counted from 1 March of year 0, so that the leap day is the last of its year.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u64,
            day: day as u64,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            ns: ts % NS_PER_S,
        }
    }

    fn write_date(&self, out: &mut Vec<u8>) {
        push_padded(out, self.year.unsigned_abs(), 4);
        out.push(b'-');
        push_padded(out, self.month, 2);
        out.push(b'-');
        push_padded(out, self.day, 2);
    }

    fn write_clock(&self, out: &mut Vec<u8>, with_ns: bool) {
        push_padded(out, self.hour, 2);
        out.push(b':');
        push_padded(out, self.minute, 2);
        out.push(b':');
        push_padded(out, self.second, 2);
        if with_ns {
            out.push(b'.');
            push_padded(out, self.ns, 9);
        }
    }
}

/// Appends `22:16:30.284672989`, or without the fraction.
pub(crate) fn write_clock(out: &mut Vec<u8>, ts: u64, offset: i32, with_ns: bool) {
    Civil::new(ts, offset).write_clock(out, with_ns);
}

/// Appends `2026-11-21 22:16:30.284672989`, or without the fraction.
pub(crate) fn write_date_time(out: &mut Vec<u8>, ts: u64, offset: i32, with_ns: bool) {
    let civil = Civil::new(ts, offset);
    civil.write_date(out);
    out.push(b' ');
    civil.write_clock(out, with_ns);
}

/// Appends `2026-11-21T22:16:30.284672989+0000`.
pub(crate) fn write_iso_8601(out: &mut Vec<u8>, ts: u64) {
    let civil = Civil::new(ts, 0);
    civil.write_date(out);
    out.push(b'T');
    civil.write_clock(out, true);
    out.extend_from_slice(b"+0000");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_are_shown_as_calendars_do() {
        let ts = 1_795_299_390_284_672_989;
        assert_eq!(text(|o| write_clock(o, ts, 0, true)), "22:16:30.284672989");
        assert_eq!(
            text(|o| write_date_time(o, ts, 3600, false)),
            "2026-11-21 23:16:30"
        );
        assert_eq!(
            text(|o| write_iso_8601(o, ts)),
            "2026-11-21T22:16:30.284672989+0000"
        );
        assert_eq!(
            text(|o| write_date_time(o, 0, 0, true)),
            "1970-01-01 00:00:00.000000000"
        );
        assert_eq!(
            text(|o| write_date_time(o, 951_782_400 * 1_000_000_000, 0, false)),
            "2000-02-29 00:00:00"
        );
        assert_eq!(
            text(|o| write_date_time(o, 0, -3600, false)),
            "1969-12-31 23:00:00"
        );
    }
}
