//! Notifications: what is sent, how often, and where to not.

#![allow(
    clippy::unwrap_used,
    reason = "a broken expectation shall fail the test"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use support::{PATIENCE, Running, finding, now, start, start_with};
use vedette_event::{Priority, Record};
use vedette_server::{Config, Targets};

/// A service that hands out what it is sent, and answers with these statuses, the last for good.
fn service(statuses: &'static [u16]) -> (String, mpsc::Receiver<(String, Json)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (send, received) = mpsc::channel();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { return };
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                let line = line.to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let status = statuses.get(index).or(statuses.last()).unwrap();
            let answer =
                format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = reader.get_mut().write_all(answer.as_bytes());
            let _ = send.send((head, serde_json::from_slice(&body).unwrap()));
        }
    });
    (url, received)
}

fn allowing() -> Running {
    let mut config = Config::new("127.0.0.1:0".parse().unwrap());
    config.public_url = Some("https://v.example".to_owned());
    config.targets = Targets {
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
    };
    start_with(config, |_| {})
}

fn set(server: &Running, to: &Json, throttle: u64) -> Json {
    let channel = json!({
        "name": "c", "filter": "severity >= high and k8s.ns.name = shop", "throttle_seconds": throttle, "to": to,
    });
    let answer = server
        .admin()
        .put("/settings/notifications", &json!({"channels": [channel]}));
    answer.expect(200);
    answer.json()["channels"][0].clone()
}

#[test]
fn a_group_is_told_at_once_and_then_throttled_with_a_count() {
    let server = allowing();
    let (url, received) = service(&[200]);
    set(
        &server,
        &json!({"kind": "webhook", "url": url, "secret": "s"}),
        2,
    );
    let node = server.node("n1");
    let mut low = finding("n1", 100);
    low.priority = Priority::Notice;
    let mut elsewhere = finding("n1", 101);
    elsewhere
        .fields
        .insert("k8s.ns.name".to_owned(), json!("bank"));
    let mut old = finding("n1", 102);
    old.time = now() - 3 * 24 * 3_600_000_000_000;
    let quiet = [low, elsewhere, old].map(Record::Finding);
    node.ingest(&quiet).expect(200);
    node.ingest(&[Record::Finding(finding("n1", 1))])
        .expect(200);
    let (head, first) = received.recv_timeout(PATIENCE).unwrap();
    assert!(head.contains("x-vedette-signature-256: sha256="), "{head}");
    assert_eq!(first["finding"]["id"], finding("n1", 1).id);
    assert_eq!(
        first["finding"]["link"],
        format!("https://v.example/events/{}", finding("n1", 1).id)
    );
    let more: Vec<Record> = (2..12)
        .map(|number| Record::Finding(finding("n1", number)))
        .collect();
    node.ingest(&more).expect(200);
    let (_, second) = received.recv_timeout(PATIENCE).unwrap();
    assert_eq!(second["finding"]["count"], 10, "{second}");
    assert!(received.recv_timeout(Duration::from_millis(300)).is_err());
}

#[test]
fn what_could_not_be_sent_is_tried_again_and_said() {
    let server = allowing();
    let (url, received) = service(&[500, 200]);
    set(&server, &json!({"kind": "slack", "url": url}), 60);
    server
        .node("n1")
        .ingest(&[Record::Finding(finding("n1", 1))])
        .expect(200);
    for _ in 0..2 {
        let (_, body) = received.recv_timeout(PATIENCE).unwrap();
        assert!(
            body["text"]
                .as_str()
                .unwrap()
                .contains("Terminal shell in container")
        );
    }
    // A closed port: three tries, then it is written down and shown beside the channel.
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{closed}/secret-path");
    set(&server, &json!({"kind": "slack", "url": url}), 60);
    server
        .node("n1")
        .ingest(&[Record::Finding(finding("n1", 2))])
        .expect(200);
    assert!(server.logged(&["notify", "error", "127.0.0.1"]));
    let shown = server.admin().get("/settings/notifications").text();
    assert!(!shown.contains("secret-path"), "{shown}");
    let log = server.log.lock().unwrap().join("\n");
    assert!(!log.contains("secret-path"), "{log}");
}

#[test]
fn the_test_button_tells_how_it_went_and_reaches_no_inner_address() {
    let server = allowing();
    let (url, received) = service(&[200]);
    let kept = set(
        &server,
        &json!({"kind": "pagerduty", "routing_key": "key", "url": url}),
        60,
    );
    let path = "/settings/notifications/test";
    let admin = server.admin();
    assert_eq!(
        admin.post(path, &json!({"id": kept["id"]})).json()["ok"],
        true
    );
    let (_, event) = received.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (event["routing_key"].clone(), event["event_action"].clone()),
        (json!("key"), json!("trigger"))
    );
    // As a screen sends it back, with the secret hidden.
    assert_eq!(kept["to"]["routing_key"], "********");
    assert_eq!(admin.post(path, &kept).json()["ok"], true);
    let mut moved = kept.clone();
    moved["to"]["url"] = json!("http://127.0.0.1:1/");
    admin.post(path, &moved).expect(400);
    admin.post(path, &json!({"id": "unknown"})).expect(404);
    // Without leave nothing of this machine is reached, by name neither.
    let strict = start();
    let port = url.split(':').nth(2).unwrap();
    for host in [
        &url,
        &format!("http://localhost:{port}"),
        &"http://169.254.169.254/latest/meta-data".to_owned(),
    ] {
        let channel = json!({"name": "x", "to": {"kind": "webhook", "url": host}});
        let answer = strict.admin().post(path, &channel).json();
        assert_eq!(answer["ok"], false, "{host}");
        assert!(
            answer["message"].as_str().unwrap().contains("address"),
            "{answer}"
        );
    }
    let smtp = json!({"name": "x", "to": {"kind": "email", "host": "localhost", "port": 25, "from": "a@b", "to": ["c@d"]}});
    assert!(
        strict.admin().post(path, &smtp).json()["message"]
            .as_str()
            .unwrap()
            .contains("--allow-target")
    );
    assert!(
        received.recv_timeout(Duration::from_millis(300)).is_ok(),
        "the second test message"
    );
    assert!(received.recv_timeout(Duration::from_millis(300)).is_err());
}
