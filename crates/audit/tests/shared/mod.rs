//! What the tests over recorded data share: where the data is, and values as JSON.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod alerts;
pub(crate) mod schema;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as JsonValue, json};
use vedette_audit::{Record, Source, Splitter};
use vedette_event::{Extract, Extracted, FieldRef, Value, Values};

/// The folder of recorded inputs and answers beside the repository, when it is there.
pub(crate) fn conformance(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance")
        .join(folder);
    if path.exists() {
        Some(path)
    } else {
        println!("skipped: no conformance data in {folder}");
        None
    }
}

/// Files below `folder` whose names end in `end`, sorted.
pub(crate) fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(end))
        .collect();
    files.sort();
    files
}

/// Name of a file up to the first dot.
pub(crate) fn stem(path: &Path) -> &str {
    path.file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .split('.')
        .next()
        .unwrap()
}

/// Calls `each` with every record of a file; panics on a fault.
pub(crate) fn for_each_record(path: &Path, source: Source, mut each: impl FnMut(&Record<'_>)) {
    let bytes = fs::read(path).unwrap();
    let mut splitter = Splitter::new(Some(source)).with_hostname("golden");
    splitter.feed(&bytes, true, &mut |found| match found {
        Ok(record) => each(record),
        Err(fault) => panic!("{}: {fault}", path.display()),
    });
}

/// The value of a field in the shape in which alerts carry it.
pub(crate) fn field(record: &Record<'_>, name: &str) -> JsonValue {
    let field = FieldRef::parse(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut room = Values::default();
    match record.extract(&field, &mut room) {
        Extracted::Missing => JsonValue::Null,
        Extracted::One(value) => one(value),
        Extracted::Many(values) => JsonValue::Array(values.iter().map(one).collect()),
    }
}

fn one(value: Value<'_>) -> JsonValue {
    match value {
        Value::U64(v) => json!(v),
        Value::I64(v) => json!(v),
        Value::Bool(v) => json!(v),
        Value::F64(v) => json!(v),
        Value::Text(v) | Value::Bytes(v) => json!(String::from_utf8_lossy(v)),
        Value::Ip(v) => json!(v.to_string()),
    }
}

/// The columns of the benign record that a record needs, put back into the shape of an audit event.
pub(crate) fn benign_event(line: &str) -> Option<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut()?.push(c),
        }
    }
    let [
        _,
        time,
        user,
        verb,
        resource,
        subresource,
        name,
        _,
        uri,
        id,
        stage,
        code,
        ..,
    ] = &fields[..]
    else {
        return None;
    };
    let namespace = uri
        .split_once("/namespaces/")
        .and_then(|(_, rest)| rest.split(['/', '?']).next());
    Some(
        json!({
            "auditID": id, "stage": stage, "verb": verb, "requestURI": uri,
            "user": {"username": user},
            "objectRef": {"resource": resource, "subresource": subresource, "name": name, "namespace": namespace},
            "responseStatus": {"code": code.parse::<u64>().ok()?},
            "stageTimestamp": time,
        })
        .to_string(),
    )
}
