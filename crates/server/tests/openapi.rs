//! The committed document is the one that the routes give, and real answers have the shapes that it promises.

#![allow(
    clippy::unwrap_used,
    reason = "a broken expectation shall fail the test"
)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value as Json, json};
use support::{Client, command, finding, start};
use vedette_event::{Action, Clause, Outcome, Record};

fn pretty(document: &Json) -> String {
    serde_json::to_string_pretty(document).unwrap() + "\n"
}

#[test]
fn the_committed_document_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = pretty(&vedette_server::document());
    if std::env::var_os("VEDETTE_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "crates/server/openapi.json is not what the routes give; run this test with VEDETTE_BLESS=1 and look at the diff"
    );
}

#[test]
fn every_schema_that_is_named_is_there_and_used() {
    let document = vedette_server::document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    let mut named = BTreeSet::new();
    for piece in text.split("#/components/schemas/").skip(1) {
        named.insert(piece.split('"').next().unwrap());
    }
    let known: BTreeSet<&str> = schemas.keys().map(String::as_str).collect();
    assert_eq!(named, known);
    let mut operations = BTreeSet::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(operations.insert(id), "{id} twice");
        }
    }
}

/// What is wrong with a value by a schema; covers what our schemas use.
fn wrong(value: &Json, schema: &Json, at: &str, schemas: &Json, out: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return wrong(value, &schemas[name], at, schemas, out);
    }
    for (key, many) in [("anyOf", true), ("oneOf", false)] {
        if let Some(options) = schema[key].as_array() {
            let fits = options.iter().filter(|option| {
                let mut found = Vec::new();
                wrong(value, option, at, schemas, &mut found);
                found.is_empty()
            });
            let count = fits.count();
            if count == 0 || !many && count > 1 {
                out.push(format!("{at}: {value} fits {count} of {key}"));
            }
            return;
        }
    }
    if let Some(constant) = schema.get("const")
        && value != constant
    {
        out.push(format!("{at}: {value} is not {constant}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !value.is_null()
        && !words.contains(value)
    {
        out.push(format!("{at}: {value} is none of {words:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(many) => many.iter().filter_map(Json::as_str).collect(),
        _ => return,
    };
    let own = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let fits = types.contains(&own) || own == "integer" && types.contains(&"number");
    if !fits {
        out.push(format!("{at}: {own} instead of {types:?}"));
        return;
    }
    match value {
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                wrong(
                    item,
                    &schema["items"],
                    &format!("{at}[{index}]"),
                    schemas,
                    out,
                );
            }
        }
        Json::Object(map) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                if !map.contains_key(name.as_str().unwrap()) {
                    out.push(format!("{at}: {name} is missing"));
                }
            }
            for (name, value) in map {
                let at = format!("{at}.{name}");
                if let Some(schema) = schema["properties"].get(name) {
                    wrong(value, schema, &at, schemas, out);
                } else if schema["additionalProperties"] == false {
                    out.push(format!("{at} is not in the document"));
                } else if schema["additionalProperties"].is_object() {
                    wrong(value, &schema["additionalProperties"], &at, schemas, out);
                }
            }
        }
        _ => {}
    }
}

struct Checker {
    document: Json,
    checked: BTreeSet<String>,
}

impl Checker {
    /// Checks an answer against what the document promises for the route.
    fn check(
        &mut self,
        client: &Client,
        method: &str,
        route: &str,
        path: &str,
        body: Option<Json>,
    ) -> Json {
        let answer = match (&body, method) {
            (Some(body), "post") => client.post(path, body),
            (Some(body), "put") => client.put(path, body),
            (Some(body), "patch") => client.patch(path, body),
            (_, "delete") => client.delete(path),
            _ => client.get(path),
        };
        let operation = &self.document["paths"][format!("/api/v1{route}")][method];
        assert!(
            operation.is_object(),
            "{method} {route} is not in the document"
        );
        let promised = operation["responses"].as_object().unwrap();
        let status = if answer.status == 201 {
            "200".to_owned()
        } else {
            answer.status.to_string()
        };
        let promised = promised.get(&status).unwrap_or_else(|| {
            panic!(
                "{method} {path}: {} is not promised: {}",
                answer.status,
                answer.text()
            )
        });
        self.checked.insert(format!("{method} {route}"));
        let schema = &promised["content"]["application/json"]["schema"];
        if schema.is_null() {
            return Json::Null;
        }
        let mut found = Vec::new();
        let schemas = &self.document["components"]["schemas"];
        let value = answer.json();
        wrong(&value, schema, "", schemas, &mut found);
        if let Some(body) = &body {
            let taken = &operation["requestBody"]["content"]["application/json"]["schema"];
            wrong(body, taken, "body", schemas, &mut found);
        }
        assert!(found.is_empty(), "{method} {path}: {found:#?}");
        value
    }
}

