//! Upstream's regression suite against real Falco's answers: exit status, alerts, result codes and named items.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Cases that answer differently on purpose, each with the reason.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "TestFalco_Legacy_MonitorSyscallDropsAlert",
        "Falco simulates lost events here; replay loses none",
    ),
    (
        "TestFalco_Legacy_MonitorSyscallDropsExit",
        "Falco simulates lost events here; replay loses none",
    ),
    (
        "TestFalco_Cmd_ListPlugins",
        "sources are built in, there are no plugins to list",
    ),
    (
        "TestFalco_Cmd_PluginInfo",
        "sources are built in, there are no plugins to describe",
    ),
    (
        "TestFalco_Print_IgnoredEvents",
        "the live sensor says what it leaves out; replay ignores nothing",
    ),
    (
        "TestFalco_Print_Rules",
        "Falco failed here because its json plugin was not installed; ours is built in",
    ),
    ("TestFalco_Cmd_Version", "it is another program's version"),
    ("TestFalco_Cmd_Help", "it is another program's help"),
];

fn suite() -> Option<PathBuf> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/falco/regression");
    path.join("manifest.json")
        .exists()
        .then(|| path.canonicalize().unwrap())
}

/// The arguments of a case for our binary: without Falco's own default configuration, with captures where they are here.
fn arguments(case: &Value, root: &Path) -> Option<Vec<String>> {
    let words: Vec<&str> = case["cmd"]
        .as_array()?
        .iter()
        .skip(1)
        .map(|word| word.as_str().unwrap())
        .collect();
    let mut out = Vec::new();
    let mut skip = false;
    for (index, word) in words.iter().enumerate() {
        if skip {
            skip = false;
            continue;
        }
        if *word == "-c"
            && words
                .get(index + 1)
                .is_some_and(|path| path.starts_with("falco/"))
        {
            skip = true;
            continue;
        }
        if let Some((key, path)) = word.split_once("=captures/falco__test_trace_files_") {
            let here = root.join("captures").join(path);
            let there = root
                .join("../captures")
                .join(format!("falco__test_trace_files_{path}"));
            let found = [here, there].into_iter().find(|path| path.exists())?;
            out.push(format!("{key}={}", found.display()));
            continue;
        }
        out.push((*word).to_owned());
    }
    Some(out)
}

fn alerts(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .filter(|line| line.starts_with('{'))
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|value: &Value| value.get("rule").is_some())
        .collect()
}

/// Codes with the names and kinds of the items they speak of, for each file of a validation.
fn verdicts(stdout: &str) -> Option<Vec<Value>> {
    let line = stdout
        .lines()
        .find(|line| line.starts_with("{\"falco_load_results\""))?;
    let value: Value = serde_json::from_str(line).ok()?;
    let complaint = |entry: &Value| {
        let last = entry["context"]["locations"].as_array().and_then(|all| {
            all.iter().rev().find(|at| {
                at["item_name"]
                    .as_str()
                    .is_some_and(|name| !name.is_empty())
            })
        });
        serde_json::json!([
            entry["code"],
            last.map(|at| at["item_name"].clone()),
            last.map(|at| at["item_type"].clone())
        ])
    };
    let list = |file: &Value, key: &str| -> Vec<Value> {
        file[key]
            .as_array()
            .into_iter()
            .flatten()
            .map(complaint)
            .collect()
    };
    let files = value["falco_load_results"].as_array()?;
    Some(
        files
            .iter()
            .map(|file| {
                serde_json::json!([
                    file["successful"],
                    list(file, "errors"),
                    list(file, "warnings")
                ])
            })
            .collect(),
    )
}

/// Text alerts: what is neither JSON nor the summary.
fn text_alerts(stdout: &str) -> Vec<String> {
    let summary = [
        "Events detected",
        "Rule counts",
        "   ",
        "Triggered rules",
        "Syscall event",
        "{",
    ];
    stdout
        .lines()
        .filter(|line| !line.is_empty() && !summary.iter().any(|start| line.starts_with(start)))
        .map(str::to_owned)
        .collect()
}

fn check(case: &Value, root: &Path) -> Result<(), String> {
    let name = case["test"].as_str().unwrap();
    let arguments = arguments(case, root).ok_or("its capture is not here")?;
    let output = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .arg("falco")
        .args(&arguments)
        .current_dir(root)
        .env("TZ", "UTC")
        .env(
            "FALCO_HOSTNAME",
            case["env"]["FALCO_HOSTNAME"].as_str().unwrap_or("vm"),
        )
        .output()
        .unwrap();
    let (got, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let wanted =
        std::fs::read_to_string(root.join("output").join(format!("{name}.stdout"))).unwrap();
    if output.status.code().map(i64::from) != case["rc"].as_i64() {
        return Err(format!(
            "exit {:?}, expected {}: {errors}",
            output.status.code(),
            case["rc"]
        ));
    }
    let same =
        |what: &str, got: &dyn std::fmt::Debug, wanted: &dyn std::fmt::Debug, equal: bool| {
            if equal {
                Ok(())
            } else {
                Err(format!("{what}\n  got    {got:?}\n  wanted {wanted:?}"))
            }
        };
    let (a, b) = (alerts(&got), alerts(&wanted));
    same("alerts", &a, &b, a == b)?;
    let (a, b) = (verdicts(&got), verdicts(&wanted));
    same("validation", &a, &b, a == b)?;
    // Two outputs may write to one standard output; only each one's own order is promised.
    let sorted = |mut lines: Vec<String>| {
        lines.sort_unstable();
        lines
    };
    let (a, b) = (sorted(text_alerts(&got)), sorted(text_alerts(&wanted)));
    let validates = arguments.iter().any(|word| word == "-V" || word == "-l");
    same("text", &a, &b, validates || a == b)
}

#[test]
fn conformance_upstream_regression_suite() {
    let Some(root) = suite() else {
        println!("conformance: upstream regression suite skipped, ../shared is not here");
        return;
    };
    let text = std::fs::read_to_string(root.join("manifest.json")).unwrap();
    let manifest: Vec<Value> = serde_json::from_str(&text).unwrap();
    let (mut ran, mut same, mut failures) = (0, 0, Vec::new());
    for case in manifest.iter().filter(|case| case.get("rc").is_some()) {
        let name = case["test"].as_str().unwrap();
        ran += 1;
        if DIFFERENT.iter().any(|(known, _)| *known == name) {
            continue;
        }
        match check(case, &root) {
            Ok(()) => same += 1,
            Err(why) => failures.push(format!("{name}: {why}")),
        }
    }
    println!(
        "conformance: upstream regression suite {same} of {ran} the same, {} different on purpose",
        DIFFERENT.len()
    );
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
