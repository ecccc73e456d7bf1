//! Where the conformance captures are, and what real Falco says of them.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::print_stdout, reason = "a test without its data says so")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of Falco's conformance data, when this checkout has it beside it.
pub(crate) fn falco_data() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/falco");
    path.is_dir().then_some(path)
}

/// Every conformance capture: its name and its bytes. Says so when there are none.
pub(crate) fn captures() -> Vec<(String, Vec<u8>)> {
    let Some(data) = falco_data() else {
        println!("skipped: no conformance captures beside this checkout");
        return Vec::new();
    };
    let mut found: Vec<_> = std::fs::read_dir(data.join("captures"))
        .expect("the folder of captures is readable")
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "scap"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            (
                name.into_owned(),
                std::fs::read(&path).expect("a readable capture"),
            )
        })
        .collect();
    found.sort();
    found
}

/// What Falco derives for each event of a capture that rules see: one JSON object of fields an event.
pub(crate) fn golden_fields(name: &str) -> Option<Vec<serde_json::Value>> {
    let path = falco_data()?.join(format!("golden/fields/{name}.jsonl.zst"));
    let out = Command::new("zstd").arg("-dcq").arg(path).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let fields = text
        .lines()
        .map(|line| {
            let mut alert: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
            alert["output_fields"].take()
        })
        .collect();
    Some(fields)
}
