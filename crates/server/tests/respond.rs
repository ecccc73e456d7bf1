//! Acting on findings: who may, what must come first, how orders reach an agent and what comes back.

#![allow(
    clippy::unwrap_used,
    reason = "a broken expectation shall fail the test"
)]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use support::{Client, Running, finding, start};
use vedette_event::Record;

/// Has an agent of `n1` ask once, so that it counts as there.
fn agent(server: &Running) -> Client {
    let node = server.node("n1");
    let mut found = finding("n1", 0);
    let id = json!("0123456789abcdef".repeat(4));
    found.fields.insert("container.full_id".to_owned(), id);
    node.ingest(&[Record::Finding(found)]).expect(200);
    node.get("/orders").expect(200);
    node
}

fn path(what: &str) -> String {
    format!("/findings/{}/{what}", finding("n1", 0).id)
}

fn answer(node: &Client, order: &Json, outcome: &str) {
    let account = json!({
        "outcome": outcome, "detail": "kills process 100",
        "processes": [{"pid": 100, "name": "bash", "exe": "/bin/bash"}], "total": 1,
    });
    let path = format!("/orders/{}/account", order["id"].as_str().unwrap());
    node.post(&path, &account).expect(204);
}

#[test]
fn an_order_is_rehearsed_carried_out_and_told() {
    let server = start();
    let node = agent(&server);
    let alice = server.user("alice", "responder", &[]);
    let mut stream = server
        .admin()
        .stream("/stream?filter=severity%20%3E%3D%20high");
    let mut told = |state: &str| loop {
        let (_, name, data) = stream.next();
        if name == "response" && data["state"] == state {
            return data;
        }
    };
    // an agent that waits has the order at once
    let waiting = std::thread::spawn({
        let node = node.clone();
        move || {
            let bundle = node.get("/orders").json()["bundle"].clone();
            let path = format!("/orders?wait=20&bundle={}", bundle.as_str().unwrap());
            let begun = Instant::now();
            (node.get(&path).json(), begun.elapsed())
        }
    });
    std::thread::sleep(Duration::from_millis(300));
    let kill = json!({"action": "kill_process"});
    let tried = alice.post(&path("respond"), &kill).json();
    assert_eq!(
        (&tried["state"], &tried["dry_run"]),
        (&json!("waiting"), &json!(true))
    );
    // twice asked, once ordered
    assert_eq!(
        alice.post(&path("respond"), &kill).json()["id"],
        tried["id"]
    );
    let (orders, took) = waiting.join().unwrap();
    assert!(took < Duration::from_secs(15), "{took:?}");
    let order = &orders["orders"][0];
    assert_eq!(order["dry_run"], true);
    assert_eq!(
        (&order["aim"]["pid"], &order["by"]),
        (&json!(100), &json!("alice"))
    );
    assert!(order["aim"]["started"].as_u64().unwrap() > 0);
    // until it is answered it comes again
    assert_eq!(node.get("/orders").json()["orders"][0], *order);
    let for_real = json!({"action": "kill_process", "rehearsal": tried["id"]});
    let early = alice.post(&path("respond"), &for_real);
    assert_eq!((early.status, early.code().as_str()), (409, "rehearsal"));
    answer(&node, order, "dry_run");
    assert_eq!(told("fetched")["by"], "alice");
    assert_eq!(told("answered")["outcome"], "dry_run");
    // of another action it is no rehearsal
    let other = json!({"action": "kill_container", "rehearsal": tried["id"]});
    alice.post(&path("respond"), &other).expect(409);
    let ordered = alice.post(&path("respond"), &for_real);
    ordered.expect(200);
    let orders = node.get("/orders").json();
    assert_eq!(orders["orders"].as_array().unwrap().len(), 1);
    assert_eq!(orders["orders"][0]["dry_run"], false);
    answer(&node, &orders["orders"][0], "done");
    assert_eq!(told("answered")["outcome"], "done");
    assert_eq!(node.get("/orders").json()["orders"], json!([]));
    let page = alice
        .get(&format!("/findings/{}", finding("n1", 0).id))
        .json();
    let responses = page["respond"]["responses"].as_array().unwrap();
    assert_eq!(responses.len(), 2);
    assert_eq!(responses[1]["detail"], "kills process 100");
    assert_eq!(page["respond"]["unreachable"], Json::Null);
    assert_eq!(
        responses,
        alice.get(&path("responses")).json().as_array().unwrap()
    );
    let log = server.admin().get("/audit-log?limit=20").json().to_string();
    for entry in ["finding.respond", "finding.respond.account", "agent n1"] {
        assert!(log.contains(entry), "{entry}: {log}");
    }
    // an order of another node, or one that was answered, is nobody's to answer
    let stranger = server.node("n2");
    let late = format!("/orders/{}/account", tried["id"].as_str().unwrap());
    let account = json!({"outcome": "done", "detail": ""});
    stranger.post(&late, &account).expect(404);
    node.post(&late, &account).expect(404);
}

