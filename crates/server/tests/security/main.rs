//! What must be refused is refused, and written down.

#![allow(
    clippy::unwrap_used,
    reason = "a broken expectation shall fail the test"
)]

mod hostile;
#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value as Json, json};
use support::{command, finding, start};
use vedette_event::Record;

/// Every route of the API, as method and path with its holes filled.
fn routes() -> Vec<(String, String, String)> {
    let document = vedette_server::document();
    let mut out = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let path = path.replace("{id}", &"0".repeat(32)).replace("{name}", "x");
            let who = operation["description"].as_str().unwrap().to_owned();
            out.push((method.to_uppercase(), path, who));
        }
    }
    assert!(out.len() > 60, "{}", out.len());
    out
}

#[test]
fn without_credentials_nothing_is_answered() {
    let server = start();
    let mut asked = 0;
    for (method, path, who) in routes() {
        if who == "For everybody." {
            continue;
        }
        // Each from an address of its own would be needed to stay under the limit for strangers.
        let answer = server
            .nobody()
            .send(&method, &path, Some("application/json"), b"");
        assert!(
            answer.status == 401 || answer.status == 429,
            "{method} {path}: {}",
            answer.status
        );
        asked += 1;
    }
    assert!(asked > 50, "{asked}");
    assert!(server.logged(&["refused", "unauthenticated", "/api/v1/findings"]));
    let outside = server.nobody().send("GET", "/healthz", None, b"");
    assert_eq!(outside.status, 200, "{}", outside.text());
}

#[test]
fn wrong_and_withdrawn_tokens_are_refused() {
    let server = start();
    let admin = server.admin();
    let made = admin.post(
        "/tokens",
        &json!({"name": "ci", "role": "viewer", "days": 1}),
    );
    made.expect(201);
    let (id, token) = (made.json()["id"].clone(), made.json()["token"].clone());
    let bearer = |token: &str| {
        server
            .nobody()
            .with("authorization", &format!("Bearer {token}"))
    };
    let ci = bearer(token.as_str().unwrap());
    ci.get("/findings").expect(200);
    ci.get("/users").expect(403);
    ci.post("/tokens", &json!({"name": "more", "role": "admin"}))
        .expect(403);
    let text = token.as_str().unwrap();
    for wrong in [
        "",
        "x",
        "vdt_",
        &text[..text.len() - 1],
        &text.replace("vdt_", "vdn_"),
    ] {
        bearer(wrong).get("/findings").expect(401);
    }
    server
        .nobody()
        .with("authorization", "Basic YWRtaW46YWRtaW4=")
        .get("/findings")
        .expect(401);
    admin
        .delete(&format!("/tokens/{}", id.as_str().unwrap()))
        .expect(204);
    ci.get("/findings").expect(401);
    // A node's token is good for what nodes do and nothing else.
    server.node("n1").get("/findings").expect(403);
    server.admin().ingest(&[]).expect(403);
}

#[test]
fn roles_limit_what_can_be_changed() {
    let server = start();
    server
        .node("n1")
        .ingest(&[Record::Finding(finding("n1", 1))])
        .expect(200);
    let id = finding("n1", 1).id;
    let viewer = server.user("vera", "viewer", &[]);
    let responder = server.user("rita", "responder", &[]);
    let close = json!({"status": "closed"});
    viewer.patch(&format!("/findings/{id}"), &close).expect(403);
    responder
        .patch(&format!("/findings/{id}"), &close)
        .expect(200);
    for client in [&viewer, &responder] {
        client.get("/users").expect(403);
        client.get("/audit-log").expect(403);
        client
            .post("/users", &json!({"name": "vera", "role": "admin"}))
            .expect(403);
        client
            .put("/settings/retention", &json!({"findings_days": 1}))
            .expect(403);
        client.get("/settings/notifications").expect(403);
    }
    viewer.put("/rules/x", &json!({"text": "[]"})).expect(403);
    assert!(server.logged(&["refused", "forbidden", "vera"]));
    // A role that was taken away counts at once, in a session that is open.
    let admin = server.admin();
    admin
        .post("/users", &json!({"name": "rita", "role": "viewer"}))
        .expect(200);
    responder
        .patch(&format!("/findings/{id}"), &close)
        .expect(403);
    admin
        .post("/users", &json!({"name": "rita", "disabled": true}))
        .expect(200);
    responder.get("/findings").expect(401);
    // The last admin stays.
    admin
        .post("/users", &json!({"name": "admin", "role": "viewer"}))
        .expect(409);
    admin.delete("/users/admin").expect(409);
    let log = admin.get("/audit-log").json();
    let actions: Vec<&str> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["action"].as_str().unwrap())
        .collect();
    assert!(
        actions.contains(&"user.save") && actions.contains(&"finding.triage"),
        "{actions:?}"
    );
}

