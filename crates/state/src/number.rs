//! Numbers as text, written into a buffer that is already there.

/// Appends `value` in decimal.
pub(crate) fn push_u64(out: &mut Vec<u8>, value: u64) {
    push_radix(out, value, 10);
}

/// Appends `value` in decimal with its sign.
pub(crate) fn push_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_u64(out, value.unsigned_abs());
}

/// Appends `value` in base 8, 10 or 16 (capital letters).
pub(crate) fn push_radix(out: &mut Vec<u8>, mut value: u64, radix: u64) {
    // 64 bits are at most 22 octal digits.
    let mut digits = [0u8; 24];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789ABCDEF"[(value % radix) as usize];
        value /= radix;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `value` in decimal, with leading zeros up to `width` digits.
pub(crate) fn push_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let from = out.len();
    push_u64(out, value);
    let missing = width.saturating_sub(out.len() - from);
    out.splice(from..from, std::iter::repeat_n(b'0', missing));
}

/// Appends `value` with at most six significant digits, the way `%g` does it.
pub(crate) fn push_general(out: &mut Vec<u8>, value: f64) {
    use std::io::Write as _;
    if value == 0.0 {
        out.push(b'0');
        return;
    }
    let mut buffer = [0u8; 32];
    let mut cursor = &mut buffer[..];
    write!(cursor, "{value:.5e}").expect("a double in this form is shorter than 32 bytes");
    let left = cursor.len();
    let used = buffer.len() - left;
    let text = std::str::from_utf8(&buffer[..used]).unwrap_or("0e0");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        let from = out.len();
        write!(out, "{value:.decimals$}").expect("writing to a vector cannot fail");
        if out[from..].contains(&b'.') {
            while out.last() == Some(&b'0') {
                out.pop();
            }
            if out.last() == Some(&b'.') {
                out.pop();
            }
        }
    } else {
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
        write!(
            out,
            "{mantissa}e{}{:02}",
            if exponent < 0 { '-' } else { '+' },
            exponent.abs()
        )
        .expect("writing to a vector cannot fail");
    }
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
    fn numbers_are_written_in_every_base() {
        assert_eq!(text(|o| push_u64(o, 0)), "0");
        assert_eq!(text(|o| push_i64(o, i64::MIN)), "-9223372036854775808");
        assert_eq!(text(|o| push_radix(o, u64::MAX, 16)), "FFFFFFFFFFFFFFFF");
        assert_eq!(text(|o| push_radix(o, 0o755, 8)), "755");
        assert_eq!(text(|o| push_padded(o, 7, 9)), "000000007");
    }

    #[test]
    fn ratios_look_as_percent_g() {
        for (value, want) in [
            (0.5, "0.5"),
            (0.001, "0.001"),
            (1.0, "1"),
            (100.0, "100"),
            (123456.789, "123457"),
            (1234567.0, "1.23457e+06"),
            (0.00001, "1e-05"),
            (18.446744073, "18.4467"),
        ] {
            assert_eq!(text(|o| push_general(o, value)), want);
        }
    }
}
