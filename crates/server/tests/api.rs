//! What the API answers.

#![allow(
    clippy::unwrap_used,
    reason = "a broken expectation shall fail the test"
)]

mod support;

use serde_json::{Value as Json, json};
use support::{command, finding, start, start_on};
use vedette_event::{Priority, Record};
use vedette_server::Config;

fn some(count: u64) -> Vec<Record> {
    let mut records: Vec<Record> = (0..count)
        .map(|number| {
            let mut finding = finding("n1", number);
            finding.priority = Priority::ALL[(number % 8) as usize];
            Record::Finding(finding)
        })
        .collect();
    records.extend((0..count).map(|number| Record::Activity(command("n1", number))));
    records
}

#[test]
fn records_come_back_a_page_at_a_time() {
    let server = start();
    let node = server.node("n1");
    let records = some(250);
    let first = node.ingest(&records).json();
    assert_eq!(
        first,
        json!({"accepted": 500, "duplicate": 0, "refused": []})
    );
    assert_eq!(node.ingest(&records).json()["duplicate"], 500);
    let admin = server.admin();
    for order in ["newest", "oldest", "severity"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = admin
                .get(&format!(
                    "/findings?limit=60&order={order}&cursor={cursor}&count=true"
                ))
                .json();
            assert_eq!(page["total"], 250);
            seen.extend(
                page["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item["sequence"].as_u64().unwrap()),
            );
            match page["next"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        let mut unique = seen.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!((seen.len(), unique.len()), (250, 250), "{order}");
    }
    let page = admin
        .get("/findings?filter=severity%20%3E%3D%20high&count=true")
        .json();
    // Emergency, alert, critical and error of every eight.
    assert_eq!(page["total"], 250 / 8 * 4 + 2, "{page}");
    let wrong = admin.get("/findings?filter=severity%20%3E%3D%20hihg");
    wrong.expect(400);
    assert_eq!(wrong.json()["error"]["column"], 13, "{}", wrong.text());
    assert_eq!(
        admin.get("/findings?filter=k8s.ns.nmae%20%3D%20x").json()["error"]["column"],
        1
    );
    for path in [
        "/findings?limit=0",
        "/findings?limit=x",
        "/findings?cursor=x",
        "/findings?order=x",
        "/findings?from=x",
        "/findings?from=now&to=now-1h",
    ] {
        admin.get(path).expect(400);
    }
    let past = admin.get("/findings?from=now-9d&to=now-8d").json();
    assert_eq!(past["items"], json!([]));
    let activity = admin
        .get("/activity?kind=command&session=pts&limit=10&count=true")
        .json();
    assert_eq!(
        (
            activity["total"].clone(),
            activity["items"].as_array().unwrap().len()
        ),
        (json!(250), 10)
    );
    let sessions = admin.get("/activity/sessions").json();
    assert_eq!(sessions[0]["commands"], 250);
    let step = admin.get("/activity/histogram?buckets=10").json();
    assert!(step["buckets"].as_array().unwrap().len() <= 10);
}

#[test]
fn a_finding_is_told_with_everything_around_it() {
    let server = start();
    server.node("n1").ingest(&some(3)).expect(200);
    let admin = server.admin();
    let id = finding("n1", 0).id;
    let page = admin.get(&format!("/findings/{id}")).json();
    assert_eq!(page["severity"], "critical");
    assert_eq!(page["status"], "open");
    assert_eq!(page["lineage"].as_array().unwrap().len(), 3);
    assert_eq!(page["related"].as_array().unwrap().len(), 2);
    assert_eq!(page["rule_known"], true);
    assert!(page["time"].as_str().unwrap().ends_with('Z'));
    let around = admin
        .get(&format!("/findings/{id}/around?seconds=60"))
        .json();
    assert_eq!(around["after"].as_array().unwrap().len(), 3);
    let tree = admin.get(&format!("/findings/{id}/tree")).json();
    let root = &tree["tree"];
    assert_eq!(root["process"]["name"], "init");
    let shell = &root["children"][0]["children"][0];
    assert_eq!(
        (shell["process"]["name"].clone(), shell["focal"].clone()),
        (json!("bash"), json!(true))
    );
    assert_eq!(shell["children"].as_array().unwrap().len(), 3);
    assert_eq!(shell["findings"].as_array().unwrap().len(), 3);
    let started = shell["process"]["started"].as_str().unwrap();
    let same = admin
        .get(&format!(
            "/processes/tree?node=n1&pid=100&started={started}"
        ))
        .json();
    assert_eq!(
        same["tree"]["children"].as_array().unwrap().len(),
        3,
        "{same}"
    );
    let patched = admin.patch(
        &format!("/findings/{id}"),
        &json!({"status": "acknowledged", "note": "mine"}),
    );
    assert_eq!(patched.json()["triage"]["by"], "admin");
    let open = admin
        .get("/findings?filter=status%20%3D%20open&count=true")
        .json();
    assert_eq!(open["total"], 2);
    admin
        .patch(&format!("/findings/{id}"), &json!({}))
        .expect(400);
    admin
        .patch(&format!("/findings/{id}"), &json!({"status": "gone"}))
        .expect(400);
    admin.get("/findings/unknown").expect(404);
}

#[test]
fn the_stream_resumes_where_it_broke_also_after_a_restart() {
    let mut server = start();
    let node = server.node("n1");
    let admin = server.admin();
    let mut events = admin.stream("/stream");
    node.ingest(&some(3)[..1]).expect(200);
    let (last, first) = events.finding();
    assert_eq!(first["id"], finding("n1", 0).id);
    drop(events);
    node.ingest(&some(3)[..3]).expect(200);
    server.stop();
    let server = start_on(
        std::sync::Arc::clone(&server.memory),
        Config::new("127.0.0.1:0".parse().unwrap()),
        |_| {},
    );
    let mut admin = admin;
    admin.address = server.address;
    let mut events = admin.with("last-event-id", &last).stream("/stream");
    assert_eq!(events.finding().1["id"], finding("n1", 1).id);
    assert_eq!(events.finding().1["id"], finding("n1", 2).id);
    let mut filtered = admin.stream("/stream?after=0&filter=severity%20%3D%20high");
    server.memory.as_ref();
    let mut node = node;
    node.address = server.address;
    node.ingest(&some(8)).expect(200);
    assert_eq!(filtered.finding().1["id"], finding("n1", 3).id);
}

#[test]
fn exports_honour_the_filter_and_say_when_they_are_cut() {
    let server = start();
    server.node("n1").ingest(&some(1200)).expect(200);
    let admin = server.admin();
    let whole = admin.get("/findings/export?format=ndjson");
    assert_eq!(whole.header("x-vedette-cut"), Some("no"));
    assert_eq!(whole.text().lines().count(), 1200);
    let cut = admin.get("/findings/export?format=ndjson&limit=700");
    assert_eq!(cut.header("x-vedette-cut"), Some("700 of 1200"));
    let lines: Vec<Json> = cut
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 701);
    assert!(lines[700]["cut"].as_str().unwrap().contains("700 of 1200"));
    let cut: Json = admin.get("/findings/export?format=json&limit=10").json();
    assert_eq!(cut["items"].as_array().unwrap().len(), 10);
    assert!(cut["cut"].is_string());
    let whole: Json = admin
        .get("/findings/export?format=json&filter=severity%20%3D%20high")
        .json();
    assert_eq!(
        (
            whole["items"].as_array().unwrap().len(),
            whole["cut"].clone()
        ),
        (150, Json::Null)
    );
    let csv = admin.get("/findings/export?format=csv&limit=5").text();
    assert!(csv.lines().last().unwrap().starts_with("# cut"), "{csv}");
    assert_eq!(csv.lines().count(), 7);
    admin.get("/findings/export?format=xml").expect(400);
}

#[test]
fn rules_are_checked_kept_compared_and_tried_on_what_was() {
    let server = start();
    server.node("n1").ingest(&some(20)).expect(200);
    let admin = server.admin();
    let list = admin.get("/rules").json();
    assert_eq!(list[0]["name"], "Terminal shell in container");
    assert_eq!(list[0]["shipped"], true);
    let bad = "- rule: A\n  desc: d\n  condition: proc.nmae = sh\n  output: o\n  priority: INFO\n";
    let checked = admin.post("/rules/check", &json!({"text": bad})).json();
    assert_eq!(
        (
            checked["ok"].clone(),
            checked["diagnostics"][0]["line"].clone()
        ),
        (json!(false), json!(3)),
        "{checked}"
    );
    admin.put("/rules/A", &json!({"text": bad})).expect(422);
    let good = bad.replace("nmae", "name");
    let put = admin.put(
        "/rules/A",
        &json!({"text": good, "note": "first", "version": 0}),
    );
    put.expect(200);
    assert_eq!(
        (put.json()["version"].clone(), put.json()["owner"].clone()),
        (json!(1), json!("admin"))
    );
    admin
        .put("/rules/A", &json!({"text": good, "version": 0}))
        .expect(409);
    admin.put("/rules/B", &json!({"text": good})).expect(400);
    let next = good.replace("INFO", "ERROR");
    admin
        .put(
            "/rules/A",
            &json!({"text": next, "version": 1, "note": "louder"}),
        )
        .expect(200);
    let history = admin.get("/rules/A/history").json();
    assert_eq!(
        (history[0]["note"].clone(), history[1]["note"].clone()),
        (json!("louder"), json!("first"))
    );
    assert_eq!(
        admin
            .get("/rules?filter=terminal")
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // A back-test over findings and activity.
    let text = "- rule: T\n  desc: d\n  condition: proc.name = bash and fd.num = 3\n  output: o\n  priority: INFO\n";
    let test = admin
        .post(
            "/rules/backtest",
            &json!({"text": text.replace(" and fd.num = 3", "")}),
        )
        .json();
    assert_eq!(
        (test["scanned"].clone(), test["matched"].clone()),
        (json!(40), json!(40)),
        "{test}"
    );
    let test = admin.post("/rules/backtest", &json!({"text": text})).json();
    assert_eq!(
        (test["matched"].clone(), test["unrecorded"].clone()),
        (json!(0), json!(["fd.num"])),
        "{test}"
    );
    // The wizard, from a finding to an exception that is sound and silences what it says.
    let rule = "/rules/Terminal%20shell%20in%20container";
    let id = finding("n1", 0).id;
    let asked = admin
        .post(&format!("{rule}/exception"), &json!({"finding": id}))
        .json();
    let candidates = asked["candidates"].as_array().unwrap();
    assert!(
        candidates
            .iter()
            .any(|c| c["field"] == "proc.name" && c["value"] == "bash"),
        "{asked}"
    );
    let proposed = admin.post(
        &format!("{rule}/exception"),
        &json!({"finding": id, "fields": ["proc.name", "k8s.ns.name"]}),
    );
    proposed.expect(200);
    let proposed = proposed.json();
    assert_eq!(
        (
            proposed["silenced"].clone(),
            proposed["diagnostics"].clone()
        ),
        (json!(20), json!([])),
        "{proposed}"
    );
    let put = admin.put(rule, &json!({"text": proposed["text"], "note": "quiet"}));
    put.expect(200);
    assert_eq!(
        (
            put.json()["shipped"].clone(),
            put.json()["overridden"].clone()
        ),
        (json!(true), json!(true)),
        "{}",
        put.text()
    );
    assert_eq!(put.json()["exceptions"].as_array().unwrap().len(), 1);
    let diff = admin.get(&format!("{rule}/diff")).json();
    assert!(diff["added"].as_u64().unwrap() > 0);
    // Agents get them.
    let node = server.node("n1");
    let bundle = node.get("/bundle");
    assert_eq!(bundle.json()["rules"].as_array().unwrap().len(), 2);
    let tag = bundle.header("etag").unwrap().to_owned();
    node.with("if-none-match", &tag).get("/bundle").expect(304);
    admin.delete(rule).expect(204);
    node.with("if-none-match", &tag).get("/bundle").expect(200);
    admin.get("/rules/nothing").expect(404);
}

#[test]
fn policies_queries_nodes_and_settings_are_kept() {
    let server = start();
    let admin = server.admin();
    admin
        .put("/policies/web", &json!({"text": "a: ["}))
        .expect(422);
    admin
        .put("/policies/web", &json!({"text": "a: 1", "note": "n"}))
        .expect(200);
    admin
        .put("/policies/web", &json!({"text": "a: 2", "version": 1}))
        .expect(200);
    assert_eq!(
        admin
            .get("/policies/web/history")
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(admin.get("/policies").json()[0]["version"], 2);
    admin.delete("/policies/web").expect(204);
    admin.get("/policies/web").expect(404);
    let una = server.user("una", "viewer", &[]);
    let saved = admin
        .post(
            "/queries",
            &json!({"name": "q", "page": "events", "query": "x", "team": "*"}),
        )
        .json();
    admin
        .post(
            "/queries",
            &json!({"name": "p", "page": "events", "query": "x"}),
        )
        .expect(200);
    assert_eq!(una.get("/queries").json().as_array().unwrap().len(), 1);
    una.delete(&format!("/queries/{}", saved["id"].as_str().unwrap()))
        .expect(404);
    una.post(
        "/queries",
        &json!({"name": "q", "page": "e", "query": "", "team": "other"}),
    )
    .expect(403);
    let node = server.node("n1");
    let said = json!({"version": "1", "tier": "fanotify", "events": 5, "drops": {"ring full": 0}});
    node.post("/heartbeat", &said).expect(204);
    let nodes = admin.get("/nodes").json();
    assert_eq!(
        (
            nodes[0]["name"].clone(),
            nodes[0]["silent"].clone(),
            nodes[0]["dropping"].clone()
        ),
        (json!("n1"), json!(false), json!(false))
    );
    node.post("/heartbeat", &json!({"drops": {"ring full": 7}}))
        .expect(204);
    assert_eq!(
        admin.get("/overview").json()["nodes"],
        json!({"total": 1, "silent": 0, "dropping": 1})
    );
    let kept = admin.put(
        "/settings/retention",
        &json!({"findings_days": 30, "activity_days": 7}),
    );
    kept.expect(200);
    assert_eq!(admin.get("/settings/retention").json()["findings_days"], 30);
    admin
        .put("/settings/retention", &json!({"findings_days": 0}))
        .expect(400);
    assert!(
        admin.get("/fields").json()["fields"]
            .as_array()
            .unwrap()
            .len()
            > 100
    );
    admin
        .post("/filter/check", &json!({"filter": "severity >= high"}))
        .expect(200);
    let wrong = admin.post("/filter/check", &json!({"filter": "rule = "}));
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "bad_filter"));
    let metrics = server.nobody().send("GET", "/metrics", None, b"").text();
    assert!(
        metrics.contains(
            "vedette_server_requests_total{method=\"get\",route=\"/overview\",status=\"200\"} 1"
        ),
        "{metrics}"
    );
}

#[test]
fn passwords_sessions_and_tokens_live_and_end() {
    let server = start();
    let nobody = server.nobody();
    let by_token = nobody.post("/session", &json!({"token": server.admin_token}));
    by_token.expect(200);
    assert_eq!(
        (
            by_token.json()["user"].clone(),
            by_token.json()["role"].clone()
        ),
        (json!("admin"), json!("admin"))
    );
    let una = server.user("una", "viewer", &[]);
    assert_eq!(una.get("/session").json()["user"], "una");
    una.post(
        "/password",
        &json!({"old": "wrong password!", "new": "another long password"}),
    )
    .expect(403);
    una.post(
        "/password",
        &json!({"old": "a long enough password", "new": "short"}),
    )
    .expect(400);
    let second = server.session("una", "a long enough password");
    una.post(
        "/password",
        &json!({"old": "a long enough password", "new": "another long password"}),
    )
    .expect(204);
    una.get("/session").expect(200);
    second.get("/session").expect(401);
    una.delete("/session").expect(204);
    una.get("/session").expect(401);
    let una = server.session("una", "another long password");
    server.admin().delete("/users/una").expect(204);
    una.get("/session").expect(401);
    assert_eq!(nobody.get("/session/methods").json()["openid"], Json::Null);
    nobody.get("/session/openid").expect(404);
}
