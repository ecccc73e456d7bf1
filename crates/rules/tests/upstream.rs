//! Rule files that others wrote load as real Falco loads them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail, and says how many cases ran"
)]

use std::path::{Path, PathBuf};

use vedette_rules::diagnostic::Files;
use vedette_rules::{Options, load};

fn conformance(part: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/falco")
        .join(part);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no conformance data at {}", path.display());
    None
}

fn read(paths: &[PathBuf]) -> Vec<(String, String)> {
    paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn errors(files: &[(String, String)]) -> Vec<String> {
    let loaded = load(files, &Options::default());
    loaded
        .diagnostics
        .iter()
        .filter(|d| d.is_error())
        .map(|d| d.render(&Files(files)))
        .collect()
}

#[test]
fn every_upstream_file_loads_without_errors() {
    let Some(dir) = conformance("rules") else {
        return;
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut rules = 0;
    for path in &paths {
        let files = read(std::slice::from_ref(path));
        assert_eq!(errors(&files), Vec::<String>::new(), "{}", path.display());
        rules += load(&files, &Options::default()).rules.len();
    }
    println!("{} files, {rules} rules", paths.len());
    assert_eq!(rules, 238);
}

#[test]
fn the_three_system_call_files_load_together() {
    let Some(dir) = conformance("rules") else {
        return;
    };
    let paths = [
        "falco_rules.yaml",
        "falco-incubating_rules.yaml",
        "falco-sandbox_rules.yaml",
    ]
    .map(|f| dir.join(f));
    let files = read(&paths);
    let loaded = load(
        &files,
        &Options {
            strict: true,
            ..Options::default()
        },
    );
    let warnings: Vec<String> = loaded
        .diagnostics
        .iter()
        .map(|d| d.render(&Files(&files)))
        .collect();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(loaded.rules.len(), 93);
    assert_eq!(loaded.enabled().len(), 81);
}

#[test]
fn the_oracle_rules_load() {
    let Some(dir) = conformance("golden") else {
        return;
    };
    for (file, count) in [("oracle_ops.yaml", 141), ("oracle_fields.yaml", 1)] {
        let files = read(&[dir.join(file)]);
        assert_eq!(errors(&files), Vec::<String>::new());
        assert_eq!(load(&files, &Options::default()).rules.len(), count);
    }
}
