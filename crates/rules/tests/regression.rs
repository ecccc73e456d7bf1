//! Upstream's regression tests: for every file that real Falco loaded or validated there, the same verdict, the same
//! codes on the same items.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail, and says how many cases ran"
)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use vedette_rules::Options;
use vedette_rules::diagnostic::Files;
use vedette_rules::load::verdicts;
use vedette_rules::version::Version;

fn home() -> Option<PathBuf> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/falco/regression");
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no conformance data at {}", path.display());
    None
}

/// The engine and the event sources of the run: its configuration says which plugins are there.
fn options(args: &[String]) -> Options {
    let mut sources = vec!["syscall".to_owned()];
    if args.iter().any(|a| a.contains("k8s")) {
        sources.push("k8s_audit".into());
    }
    Options {
        sources: Some(sources),
        engine: Version::new(0, 62, 0),
        append_output: Vec::new(),
        ..Options::default()
    }
}

fn rule_files(home: &Path, args: &[String], flag: &str) -> Vec<(String, String)> {
    args.windows(2)
        .filter(|pair| pair[0] == flag)
        .filter_map(|pair| {
            Some((
                pair[1].clone(),
                std::fs::read_to_string(home.join(&pair[1])).ok()?,
            ))
        })
        .collect()
}

/// Code and named items, in the order of the result.
fn summary(result: &Value) -> Vec<String> {
    ["errors", "warnings"]
        .iter()
        .flat_map(|kind| result[kind].as_array().unwrap())
        .map(|entry| {
            let items: Vec<String> = entry["context"]["locations"]
                .as_array()
                .unwrap()
                .iter()
                .map(|l| {
                    format!(
                        "{} '{}'",
                        l["item_type"].as_str().unwrap(),
                        l["item_name"].as_str().unwrap()
                    )
                })
                .collect();
            format!("{} {}", entry["code"].as_str().unwrap(), items.join(" > "))
        })
        .collect()
}

fn manifest(home: &Path) -> Vec<(String, Vec<String>)> {
    let manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(home.join("manifest.json")).unwrap())
            .unwrap();
    manifest
        .as_array()
        .unwrap()
        .iter()
        .map(|case| {
            let args = case["args"]
                .as_array()
                .unwrap()
                .iter()
                .map(|a| a.as_str().unwrap().to_owned())
                .collect();
            (case["test"].as_str().unwrap().to_owned(), args)
        })
        .collect()
}

#[test]
fn validation_gives_the_same_codes_on_the_same_items() {
    let Some(home) = home() else { return };
    let mut cases = 0;
    for (test, args) in manifest(&home) {
        let Ok(stdout) =
            std::fs::read_to_string(home.join("output").join(format!("{test}.stdout")))
        else {
            continue;
        };
        let Some(line) = stdout.lines().find(|l| l.contains("falco_load_results")) else {
            continue;
        };
        let want: Value = serde_json::from_str(line).unwrap();
        let files = rule_files(&home, &args, "-V");
        let got = verdicts(&files, &options(&args));
        for (want, got) in want["falco_load_results"]
            .as_array()
            .unwrap()
            .iter()
            .zip(&got)
        {
            let got = got.to_json(&Files(&files));
            assert_eq!(got["name"], want["name"]);
            assert_eq!(got["successful"], want["successful"], "{test}");
            assert_eq!(summary(&got), summary(want), "{test}");
            cases += 1;
        }
    }
    println!("{cases} validated files");
    assert!(cases >= 43);
}

/// What the log of a run says of the files it loaded, in order: name, accepted or not, codes with the rule, macro or list.
fn logged(log: &str, files: &[(String, String)]) -> Vec<(String, bool, Vec<String>)> {
    let mut out: Vec<(String, bool, Vec<String>)> = Vec::new();
    let mut subject = String::new();
    for line in log.lines() {
        for (word, accepted) in [(": Ok", true), (": Invalid", false)] {
            if let Some((name, _)) = files
                .iter()
                .find(|(name, _)| line.contains(&format!("{name}{word}")))
            {
                out.push((name.clone(), accepted, Vec::new()));
            }
        }
        let trimmed = line.trim_start();
        for item in ["rule '", "macro '", "list '"] {
            if trimmed.starts_with(item)
                && let Some((name, _)) = trimmed.split_once(": (")
            {
                name.clone_into(&mut subject);
            }
        }
        if line.starts_with("LOAD_")
            && let (Some(code), Some(current)) = (line.split_whitespace().next(), out.last_mut())
        {
            current.2.push(format!("{code} {subject}"));
        }
    }
    out
}

#[test]
fn loading_gives_the_same_codes_as_the_logs_show() {
    let Some(home) = home() else { return };
    let (mut runs, mut judged, mut codes) = (0, 0, 0);
    for (test, args) in manifest(&home) {
        let Ok(log) = std::fs::read_to_string(home.join("output").join(format!("{test}.stderr")))
        else {
            continue;
        };
        let files = rule_files(&home, &args, "-r");
        let want = logged(&log, &files);
        runs += usize::from(!want.is_empty());
        let any = !want.is_empty();
        let mut want = want.into_iter().peekable();
        for verdict in verdicts(&files, &options(&args)).iter().take_while(|_| any) {
            // Files without a warning are not mentioned.
            let name = Files(&files).name(verdict.file).to_owned();
            let (accepted, mut entries) = match want.next_if(|(next, ..)| *next == name) {
                Some((_, accepted, entries)) => (accepted, entries),
                None => (true, Vec::new()),
            };
            let mut got: Vec<String> = verdict
                .diagnostics
                .iter()
                .map(|d| {
                    let subject = d
                        .subject()
                        .map(|(item, name)| format!("{} '{name}'", item.name()));
                    format!("{} {}", d.code.name(), subject.unwrap_or_default())
                })
                .collect();
            got.sort();
            entries.sort();
            codes += entries.len();
            assert_eq!(got, entries, "{test} {name}");
            assert_eq!(verdict.accepted(), accepted, "{test} {name}");
            judged += 1;
            if !accepted {
                break;
            }
        }
    }
    println!("{runs} runs, {judged} files, {codes} codes");
    assert!(judged > 100);
}
