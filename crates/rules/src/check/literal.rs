//! Literals, read as the left side's type wants them.

use std::net::IpAddr;

use vedette_event::ParamType;

use super::operators::{Family, family};
use super::{Problem, pattern, services};
use crate::condition::Word;
use crate::typed::{Literal, Op};

pub(super) fn typed(op: Op, ty: ParamType, word: &Word) -> Result<Literal, Problem> {
    let text = &*word.text;
    let bad = |what: &str, expected: &str| {
        Err(Problem::new(word.at, format!("'{text}' is no {what}")).expecting(expected))
    };
    let number = "a decimal number (hexadecimal is not read here)";
    match family(ty) {
        _ if ty == ParamType::Port => match port(text) {
            Some(port) => Ok(Literal::U64(port)),
            None => bad("port", "a number or a service's name such as https"),
        },
        Family::Unsigned(bits) => match parse_u64(text) {
            // Wider numbers lose their upper bits, as they do when Falco stores them.
            Some(value) => Ok(Literal::U64(value & (u64::MAX >> (64 - bits)))),
            None => bad("number", number),
        },
        Family::Signed(bits) => match parse_i64(text) {
            Some(value) => Ok(Literal::I64(value << (64 - bits) >> (64 - bits))),
            None => bad("number", number),
        },
        Family::Double => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Literal::F64(value)),
            _ => bad("number", "a number"),
        },
        Family::Bool => match text {
            "true" => Ok(Literal::Bool(true)),
            "false" => Ok(Literal::Bool(false)),
            _ => bad("boolean", "true or false"),
        },
        Family::Bytes if matches!(op, Op::BContains | Op::BStartsWith) => match unhex(text) {
            Some(bytes) => Ok(Literal::Bytes(bytes.into())),
            None => bad("hexadecimal text", "pairs of hexadecimal digits"),
        },
        Family::Bytes => Ok(Literal::Bytes(text.as_bytes().into())),
        Family::Text => {
            if op == Op::Regex
                && let Err(why) = pattern::to_rust(text)
            {
                return Err(Problem::new(
                    word.at,
                    format!("'{text}' is no pattern: {why}"),
                ));
            }
            Ok(Literal::Text(text.as_bytes().into()))
        }
        Family::Address => match address(text) {
            Some(address) => Ok(Literal::Ip(address)),
            None => bad("address", "an IPv4 or IPv6 address"),
        },
        Family::Network => match network(text) {
            Some((address, bits)) => Ok(Literal::Net(address, bits)),
            None => bad("network", "a network such as 10.0.0.0/8 or fd00::/8"),
        },
        Family::Opaque => bad("value to compare with", "exists"),
    }
}

/// A decimal number as C's `scanf` reads it: white space and a sign before it, nothing behind; a minus wraps around, what
/// is too large ends at the largest.
pub(crate) fn parse_u64(text: &str) -> Option<u64> {
    let (negative, digits) = sign(text)?;
    let value = digits.bytes().try_fold(0u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    Some(match value {
        None => u64::MAX,
        Some(value) if negative => value.wrapping_neg(),
        Some(value) => value,
    })
}

fn parse_i64(text: &str) -> Option<i64> {
    let (negative, digits) = sign(text)?;
    let value = digits.bytes().fold(0i128, |value, digit| {
        (value * 10 + i128::from(digit - b'0')).min(1 << 64)
    });
    let value = if negative { -value } else { value };
    Some(value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}

/// Sign and digits, if the text is nothing else.
fn sign(text: &str) -> Option<(bool, &str)> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some((negative, digits))
}

/// A port: empty is 0, digits are a number of which 16 bits count, anything else the name of a service.
fn port(text: &str) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text
            .parse::<i32>()
            .ok()
            .map(|value| u64::from(value as u16));
    }
    services::port(text).map(u64::from)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok())
        .collect()
}

