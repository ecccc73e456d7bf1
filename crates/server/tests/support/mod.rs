//! A server on loopback with everything in memory, and a client that can misbehave.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    unreachable_pub,
    reason = "each test uses a part of it, and a broken expectation shall fail the test"
)]

pub mod memory;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use memory::Memory;
use serde_json::{Value as Json, json};
use vedette_event::{Activity, ActivityKind, Finding, Priority, Process, Record, record_id};
use vedette_server::{Config, Log, Parts, Server};

/// Longest wait for anything; generous, since the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Running {
    pub address: SocketAddr,
    pub memory: Arc<Memory>,
    pub admin_token: String,
    pub join_token: String,
    pub log: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a server on a port of its own.
pub fn start() -> Running {
    start_with(Config::new("127.0.0.1:0".parse().unwrap()), |_| {})
}

pub fn start_with(config: Config, change: impl FnOnce(&mut Parts)) -> Running {
    start_on(Arc::default(), config, change)
}

pub fn start_on(memory: Arc<Memory>, config: Config, change: impl FnOnce(&mut Parts)) -> Running {
    let first = vedette_server::first_start(&*memory).unwrap();
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&log);
    let mut parts = Parts {
        history: Arc::clone(&memory) as _,
        state: Arc::clone(&memory) as _,
        shipped: vec![("rules/syscall/shell.yaml".to_owned(), SHIPPED.to_owned())],
        stops: None,
        policies: None,
        log: Log::new(Box::new(move |line| {
            sink.lock().unwrap().push(line.to_owned());
        })),
    };
    change(&mut parts);
    let server = Server::bind(config, parts).unwrap();
    let address = server.address();
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let thread = std::thread::spawn(move || server.run(&flag).unwrap());
    let (admin_token, join_token) = first.map_or_else(Default::default, |first| {
        (first.admin_token, first.join_token)
    });
    Running {
        address,
        memory,
        admin_token,
        join_token,
        log,
        stop,
        thread: Some(thread),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A rule as it might be shipped.
pub const SHIPPED: &str = "- rule: Terminal shell in container
  desc: A shell was started
  condition: evt.type in (execve, execveat) and proc.name in (bash, sh) and container.id != host
  output: shell (command=%proc.cmdline)
  priority: NOTICE
  tags: [T1059]
";

impl Running {
    pub fn stop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// A client with the first admin's token.
    pub fn admin(&self) -> Client {
        Client {
            address: self.address,
            headers: vec![(
                "authorization".to_owned(),
                format!("Bearer {}", self.admin_token),
            )],
        }
    }

    /// A client without credentials.
    pub fn nobody(&self) -> Client {
        Client {
            address: self.address,
            headers: Vec::new(),
        }
    }

    /// A client with the token of a new user.
    pub fn user(&self, name: &str, role: &str, teams: &[&str]) -> Client {
        let password = "a long enough password";
        let admin = self.admin();
        admin
            .post(
                "/users",
                &json!({"name": name, "role": role, "teams": teams, "password": password}),
            )
            .expect(200);
        self.session(name, password)
    }

    /// A client with a session.
    pub fn session(&self, user: &str, password: &str) -> Client {
        let answer = self
            .nobody()
            .post("/session", &json!({"user": user, "password": password}));
        answer.expect(200);
        let cookie = answer
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let csrf = answer.json()["csrf"].as_str().unwrap().to_owned();
        Client {
            address: self.address,
            headers: vec![
                ("cookie".to_owned(), cookie),
                ("x-csrf-token".to_owned(), csrf),
            ],
        }
    }

    /// A client with the token of a node.
    pub fn node(&self, name: &str) -> Client {
        let joined = self
            .nobody()
            .post("/join", &json!({"token": self.join_token, "node": name}));
        joined.expect(200);
        let token = joined.json()["node_token"].as_str().unwrap().to_owned();
        Client {
            address: self.address,
            headers: vec![("authorization".to_owned(), format!("Bearer {token}"))],
        }
    }

    /// Whether the log has a line with all of these texts; waits for it.
    pub fn logged(&self, texts: &[&str]) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self
                .log
                .lock()
                .unwrap()
                .iter()
                .any(|line| texts.iter().all(|text| line.contains(text)));
            if found || Instant::now() > end {
                return found;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[derive(Clone, Debug)]
pub struct Client {
    pub address: SocketAddr,
    pub headers: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub asked: String,
}

impl Answer {
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Self {
        assert_eq!(
            self.status,
            status,
            "{}: {}",
            self.asked,
            String::from_utf8_lossy(&self.body)
        );
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}: no JSON: {}", self.asked, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of an error answer.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

impl Client {
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(own, _)| own != name);
        client
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", &format!("/api/v1{path}"), None, b"")
    }

    pub fn post(&self, path: &str, body: &Json) -> Answer {
        self.json("POST", path, body)
    }

    pub fn put(&self, path: &str, body: &Json) -> Answer {
        self.json("PUT", path, body)
    }

    pub fn patch(&self, path: &str, body: &Json) -> Answer {
        self.json("PATCH", path, body)
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", &format!("/api/v1{path}"), None, b"")
    }

    fn json(&self, method: &str, path: &str, body: &Json) -> Answer {
        let body = body.to_string();
        self.send(
            method,
            &format!("/api/v1{path}"),
            Some("application/json"),
            body.as_bytes(),
        )
    }

    /// Sends records as an agent does.
    pub fn ingest(&self, records: &[Record]) -> Answer {
        let lines: Vec<String> = records
            .iter()
            .map(|record| serde_json::to_string(record).unwrap())
            .collect();
        self.send(
            "POST",
            "/api/v1/ingest",
            Some("application/x-ndjson"),
            lines.join("\n").as_bytes(),
        )
    }

    pub fn head(&self, method: &str, path: &str, kind: Option<&str>, length: usize) -> String {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            self.address
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(kind) = kind {
            head.push_str(&format!("content-type: {kind}\r\n"));
        }
        if length > 0 || method != "GET" {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        head + "\r\n"
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn send(&self, method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let head = self.head(method, path, kind, body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses before it has read everything may close early.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        parse(&answer, format!("{method} {path}"))
    }

    /// Opens a live stream.
    pub fn stream(&self, path: &str) -> Events {
        let mut stream = self.connect();
        let head = self.head("GET", &format!("/api/v1{path}"), None, 0);
        stream.write_all(head.as_bytes()).unwrap();
        let mut events = Events {
            stream,
            buffer: String::new(),
        };
        let head = events.until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        events
    }
}

/// A live stream; chunk sizes are lines that no event begins with, and are passed over.
pub struct Events {
    stream: TcpStream,
    buffer: String,
}

impl Events {
    fn until(&mut self, mark: &str) -> String {
        loop {
            if let Some(at) = self.buffer.find(mark) {
                let rest = self.buffer.split_off(at + mark.len());
                return std::mem::replace(&mut self.buffer, rest);
            }
            let mut room = [0; 4096];
            let size = self.stream.read(&mut room).expect("an event in time");
            assert!(size > 0, "the stream ended: {}", self.buffer);
            self.buffer
                .push_str(&String::from_utf8_lossy(&room[..size]));
        }
    }

    /// The next event: its id, its name and its data. Remarks are passed over.
    pub fn next(&mut self) -> (String, String, Json) {
        loop {
            let text = self.until("\n\n");
            let line = |name: &str| {
                let found = text.lines().find_map(|line| line.strip_prefix(name));
                found.unwrap_or_default().trim().to_owned()
            };
            let name = line("event:");
            if !name.is_empty() {
                let data = serde_json::from_str(&line("data:")).unwrap();
                return (line("id:"), name, data);
            }
        }
    }

    /// The next finding.
    pub fn finding(&mut self) -> (String, Json) {
        loop {
            let (id, name, data) = self.next();
            if name == "finding" {
                return (id, data);
            }
        }
    }
}

fn parse(bytes: &[u8], asked: String) -> Answer {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let at = at.unwrap_or_else(|| panic!("{asked}: no answer: {}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = bytes[at + 4..].to_vec();
    if headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked")
    {
        body = unchunk(&body);
    }
    Answer {
        status,
        headers,
        body,
        asked,
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(at) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size =
            usize::from_str_radix(String::from_utf8_lossy(&bytes[..at]).trim(), 16).unwrap_or(0);
        if size == 0 || bytes.len() < at + 2 + size {
            break;
        }
        out.extend_from_slice(&bytes[at + 2..at + 2 + size]);
        bytes = bytes.get(at + 4 + size..).unwrap_or_default();
    }
    out
}

/// Now, in nanoseconds since the epoch.
pub fn now() -> u64 {
    vedette_server::clock::now()
}

/// A finding of a minute ago with a number.
pub fn finding(node: &str, number: u64) -> Finding {
    Finding {
        id: record_id(&[node.as_bytes(), &number.to_le_bytes()]),
        time: now() - 60_000_000_000 + number,
        source: "syscall".to_owned(),
        rule: "Terminal shell in container".to_owned(),
        priority: Priority::Critical,
        message: format!("shell number {number}"),
        tags: vec!["T1059".to_owned()],
        node: node.to_owned(),
        fields: [
            ("k8s.ns.name", json!("shop")),
            ("k8s.pod.name", json!("web-5d9c7b8f6d-abcde")),
            ("container.id", json!("0123456789ab")),
            ("container.image.repository", json!("example.org/web")),
            ("evt.type", json!("execve")),
            ("proc.name", json!("bash")),
            ("proc.cmdline", json!("bash -i")),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect(),
        lineage: vec![
            process(100, "bash"),
            process(10, "nginx"),
            process(1, "init"),
        ],
        why: None,
        policy: None,
        actions: Vec::new(),
        lost: 0,
    }
}

/// When processes started: an hour before the test.
static BASE: LazyLock<u64> = LazyLock::new(|| now() - 3_600_000_000_000);

/// A process that started long ago.
pub fn process(pid: i64, name: &str) -> Process {
    Process {
        pid,
        name: name.to_owned(),
        exepath: format!("/bin/{name}"),
        cmdline: name.to_owned(),
        started: *BASE + pid as u64,
        user: "root".to_owned(),
    }
}

/// A command that the shell of [`finding`] ran.
pub fn command(node: &str, number: u64) -> Activity {
    Activity {
        id: record_id(&[b"activity", node.as_bytes(), &number.to_le_bytes()]),
        time: now() - 59_000_000_000 + number,
        node: node.to_owned(),
        kind: ActivityKind::Command,
        process: process(200 + number as i64, "ls"),
        parent: process(100, "bash"),
        session: "pts".to_owned(),
        fields: finding(node, 0).fields,
    }
}
