//! The markdown tests beside the checks, and the rules that every check keeps.
//!
//! Run with `BLESS=1` to write the `results` blocks anew; read the difference before committing it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use vedette_manifest::Source;
use vedette_posture::check::{Check, Findings};
use vedette_posture::checks::{ALL, by_id};
use vedette_posture::input::{Input, Settings, load};
use vedette_posture::value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks")
}

fn results(check: &Check, yaml: &str) -> String {
    let loaded = load(&[Source {
        name: "case".into(),
        text: yaml.into(),
    }]);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let input = Input::new(&loaded.objects, Settings::default());
    let mut out = Findings::new(&loaded.objects);
    (check.run)(&input, &mut out);
    let mut text = String::new();
    for finding in out.into_vec() {
        let object = &loaded.objects[finding.object];
        let line = value::place(&object.node, finding.path()).line;
        let found = finding.value.as_deref().unwrap_or("(not set)");
        writeln!(
            text,
            "line {line}: {} {} = {found}: {}",
            object.title(),
            finding.path(),
            finding.message
        )
        .unwrap();
    }
    if text.is_empty() {
        text.push_str("passes\n");
    }
    text
}

/// Runs the cases of one file; returns how many, and the file as it should be.
fn run(check: &Check, text: &str) -> (usize, String) {
    let mut out = String::new();
    let mut cases = 0;
    let mut lines = text.lines().peekable();
    let mut last = String::new();
    while let Some(line) = lines.next() {
        match line {
            "```yaml" => {
                let yaml: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                last = yaml.join("\n") + "\n";
                cases += 1;
                write!(
                    out,
                    "```yaml\n{last}```\n\n```results\n{}```\n",
                    results(check, &last)
                )
                .unwrap();
            }
            "```results" => {
                assert!(!last.is_empty(), "{}: results without a case", check.id);
                lines.by_ref().find(|line| *line == "```");
                while lines.peek() == Some(&"") {
                    lines.next();
                }
            }
            _ => {
                if line.starts_with('#') && !out.is_empty() && !out.ends_with("\n\n") {
                    out.push('\n');
                }
                writeln!(out, "{line}").unwrap();
                if line.is_empty() && lines.peek() == Some(&"```results") {
                    out.pop();
                }
            }
        }
    }
    (cases, out)
}

#[test]
fn every_markdown_case_holds() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut cases = 0;
    for check in ALL {
        let path = folder().join(check.id.replace('-', "_") + ".md");
        let text = std::fs::read_to_string(&path).unwrap();
        let (ran, expected) = run(check, &text);
        assert!(ran > 0, "{} has no case", path.display());
        cases += ran;
        if bless {
            std::fs::write(&path, &expected).unwrap();
        } else {
            assert_eq!(text, expected, "{}", path.display());
        }
    }
    println!("{cases} markdown cases of {} checks", ALL.len());
}

#[test]
fn every_check_fails_somewhere_and_passes_somewhere() {
    for check in ALL {
        let path = folder().join(check.id.replace('-', "_") + ".md");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\npasses\n"), "{}: no case passes", check.id);
        let fails = text.contains("\nline ");
        // This one needs a list from the settings.
        assert!(
            fails || check.id == "image-registry",
            "{}: no case fails",
            check.id
        );
    }
}

#[test]
fn the_registry_is_sorted_and_complete() {
    assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".rs").map(|stem| stem.replace('_', "-")))
        .filter(|name| name != "mod")
        .collect();
    let listed: BTreeSet<String> = ALL.iter().map(|check| check.id.to_owned()).collect();
    assert_eq!(files, listed);
    for check in ALL {
        assert_eq!(by_id(check.id).map(|found| found.id), Some(check.id));
        let docs = check.docs();
        for text in [
            &docs.title,
            &docs.ensures,
            &docs.why,
            &docs.example,
            &docs.fix,
        ] {
            assert!(!text.is_empty(), "{}: a heading is missing", check.id);
        }
        assert!(check.stops.iter().all(|step| (1..=10).contains(step)));
    }
}
