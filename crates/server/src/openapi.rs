//! The OpenAPI document, made of the route table and the schemas beside this file.
//!
//! It is committed as `crates/server/openapi.json`; a test compares the two, and another holds real answers against the
//! schemas.

use serde_json::{Map, Value as Json, json};

use crate::auth::Access;
use crate::http::call::{Call, Outcome, Reply};
use crate::http::dispatch::ROOT;
use crate::http::route::{self, Gives, PUBLIC, Route};

/// Shapes of bodies and answers (JSON Schema, as OpenAPI 3.1 uses it).
const SCHEMAS: &str = include_str!("schemas.json");

pub(crate) const ROUTES: &[Route] = &[Route::get(
    "/openapi.json",
    PUBLIC,
    "This document",
    Gives::Text("application/json"),
    serve,
)];

fn serve(_: &Call) -> Outcome {
    Reply::json(&document())
}

fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The document.
pub fn document() -> Json {
    let schemas: Json = serde_json::from_str(SCHEMAS).unwrap_or(Json::Null);
    let mut paths: Map<String, Json> = Map::new();
    for row in route::all() {
        let path = paths
            .entry(format!("{ROOT}{}", row.path))
            .or_insert_with(|| json!({}));
        path[row.method.name()] = operation(row);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Vedette",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Findings, activity, rules and settings of a Vedette server. See docs/api.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token (vdt_…)"},
                "node": {"type": "http", "scheme": "bearer", "description": "The token of a node (vdn_…)"},
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "vedette_session",
                    "description": "Set by POST /session; changes also send the header X-CSRF-Token",
                },
            },
        },
    })
}

fn operation(row: &Route) -> Json {
    let parts = row
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Json> = parts
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    let query = row.query.iter();
    parameters.extend(query.map(|(name, about)| {
        json!({"name": name, "in": "query", "description": about, "schema": {"type": "string"}})
    }));
    let answer = |schema: Json| json!({"description": row.summary, "content": {"application/json": {"schema": schema}}});
    let (status, success) = match row.gives {
        Gives::Json(name) => ("200", answer(reference(name))),
        Gives::List(name) => (
            "200",
            answer(json!({"type": "array", "items": reference(name)})),
        ),
        Gives::Page(name) => (
            "200",
            answer(json!({
                "type": "object",
                "required": ["items", "next", "total", "partial"],
                "properties": {
                    "items": {"type": "array", "items": reference(name)},
                    "next": {"type": ["string", "null"], "description": "cursor of the next page"},
                    "total": {"type": ["integer", "null"]},
                    "partial": {"type": ["string", "null"], "description": "why not everything was looked at"},
                },
            })),
        ),
        Gives::Nothing => ("204", json!({"description": "Done"})),
        Gives::Text(kind) => (
            "200",
            json!({"description": row.summary, "content": {kind: {"schema": {"type": "string"}}}}),
        ),
    };
    let (who, security) = match row.access {
        Access::Public => ("everybody".to_owned(), json!([])),
        Access::Node => ("agents".to_owned(), json!([{"node": []}])),
        Access::Role(role) => (
            format!("role {} or better", role.name()),
            json!([{"session": []}, {"token": []}]),
        ),
    };
    let name: String = row
        .path
        .split(['/', '{', '}', '-', '.'])
        .map(capital)
        .collect();
    let mut out = json!({
        "operationId": format!("{}{name}", row.method.name()),
        "summary": row.summary,
        "description": format!("For {who}."),
        "security": security,
        "parameters": parameters,
        "responses": {
            status: success,
            "default": {
                "description": "What went wrong",
                "content": {"application/json": {"schema": reference("Error")}},
            },
        },
    });
    if let Some(schema) = row.takes {
        let kind = if schema == "Records" {
            "application/x-ndjson"
        } else {
            "application/json"
        };
        out["requestBody"] =
            json!({"required": true, "content": {kind: {"schema": reference(schema)}}});
    }
    out
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
