//! Fixes as documents: unified diff, kustomize overlay, strategic merge patches.

use serde_json::{Value, json};
use vedette_manifest::Object;

use super::{Applied, tree};
use crate::check::Edit;

/// Lines of context around a change, as `diff -u` and git show.
const CONTEXT: usize = 3;

/// A unified diff of one file, empty when nothing changed. It applies with `patch -p1` or `git apply`.
pub fn diff(name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let name = name.trim_start_matches("./").trim_start_matches('/');
    let mut out = format!("--- a/{name}\n+++ b/{name}\n");
    for hunk in hunks(&script(&old, &new)) {
        let (old_start, old_len, new_start, new_len) = bounds(&hunk);
        out.push_str(&format!(
            "@@ -{old_start},{old_len} +{new_start},{new_len} @@\n"
        ));
        for line in &hunk {
            let (sign, text) = match line.change {
                Change::Keep => (' ', old[line.old]),
                Change::Take => ('-', old[line.old]),
                Change::Add => ('+', new[line.new]),
            };
            out.push(sign);
            out.push_str(text);
            if !text.ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Keep,
    Take,
    Add,
}

#[derive(Clone, Copy)]
struct Line {
    change: Change,
    old: usize,
    new: usize,
}

/// The changes line by line. Fixes add, change or take few lines, so a greedy search for the next common line is
/// enough; the result is always a correct diff, if not always the shortest.
fn script(old: &[&str], new: &[&str]) -> Vec<Line> {
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    let line = |change, old, new| Line { change, old, new };
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            out.push(line(Change::Keep, i, j));
            i += 1;
            j += 1;
            continue;
        }
        let distance = (1..=REACH).find_map(|reach| {
            (0..=reach).find_map(|taken| {
                let added = reach - taken;
                let joined = match (old.get(i + taken), new.get(j + added)) {
                    (Some(a), Some(b)) => a == b,
                    (None, None) => i + taken == old.len() && j + added == new.len(),
                    _ => false,
                };
                joined.then_some((taken, added))
            })
        });
        let (taken, added) = distance.unwrap_or((old.len() - i, new.len() - j));
        out.extend((i..i + taken).map(|at| line(Change::Take, at, j)));
        out.extend((j..j + added).map(|at| line(Change::Add, i + taken, at)));
        i += taken;
        j += added;
    }
    out
}

/// How many changed lines may stand together before the rest of the file counts as changed; far more than one
/// object's fixes.
const REACH: usize = 256;

fn hunks(script: &[Line]) -> Vec<Vec<Line>> {
    let mut out: Vec<Vec<Line>> = Vec::new();
    let mut last = None;
    for (at, line) in script.iter().enumerate() {
        if line.change == Change::Keep {
            continue;
        }
        let from = at.saturating_sub(CONTEXT);
        let to = (at + CONTEXT + 1).min(script.len());
        match (out.last_mut(), last) {
            (Some(hunk), Some(end)) if from <= end => hunk.extend(&script[end.min(to)..to]),
            _ => out.push(script[from..to].to_vec()),
        }
        last = Some(to.max(last.unwrap_or(0)));
    }
    out
}

fn bounds(hunk: &[Line]) -> (usize, usize, usize, usize) {
    let old_len = hunk.iter().filter(|l| l.change != Change::Add).count();
    let new_len = hunk.iter().filter(|l| l.change != Change::Take).count();
    let first = hunk[0];
    let start = |at: usize, len: usize| if len == 0 { at } else { at + 1 };
    (
        start(first.old, old_len),
        old_len,
        start(first.new, new_len),
        new_len,
    )
}

/// A strategic merge patch for one object: its identity and the changed fields. Fields that a merge cannot
/// express (list items without a name) are given back as the edits they are.
pub fn strategic_merge(object: &Object, applied: &[&Applied]) -> (Value, Vec<Edit>) {
    let mut metadata = json!({ "name": object.name });
    if let Some(namespace) = &object.namespace {
        metadata["namespace"] = Value::from(namespace.as_str());
    }
    let mut patch = json!({
        "apiVersion": object.api_version,
        "kind": object.kind,
        "metadata": metadata,
    });
    let mut left = Vec::new();
    for edit in applied.iter().flat_map(|applied| &applied.edits) {
        let part = match edit {
            Edit::Set(path, yaml) => vedette_yaml::parse(yaml)
                .documents
                .first()
                .map(|document| tree::to_json(&document.root))
                .and_then(|value| tree::merge_patch(&object.node, path, value)),
            Edit::Remove(path) if !path.ends_with(']') => {
                tree::merge_patch(&object.node, path, Value::Null)
            }
            Edit::Remove(_) | Edit::Append(..) => None,
        };
        match part {
            Some(part) => merge(&mut patch, part),
            None => left.push(edit.clone()),
        }
    }
    (patch, left)
}

