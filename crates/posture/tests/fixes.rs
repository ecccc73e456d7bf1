//! Every fix on every fixture: the check passes afterwards, no other check fails that passed, comments stay,
//! and a second run changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use vedette_manifest::Source;
use vedette_posture::check::{Check, Edit, Findings};
use vedette_posture::checks::ALL;
use vedette_posture::fix::fix;
use vedette_posture::input::{Input, Settings, load};

#[derive(Default)]
struct Count {
    files: usize,
    fixes: usize,
    refused: BTreeMap<String, usize>,
}

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.into(),
        text: text.into(),
    }
}

/// Findings that have a fix, by check, object and field.
fn mendable(check: &Check, source: &Source) -> BTreeSet<(usize, String)> {
    let objects = load(std::slice::from_ref(source)).objects;
    let input = Input::new(&objects, Settings::default());
    let mut out = Findings::new(&objects);
    (check.run)(&input, &mut out);
    out.into_vec()
        .into_iter()
        .filter(|finding| !finding.fix.is_empty())
        .map(|finding| (finding.object, finding.path().to_owned()))
        .collect()
}

fn failing(source: &Source) -> BTreeSet<(&'static str, usize)> {
    let objects = load(std::slice::from_ref(source)).objects;
    let input = Input::new(&objects, Settings::default());
    let mut out = BTreeSet::new();
    for check in ALL {
        let mut found = Findings::new(&objects);
        (check.run)(&input, &mut found);
        out.extend(found.into_vec().iter().map(|f| (check.id, f.object)));
    }
    out
}

fn comments(text: &str) -> usize {
    text.lines()
        .filter(|l| l.trim_start().starts_with('#'))
        .count()
}

fn prove(name: &str, text: &str, count: &mut Count) {
    let before = source(name, text);
    if load(std::slice::from_ref(&before)).objects.is_empty() {
        return;
    }
    count.files += 1;
    let passing = failing(&before);
    for check in ALL {
        let wanted = mendable(check, &before);
        if wanted.is_empty() {
            continue;
        }
        let fixed = fix(
            std::slice::from_ref(&before),
            &[check],
            &Settings::default(),
        );
        let after = &fixed.sources[0];
        for not in &fixed.not_applied {
            let why = not.reason.to_string();
            let why = why.split(": ").last().unwrap_or_default();
            *count.refused.entry(why.to_owned()).or_default() += 1;
            if std::env::var_os("REFUSED").is_some() {
                println!("{name}: {}: {}: {}", check.id, not.path, not.reason);
            }
        }
        let refused: BTreeSet<usize> = fixed.not_applied.iter().map(|n| n.object).collect();
        let left: Vec<_> = mendable(check, after)
            .into_iter()
            .filter(|(object, _)| !refused.contains(object))
            .collect();
        assert!(
            left.is_empty(),
            "{name}: {} still fails at {left:?}\n{}",
            check.id,
            after.text
        );
        let worse: Vec<_> = failing(after).difference(&passing).copied().collect();
        assert!(
            worse.is_empty(),
            "{name}: {} made {worse:?} fail\n{}",
            check.id,
            after.text
        );
        let removes = fixed
            .applied
            .iter()
            .flat_map(|applied| &applied.edits)
            .any(|edit| matches!(edit, Edit::Remove(_)));
        if !removes {
            assert_eq!(
                comments(text),
                comments(&after.text),
                "{name}: {} lost a comment",
                check.id
            );
        }
        let again = fix(std::slice::from_ref(after), &[check], &Settings::default());
        assert_eq!(
            again.sources[0].text, after.text,
            "{name}: {} is not idempotent",
            check.id
        );
        count.fixes += fixed.applied.len();
    }
    // And all of them together.
    let fixed = fix(
        std::slice::from_ref(&before),
        &ALL.iter().collect::<Vec<_>>(),
        &Settings::default(),
    );
    let again = fix(
        &fixed.sources,
        &ALL.iter().collect::<Vec<_>>(),
        &Settings::default(),
    );
    assert_eq!(
        again.sources[0].text, fixed.sources[0].text,
        "{name}: all fixes together are not idempotent"
    );
    let worse: Vec<_> = failing(&fixed.sources[0])
        .difference(&passing)
        .copied()
        .collect();
    assert!(
        worse.is_empty(),
        "{name}: all fixes together made {worse:?} fail"
    );
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, out);
        } else if path
            .extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
            && !path.ends_with("expected.json")
        {
            out.push(path);
        }
    }
}

#[test]
fn fixes_hold_on_every_fixture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    if !root.is_dir() {
        println!("skipped: no conformance data beside the workspace");
        return;
    }
    let mut files = Vec::new();
    for folder in [
        "posture/kubescape_regolibrary/rules",
        "posture/polaris/test",
        "posture/kube-linter/tests/checks",
        "pod_security/baseline/v1.36",
        "pod_security/restricted/v1.36",
        "pod_security/restricted/v1.17",
    ] {
        walk(&root.join(folder), &mut files);
    }
    files.sort();
    let mut count = Count::default();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        prove(&path.display().to_string(), &text, &mut count);
    }
    println!("{} fixes proved on {} files", count.fixes, count.files);
    for (why, times) in &count.refused {
        println!("  refused {times} times: {why}");
    }
}

#[test]
fn fixes_hold_on_the_markdown_cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks");
    let mut count = Count::default();
    for check in ALL {
        let path = folder.join(check.id.replace('-', "_") + ".md");
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let yaml = block.split("```").next().unwrap();
            prove(&path.display().to_string(), yaml, &mut count);
        }
    }
    println!("{} fixes proved on {} cases", count.fixes, count.files);
}
