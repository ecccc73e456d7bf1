//! Conformance suites written by others, read from beside the repository when they are there.

#![allow(
    clippy::print_stdout,
    reason = "how many cases ran is part of the result"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod calico_selectors;
mod cluster_policies;
mod np_guard;
mod probes;

use std::path::PathBuf;

use serde_json::{Value, json};
use vedette_manifest::Source;
use vedette_netpol::load::{Input, from_sources};

/// The folder of a suite; `None` in a plain clone, with one line that says so.
fn suite(path: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/netpol")
        .join(path);
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: {path} is not beside this clone");
    None
}

/// A world from objects, through the same door as files.
fn world(objects: &[Value]) -> Input {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    from_sources(&[Source {
        name: "case.json".into(),
        text: list.to_string().into(),
    }])
}
