//! Every operator on every type, and how several values meet one comparison.

use super::*;
use vedette_event::FieldRef;

fn text(text: &str) -> Literal {
    Literal::Text(text.as_bytes().into())
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn t(text: &'static str) -> Value<'static> {
    Value::Text(text.as_bytes())
}

fn table(rows: &[(Value<'_>, Op, Literal, bool)]) {
    for (value, op, literal, expected) in rows {
        assert_eq!(
            compare(*op, *value, literal),
            *expected,
            "{value:?} {op:?} {literal:?}"
        );
    }
}

#[test]
fn numbers_compare_by_value() {
    use Literal::{Bool, F64, I64, U64};
    table(&[
        (Value::U64(7), Op::Eq, U64(7), true),
        (Value::U64(7), Op::Ne, U64(7), false),
        (Value::U64(7), Op::Lt, U64(8), true),
        (Value::U64(8), Op::Lt, U64(8), false),
        (Value::U64(8), Op::Le, U64(8), true),
        (Value::U64(9), Op::Gt, U64(8), true),
        (Value::U64(8), Op::Ge, U64(8), true),
        (Value::U64(7), Op::Ge, U64(8), false),
        (Value::I64(-2), Op::Eq, I64(-2), true),
        (Value::I64(-2), Op::Lt, I64(0), true),
        (Value::I64(-2), Op::Gt, I64(-3), true),
        // Across signs nothing wraps around.
        (Value::I64(-1), Op::Eq, U64(u64::MAX), false),
        (Value::I64(-1), Op::Lt, U64(0), true),
        (Value::Bool(true), Op::Eq, Bool(true), true),
        (Value::Bool(true), Op::Ne, Bool(true), false),
        (Value::Bool(false), Op::In, Bool(false), true),
        // Ratios compare as whole numbers.
        (Value::F64(2.9), Op::Eq, F64(2.0), true),
        (Value::F64(2.9), Op::Gt, F64(2.0), false),
        (Value::F64(-2.9), Op::Eq, F64(-2.0), true),
        (Value::U64(7), Op::In, U64(7), true),
        (Value::U64(7), Op::Intersects, U64(8), false),
        // Operators of text mean nothing on numbers.
        (Value::U64(7), Op::Contains, U64(7), false),
        (Value::U64(7), Op::Eq, text("7"), false),
        (Value::U64(7), Op::Ne, text("7"), false),
    ]);
}

#[test]
fn texts_compare_as_c_strings() {
    table(&[
        (t("ls"), Op::Eq, text("ls"), true),
        (t("ls"), Op::Eq, text("LS"), false),
        (t("ls"), Op::Ne, text("cat"), true),
        (t("ls"), Op::Ne, text("ls"), false),
        (t(""), Op::Eq, text(""), true),
        (t("a"), Op::Lt, text("b"), true),
        (t("a"), Op::Lt, text("B"), false),
        (t("ab"), Op::Gt, text("a"), true),
        (t("a"), Op::Le, text("a"), true),
        (t("a"), Op::Ge, text("b"), false),
        (Value::Text(b"\xe9"), Op::Gt, text("z"), true),
        (t("/etc/passwd"), Op::Contains, text("c/p"), true),
        (t("/etc/passwd"), Op::Contains, text("C/P"), false),
        (t("/etc/passwd"), Op::Contains, text(""), true),
        (t("/etc/passwd"), Op::IContains, text("C/P"), true),
        (t("short"), Op::IContains, text("longer than that"), false),
        (t("x"), Op::IContains, text(""), true),
        (t("/etc/passwd"), Op::StartsWith, text("/etc"), true),
        (t("/etc"), Op::StartsWith, text("/etc/"), false),
        (t("libc.so"), Op::EndsWith, text(".so"), true),
        (t("libc.so.6"), Op::EndsWith, text(".so"), false),
        (t("/usr/lib/x"), Op::Glob, text("/usr/*x"), true),
        (t("/usr/lib/x"), Op::Glob, text("/USR/*"), false),
        (t("/usr/lib/x"), Op::IGlob, text("/USR/*"), true),
        (t("/var/run/x"), Op::PMatch, text("/var/run"), true),
        (t("/var/runx"), Op::PMatch, text("/var/run"), false),
        (t("ls"), Op::In, text("ls"), true),
        (t("ls"), Op::Intersects, text("ls"), true),
        (t("ls"), Op::BContains, text("l"), true),
        // Only membership and path prefixes look behind a NUL.
        (t("ls\0x"), Op::Eq, text("ls"), true),
        (t("ls\0x"), Op::Contains, text("x"), false),
        (t("ls\0x"), Op::EndsWith, text("ls"), true),
        (t("ls\0x"), Op::In, text("ls"), false),
        (t("ls\0\0"), Op::In, text("ls"), true),
        (t("/a\0/b"), Op::PMatch, text("/a"), false),
    ]);
}

#[test]
fn buffers_compare_whole() {
    let bytes = |bytes: &'static [u8]| Literal::Bytes(bytes.into());
    let value = Value::Bytes(b"GET\0/\xff");
    table(&[
        (value, Op::Eq, bytes(b"GET\0/\xff"), true),
        (value, Op::Eq, bytes(b"GET"), false),
        (value, Op::Ne, bytes(b"GET"), true),
        (value, Op::Contains, bytes(b"\0/"), true),
        (value, Op::BContains, bytes(b"/\xff"), true),
        (value, Op::StartsWith, bytes(b"GET\0"), true),
        (value, Op::BStartsWith, bytes(b"GE"), true),
        (value, Op::EndsWith, bytes(b"\xff"), true),
        (value, Op::In, bytes(b"GET"), false),
        (value, Op::In, bytes(b"GET\0/\xff"), true),
        (value, Op::Glob, bytes(b"*"), false),
    ]);
}

#[test]
fn addresses_compare_within_their_family() {
    let v4 = Value::Ip(ip("10.1.2.3"));
    let v6 = Value::Ip(ip("fd00::1:2"));
    table(&[
        (v4, Op::Eq, Literal::Ip(ip("10.1.2.3")), true),
        (v4, Op::Ne, Literal::Ip(ip("10.1.2.3")), false),
        (v4, Op::Ne, Literal::Ip(ip("::1")), true),
        (v4, Op::Eq, Literal::Ip(ip("::ffff:10.1.2.3")), false),
        (v4, Op::In, Literal::Ip(ip("10.1.2.3")), true),
        (v4, Op::Lt, Literal::Ip(ip("10.1.2.4")), false),
        (v4, Op::Eq, Literal::Net(ip("10.1.0.0"), 16), true),
        (v4, Op::Eq, Literal::Net(ip("10.1.9.9"), 16), true),
        (v4, Op::In, Literal::Net(ip("10.2.0.0"), 16), false),
        (v4, Op::Ne, Literal::Net(ip("10.2.0.0"), 16), true),
        (v4, Op::Eq, Literal::Net(ip("0.0.0.0"), 0), true),
        (v4, Op::Eq, Literal::Net(ip("10.1.2.3"), 32), true),
        (v4, Op::Eq, Literal::Net(ip("fd00::"), 8), false),
        (v4, Op::Ne, Literal::Net(ip("fd00::"), 8), true),
        (v6, Op::In, Literal::Net(ip("fd00::"), 8), true),
        (v6, Op::In, Literal::Net(ip("fd00::1:3"), 127), true),
        (v6, Op::In, Literal::Net(ip("fd00::1:3"), 128), false),
        (v6, Op::Contains, Literal::Net(ip("fd00::"), 8), false),
    ]);
}

#[test]
fn several_values_meet_a_comparison_as_their_field_says() {
    let operand = |text: &str| Operand::Field(FieldRef::parse(text).expect(text));
    for (text, expected) in [
        ("fd.ip", Meeting::Sides),
        ("fd.port", Meeting::Sides),
        ("fd.net", Meeting::Sides),
        ("fd.proto", Meeting::Sides),
        ("proc.aname", Meeting::Any),
        ("proc.name", Meeting::Any),
        ("ka.user.groups", Meeting::List),
        ("fd.types", Meeting::List),
    ] {
        assert_eq!(meeting(&operand(text)), expected, "{text}");
    }
    let mut two = Values::default();
    two.push(Value::U64(1));
    two.push(Value::U64(2));
    let none = Values::default();
    let is_one = |value: Value<'_>| value == Value::U64(1);
    let small = |value: Value<'_>| number(value).is_some_and(|n| n < 5);
    let many = Extracted::Many(&two);
    let empty = Extracted::Many(&none);

    assert!(meet(Meeting::Sides, Op::Eq, many, is_one), "either side");
    assert!(!meet(Meeting::Sides, Op::Ne, many, is_one), "both sides");
    assert!(meet(Meeting::Sides, Op::Ne, many, small));
    assert!(meet(Meeting::Any, Op::Ne, many, is_one), "one ancestor");
    assert!(!meet(Meeting::List, Op::In, many, is_one), "every element");
    assert!(meet(Meeting::List, Op::In, many, small));
    assert!(
        meet(Meeting::List, Op::Intersects, many, is_one),
        "at least one element"
    );
    assert!(
        !meet(Meeting::List, Op::Eq, many, small),
        "no other operator"
    );

    assert!(meet(Meeting::List, Op::Exists, empty, small));
    assert!(
        meet(Meeting::List, Op::In, empty, is_one),
        "of nothing, everything"
    );
    assert!(!meet(Meeting::List, Op::Intersects, empty, small));
    for meeting in [Meeting::Sides, Meeting::Any] {
        assert!(!meet(meeting, Op::Exists, empty, small));
        assert!(!meet(meeting, Op::Ne, empty, small));
        assert!(meet(meeting, Op::Exists, many, is_one));
    }
    for op in [Op::Exists, Op::Eq, Op::Ne, Op::In, Op::Intersects] {
        assert!(
            !meet(Meeting::Any, op, Extracted::Missing, small),
            "no value, no truth"
        );
    }
    assert!(meet(
        Meeting::Any,
        Op::Exists,
        Extracted::One(Value::U64(9)),
        is_one
    ));
}

#[test]
fn right_side_operands_compare_like_literals() {
    let mut others = Values::default();
    others.push(t("a"));
    others.push(t("b"));
    assert!(compare_extracted(Op::In, t("b"), Extracted::Many(&others)));
    assert!(
        !compare_extracted(Op::Eq, t("b"), Extracted::Many(&others)),
        "the first only"
    );
    assert!(compare_extracted(Op::Eq, t("b"), Extracted::One(t("b\0c"))));
    assert!(compare_extracted(
        Op::Contains,
        t("abc"),
        Extracted::One(t("b\0c"))
    ));
    assert!(!compare_extracted(Op::Ne, t("b"), Extracted::Missing));
}