#[test]
fn a_team_sees_its_zone_only_whichever_way_it_asks() {
    let server = start();
    let mut other = finding("n1", 2);
    other.fields.insert("k8s.ns.name".to_owned(), json!("bank"));
    other
        .fields
        .insert("k8s.pod.name".to_owned(), json!("ledger-0"));
    other.message = "secret ledger".to_owned();
    let mut act = command("n1", 2);
    act.fields.insert("k8s.ns.name".to_owned(), json!("bank"));
    let node = server.node("n1");
    let records = [
        Record::Finding(finding("n1", 1)),
        Record::Finding(other.clone()),
        Record::Activity(command("n1", 1)),
        Record::Activity(act),
    ];
    node.ingest(&records).expect(200);
    let admin = server.admin();
    admin
        .post(
            "/teams",
            &json!({"name": "shop", "zone": "k8s.ns.name = shop"}),
        )
        .expect(200);
    admin
        .post("/teams", &json!({"name": "bad", "zone": "a) or (b"}))
        .expect(400);
    let sue = server.user("sue", "responder", &["shop"]);
    // Every way of asking that could tell of the other namespace.
    let (mine, theirs) = (finding("n1", 1).id, other.id.clone());
    for path in [
        "/findings",
        "/findings?order=severity&count=true",
        "/findings?filter=k8s.ns.name%20%3D%20bank",
        "/findings?filter=rule%20exists%20or%20rule%20exists",
        "/findings/facets",
        "/findings/export?format=csv",
        "/findings/export?format=ndjson",
        "/insights",
        "/overview",
        "/activity",
        "/activity/sessions",
        &format!("/findings/{mine}"),
        &format!("/findings/{mine}/around"),
        &format!("/findings/{mine}/tree"),
    ] {
        let answer = sue.get(path);
        answer.expect(200);
        let text = answer.text();
        assert!(
            !text.contains("bank") && !text.contains("ledger"),
            "{path}: {text}"
        );
    }
    for path in [
        format!("/findings/{theirs}"),
        format!("/findings/{theirs}/around"),
        format!("/findings/{theirs}/tree"),
    ] {
        sue.get(&path).expect(404);
    }
    sue.patch(&format!("/findings/{theirs}"), &json!({"status": "closed"}))
        .expect(404);
    let ask = json!({"finding": theirs, "fields": []});
    sue.post("/rules/Terminal%20shell%20in%20container/exception", &ask)
        .expect(404);
    let count = sue.get("/findings?count=true").json();
    assert_eq!(count["total"], 1, "{count}");
    let sum = |tree: &Json| tree["counts"]["critical"].as_u64().unwrap();
    assert_eq!(sum(&sue.get("/insights").json()), 1);
    assert_eq!(sum(&admin.get("/insights").json()), 2);
    let histogram = sue.get("/findings/histogram").json();
    let total: u64 = histogram["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["critical"].as_u64().unwrap())
        .sum();
    assert_eq!(total, 1);
    // The stream as well, and what comes before in a resumed one.
    let mut events = sue.stream("/stream?after=0");
    assert_eq!(events.finding().1["id"], mine);
    let mut third = finding("n1", 3);
    third.fields.insert("k8s.ns.name".to_owned(), json!("bank"));
    node.ingest(&[Record::Finding(third), Record::Finding(finding("n1", 4))])
        .expect(200);
    assert_eq!(events.finding().1["id"], finding("n1", 4).id);
    // A user whose teams are all gone sees nothing rather than everything.
    admin.delete("/teams/shop").expect(409);
}

#[test]
fn changes_from_other_sites_are_refused() {
    let server = start();
    let eve = server.user("eve", "responder", &[]);
    let body = json!({"name": "q", "page": "events", "query": ""});
    eve.post("/queries", &body).expect(200);
    let refused = eve.without("x-csrf-token").post("/queries", &body);
    assert_eq!((refused.status, refused.code().as_str()), (403, "csrf"));
    let wrong = eve.without("x-csrf-token").with("x-csrf-token", "guess");
    wrong.post("/queries", &body).expect(403);
    let foreign = eve
        .with("origin", "https://evil.example")
        .post("/queries", &body);
    assert_eq!(
        (foreign.status, foreign.code().as_str()),
        (403, "cross_site")
    );
    eve.with("sec-fetch-site", "cross-site")
        .post("/queries", &body)
        .expect(403);
    let own = format!("http://{}", server.address);
    eve.with("origin", &own).post("/queries", &body).expect(200);
    // A form of another site cannot send JSON.
    let form = eve.send(
        "POST",
        "/api/v1/queries",
        Some("text/plain"),
        body.to_string().as_bytes(),
    );
    form.expect(415);
    assert!(server.logged(&["refused", "csrf"]) && server.logged(&["refused", "cross_site"]));
}

#[test]
fn agents_cannot_speak_for_others() {
    let server = start();
    let node = server.node("n1");
    let answer = node.ingest(&[
        Record::Finding(finding("n2", 1)),
        Record::Finding(finding("n1", 1)),
    ]);
    answer.expect(200);
    assert_eq!(
        (
            answer.json()["accepted"].clone(),
            answer.json()["refused"][0]["line"].clone()
        ),
        (json!(1), json!(1))
    );
    node.with("x-vedette-node", "n2").ingest(&[]).expect(403);
    let mut future = finding("n1", 2);
    future.time += 3 * 24 * 3_600_000_000_000;
    let mut odd = finding("n1", 3);
    odd.id = "../../x".to_owned();
    let answer = node.ingest(&[Record::Finding(future), Record::Finding(odd)]);
    assert_eq!(answer.json()["refused"].as_array().unwrap().len(), 2);
    let garbage = node.send(
        "POST",
        "/api/v1/ingest",
        Some("application/x-ndjson"),
        b"{}\nnull\n\nnot json\n",
    );
    assert_eq!(garbage.json()["refused"].as_array().unwrap().len(), 3);
    node.send("POST", "/api/v1/ingest", None, &[0xff, 0xfe])
        .expect(400);
    // A join token that is wrong or withdrawn lets nobody in, and a new join withdraws the old token.
    let nobody = server.nobody();
    nobody
        .post("/join", &json!({"token": "vdj_x_y", "node": "n3"}))
        .expect(401);
    let again = server.node("n1");
    node.ingest(&[]).expect(401);
    again.ingest(&[]).expect(200);
    server.admin().delete("/nodes/n1").expect(204);
    again.ingest(&[]).expect(401);
}