/// A point makes it IPv4, as Falco decides it; IPv4 inside IPv6 is therefore not read.
fn address(text: &str) -> Option<IpAddr> {
    if text.contains('.') {
        text.parse().ok().map(IpAddr::V4)
    } else {
        text.parse().ok().map(IpAddr::V6)
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address_text, bits) = text.split_once('/')?;
    let address = address(address_text)?;
    let bits = u8::try_from(parse_u64(bits)?).ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some((address, bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::At;

    fn read(op: Op, ty: ParamType, text: &str) -> Option<Literal> {
        typed(
            op,
            ty,
            &Word {
                text: text.into(),
                at: At::default(),
            },
        )
        .ok()
    }

    #[test]
    fn numbers_are_decimal_and_wrap_like_scanf() {
        let u = |ty, text| read(Op::Eq, ty, text);
        assert_eq!(u(ParamType::U64, "12"), Some(Literal::U64(12)));
        assert_eq!(u(ParamType::U64, " +12"), Some(Literal::U64(12)));
        assert_eq!(u(ParamType::U64, "-1"), Some(Literal::U64(u64::MAX)));
        assert_eq!(u(ParamType::U32, "-1"), Some(Literal::U64(0xffff_ffff)));
        assert_eq!(
            u(ParamType::U64, "99999999999999999999"),
            Some(Literal::U64(u64::MAX))
        );
        assert_eq!(u(ParamType::I64, "-2"), Some(Literal::I64(-2)));
        assert_eq!(
            u(ParamType::I64, "-99999999999999999999"),
            Some(Literal::I64(i64::MIN))
        );
        assert_eq!(u(ParamType::I8, "200"), Some(Literal::I64(-56)));
        for bad in ["", "0x3", "1.5", "1e+5", "12 ", "a", "--1"] {
            assert_eq!(u(ParamType::I64, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn ports_take_service_names() {
        let p = |text| read(Op::Eq, ParamType::Port, text);
        assert_eq!(p("https"), Some(Literal::U64(443)));
        assert_eq!(p("22"), Some(Literal::U64(22)));
        assert_eq!(p(""), Some(Literal::U64(0)));
        assert_eq!(p("65616"), Some(Literal::U64(80)));
        assert_eq!(p("no-such-service"), None);
        assert_eq!(p("99999999999"), None);
    }

    #[test]
    fn addresses_and_networks_are_told_apart_by_a_point() {
        let a = |text| read(Op::Eq, ParamType::IpAddr, text);
        let n = |text| read(Op::In, ParamType::IpNet, text);
        assert_eq!(
            a("10.1.2.3"),
            Some(Literal::Ip("10.1.2.3".parse().unwrap()))
        );
        assert_eq!(a("::1"), Some(Literal::Ip("::1".parse().unwrap())));
        assert_eq!(
            (a("::ffff:1.2.3.4"), a("10.0.0.0/8"), a("host")),
            (None, None, None)
        );
        assert_eq!(
            n("10.0.0.0/8"),
            Some(Literal::Net("10.0.0.0".parse().unwrap(), 8))
        );
        assert_eq!(
            n("fd00::/7"),
            Some(Literal::Net("fd00::".parse().unwrap(), 7))
        );
        assert_eq!(
            (n("10.0.0.1"), n("10.0.0.0/33"), n("fd00::/129")),
            (None, None, None)
        );
    }

    #[test]
    fn bytes_are_hexadecimal_for_their_own_operators_only() {
        let b = |op, text| read(op, ParamType::ByteBuf, text);
        assert_eq!(
            b(Op::BContains, "cafE"),
            Some(Literal::Bytes([0xca, 0xfe].into()))
        );
        assert_eq!(
            b(Op::Contains, "cafe"),
            Some(Literal::Bytes((*b"cafe").into()))
        );
        assert_eq!(
            (b(Op::BContains, "caf"), b(Op::BStartsWith, "zz")),
            (None, None)
        );
    }

    #[test]
    fn booleans_have_two_words() {
        let b = |text| read(Op::Eq, ParamType::Bool, text);
        assert_eq!(
            (b("true"), b("false")),
            (Some(Literal::Bool(true)), Some(Literal::Bool(false)))
        );
        assert_eq!((b("True"), b("1"), b("yes")), (None, None, None));
    }
}
