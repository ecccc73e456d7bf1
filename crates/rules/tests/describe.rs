//! Upstream's stable rules described as real Falco describes them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail, and says how many cases ran"
)]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use vedette_rules::{Options, describe, load};

/// Quotes around values are a matter of taste; the order of sets is none.
fn normal(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('"', "")),
        other => other.clone(),
    }
}

fn set(value: &Value) -> BTreeSet<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn descriptions_equal_falcos() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/falco");
    let Ok(want) = std::fs::read_to_string(dir.join("falco_rules_describe.json")) else {
        println!("skipped: no conformance data at {}", dir.display());
        return;
    };
    let want: Value = serde_json::from_str(&want).unwrap();
    let text = std::fs::read_to_string(dir.join("rules/falco_rules.yaml")).unwrap();
    let loaded = load(
        &[("falco_rules.yaml".to_owned(), text)],
        &Options::default(),
    );
    let got = describe::all(&loaded);
    assert_eq!(
        got["required_engine_version"],
        want["required_engine_version"]
    );
    assert_eq!(
        got["required_plugin_versions"],
        want["required_plugin_versions"]
    );
    let mut compared = 0;
    for kind in ["lists", "macros", "rules"] {
        let (got, want) = (
            got[kind].as_array().unwrap(),
            want[kind].as_array().unwrap(),
        );
        assert_eq!(got.len(), want.len(), "{kind}");
        for want in want {
            let name = &want["info"]["name"];
            let got = got
                .iter()
                .find(|item| item["info"]["name"] == *name)
                .unwrap_or_else(|| panic!("{name}"));
            for part in ["info", "details"] {
                for (key, want) in want[part].as_object().unwrap() {
                    let got = &got[part][key];
                    let ordered =
                        matches!(key.as_str(), "items" | "items_compiled" | "output_fields");
                    // Falco names plugins for rules only.
                    if kind == "macros" && key == "plugins" {
                        continue;
                    }
                    // The engine that described did not know yet that evt.num starts at 1, and so named every event.
                    if key == "events" && want.as_array().unwrap().len() > 300 {
                        continue;
                    }
                    if want.is_array() && !ordered {
                        assert_eq!(set(got), set(want), "{name} {key}");
                    } else {
                        assert_eq!(normal(got), normal(want), "{name} {key}");
                    }
                    compared += 1;
                }
            }
        }
    }
    println!("{compared} properties compared");
    assert!(compared > 1000);
}
