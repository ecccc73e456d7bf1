//! Edits of YAML and JSON text, byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use vedette_posture::check::Edit;
use vedette_posture::fix::edit::{Refusal, apply};

fn set(text: &str, path: &str, yaml: &str) -> String {
    apply(text, "", &Edit::Set(path.into(), yaml.into()))
        .unwrap()
        .unwrap()
}

fn remove(text: &str, path: &str) -> String {
    apply(text, "", &Edit::Remove(path.into()))
        .unwrap()
        .unwrap()
}

#[test]
fn scalars_are_replaced_in_place() {
    assert_eq!(
        set("a: 1 # one\nb: 'x'\n", "b", "false"),
        "a: 1 # one\nb: false\n"
    );
    assert_eq!(
        set("a:   # none\nb: 2\n", "a", "1"),
        "a: 1   # none\nb: 2\n"
    );
}

#[test]
fn missing_keys_are_added_behind_the_last_one() {
    assert_eq!(
        set(
            "s:\n  c:\n  - n: x # c\n    # about i\n    i: y\n  # end\n",
            "s.c[0].q.r",
            "1"
        ),
        "s:\n  c:\n  - n: x # c\n    # about i\n    i: y\n    q:\n      r: 1\n  # end\n"
    );
    assert_eq!(set("a: {b: 1}", "a.c.d", "[X]"), "a: {b: 1, c: {d: [X]}}");
    assert_eq!(set("a: {}\r\n", "a.c", "1"), "a: {c: 1}\r\n");
    assert_eq!(set("a:\nb: 1\n", "a.c", "1"), "a:\n  c: 1\nb: 1\n");
    assert_eq!(set("a: null\n", "a.c", "1"), "a: {c: 1}\n");
    assert_eq!(
        set("a: |\n  text\n\nb:\n- x\n", "c", "1"),
        "a: |\n  text\n\nb:\n- x\nc: 1\n"
    );
}

#[test]
fn json_stays_json() {
    assert_eq!(
        set("{\n  \"a\": {\n    \"b\": 1\n  }\n}\n", "a.c.d", "[ALL]"),
        "{\n  \"a\": {\n    \"b\": 1,\n    \"c\": {\"d\": [\"ALL\"]}\n  }\n}\n"
    );
}

#[test]
fn entries_and_items_are_taken_away_with_their_lines() {
    assert_eq!(
        remove("a: 1\nb:\n  c: 2\n  d: 3\ne: 4\n", "b"),
        "a: 1\ne: 4\n"
    );
    assert_eq!(remove("l:\n- a: 1\n  b: 2\n", "l[0].a"), "l:\n- b: 2\n");
    assert_eq!(remove("l:\n- a\n- b\nz: 1\n", "l[1]"), "l:\n- a\nz: 1\n");
    assert_eq!(remove("l:\n- a\nz: 1\n", "l[0]"), "l: []\nz: 1\n");
    assert_eq!(remove("l: [a, b, c]", "l[2]"), "l: [a, b]");
    assert_eq!(remove("l: [a, b, c]", "l[0]"), "l: [b, c]");
    assert_eq!(remove("m: {a: 1}", "m.a"), "m: {}");
}

#[test]
fn appending_keeps_the_style_of_the_list() {
    let append = |text: &str| apply(text, "", &Edit::Append("d".into(), "ALL".into())).unwrap();
    assert_eq!(
        append("d:\n  - A # a\nz: 1\n").unwrap(),
        "d:\n  - A # a\n  - ALL\nz: 1\n"
    );
    assert_eq!(append("d: [A]").unwrap(), "d: [A, ALL]");
    assert_eq!(append("d: [ALL]"), None);
}

#[test]
fn shared_values_are_refused() {
    let edit = Edit::Set("b.c".into(), "1".into());
    assert!(matches!(
        apply("a: &x {c: 2}\nb: *x\n", "", &edit),
        Err(Refusal::Aliased(_))
    ));
    let edit = Edit::Set("a.c".into(), "1".into());
    assert!(matches!(
        apply("a: &x {c: 2}\nb: *x\n", "", &edit),
        Err(Refusal::Aliased(_))
    ));
}