#[test]
fn answers_have_the_shapes_that_are_promised() {
    let server = start();
    let mut found = finding("n1", 1);
    found.policy = Some("p".to_owned());
    found.actions = vec![Action {
        kind: "deny".to_owned(),
        outcome: Outcome::DryRun,
        detail: "d".to_owned(),
    }];
    let leaf = Clause {
        text: "proc.name = bash".to_owned(),
        holds: true,
        seen: Some("bash".to_owned()),
        clauses: Vec::new(),
    };
    found.why = Some(Clause {
        text: "and".to_owned(),
        holds: true,
        seen: None,
        clauses: vec![leaf],
    });
    let node = server.node("n1");
    let admin = server.admin();
    let mut checker = Checker {
        document: vedette_server::document(),
        checked: BTreeSet::new(),
    };
    let records = [
        Record::Finding(found.clone()),
        Record::Finding(finding("n1", 2)),
        Record::Activity(command("n1", 1)),
    ];
    node.ingest(&records).expect(200);
    checker.checked.insert("post /ingest".to_owned());
    let id = found.id.clone();
    let rule = "Terminal%20shell%20in%20container";
    let text =
        "- rule: A\n  desc: d\n  condition: proc.name = bash\n  output: o\n  priority: INFO\n";
    let mut run = |client: &Client, method: &str, route: &str, path: &str, body: Option<Json>| {
        checker.check(client, method, route, path, body)
    };
    let c = &admin;
    run(
        &node,
        "post",
        "/heartbeat",
        "/heartbeat",
        Some(json!({"version": "1", "drops": {"x": 1}})),
    );
    run(&node, "get", "/orders", "/orders", None);
    let kill = json!({"action": "kill_process"});
    let respond = format!("/findings/{id}/respond");
    run(c, "post", "/findings/{id}/respond", &respond, Some(kill));
    let orders = run(&node, "get", "/orders", "/orders", None);
    let account = json!({
        "outcome": "withheld", "detail": "d", "processes": [{"pid": 7, "name": "n", "exe": "/n"}], "total": 1,
    });
    let path = format!(
        "/orders/{}/account",
        orders["orders"][0]["id"].as_str().unwrap()
    );
    run(&node, "post", "/orders/{id}/account", &path, Some(account));
    let path = format!("/findings/{id}/responses");
    run(c, "get", "/findings/{id}/responses", &path, None);
    run(c, "get", "/session", "/session", None);
    run(c, "get", "/session/methods", "/session/methods", None);
    run(
        &server.nobody(),
        "post",
        "/session",
        "/session",
        Some(json!({"token": server.admin_token})),
    );
    run(c, "get", "/overview", "/overview", None);
    run(c, "get", "/insights", "/insights", None);
    run(c, "get", "/insights", "/insights?view=host", None);
    run(c, "get", "/findings", "/findings?limit=1&count=true", None);
    run(c, "get", "/findings/histogram", "/findings/histogram", None);
    run(c, "get", "/findings/facets", "/findings/facets", None);
    run(
        c,
        "patch",
        "/findings/{id}",
        &format!("/findings/{id}"),
        Some(json!({"status": "closed", "note": "n"})),
    );
    run(c, "get", "/findings/{id}", &format!("/findings/{id}"), None);
    run(
        c,
        "get",
        "/findings/{id}/around",
        &format!("/findings/{id}/around"),
        None,
    );
    let tree = run(
        c,
        "get",
        "/findings/{id}/tree",
        &format!("/findings/{id}/tree"),
        None,
    );
    let shell = &tree["tree"]["children"][0]["children"][0]["process"];
    let path = format!(
        "/processes/tree?node=n1&pid=100&started={}",
        shell["started"].as_str().unwrap()
    );
    run(c, "get", "/processes/tree", &path, None);
    run(c, "get", "/activity", "/activity", None);
    run(c, "get", "/activity/histogram", "/activity/histogram", None);
    run(c, "get", "/activity/sessions", "/activity/sessions", None);
    run(c, "get", "/rules", "/rules", None);
    run(
        c,
        "put",
        "/rules/{name}",
        "/rules/A",
        Some(json!({"text": text, "note": "n", "version": 0})),
    );
    run(c, "get", "/rules/{name}", "/rules/A", None);
    run(c, "get", "/rules/{name}", &format!("/rules/{rule}"), None);
    run(c, "get", "/rules/{name}/history", "/rules/A/history", None);
    run(c, "get", "/rules/{name}/diff", "/rules/A/diff", None);
    run(
        c,
        "post",
        "/rules/check",
        "/rules/check",
        Some(json!({"text": "- rule: B\n  condition: x"})),
    );
    run(
        c,
        "post",
        "/rules/backtest",
        "/rules/backtest",
        Some(json!({"text": text})),
    );
    let wizard = format!("/rules/{rule}/exception");
    run(
        c,
        "post",
        "/rules/{name}/exception",
        &wizard,
        Some(json!({"finding": id, "fields": []})),
    );
    run(
        c,
        "post",
        "/rules/{name}/exception",
        &wizard,
        Some(json!({"finding": id, "fields": ["proc.name"]})),
    );
    run(
        c,
        "put",
        "/policies/{name}",
        "/policies/p",
        Some(json!({"text": "a: 1"})),
    );
    run(&node, "get", "/bundle", "/bundle", None);
    run(c, "get", "/policies", "/policies", None);
    run(c, "get", "/policies/{name}", "/policies/p", None);
    run(
        c,
        "get",
        "/policies/{name}/history",
        "/policies/p/history",
        None,
    );
    run(
        c,
        "post",
        "/policies/check",
        "/policies/check",
        Some(json!({"text": "a: ["})),
    );
    run(c, "delete", "/policies/{name}", "/policies/p", None);
    run(c, "delete", "/rules/{name}", "/rules/A", None);
    run(c, "get", "/fields", "/fields", None);
    run(
        c,
        "post",
        "/filter/check",
        "/filter/check",
        Some(json!({"filter": "rule = x"})),
    );
    run(c, "get", "/nodes", "/nodes", None);
    let made = run(
        c,
        "post",
        "/join-tokens",
        "/join-tokens",
        Some(json!({"name": "x", "days": 1})),
    );
    run(c, "get", "/join-tokens", "/join-tokens", None);
    let join = json!({"token": made["token"], "node": "n2"});
    run(&server.nobody(), "post", "/join", "/join", Some(join));
    let path = format!("/join-tokens/{}", made["id"].as_str().unwrap());
    run(c, "delete", "/join-tokens/{id}", &path, None);
    run(c, "delete", "/nodes/{name}", "/nodes/n2", None);
    run(
        c,
        "post",
        "/teams",
        "/teams",
        Some(json!({"name": "t", "zone": "node = n1"})),
    );
    run(c, "get", "/teams", "/teams", None);
    let user = json!({"name": "u", "role": "viewer", "teams": ["t"], "password": "a long enough password"});
    run(c, "post", "/users", "/users", Some(user));
    run(c, "get", "/users", "/users", None);
    let made = run(c, "post", "/tokens", "/tokens", Some(json!({"name": "x"})));
    run(c, "get", "/tokens", "/tokens", None);
    run(
        c,
        "delete",
        "/tokens/{id}",
        &format!("/tokens/{}", made["id"].as_str().unwrap()),
        None,
    );
    run(c, "delete", "/users/{name}", "/users/u", None);
    run(c, "delete", "/teams/{name}", "/teams/t", None);
    run(
        c,
        "post",
        "/password",
        "/password",
        Some(json!({"new": "a very long password"})),
    );
    run(c, "get", "/audit-log", "/audit-log?limit=5", None);
    run(c, "get", "/settings/retention", "/settings/retention", None);
    run(
        c,
        "put",
        "/settings/retention",
        "/settings/retention",
        Some(json!({"findings_days": 3})),
    );
    let channels = json!({"channels": [
        {"name": "a", "to": {"kind": "webhook", "url": "https://example.org/", "secret": "s"}},
        {"name": "b", "to": {"kind": "slack", "url": "https://example.org/x"}},
        {"name": "c", "to": {"kind": "pagerduty", "routing_key": "k"}},
        {"name": "d", "to": {"kind": "email", "host": "mail", "port": 587, "from": "a@b", "to": ["c@d"]}},
    ]});
    run(
        c,
        "put",
        "/settings/notifications",
        "/settings/notifications",
        Some(channels),
    );
    run(
        c,
        "get",
        "/settings/notifications",
        "/settings/notifications",
        None,
    );
    let channel = json!({"name": "a", "to": {"kind": "webhook", "url": "http://127.0.0.1:1/"}});
    run(
        c,
        "post",
        "/settings/notifications/test",
        "/settings/notifications/test",
        Some(channel),
    );
    let query = json!({"name": "q", "page": "events", "query": "x"});
    let made = run(c, "post", "/queries", "/queries", Some(query));
    run(c, "get", "/queries", "/queries", None);
    run(
        c,
        "delete",
        "/queries/{id}",
        &format!("/queries/{}", made["id"].as_str().unwrap()),
        None,
    );
    run(c, "delete", "/session", "/session", None);
    // What is not JSON is looked at elsewhere: the stream, the export, OpenID's redirects, the document itself.
    let others = [
        "/stream",
        "/findings/export",
        "/session/openid",
        "/session/openid/callback",
        "/openapi.json",
    ];
    let document = vedette_server::document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let route = path.strip_prefix("/api/v1").unwrap();
            let known = checker.checked.contains(&format!("{method} {route}"));
            assert!(
                known || others.contains(&route),
                "{method} {route} is not checked"
            );
        }
    }
}
