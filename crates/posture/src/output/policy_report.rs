//! Reports of `openreports.io/v1alpha1`, one for each namespace and one for the cluster.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fix::present::yaml;
use crate::result::{Failure, Report};

/// Most results in one report object; etcd refuses objects above 1.5 MB, and a result takes about 600 bytes.
const MOST_RESULTS: usize = 1_500;

/// Renders a report as YAML documents.
pub fn render(report: &Report) -> String {
    let mut homes: BTreeMap<Option<&str>, Vec<&Failure>> = BTreeMap::new();
    for failure in &report.failures {
        homes
            .entry(failure.namespace.as_deref())
            .or_default()
            .push(failure);
    }
    let mut out = String::new();
    for (namespace, failures) in homes {
        for (part, chunk) in failures.chunks(MOST_RESULTS).enumerate() {
            out.push_str("---\n");
            out.push_str(&yaml(&document(namespace, part, chunk), 0));
        }
    }
    out
}

fn document(namespace: Option<&str>, part: usize, failures: &[&Failure]) -> Value {
    let skipped = failures.iter().filter(|f| f.exception.is_some()).count();
    let name = if part == 0 {
        "vedette-posture".to_owned()
    } else {
        format!("vedette-posture-{part}")
    };
    let mut metadata = json!({ "name": name });
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    json!({
        "apiVersion": "openreports.io/v1alpha1",
        "kind": if namespace.is_some() { "Report" } else { "ClusterReport" },
        "metadata": metadata,
        "source": "vedette",
        "summary": {
            "pass": 0,
            "fail": failures.len() - skipped,
            "warn": 0,
            "error": 0,
            "skip": skipped,
        },
        "results": failures.iter().map(|f| result(f)).collect::<Vec<_>>(),
    })
}

fn result(failure: &Failure) -> Value {
    let mut subject = json!({ "kind": &*failure.kind, "name": &*failure.name });
    if let Some(namespace) = &failure.namespace {
        subject["namespace"] = (**namespace).into();
    }
    json!({
        "source": "vedette",
        "policy": failure.check,
        "rule": failure.path,
        "severity": failure.severity,
        "result": if failure.exception.is_some() { "skip" } else { "fail" },
        "description": failure.message,
        "subjects": [subject],
        "properties": {
            "value": failure.value.as_deref().unwrap_or("(not set)"),
            "place": format!("{}:{}", failure.file, failure.line),
        },
    })
}
