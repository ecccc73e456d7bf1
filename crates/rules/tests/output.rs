//! Outputs: what a format takes as a field, and what it shows of an event.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::json;
use vedette_event::{EventType, Extract, Extracted, FieldRef, StateKey, Value, Values};
use vedette_rules::catalogue::Catalogue;
use vedette_rules::check::Checker;
use vedette_rules::output::{Format, Renderer, control_escaped};

enum Given {
    One(Value<'static>),
    Many(Vec<Value<'static>>),
}

/// An event at which some fields have values.
struct Event(HashMap<&'static str, Given>);

impl Extract for Event {
    fn kind(&self) -> EventType {
        EventType(3)
    }
    fn num(&self) -> u64 {
        7
    }
    fn ts(&self) -> u64 {
        1_795_299_390_408_172_594
    }
    fn state_key(&self) -> Option<StateKey> {
        None
    }
    fn extract<'s>(&'s self, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
        match self.0.get(&*field.text) {
            None => Extracted::Missing,
            Some(Given::One(value)) => Extracted::One(*value),
            Some(Given::Many(values)) => {
                room.clear();
                for value in values {
                    room.push(*value);
                }
                Extracted::Many(room)
            }
        }
    }
}

fn event() -> Event {
    let one = Given::One;
    let v6: IpAddr = "::1.2.3.4".parse().unwrap();
    Event(HashMap::from([
        ("evt.num", one(Value::U64(7))),
        ("evt.time", one(Value::Text(b"22:16:30.408172594"))),
        ("evt.failed", one(Value::Bool(false))),
        ("fd.num", one(Value::I64(-1))),
        ("proc.name", one(Value::Text(b"Caf\xc3\xa9\n\xff\x1b[2J"))),
        ("proc.aname[2]", one(Value::Text(b"bash"))),
        ("proc.pname", one(Value::Text(b"bash"))),
        ("fd.sip", one(Value::Ip("10.0.0.1".parse().unwrap()))),
        ("fd.cip", one(Value::Ip(v6))),
        ("thread.cpu", one(Value::F64(12.25))),
        ("evt.buffer", one(Value::Bytes(b"a\"b\\\x00\x7fc"))),
        (
            "ka.user.groups",
            Given::Many(vec![Value::Text(b"a"), Value::Text(b"b")]),
        ),
        ("ka.req.role.rules.verbs", Given::Many(vec![])),
    ]))
}

fn shown(format: &str, source: &str) -> (String, serde_json::Value) {
    let catalogue = Catalogue::default();
    let format = Format::parse(format, &mut Checker::new(&catalogue, source))
        .unwrap_or_else(|e| panic!("{e:?}"));
    let mut renderer = Renderer::default();
    (
        renderer.text(&format, &event()),
        renderer.fields(&format, &event()).into(),
    )
}

fn text(format: &str) -> String {
    shown(format, "syscall").0
}

#[test]
fn the_longest_field_is_taken_and_the_rest_is_text() {
    assert_eq!(text("n=%evt.num."), "n=7.");
    assert_eq!(text("*%evt.numbers"), "7bers");
    assert_eq!(text("%proc.aname[2]%fd.num"), "bash-1");
    assert_eq!(text("(%evt.num)"), "(7)");
    assert_eq!(text("%evt.num[x]"), "7[x]");
    assert_eq!(text("%evt.arg.flagsx %proc.pid"), "<NA>x <NA>");
    assert_eq!(
        text("%fd.sip %fd.cip %thread.cpu %evt.failed"),
        "10.0.0.1 ::1.2.3.4 12.2 false"
    );
}

#[test]
fn widths_pad_and_cut() {
    assert_eq!(
        text("%5evt.num|%2proc.aname[2]|%6proc.pid|"),
        "7    |ba|<NA>  |"
    );
}

#[test]
fn transformers_show_in_the_text_and_their_fields_in_the_object() {
    let (text, fields) = shown("%toupper(proc.pname) %len(proc.pname)", "syscall");
    assert_eq!(text, "BASH 4");
    assert_eq!(fields, json!({"proc.pname": "bash"}));
}

#[test]
fn bytes_and_control_characters_are_tamed() {
    assert_eq!(text("%evt.buffer"), "a\\\"b\\\\..c");
    let shown = text("%proc.name");
    assert_eq!(shown, "Caf\u{e9}\n\u{fffd}\u{1b}[2J");
    assert_eq!(control_escaped(&shown), "Caf\u{e9}\\n\u{fffd}\\u001b[2J");
}

#[test]
fn values_keep_their_types_in_the_object() {
    let (_, fields) = shown(
        "%evt.num %evt.time %evt.failed %fd.num %fd.sip %proc.pid %evt.num %thread.cpu",
        "syscall",
    );
    let want = json!({
        "evt.num": 7, "evt.time": 1_795_299_390_408_172_594_u64, "evt.failed": false, "fd.num": -1, "fd.sip": "10.0.0.1",
        "proc.pid": null, "thread.cpu": 12.25,
    });
    assert_eq!(fields, want);
}

#[test]
fn lists_show_in_parentheses_and_as_arrays() {
    let (text, fields) = shown("%ka.user.groups %ka.req.role.rules.verbs", "k8s_audit");
    assert_eq!(text, "(a,b) ()");
    assert_eq!(
        fields,
        json!({"ka.user.groups": ["a", "b"], "ka.req.role.rules.verbs": null})
    );
}

#[test]
fn what_is_no_format_is_refused() {
    let catalogue = Catalogue::default();
    for (format, at, unknown) in [
        ("", 0, false),
        ("a %", 2, false),
        ("a %12", 2, false),
        ("%99999proc.name", 0, false),
        ("a %nope", 3, true),
        ("100% sure", 4, true),
        ("%not.a.field", 1, true),
        ("%tolower(fd.num)", 1, true),
        ("%ka.verb", 1, true),
    ] {
        let why = Format::parse(format, &mut Checker::new(&catalogue, "syscall")).unwrap_err();
        assert_eq!(
            (why.range.start, why.unknown),
            (at, unknown),
            "{format}: {}",
            why.message
        );
    }
}
