//! Every transformer, on a source with two fields.

use super::*;
use vedette_event::{EventType, FieldRef, ParamType, StateKey};

/// `proc.name` is a text, `ka.user.groups` a list; everything else is missing.
struct Source {
    name: &'static [u8],
    groups: &'static [&'static str],
}

impl Extract for Source {
    fn kind(&self) -> EventType {
        EventType(0)
    }
    fn num(&self) -> u64 {
        1
    }
    fn ts(&self) -> u64 {
        1
    }
    fn state_key(&self) -> Option<StateKey> {
        None
    }
    fn extract<'s>(&'s self, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
        match field.info().name {
            "proc.name" => Extracted::One(Value::Text(self.name)),
            "ka.user.groups" => {
                room.clear();
                for group in self.groups {
                    room.push(Value::Text(group.as_bytes()));
                }
                Extracted::Many(room)
            }
            _ => Extracted::Missing,
        }
    }
}

fn field(text: &str) -> Arg {
    Arg::Operand(Operand::Field(FieldRef::parse(text).expect(text)))
}

fn call(transformer: Transformer, args: Vec<Arg>, key: Option<&str>, list: bool) -> Operand {
    let key = key.map(Into::into);
    Operand::Call(Call {
        transformer,
        args,
        key,
        ty: ParamType::CharBuf,
        list,
    })
}

/// What `operand` gives, texts joined by `|`; `None` for no value.
fn result(operand: &Operand, source: &Source) -> Option<String> {
    let mut room = Values::default();
    let show = |value: Value<'_>| match value {
        Value::Text(text) => text.escape_ascii().to_string(),
        other => format!("{other:?}"),
    };
    match extract(operand, source, &mut room, &mut Scratch::default()) {
        Extracted::Missing => None,
        Extracted::One(value) => Some(show(value)),
        Extracted::Many(values) => Some(values.iter().map(show).collect::<Vec<_>>().join("|")),
    }
}

fn of_name(transformer: Transformer, name: &'static [u8]) -> Option<String> {
    let operand = call(transformer, vec![field("proc.name")], None, false);
    result(&operand, &Source { name, groups: &[] })
}

#[test]
fn texts_are_changed_byte_by_byte() {
    assert_eq!(
        of_name(Transformer::ToLower, b"NgInX\xc9").as_deref(),
        Some(r"nginx\xc9")
    );
    assert_eq!(
        of_name(Transformer::ToUpper, b"ls\0\0").as_deref(),
        Some("LS")
    );
    assert_eq!(
        of_name(Transformer::Basename, b"/usr/bin/ls").as_deref(),
        Some("ls")
    );
    assert_eq!(of_name(Transformer::Basename, b"ls").as_deref(), Some("ls"));
    assert_eq!(
        of_name(Transformer::Basename, b"/usr/").as_deref(),
        Some("")
    );
    assert_eq!(of_name(Transformer::Len, b"ls").as_deref(), Some("U64(2)"));
    assert_eq!(
        of_name(Transformer::Len, b"ls\0more").as_deref(),
        Some("U64(2)")
    );
    assert_eq!(of_name(Transformer::Len, b"").as_deref(), Some("U64(0)"));
}

#[test]
fn base64_is_decoded_strictly() {
    for (text, expected) in [
        (&b"R0VUIC8="[..], Some("GET /")),
        (b"R0VUIC8", Some("GET /")),
        (b"R0VUIA==", Some("GET ")),
        (b"R0VU", Some("GET")),
        (b"", Some("")),
        (b"R0VUIC9=", None),
        (b"R0VUI", None),
        (b"R0V UIC8=", None),
        (b"=", None),
        (b"R0VUIA===", None),
        (b"_w==", None),
        (b"/w==", Some(r"\xff")),
    ] {
        assert_eq!(
            of_name(Transformer::B64, text).as_deref(),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn lists_are_counted_joined_and_changed_element_by_element() {
    let source = Source {
        name: b"me",
        groups: &["Dev", "Ops"],
    };
    let groups = || vec![field("ka.user.groups")];
    let of = |operand: &Operand| result(operand, &source);
    assert_eq!(
        of(&call(Transformer::Len, groups(), None, false)).as_deref(),
        Some("U64(2)")
    );
    let lower = call(Transformer::ToLower, groups(), None, true);
    assert_eq!(of(&lower).as_deref(), Some("dev|ops"));
    let comma = || Arg::Text(", ".into());
    let join = |list: Arg| call(Transformer::Join, vec![comma(), list], None, false);
    assert_eq!(
        of(&join(field("ka.user.groups"))).as_deref(),
        Some("Dev, Ops")
    );
    let parts = Arg::List(vec![
        field("proc.name"),
        Arg::Text("x".into()),
        Arg::Operand(lower),
    ]);
    assert_eq!(of(&join(parts)).as_deref(), Some("me, x, dev, ops"));
    let missing = Arg::List(vec![field("proc.name"), field("proc.pname")]);
    assert_eq!(of(&join(missing)), None);
    assert_eq!(of(&join(Arg::List(vec![]))).as_deref(), Some(""));
    let concat = |args| call(Transformer::Concat, args, None, false);
    assert_eq!(
        of(&concat(vec![field("proc.name"), comma(), comma()])).as_deref(),
        Some("me, , ")
    );
    assert_eq!(
        of(&concat(vec![field("proc.name"), field("proc.pname")])),
        None
    );
}

#[test]
fn transformers_nest() {
    let lower = call(Transformer::ToLower, vec![field("proc.name")], None, false);
    let base = call(
        Transformer::Basename,
        vec![Arg::Operand(lower)],
        None,
        false,
    );
    let length = call(
        Transformer::Len,
        vec![Arg::Operand(base.clone())],
        None,
        false,
    );
    let source = Source {
        name: b"/Usr/LS",
        groups: &[],
    };
    assert_eq!(result(&base, &source).as_deref(), Some("ls"));
    assert_eq!(result(&length, &source).as_deref(), Some("U64(2)"));
}

#[test]
fn getopt_reads_short_options() {
    let getopt = |words: &[&str], options: &str, key: Option<&str>| {
        let words = Arg::List(words.iter().map(|w| Arg::Text((*w).into())).collect());
        let args = vec![words, Arg::Text(options.into())];
        let operand = call(Transformer::GetOpt, args, key, key.is_none());
        result(
            &operand,
            &Source {
                name: b"",
                groups: &[],
            },
        )
    };
    let list = |words: &[&str], options| getopt(words, options, None).expect("a list");
    assert_eq!(list(&["-n", "-t", "5"], "nt:"), "n|t|5");
    assert_eq!(list(&["-nt5"], "nt:"), "n|t|5");
    assert_eq!(list(&["-x"], "nt:"), "?");
    assert_eq!(list(&["--long", "-n"], "n"), "n");
    assert_eq!(list(&["-n", "--", "-n"], "n"), "n");
    assert_eq!(list(&["-n", "file", "-n"], "n"), "n");
    assert_eq!(list(&["-t"], "t:"), "", "a missing value is an empty text");
    assert_eq!(list(&[], "t:"), "");
    assert_eq!(
        getopt(&["-t", "1", "-t2"], "t:", Some("t")).as_deref(),
        Some("2")
    );
    assert_eq!(getopt(&["-n"], "n", Some("n")).as_deref(), Some("n"));
    assert_eq!(getopt(&["-n"], "nt:", Some("t")), None);
    assert_eq!(getopt(&["-t"], "t:", Some("t")).as_deref(), Some(""));
}
