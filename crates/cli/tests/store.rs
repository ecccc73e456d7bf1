//! `vedette store` as a program: its words and its exit codes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use vedette_history::{History, State};
use vedette_store::Store;
use vedette_testkit::history::{Plan, records};

fn run(arguments: &[&str], paths: &[&Path]) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .arg("store")
        .args(arguments)
        .args(paths)
        .output()
        .unwrap();
    (
        done.status.code().unwrap(),
        String::from_utf8(done.stdout).unwrap(),
        String::from_utf8(done.stderr).unwrap(),
    )
}

#[test]
fn a_store_is_backed_up_in_use_restored_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy, back) = (
        dir.path().join("data"),
        dir.path().join("copy"),
        dir.path().join("back"),
    );
    let store = Store::open(&data).unwrap();
    store
        .append(records(Plan::fortnight(300, 1_767_225_600_000_000_000)).collect())
        .unwrap();
    store.flush().unwrap();

    let (code, out, error) = run(&["backup"], &[&data, &copy]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("1 segments with 300 records"), "{out}");
    let (code, _, error) = run(&["stats"], &[&data]);
    assert_eq!(code, 2);
    assert!(error.contains("another process uses"), "{error}");
    drop(store);

    assert_eq!(run(&["restore"], &[&copy, &back]).0, 0);
    let (code, _, error) = run(&["restore"], &[&copy, &back]);
    assert_eq!(code, 2);
    assert!(error.contains("not empty"), "{error}");
    let (code, out, _) = run(&["check"], &[&back]);
    assert_eq!((code, out.ends_with(": sound\n")), (0, true), "{out}");
    let (code, out, _) = run(&["stats", "-o", "json"], &[&back]);
    assert_eq!(code, 0);
    let stats: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(stats["findings"]["rows"], 300);
    assert!(run(&["stats"], &[&back]).1.contains("findings"));
    let restored = Store::open(&back).unwrap();
    assert!(restored.log("audit", None, 1).unwrap().is_empty());
    assert_eq!(restored.sequence(), 300);
    drop(restored);

    let segment = std::fs::read_dir(back.join("segments"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(&segment, "not a segment").unwrap();
    let (code, out, _) = run(&["check"], &[&back]);
    assert_eq!((code, out.contains("1 problems")), (1, true), "{out}");
    let (code, _, error) = run(&["check"], &[&dir.path().join("nothing")]);
    assert_eq!(code, 2);
    assert!(error.contains("there is no store"), "{error}");
}
