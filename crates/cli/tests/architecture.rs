//! Holds the workspace to the invariants that `ARCHITECTURE.md` states.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken invariant shall fail the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Layer of each room, and the engines that an engine may build on.
const ROOMS: &[(&str, u8, &[&str])] = &[
    ("event", 0, &[]),
    ("yaml", 0, &[]),
    ("manifest", 0, &["yaml"]),
    ("rules", 1, &[]),
    ("state", 1, &[]),
    ("scap", 1, &[]),
    ("audit", 1, &[]),
    ("netpol", 1, &[]),
    ("posture", 1, &[]),
    ("range", 1, &[]),
    ("miner", 1, &[]),
    ("detect", 1, &["rules"]),
    ("proof", 1, &["rules", "detect", "range"]),
    ("sensor", 2, &[]),
    ("container", 2, &[]),
    ("guard", 2, &[]),
    ("outputs", 2, &[]),
    ("server", 2, &[]),
    ("lab", 2, &[]),
    ("history", 1, &["rules"]),
    ("store", 2, &[]),
    ("intake", 2, &[]),
    ("testkit", 2, &["event"]),
    ("cli", 3, &[]),
];

/// Crates that no engine may link, directly or through others.
const NOT_IN_ENGINES: &[&str] = &[
    "tokio",
    "async-std",
    "hyper",
    "axum",
    "ureq",
    "rustls",
    "kube",
    "rusqlite",
    "redb",
    "clap",
    "libbpf-rs",
    "rand",
];

/// What no engine may name: the outside world.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::env::",
    "std::process",
    "std::thread::sleep",
    "SystemTime::now",
    "Instant::now",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os::unix::net",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn metadata() -> Value {
    // Only this platform's packages: those are the ones that the build has fetched.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--filter-platform",
            &platform,
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn room_of(package: &str) -> Option<&str> {
    if package == "vedette" {
        Some("cli")
    } else {
        package.strip_prefix("vedette-")
    }
}

fn layer(room: &str) -> Option<u8> {
    ROOMS
        .iter()
        .find(|(name, ..)| *name == room)
        .map(|(_, layer, _)| *layer)
}

fn members(metadata: &Value) -> Vec<&Value> {
    let ids: Vec<_> = metadata["workspace_members"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| ids.contains(&&package["id"]))
        .collect()
}

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn arrows_run_one_way() {
    let metadata = metadata();
    for package in members(&metadata) {
        let room = room_of(package["name"].as_str().unwrap()).unwrap();
        let own = layer(room).unwrap_or_else(|| panic!("{room} has no row in ROOMS"));
        let allowed = ROOMS.iter().find(|(name, ..)| *name == room).unwrap().2;
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap();
            let Some(other) = room_of(name).filter(|other| layer(other).is_some()) else {
                continue;
            };
            // A test may look at any engine: it is not part of the product.
            if dependency["kind"] == "dev" {
                continue;
            }
            let below = layer(other).unwrap();
            assert!(
                below < own || allowed.contains(&other),
                "{room} (layer {own}) must not depend on {other} (layer {below})"
            );
        }
    }
}

#[test]
fn engines_link_nothing_of_the_outside_world() {
    let metadata = metadata();
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            (
                package["id"].as_str().unwrap(),
                package["name"].as_str().unwrap(),
            )
        })
        .collect();
    let mut engines = 0;
    for package in members(&metadata) {
        let room = room_of(package["name"].as_str().unwrap()).unwrap();
        if layer(room).is_none_or(|layer| layer > 1) {
            continue;
        }
        engines += 1;
        let mut seen = BTreeSet::new();
        let mut open = vec![package["id"].as_str().unwrap()];
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            assert!(
                !NOT_IN_ENGINES.contains(&names[id]),
                "{room} links {}",
                names[id]
            );
            for dependency in nodes[id]["deps"].as_array().unwrap() {
                let normal = dependency["dep_kinds"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|kind| kind["kind"].is_null());
                if normal {
                    open.push(dependency["pkg"].as_str().unwrap());
                }
            }
        }
    }
    assert!(engines >= 6, "only {engines} engines were looked at");
}

#[test]
fn engines_name_nothing_of_the_outside_world() {
    for (room, layer, _) in ROOMS {
        if *layer > 1 {
            continue;
        }
        let mut files = Vec::new();
        rust_files(&root().join("crates").join(room).join("src"), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // Unit tests below the code may read fixtures.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate() {
                let line = line.split("//").next().unwrap_or_default();
                for word in OUTSIDE {
                    assert!(
                        !line.contains(word),
                        "{}:{}: {word}",
                        file.display(),
                        number + 1
                    );
                }
            }
        }
    }
}

#[test]
fn unsafe_stays_in_the_sensor() {
    let metadata = metadata();
    for package in members(&metadata) {
        let room = room_of(package["name"].as_str().unwrap()).unwrap();
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        let inherits = manifest.contains("[lints]\nworkspace = true");
        assert_eq!(
            inherits,
            room != "sensor",
            "{room}: workspace lints forbid unsafe; only sensor may leave them"
        );
    }
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\""));
}

#[test]
fn every_room_has_a_page_and_a_row() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(
            page.contains(&format!("| `{room}` |")),
            "{room} has no row in ARCHITECTURE.md"
        );
        let mut files = Vec::new();
        rust_files(&path.join("src"), &mut files);
        assert!(!files.is_empty(), "{room} is empty");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            assert!(
                text.starts_with("//!"),
                "{} does not open with a //! page",
                file.display()
            );
        }
    }
}

#[test]
fn every_rule_has_its_test() {
    let mut rules = 0;
    for source in fs::read_dir(root().join("rules")).unwrap() {
        for entry in fs::read_dir(source.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if stem.starts_with("00_") {
                continue;
            }
            let other = path.with_extension(if path.extension().unwrap() == "yaml" {
                "md"
            } else {
                "yaml"
            });
            assert!(
                other.exists(),
                "{} has no {}",
                path.display(),
                other.display()
            );
            rules += 1;
        }
    }
    assert!(rules >= 100, "{rules}");
}
