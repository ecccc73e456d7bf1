//! `vedette up` on this machine: from a system call to the live stream, from there to the process that made it, and rules
//! that are saved at the server.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a broken expectation shall fail the test"
)]

mod container;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// What an alert may take from the system call to the stream (the bar that the project sets itself).
const BAR: Duration = Duration::from_secs(1);
/// How often it is measured.
const TIMES: usize = 7;

/// A server with its agent; ends as an operator would end it, so that it ends its agent.
struct Up {
    child: Child,
    dir: tempfile::TempDir,
    address: String,
    token: String,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
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

/// A name of its own for everything that a test starts, short enough for the kernel's 15 bytes.
fn unique(what: &str) -> String {
    format!("vdt{what}{}", std::process::id())
}

fn rule(rule: &str, program: &str) -> String {
    format!(
        "- rule: {rule}\n  desc: d\n  condition: evt.type in (execve, execveat) and proc.name = {program}\n  output: ran %proc.cmdline\n  priority: CRITICAL\n"
    )
}

impl Up {
    /// `None`, with a line that says why, where the sensor cannot run.
    fn start(rules: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rules.yaml"), rules).unwrap();
        let data = dir.path().join("data");
        let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .args(["up", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .arg("--rules")
            .arg(dir.path().join("rules.yaml"))
            .stdout(Stdio::piped())
            .stderr(File::create(dir.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let mut up = Self {
            child,
            dir,
            address: String::new(),
            token: String::new(),
        };
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).unwrap();
        up.address = line
            .trim()
            .strip_prefix("listening on http://")
            .unwrap()
            .to_owned();
        up.token = fs::read_to_string(data.join("admin-token"))
            .unwrap()
            .trim()
            .to_owned();
        // The agent says that it lives, or why it cannot.
        let begun = Instant::now();
        loop {
            let said = said(up.dir.path());
            if said.contains("goes on without it") {
                println!("not run: the sensor cannot start here: {}", said.trim());
                return None;
            }
            if up.get("/nodes")[0]["state"] == "running" {
                return Some(up);
            }
            assert!(begun.elapsed() < PATIENCE, "no sign of life: {said}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn answer(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Json {
        let mut answer = answer.unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(
            answer.status().is_success(),
            "{text}; {}",
            said(self.dir.path())
        );
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1{path}", self.address)
    }

    fn get(&self, path: &str) -> Json {
        let request = ureq::get(self.url(path))
            .config()
            .http_status_as_error(false)
            .build();
        self.answer(
            request
                .header("authorization", format!("Bearer {}", self.token))
                .call(),
        )
    }

    fn send(&self, request: ureq::RequestBuilder<ureq::typestate::WithBody>, body: &Json) -> Json {
        let request = request.config().http_status_as_error(false).build();
        let request = request
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        self.answer(request.send(body.to_string()))
    }

    /// Waits for a finding of a rule.
    fn finding(&self, rule: &str) -> Json {
        self.until(&format!("finding of {rule}"), || {
            let found = self.get(&format!("/findings?filter=rule%20%3D%20{rule}&limit=1"));
            Some(found["items"][0].clone()).filter(Json::is_object)
        })
    }

    fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            let said = said(self.dir.path());
            assert!(begun.elapsed() < PATIENCE, "no {what}: {said}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A copy of a program under a name of its own.
    fn program(&self, original: &str, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::copy(original, &path).unwrap();
        path
    }

    /// Orders something, and waits for how it went.
    fn respond(&self, finding: &str, action: &str, rehearsal: Option<&Json>) -> Json {
        let path = format!("/findings/{finding}/respond");
        let mut body = json!({"action": action});
        if let Some(rehearsal) = rehearsal {
            body["rehearsal"] = rehearsal["id"].clone();
        }
        let ordered = self.send(ureq::post(self.url(&path)), &body);
        self.until("answer to an order", || {
            let all = self.get(&format!("/findings/{finding}/responses"));
            let mut all = all.as_array().unwrap().iter();
            let own = all.find(|one| one["id"] == ordered["id"])?.clone();
            (own["state"] == "answered").then_some(own)
        })
    }
}

#[test]
fn an_alert_is_in_the_stream_within_a_second_of_the_system_call() {
    let name = unique("a");
    let Some(up) = Up::start(&rule("Latency", &name)) else {
        return;
    };
    let program = up.program("/bin/true", &name);
    let stream = get(
        &up.address,
        &up.token,
        "/stream?filter=rule%20%3D%20Latency",
    );
    let mut stream = BufReader::new(stream).lines();
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
    assert!(!said(up.dir.path()).contains("is started again"));
}

#[test]
fn a_person_kills_the_process_behind_an_alert_and_nothing_else() {
    let name = unique("r");
    let Some(up) = Up::start(&rule("Respond", &name)) else {
        return;
    };
    let program = up.program("/bin/sleep", &name);
    let mut victim = Command::new(&program).arg("300").spawn().unwrap();
    let mut bystander = Command::new("sleep").arg("300").spawn().unwrap();
    let found = up.finding("Respond");
    let id = found["id"].as_str().unwrap();
    let offer = up.until("connected agent", || {
        let page = up.get(&format!("/findings/{id}"));
        page["respond"]["unreachable"]
            .is_null()
            .then(|| page["respond"].clone())
    });
    assert!(
        offer["actions"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| { one["action"] == "kill_process" && one["impossible"].is_null() })
    );
    let tried = up.respond(id, "kill_process", None);
    assert_eq!(tried["outcome"], "dry_run", "{tried}");
    assert_eq!(tried["processes"][0]["pid"], victim.id());
    assert!(
        victim.try_wait().unwrap().is_none(),
        "a rehearsal does nothing"
    );
    let begun = Instant::now();
    let done = up.respond(id, "kill_process", Some(&tried));
    let took = begun.elapsed();
    assert_eq!(done["outcome"], "done", "{done}");
    let status = victim.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9)
    );
    assert!(bystander.try_wait().unwrap().is_none());
    println!("from the order to the killed process and back: {took:?}");
    // asked again there is nothing left to do
    let again = up.respond(id, "kill_process", None);
    assert_eq!(again["outcome"], "withheld", "{again}");
    let _ = bystander.kill();
    let _ = bystander.wait();
    let log = up.get("/audit-log?limit=20").to_string();
    assert!(log.contains("finding.respond.account"), "{log}");
}

#[test]
fn a_rule_that_is_saved_at_the_server_is_at_work_in_the_agent_and_none_misses_an_event() {
    let (own, saved) = (unique("o"), unique("s"));
    let Some(up) = Up::start(&rule("Own", &own)) else {
        return;
    };
    let (own, other) = (
        up.program("/bin/true", &own),
        up.program("/bin/true", &saved),
    );
    // the own rule goes on at every moment of the change
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let runner = std::thread::spawn(move || {
        let mut runs = 0u64;
        while !flag.load(Relaxed) {
            assert!(Command::new(&own).status().unwrap().success());
            runs += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        runs
    });
    let text = rule("Saved", &saved);
    let begun = Instant::now();
    up.send(ureq::put(up.url("/rules/Saved")), &json!({"text": text}));
    up.until("finding by the saved rule", || {
        assert!(Command::new(&other).status().unwrap().success());
        let found = up.get("/findings?filter=rule%20%3D%20Saved&limit=1");
        found["items"][0].is_object().then_some(())
    });
    println!(
        "from saving a rule to its first finding: {:?}",
        begun.elapsed()
    );
    stop.store(true, Relaxed);
    let runs = runner.join().unwrap();
    up.until("finding for every run of the own rule's program", || {
        let found = up.get("/findings?filter=rule%20%3D%20Own&limit=1&count=true");
        (found["total"] == runs).then_some(())
    });
    // a text that agents cannot use costs nothing but itself, and the node says which version it has
    let node = up.until("heartbeat with the version", || {
        let nodes = up.get("/nodes");
        (nodes[0]["bundle_current"] == true).then(|| nodes[0].clone())
    });
    assert_eq!(node["bundle_problem"], "");
    // gone again
    let request = ureq::delete(up.url("/rules/Saved"));
    let gone = request
        .header("authorization", format!("Bearer {}", up.token))
        .call();
    assert_eq!(gone.unwrap().status(), 204);
    let version = node["bundle"].clone();
    up.until("heartbeat with another version", || {
        (up.get("/nodes")[0]["bundle"] != version).then_some(())
    });
}
