//! What hostile clients send, and what attackers wrote, does no harm.

use std::io::{Read, Write};
use std::time::Instant;

use serde_json::json;
use vedette_event::Record;
use vedette_server::Config;

use crate::support::{PATIENCE, finding, start, start_on};

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
