//! Connectivity maps of np-guard's analyser: the same lines for the same directories.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use vedette_manifest::Source;
use vedette_netpol::list::{Peer, connectivity};
use vedette_netpol::load::{Input, from_sources};
use vedette_netpol::networks::maps;

use crate::suite;

fn sources(folder: &Path) -> Vec<Source> {
    let mut files: Vec<_> = walk(folder);
    files.sort();
    files
        .into_iter()
        .map(|path| Source {
            name: path.display().to_string().into(),
            text: std::fs::read_to_string(&path).unwrap().into(),
        })
        .collect()
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(walk(&path));
        } else if path
            .extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
        {
            out.push(path);
        }
    }
    out
}

pub(crate) fn input(folder: &Path) -> Input {
    from_sources(&sources(folder))
}

/// The lines `source => destination : connections` of a golden, up to what is not connectivity.
fn golden(text: &str) -> BTreeSet<String> {
    text.lines()
        .take_while(|line| {
            !line.starts_with("Exposure Analysis") && !line.starts_with("Workload-to-Networks")
        })
        .filter(|line| line.contains(" => ") && line.contains(" : "))
        .map(str::to_owned)
        .collect()
}

/// Directories whose answer differs, with the reason.
const DIFFERENT: [(&str, &str); 1] = [(
    "tests/nad_test_12",
    "the attachments' YAML breaks the indentation rule for quoted scalars; it is refused with its place",
)];

#[test]
fn connectivity_maps() {
    let Some(folder) = suite("np-guard") else {
        return;
    };
    let index: Value =
        serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
    let (mut same, mut asked, mut wrong) = (0, 0, Vec::new());
    for case in index["connlist"].as_array().unwrap() {
        let Some(path) = case["expected"]["txt"].as_str() else {
            continue;
        };
        if ["focusWorkloads", "focusConn"]
            .iter()
            .any(|key| case.get(*key).is_some())
        {
            continue;
        }
        let expected = golden(&std::fs::read_to_string(folder.join(path)).unwrap());
        let directory = case["dir"].as_str().unwrap();
        let input = input(&folder.join(directory));
        let assumptions = vedette_netpol::list::assumptions();
        let mut found = BTreeSet::new();
        for (title, map) in maps(&input.world, &assumptions) {
            let name = |peer: &Peer| {
                title
                    .as_ref()
                    .map_or_else(|| peer.to_string(), |t| t.peer(peer))
            };
            let lines = map.entries().filter(|e| !e.allowed.is_empty());
            found.extend(
                lines.map(|e| format!("{} => {} : {}", name(e.from), name(e.to), e.allowed)),
            );
        }
        asked += 1;
        if found == expected {
            same += 1;
        } else if let Some((_, why)) = DIFFERENT.iter().find(|(name, _)| *name == directory) {
            println!("{directory} differs: {why}");
        } else {
            let more: Vec<_> = found.difference(&expected).take(3).collect();
            let less: Vec<_> = expected.difference(&found).take(3).collect();
            wrong.push(format!("{directory}: more {more:#?} less {less:#?}"));
        }
    }
    println!("np-guard connectivity: {same} of {asked} directories");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn differences() {
    let Some(folder) = suite("np-guard") else {
        return;
    };
    let index: Value =
        serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
    let assumptions = vedette_netpol::list::assumptions();
    let (mut same, mut asked, mut wrong) = (0, 0, Vec::new());
    for case in index["diff"].as_array().unwrap() {
        let Some(path) = case["expected"]["txt"].as_str() else {
            continue;
        };
        let map = |key: &str| {
            connectivity(
                &input(&folder.join(case[key].as_str().unwrap())).world,
                &assumptions,
            )
        };
        let found: BTreeSet<String> = vedette_netpol::diff::diff(&map("dir1"), &map("dir2"))
            .iter()
            .map(|d| {
                let info = if d.info.is_empty() {
                    String::new()
                } else {
                    format!(", workloads-diff-info: {}", d.info)
                };
                format!(
                    "diff-type: {}, source: {}, destination: {}, ref1: {}, ref2: {}{info}",
                    d.change.word(),
                    d.from,
                    d.to,
                    d.before,
                    d.after
                )
            })
            .collect();
        let text = std::fs::read_to_string(folder.join(path)).unwrap();
        let expected: BTreeSet<String> = text
            .lines()
            .filter(|l| l.starts_with("diff-type"))
            .map(str::to_owned)
            .collect();
        asked += 1;
        if found == expected {
            same += 1;
        } else {
            let more: Vec<_> = found.difference(&expected).take(3).collect();
            let less: Vec<_> = expected.difference(&found).take(3).collect();
            wrong.push(format!("{path}: more {more:#?} less {less:#?}"));
        }
    }
    println!("np-guard differences: {same} of {asked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
