//! The real binary as a server: first start, recordings, agents that come and go, and the command line's view of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken expectation shall fail the test"
)]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use vedette_event::{Finding, JsonKeys, Priority, Record, record_id};
use vedette_outputs::{Fanout, Filter, Format, Full, Http, Line, Spool};

/// Longest wait for anything; generous, since the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(25);

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/demo/attack.scap.gz")
}

struct Server {
    child: Child,
    url: String,
    dir: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(dir: &Path, listen: &str, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .args(["server", "--listen", listen, "--data"])
            .arg(dir)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line}"));
        Self {
            child,
            url: url.to_owned(),
            dir: dir.to_owned(),
        }
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.dir.join("admin-token"))
            .unwrap()
            .trim()
            .to_owned()
    }

    fn vedette(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_vedette"))
            .args(args)
            .env("VEDETTE_SERVER", &self.url)
            .env("VEDETTE_TOKEN", self.token())
            .env("VEDETTE_CONFIG", self.dir.join("none"))
            .output()
            .unwrap()
    }

    fn json(&self, args: &[&str]) -> Json {
        let output = self.vedette(args);
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|_| {
            panic!(
                "{args:?}: {text} {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// Joins as a node and gives its token.
    fn join(&self, node: &str) -> String {
        let file = self.dir.join("node-token");
        let join = self.dir.join("join-token");
        let output = self.vedette(&[
            "nodes",
            "--join",
            join.to_str().unwrap(),
            "--node",
            node,
            "--token-file",
            file.to_str().unwrap(),
        ]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }
}

#[test]
fn a_recording_is_seen_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let demo = demo();
    let server = Server::start(
        dir.path(),
        "127.0.0.1:0",
        &["--import", demo.to_str().unwrap(), "--import-as-now"],
    );
    let mode = std::fs::metadata(dir.path().join("admin-token"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let found = server.json(&["events", "-o", "json"]);
    let found = found.as_array().unwrap();
    assert!(found.len() >= 3, "{}", found.len());
    let table = server.vedette(&["events", "severity >= info", "-o", "wide"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert_eq!(table.lines().count(), found.len() + 1, "{table}");
    assert!(table.starts_with("TIME"), "{table}");
    let id = found[0]["id"].as_str().unwrap();
    let page = server.json(&[
        "event",
        id,
        "--status",
        "acknowledged",
        "--note",
        "seen",
        "-o",
        "json",
    ]);
    assert_eq!(
        (page["status"].clone(), page["notes"][0]["text"].clone()),
        (json!("acknowledged"), json!("seen"))
    );
    assert!(page["why"]["holds"] == true, "{page}");
    let text = String::from_utf8(server.vedette(&["event", id]).stdout).unwrap();
    assert!(text.contains("why") && text.contains('✓'), "{text}");
    let yaml = String::from_utf8(server.vedette(&["event", id, "-o", "yaml"]).stdout).unwrap();
    let yaml = vedette_yaml::parse(&yaml);
    assert!(yaml.errors.is_empty());
    assert_eq!(
        yaml.documents[0].root.get("id").and_then(|id| id.as_str()),
        Some(id)
    );
    let tree = String::from_utf8(server.vedette(&["tree", id]).stdout).unwrap();
    assert!(tree.contains('◀'), "{tree}");
    let activity = server.json(&["activity", "--kind", "command", "-o", "json"]);
    assert!(!activity.as_array().unwrap().is_empty());
    assert_eq!(
        server
            .vedette(&["events", "severity = critical and severity = low"])
            .status
            .code(),
        Some(1)
    );
    let wrong = server.vedette(&["events", "severity >= hihg"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("column 13"));
    assert_eq!(server.vedette(&["nodes"]).status.code(), Some(1));
    assert_eq!(
        server
            .vedette(&["events", "--token", "wrong"])
            .status
            .code(),
        Some(2)
    );
    // A second start knows its users, and says no token again.
    let data = server.dir.clone();
    drop(server);
    std::fs::remove_file(data.join("admin-token")).unwrap();
    let again = Server::start(&data, "127.0.0.1:0", &[]);
    assert!(!data.join("admin-token").exists());
    drop(again);
}

#[test]
fn other_machines_are_not_served_without_tls() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(["server", "--listen", "0.0.0.0:0", "--data"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--insecure-listen"));
}

fn finding(number: u64) -> Finding {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    Finding {
        id: record_id(&[b"load", &number.to_le_bytes()]),
        time: now,
        source: "syscall".to_owned(),
        rule: "load".to_owned(),
        priority: Priority::Notice,
        message: format!("number {number}"),
        tags: Vec::new(),
        node: "loaded".to_owned(),
        fields: std::collections::BTreeMap::new(),
        lineage: Vec::new(),
        why: None,
        policy: None,
        actions: Vec::new(),
        lost: 0,
    }
}

/// A server that is killed, twice, while an agent's output goes on sending: everything arrives, once.
#[test]
fn nothing_is_lost_or_doubled_while_the_server_is_killed() {
    const RECORDS: u64 = 6_000;
    let dir = tempfile::tempdir().unwrap();
    let spool_dir = tempfile::tempdir().unwrap();
    // The port must stay the same; the listener that found it is closed just before.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let listen = format!("127.0.0.1:{port}");
    let mut server = Server::start(dir.path(), &listen, &[]);
    let token = server.join("loaded");
    let spool = Spool::open(spool_dir.path(), 64 << 20).unwrap();
    let http = Http::new(
        format!("{}/api/v1/ingest", server.url),
        100,
        true,
        Some(spool),
    )
    .with_token(Some(token))
    .through_the_spool();
    let mut fanout = Fanout::new(Full::Wait, JsonKeys::default());
    fanout.add(
        "server".to_owned(),
        Filter::default(),
        Format::Json,
        Box::new(http),
    );
    for number in 0..RECORDS {
        let text = serde_json::to_string(&Record::Finding(finding(number))).unwrap();
        fanout.send_line(&Line {
            text,
            priority: Priority::Notice,
        });
        if number == RECORDS / 3 || number == RECORDS / 2 {
            // Killed, not asked to end.
            server.child.kill().unwrap();
            server.child.wait().unwrap();
            std::thread::sleep(Duration::from_millis(1500));
            server = Server::start(dir.path(), &listen, &[]);
        }
    }
    let begun = Instant::now();
    let total = |server: &Server| {
        let found = server.json(&["events", "rule = load", "--limit", "100000", "-o", "json"]);
        let mut ids: Vec<String> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].to_string())
            .collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        (all, ids.len())
    };
    loop {
        let waiting = fanout.snapshot().iter().map(|one| one.spooled).sum::<u64>();
        if waiting == 0 && total(&server) == (RECORDS as usize, RECORDS as usize) {
            break;
        }
        assert!(
            begun.elapsed() < PATIENCE * 2,
            "{:?} of {RECORDS}, {:?}",
            total(&server),
            fanout.snapshot()
        );
        std::thread::sleep(Duration::from_millis(300));
    }
    let counts = fanout.finish();
    assert_eq!(
        (counts[0].given_up, counts[0].dropped),
        (0, 0),
        "{counts:?}"
    );
}

/// A site with an authority of its own: an agent's output that knows it delivers over TLS, one that does not says nothing.
#[test]
fn records_go_over_tls_to_whom_a_private_authority_vouches_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_pem = params.self_signed(&ca_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(params, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = own.signed_by(&key, &issuer).unwrap();
    let ca = file("ca.pem", ca_pem);
    let (certificate, key) = (
        file("cert.pem", own.pem()),
        file("key.pem", key.serialize_pem()),
    );
    let data = dir.path().join("data");
    let tls = [
        "--tls-cert",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let mut server = Server::start(&data, "127.0.0.1:0", &tls);
    server.url = server.url.replace("127.0.0.1", "localhost");
    let token_file = dir.path().join("node-token");
    let joined = server.vedette(&[
        "nodes",
        "--ca",
        ca.to_str().unwrap(),
        "--join",
        data.join("join-token").to_str().unwrap(),
        "--node",
        "loaded",
        "--token-file",
        token_file.to_str().unwrap(),
    ]);
    let said = String::from_utf8_lossy(&joined.stderr);
    assert!(joined.status.success(), "{said}");
    let token = std::fs::read_to_string(token_file)
        .unwrap()
        .trim()
        .to_owned();
    let record = serde_json::to_string(&Record::Finding(finding(1))).unwrap();
    let line = || Line {
        text: record.clone(),
        priority: Priority::Notice,
    };
    let http = || {
        let url = format!("{}/api/v1/ingest", server.url);
        Http::new(url, 2, true, None).with_token(Some(token.clone()))
    };
    let mut stranger = http();
    assert!(vedette_outputs::Output::deliver(&mut stranger, &[line()]).is_err());
    let mut known = http().with_ca(Some(&ca)).unwrap();
    vedette_outputs::Output::deliver(&mut known, &[line()]).unwrap();
    let found = server.json(&[
        "events",
        "--ca",
        ca.to_str().unwrap(),
        "rule = load",
        "-o",
        "json",
    ]);
    assert_eq!(found.as_array().unwrap().len(), 1);
    // a file without a certificate is a mistake and not an authority that vouches for nobody
    assert!(http().with_ca(Some(&key)).is_err());
}
