//! What filters may name, and whether a filter is sound: for the screens' completion and carets.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use vedette_history::Filter;
use vedette_history::filter::names::NAMES;

use crate::auth::teams;
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{Gives, Route, VIEWER};

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/fields",
        VIEWER,
        "Fields that filters and rules may name",
        Gives::Json("Catalogue"),
        list,
    ),
    Route::post(
        "/filter/check",
        VIEWER,
        "Whether a filter is sound; else an error with its column",
        Gives::Json("Checked"),
        check,
    )
    .takes("FilterText"),
];

fn list(call: &Call) -> Outcome {
    let facets = call.app.history.facet_fields();
    let own = NAMES.iter().map(|(name, about)| {
        json!({
            "name": name, "type": "text", "description": about, "argument": "none", "sources": [],
            "facet": facets.contains(name), "own": true,
        })
    });
    let catalogue = vedette_event::all_fields().map(|(id, info)| {
        json!({
            "name": info.name,
            "type": format!("{:?}", info.ty).to_lowercase(),
            "description": info.desc,
            "argument": format!("{:?}", info.arg).to_lowercase(),
            "sources": vedette_event::class_of(id).sources,
            "facet": facets.contains(&info.name),
            "own": false,
        })
    });
    let fields: Vec<Json> = own.chain(catalogue).collect();
    let operators: Vec<&str> = vedette_rules::condition::operator_names().collect();
    let transformers = vedette_rules::condition::TRANSFORMERS.iter();
    let transformers: Vec<&str> = transformers.map(|(name, _)| *name).collect();
    Reply::json(&json!({
        "fields": fields,
        "operators": operators,
        "transformers": transformers,
        "words": ["and", "or", "not"],
        "facets": facets,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    filter: String,
}

fn check(call: &Call) -> Outcome {
    let text: Text = call.json()?;
    let filter = Filter::parse(&text.filter).map_err(|error| teams::filter_problem(&error))?;
    Reply::json(&json!({"ok": true, "filter": filter.text()}))
}
