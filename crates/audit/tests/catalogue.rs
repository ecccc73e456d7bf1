//! The table of types names every type that GuardDuty has, and says how each is covered.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod shared;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use shared::conformance;
use vedette_audit::findings::catalogue::{Coverage, all, find};
use vedette_audit::findings::texts;

#[test]
fn no_type_is_missing_and_none_is_made_up() {
    let Some(folder) = conformance("guardduty") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("finding_types.json")).unwrap();
    let types: Value = serde_json::from_str(&text).unwrap();
    let types = types["findings"].as_array().unwrap();
    let mut covered = BTreeMap::new();
    for expected in types {
        let name = expected["type"].as_str().unwrap();
        let ours = find(name).unwrap_or_else(|| panic!("{name} has no row"));
        if let Some(severity) = expected["typical_numeric"].as_f64() {
            assert!(
                (ours.severity - severity).abs() < 0.01,
                "{name}: {}",
                ours.severity
            );
        }
        *covered.entry(format!("{:?}", ours.coverage)).or_insert(0) += 1;
    }
    assert_eq!(types.len(), all().len());
    println!("{} types: {covered:?}", types.len());
}

#[test]
fn every_row_says_by_what_or_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for row in all() {
        match row.coverage {
            Coverage::Detector => {
                let other = texts("no such type");
                assert_ne!(texts(row.name), other, "{} has no texts", row.name);
            }
            Coverage::List => {
                assert!(
                    ["tor", "threat", "custom", "aws"].contains(&row.detail),
                    "{}: {}",
                    row.name,
                    row.detail
                );
            }
            Coverage::Rule => {
                for file in row.detail.split(' ') {
                    assert!(root.join(file).exists(), "{}: no file {file}", row.name);
                }
            }
            Coverage::Open | Coverage::Outside => {
                assert!(!row.detail.is_empty(), "{} gives no reason", row.name);
            }
            Coverage::Baseline | Coverage::Sequence => {}
        }
    }
}