/// Merges two patches; lists are joined by the `name` of their items.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(place) => merge(place, value),
                    None => {
                        into.insert(key, value);
                    }
                }
            }
        }
        (Value::Array(into), Value::Array(from)) => {
            for item in from {
                let same = into.iter_mut().find(|have| {
                    item.get("name").is_some() && have.get("name") == item.get("name")
                });
                match same {
                    Some(have) => merge(have, item),
                    None => into.push(item),
                }
            }
        }
        (place, value) => *place = value,
    }
}

/// A `kustomization.yaml` that applies the fixes on top of `resources`.
pub fn kustomize(resources: &[String], patches: &[(&Object, Value, Vec<Edit>)]) -> String {
    let mut out = String::from(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n",
    );
    for resource in resources {
        out.push_str(&format!("- {}\n", crate::value::quote(resource)));
    }
    out.push_str("patches:\n");
    for (object, merge, left) in patches {
        let target = |out: &mut String| {
            out.push_str(&format!(
                "- target:\n    kind: {}\n    name: {}\n",
                crate::value::quote(&object.kind),
                crate::value::quote(&object.name)
            ));
            if let Some(namespace) = &object.namespace {
                out.push_str(&format!(
                    "    namespace: {}\n",
                    crate::value::quote(namespace)
                ));
            }
        };
        if merge.as_object().is_some_and(|fields| fields.len() > 3) {
            target(&mut out);
            out.push_str("  patch: |-\n");
            for line in yaml(merge, 0).lines() {
                out.push_str(&format!("    {line}\n"));
            }
        }
        if !left.is_empty() {
            target(&mut out);
            out.push_str("  patch: |-\n");
            for line in json_patch(left).lines() {
                out.push_str(&format!("    {line}\n"));
            }
        }
    }
    out
}

/// The edits as an RFC 6902 patch in YAML. Later items are removed first.
fn json_patch(edits: &[Edit]) -> String {
    let mut out = String::new();
    for edit in edits {
        let (op, path, value) = match edit {
            Edit::Set(path, yaml) => ("add", pointer(path), Some(yaml)),
            Edit::Append(path, yaml) => ("add", format!("{}/-", pointer(path)), Some(yaml)),
            Edit::Remove(path) => ("remove", pointer(path), None),
        };
        out.push_str(&format!(
            "- op: {op}\n  path: {}\n",
            crate::value::quote(&path)
        ));
        if let Some(yaml) = value {
            out.push_str(&format!("  value: {yaml}\n"));
        }
    }
    out
}

/// A field path as a JSON pointer (RFC 6901).
pub fn pointer(path: &str) -> String {
    crate::value::steps(path)
        .iter()
        .map(|step| match step {
            crate::value::Step::Key(key) => {
                format!("/{}", key.replace('~', "~0").replace('/', "~1"))
            }
            crate::value::Step::Index(index) => format!("/{index}"),
        })
        .collect()
}

/// A JSON value as block YAML, each line indented by `indent` spaces.
pub fn yaml(value: &Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(fields) if !fields.is_empty() => fields
            .iter()
            .map(|(key, value)| {
                let key = crate::value::quote(key);
                if scalar(value) {
                    format!("{pad}{key}: {}\n", flat(value))
                } else if value.is_array() {
                    format!("{pad}{key}:\n{}", yaml(value, indent))
                } else {
                    format!("{pad}{key}:\n{}", yaml(value, indent + 2))
                }
            })
            .collect(),
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .map(|item| {
                if scalar(item) {
                    format!("{pad}- {}\n", flat(item))
                } else {
                    let inner = yaml(item, indent + 2);
                    format!("{pad}- {}", inner.trim_start_matches(' '))
                }
            })
            .collect(),
        other => format!("{pad}{}\n", flat(other)),
    }
}

fn scalar(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => crate::value::quote(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_the_changed_lines_with_their_neighbours() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let after = "a\nb\nc\nd\nE\nf\ng\nh\ni\n";
        assert_eq!(
            diff("f", before, after),
            "--- a/f\n+++ b/f\n@@ -2,7 +2,8 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n+i\n"
        );
        assert_eq!(diff("f", before, before), "");
    }

    #[test]
    fn values_are_written_as_block_yaml() {
        let value = json!({"a": {"b": [{"name": "x", "z": true}, "yes"]}});
        assert_eq!(
            yaml(&value, 0),
            "a:\n  b:\n  - name: x\n    z: true\n  - \"yes\"\n"
        );
    }
}
