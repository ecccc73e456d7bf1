//! What must be refused is refused, and written down.

#![allow(
    clippy::unwrap_used,
    reason = "a broken expectation shall fail the test"
)]

mod support;

use std::io::{Read, Write};
use std::time::Instant;

use serde_json::{Value as Json, json};
use support::{PATIENCE, command, finding, start, start_on};
use vedette_event::Record;
use vedette_server::Config;

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
fn every_answer_tells_the_browser_to_be_careful() {
    let server = start();
    for path in [
        "/",
        "/events/x",
        "/api/v1/findings",
        "/nothing.js",
        "/healthz",
        "/api/nothing",
    ] {
        let answer = server.nobody().send("GET", path, None, b"");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    let signed_in = server.user("una", "viewer", &[]);
    assert_eq!(
        signed_in.get("/findings").header("cache-control"),
        Some("no-store")
    );
    let answer = server.nobody().post(
        "/session",
        &json!({"user": "una", "password": "a long enough password"}),
    );
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
}

#[test]
fn paths_lead_nowhere() {
    let server = start();
    for path in [
        "/../../etc/passwd",
        "/assets/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/assets/..\\..\\etc\\passwd",
        "/x%00.html",
    ] {
        let answer = server.nobody().send("GET", path, None, b"");
        assert!(
            answer.status == 404 || answer.status == 400,
            "{path}: {}",
            answer.status
        );
        assert!(!answer.text().contains("root:"), "{path}");
    }
    assert!(server.logged(&["refused", "\"path\":\"/../../etc/passwd\""]));
    let admin = server.admin();
    for path in [
        "/findings/..%2f..%2fetc%2fpasswd",
        "/policies/..%2f..%2fetc%2fpasswd",
        "/rules/..%2Fx/history",
    ] {
        let answer = admin.get(path);
        assert!(
            answer.status == 404 || answer.text() == "[]",
            "{path}: {}",
            answer.text()
        );
    }
    admin
        .put("/policies/..%2fx", &json!({"text": "a: 1"}))
        .expect(400);
}

#[test]
fn bodies_that_are_too_large_or_too_strange_are_refused() {
    let server = start();
    let big = vec![b' '; 9 * 1024 * 1024];
    let node = server.node("n1");
    let answer = node.send("POST", "/api/v1/ingest", Some("application/x-ndjson"), &big);
    answer.expect(413);
    let admin = server.admin();
    let big = format!("{{\"filter\":\"{}\"}}", "a".repeat(2 * 1024 * 1024));
    admin
        .send(
            "POST",
            "/api/v1/filter/check",
            Some("application/json"),
            big.as_bytes(),
        )
        .expect(413);
    // Before somebody is known, a kilobyte must do.
    let big = format!("{{\"user\":\"{}\"}}", "a".repeat(64 * 1024));
    server
        .nobody()
        .send(
            "POST",
            "/api/v1/session",
            Some("application/json"),
            big.as_bytes(),
        )
        .expect(413);
    assert!(server.logged(&["refused", "too_large", "/api/v1/ingest"]));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in ["", "{", "\u{0}", "[1,2", &deep] {
        let answer = admin.send(
            "POST",
            "/api/v1/filter/check",
            Some("application/json"),
            body.as_bytes(),
        );
        answer.expect(400);
        assert_eq!(answer.code(), "bad_request");
    }
    // Aliases that multiply.
    let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (name, inner) in "bcdefghi".chars().zip("abcdefgh".chars()) {
        bomb.push_str(&format!(
            "{name}: &{name} [{}]\n",
            vec![format!("*{inner}"); 9].join(",")
        ));
    }
    let checked = admin.post("/rules/check", &json!({"text": bomb}));
    assert_eq!(checked.json()["ok"], false, "{}", checked.text());
    let checked = admin.post("/policies/check", &json!({"text": bomb}));
    assert_eq!(checked.json()["ok"], false, "{}", checked.text());
    // A header section without end.
    let mut stream = admin.connect();
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n");
    for _ in 0..200 {
        if stream
            .write_all(format!("x: {}\r\n", "y".repeat(1000)).as_bytes())
            .is_err()
        {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 431"),
        "{text}"
    );
    admin.get("/findings").expect(200);
}

#[test]
fn a_slow_client_is_let_go_and_others_do_not_wait() {
    let server = start();
    let begun = Instant::now();
    // Many connections that say nothing more.
    let mut slow: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = server.nobody().connect();
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost").unwrap();
            stream
        })
        .collect();
    server.admin().get("/findings").expect(200);
    assert!(begun.elapsed() < PATIENCE);
    let mut answer = Vec::new();
    let ended = slow[0].read_to_end(&mut answer);
    assert!(
        ended.is_ok(),
        "the connection is still open after {:?}",
        begun.elapsed()
    );
    assert!(begun.elapsed().as_secs() >= 10, "{:?}", begun.elapsed());
    assert!(!String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200"));
}

#[test]
fn guessing_passwords_is_slowed_and_logged() {
    let server = start();
    server.user("mallory", "viewer", &[]);
    let guess = |number: u32| {
        server.nobody().post(
            "/session",
            &json!({"user": "mallory", "password": format!("guess number {number}")}),
        )
    };
    let statuses: Vec<u16> = (0..20).map(|number| guess(number).status).collect();
    assert!(
        statuses.iter().all(|status| matches!(status, 401 | 429)),
        "{statuses:?}"
    );
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    // The right password is not let through either, or one would guess on without waiting for an answer.
    let right = server.nobody().post(
        "/session",
        &json!({"user": "mallory", "password": "a long enough password"}),
    );
    assert_eq!(
        (right.status, right.header("retry-after").is_some()),
        (429, true)
    );
    assert!(server.logged(&["refused", "wrong_credentials"]));
    assert!(server.logged(&["refused", "too_many_requests"]));
    let log = server.admin().get("/audit-log?limit=1000").text();
    assert!(
        log.contains("session.failed") && log.contains("mallory"),
        "{log}"
    );
    // Whether a name exists is not told.
    let fresh = start_on(
        std::sync::Arc::clone(&server.memory),
        Config::new("127.0.0.1:0".parse().unwrap()),
        |_| {},
    );
    let ask = |user: &str| {
        fresh
            .nobody()
            .post(
                "/session",
                &json!({"user": user, "password": "wrong password!"}),
            )
            .text()
    };
    assert_eq!(ask("mallory"), ask("nobody-of-this-name"));
}

#[test]
fn what_attackers_wrote_comes_back_as_it_was_and_harmless() {
    let server = start();
    let evil = "<script>alert(1)</script>\u{202e}\u{1b}[2J\r\nid: 9\nevent: finding\ndata: {}\n\n'\"`=HYPERLINK(\"x\")";
    let mut found = finding("n1", 1);
    found.message = evil.to_owned();
    found.lineage[0].cmdline = evil.to_owned();
    for name in ["proc.cmdline", "fd.name", "k8s.pod.label.x", "ka.useragent"] {
        found.fields.insert(name.to_owned(), json!(evil));
    }
    let node = server.node("n1");
    let admin = server.admin();
    let mut events = admin.stream("/stream");
    node.ingest(&[Record::Finding(found.clone())]).expect(200);
    // In the stream nothing of it begins an event of its own.
    let (_, seen) = events.finding();
    assert_eq!(seen["message"], evil);
    node.ingest(&[Record::Finding(finding("n1", 2))])
        .expect(200);
    assert_eq!(events.finding().1["id"], finding("n1", 2).id);
    let answer = admin.get(&format!("/findings/{}", found.id));
    answer.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["message"], evil);
    assert_eq!(answer.json()["fields"]["ka.useragent"], evil);
    assert_eq!(answer.json()["lineage"][0]["cmdline"], evil);
    let csv = admin.get("/findings/export?format=csv");
    assert!(
        csv.header("content-disposition")
            .unwrap()
            .starts_with("attachment")
    );
    assert!(
        csv.text().contains("\"<script>alert(1)</script>"),
        "{}",
        csv.text()
    );
    // As a note and as an error message too.
    let path = format!("/findings/{}", found.id);
    let noted = admin.patch(&path, &json!({"note": evil}));
    assert_eq!(noted.json()["notes"][0]["text"], evil.trim());
    let error = admin.get("/findings?filter=%3Cscript%3E%3D");
    error.expect(400);
    assert_eq!(error.header("content-type"), Some("application/json"));
}

#[test]
fn streams_are_limited_and_end_with_the_right_to_see() {
    let server = start();
    let una = server.user("una", "viewer", &[]);
    let open: Vec<_> = (0..16).map(|_| una.stream("/stream")).collect();
    let answer = una.get("/stream");
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (429, "too_many_streams")
    );
    assert!(server.logged(&["refused", "too_many_streams", "una"]));
    drop(open);
    // Places are given back.
    let end = Instant::now() + PATIENCE;
    loop {
        let mut stream = una.connect();
        stream
            .write_all(una.head("GET", "/api/v1/stream", None, 0).as_bytes())
            .unwrap();
        let mut room = [0; 12];
        stream.read_exact(&mut room).unwrap();
        if room.ends_with(b"200") {
            break;
        }
        assert!(Instant::now() < end, "no place is given back");
    }
    una.get("/stream?after=x").expect(400);
    una.get("/stream?filter=%28").expect(400);
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