#[test]
fn what_cannot_be_done_is_said_and_who_may_not_is_refused() {
    let server = start();
    let kill = json!({"action": "kill_process"});
    let node = server.node("n1");
    let mut bare = finding("n1", 1);
    bare.lineage.clear();
    bare.fields.clear();
    let bare_path = format!("/findings/{}/respond", bare.id);
    node.ingest(&[Record::Finding(finding("n1", 0)), Record::Finding(bare)])
        .expect(200);
    let admin = server.admin();
    let away = admin.post(&path("respond"), &kill);
    assert_eq!(away.code(), "unreachable");
    assert!(away.text().contains("never heard"), "{}", away.text());
    let offer = &admin
        .get(&format!("/findings/{}", finding("n1", 0).id))
        .json()["respond"];
    assert!(offer["unreachable"].as_str().unwrap().contains("n1"));
    node.get("/orders?responds=no:%20it%20lacks%20CAP_KILL")
        .expect(200);
    let unable = admin.post(&path("respond"), &kill);
    assert!(
        unable.text().contains("it lacks CAP_KILL"),
        "{}",
        unable.text()
    );
    node.get("/orders").expect(200);
    for action in ["kill_process", "pause_container"] {
        let refused = admin.post(&bare_path, &json!({"action": action}));
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (409, "cannot_be_done")
        );
    }
    admin
        .post(&path("respond"), &json!({"action": "reboot"}))
        .expect(400);
    server
        .user("vic", "viewer", &[])
        .post(&path("respond"), &kill)
        .expect(403);
    server.nobody().post(&path("respond"), &kill).expect(401);
    node.post(&path("respond"), &kill).expect(403);
    admin.get("/orders").expect(403);
    let session = server.user("rita", "responder", &[]);
    session
        .without("x-csrf-token")
        .post(&path("respond"), &kill)
        .expect(403);
    admin
        .post(
            "/teams",
            &json!({"name": "elsewhere", "zone": "k8s.ns.name = other"}),
        )
        .expect(200);
    let zoe = server.user("zoe", "responder", &["elsewhere"]);
    zoe.post(&path("respond"), &kill).expect(404);
    zoe.get(&path("responses")).expect(404);
    session.post(&path("respond"), &kill).expect(200);
    // what somebody in a hurry, or a script, may order
    let mut refused = 0;
    for action in ["kill_process", "pause_container", "stop_container"]
        .iter()
        .cycle()
        .take(60)
    {
        let order = &node.get("/orders").json()["orders"][0];
        if order.is_object() {
            answer(&node, order, "withheld");
        }
        let status = session
            .post(&path("respond"), &json!({"action": action}))
            .status;
        refused += usize::from(status == 429);
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn agents_that_wait_are_told_of_changed_rules() {
    let server = start();
    let node = server.node("n1");
    let bundle = node.get("/bundle").json();
    let version = bundle["version"].as_str().unwrap().to_owned();
    let waiting = std::thread::spawn({
        let node = node.clone();
        move || {
            node.get(&format!("/orders?wait=20&bundle={version}"))
                .json()
        }
    });
    std::thread::sleep(Duration::from_millis(300));
    let text =
        "- rule: Mine\n  desc: d\n  condition: proc.name = x\n  output: o\n  priority: ERROR\n";
    server
        .admin()
        .put("/rules/Mine", &json!({"text": text}))
        .expect(200);
    let told = waiting.join().unwrap();
    let after = node.get("/bundle").json();
    assert_eq!(told, json!({"orders": [], "bundle": after["version"]}));
    assert_ne!(bundle["version"], after["version"]);
    assert_eq!(after["rules"], json!([{"name": "Mine", "text": text}]));
    let heard = json!({"version": "1", "bundle": after["version"], "bundle_problem": ""});
    node.post("/heartbeat", &heard).expect(204);
    assert_eq!(
        server.admin().get("/nodes").json()[0]["bundle_current"],
        true
    );
    server.admin().delete("/rules/Mine").expect(204);
    assert_eq!(
        server.admin().get("/nodes").json()[0]["bundle_current"],
        false
    );
    assert_eq!(node.get("/bundle").json()["version"], bundle["version"]);
}
