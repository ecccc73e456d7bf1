//! The exception wizard: from a finding and some of its fields to an exception of its rule, and what else it would silence.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use vedette_history::{Filter, FindingQuery, Order, TimeRange};

use super::Library;
use crate::clock::{self, SECOND};
use crate::findings::view::Item;
use crate::http::call::{Call, Outcome, Reply};
use crate::problem::Problem;

/// Fields of one exception at most.
const MAX_FIELDS: usize = 8;
/// How far back what it would have silenced is counted.
const WITHIN: u64 = 14 * 24 * 3600 * SECOND;
/// Findings that are shown.
const SAMPLE: usize = 10;
/// Fields that exceptions are commonly made of, the most telling first.
const TELLING: &[&str] = &[
    "container.image.repository",
    "k8s.ns.name",
    "proc.exepath",
    "proc.name",
    "proc.pname",
    "proc.cmdline",
    "fd.name",
    "user.name",
    "ka.user.name",
    "ka.target.name",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    finding: String,
    /// Fields that must be equal; empty to be told which could be.
    #[serde(default)]
    fields: Vec<String>,
}

pub(super) fn propose(call: &Call) -> Outcome {
    let request: Request = call.json()?;
    let name = call.part("name");
    let library = Library::of(call)?;
    if library.loaded.rule(name).is_none() {
        return Err(Problem::missing(format!("rule `{}`", name.escape_debug())));
    }
    let missing = || Problem::missing("such finding, or your teams may not see it");
    let zone = call.zone()?.ok_or_else(missing)?;
    let stored = call
        .app
        .history
        .finding(&request.finding)?
        .ok_or_else(missing)?;
    let subject = vedette_history::Subject::Finding(&stored.finding, stored.triage.status);
    if !zone.matches(&subject) {
        return Err(missing());
    }
    if stored.finding.rule != name {
        return Err(Problem::bad("the finding is of another rule"));
    }
    let value = |field: &str| match stored.finding.fields.get(field) {
        Some(Json::String(text)) if !text.is_empty() && text != "<NA>" => Some(text.clone()),
        Some(Json::Number(number)) => Some(number.to_string()),
        Some(Json::Bool(flag)) => Some(flag.to_string()),
        _ => None,
    };
    let candidates: Vec<Json> = stored
        .finding
        .fields
        .keys()
        .filter(|field| vedette_event::FieldRef::parse(field).is_ok())
        .filter_map(|field| {
            let suggested = TELLING.contains(&field.as_str());
            Some(json!({"field": field, "value": value(field)?, "suggested": suggested}))
        })
        .collect();
    if request.fields.is_empty() {
        return Reply::json(&json!({
            "candidates": candidates, "yaml": null, "text": null, "silenced": 0, "sample": [], "days": 14,
        }));
    }
    if request.fields.len() > MAX_FIELDS {
        return Err(Problem::bad(format!(
            "an exception has at most {MAX_FIELDS} fields here"
        )));
    }
    let mut filter = Filter::equals("rule", name).map_err(|_| Problem::internal())?;
    let mut values = Vec::new();
    for field in &request.fields {
        let value = value(field).ok_or_else(|| {
            Problem::bad(format!(
                "the finding has no value for `{}` that an exception could compare with",
                field.escape_debug()
            ))
        })?;
        let one = Filter::equals(field, &value).map_err(|error| {
            Problem::bad(format!("`{}`: {}", field.escape_debug(), error.message))
        })?;
        filter = filter.and(&one);
        values.push(value);
    }
    let now = clock::now();
    let page = call.app.history.findings(&FindingQuery {
        range: TimeRange {
            from: now.saturating_sub(WITHIN),
            to: u64::MAX,
        },
        filter: zone.and(&filter),
        order: Order::Newest,
        cursor: None,
        limit: SAMPLE,
        count: true,
    })?;
    let exception = yaml(name, &stored.finding.id, &request.fields, &values);
    let own = library
        .custom
        .get(name)
        .map(|(_, custom)| custom.text.trim_end());
    let text = match own {
        Some(own) => format!("{own}\n\n{exception}"),
        None => exception.clone(),
    };
    let remarks = Library::with(call, name, &text)?.remarks(&super::file_name(name));
    Reply::json(&json!({
        "candidates": candidates,
        "yaml": exception,
        "text": text,
        "diagnostics": remarks,
        "silenced": page.total,
        "sample": page.items.iter().map(Item::of).collect::<Vec<_>>(),
        "days": 14,
        "partial": page.partial.map(|partial| partial.to_string()),
    }))
}

/// The exception as an item of a rule file. Values are JSON texts, which YAML reads as they are.
fn yaml(rule: &str, finding: &str, fields: &[String], values: &[String]) -> String {
    let quoted = |texts: &[String]| {
        let texts = texts.iter().map(|text| json!(text).to_string());
        texts.collect::<Vec<_>>().join(", ")
    };
    let short = finding.get(..8).unwrap_or(finding);
    let comps = vec!["=".to_owned(); fields.len()];
    format!(
        "- rule: {}\n  exceptions:\n    - name: from_finding_{short}\n      fields: [{}]\n      comps: [{}]\n      values:\n        - [{}]\n  override:\n    exceptions: append\n",
        json!(rule),
        quoted(fields),
        quoted(&comps),
        quoted(values)
    )
}
