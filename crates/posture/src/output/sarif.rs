//! SARIF 2.1.0 (OASIS), as code scanning services read it.

use serde_json::{Value, json};

use crate::checks::by_id;
use crate::result::{Failure, Report};

/// Renders a report.
pub fn render(report: &Report, version: &str) -> String {
    let rules: Vec<Value> = report
        .checks
        .iter()
        .filter_map(|result| {
            let check = by_id(result.check)?;
            let docs = check.docs();
            Some(json!({
                "id": check.id,
                "shortDescription": { "text": docs.title },
                "fullDescription": { "text": docs.ensures },
                "help": { "text": format!("{}\n\n{}", docs.why, docs.fix) },
                "defaultConfiguration": { "level": level(result.severity) },
                "properties": {
                    "tags": check.maps,
                    "security-severity": score(result.severity),
                },
            }))
        })
        .collect();
    let results: Vec<Value> = report.failures.iter().map(result).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "vedette", "version": version, "rules": rules } },
            "results": results,
            "columnKind": "unicodeCodePoints",
        }],
    });
    format!("{document:#}\n")
}

fn result(failure: &Failure) -> Value {
    let mut out = json!({
        "ruleId": failure.check,
        "level": level(failure.severity),
        "message": { "text": format!("{} ({})", failure.message, failure.path) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&failure.file) },
                "region": {
                    "startLine": failure.line.max(1),
                    "startColumn": failure.column.max(1),
                },
            },
            "logicalLocations": [{
                "fullyQualifiedName": format!("{}/{}/{}", failure.kind, failure.namespace.as_deref().unwrap_or("default"), failure.name),
            }],
        }],
        "partialFingerprints": { "vedette/v1": failure.fingerprint() },
    });
    if let Some(exception) = &failure.exception {
        out["suppressions"] = json!([{ "kind": "external", "justification": &**exception }]);
    }
    out
}

/// A path as a relative or absolute URI reference: separators kept, everything unusual escaped.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.trim_start_matches("./").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte as char);
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn level(severity: &str) -> &'static str {
    match severity {
        "critical" | "high" => "error",
        "medium" => "warning",
        _ => "note",
    }
}

/// The number by which GitHub sorts (its documented bands: above 9 critical, 7 high, 4 medium, else low).
fn score(severity: &str) -> &'static str {
    match severity {
        "critical" => "9.5",
        "high" => "8.0",
        "medium" => "5.0",
        _ => "2.0",
    }
}
