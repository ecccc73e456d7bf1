//! `vedette findings watch`: what is acknowledged is neither lost nor doubled, whatever happens to the process, the
//! disk or the other clients.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(25);

/// `kubectl exec` into pod `n` of kube-system.
fn exec(n: usize) -> Value {
    json!({
        "auditID": format!("id-{n}"), "stage": "ResponseStarted", "verb": "get",
        "requestURI": format!("/api/v1/namespaces/kube-system/pods/p{n}/exec?command=sh"),
        "user": {"username": "ada", "groups": []}, "sourceIPs": ["192.0.2.7"],
        "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "kube-system", "name": format!("p{n}")},
        "responseStatus": {"code": 101},
        "requestReceivedTimestamp": format!("2026-11-21T10:{:02}:{:02}.000001Z", n / 60 % 60, n % 60),
        "stageTimestamp": format!("2026-11-21T10:{:02}:{:02}.000002Z", n / 60 % 60, n % 60),
    })
}

fn list(numbers: impl IntoIterator<Item = usize>) -> String {
    let items: Vec<Value> = numbers.into_iter().map(exec).collect();
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items}).to_string()
}

struct Watch {
    child: Child,
    port: u16,
}

impl Watch {
    /// Starts a watch whose findings are appended to `out`.
    fn start(state: &Path, out: &Path, more: &[&str]) -> Self {
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(out)
            .unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .args([
                "findings",
                "watch",
                "-o",
                "ndjson",
                "--webhook",
                "127.0.0.1:0",
            ])
            .arg("--state")
            .arg(state)
            .args(more)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "it ended at once");
            if let Some((_, rest)) = line.split_once("listening on ") {
                let port = rest.rsplit_once(':').unwrap().1;
                break port.split('/').next().unwrap().parse().unwrap();
            }
        };
        // Whoever closes the pipe would end the process with its next word.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Posts a body and gives the status; `None` when the connection broke.
    fn post(&self, body: &[u8], fields: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let head = format!(
            "POST /k8s-audit?timeout=30s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        // A refusal may come before the body was sent.
        let _ = stream.write_all(body);
        status(&mut stream)
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as a service manager does.
    fn end(mut self) {
        let id = self.child.id().to_string();
        Command::new("kill").arg(id).status().unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

fn status(stream: &mut impl Read) -> Option<u16> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    line.split(' ').nth(1)?.parse().ok()
}

/// How often each pod has a finding in `out`, once `done` says so or time is up.
fn found(out: &Path, done: impl Fn(&BTreeMap<String, usize>) -> bool) -> BTreeMap<String, usize> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut found = BTreeMap::new();
        for line in BufReader::new(File::open(out).unwrap()).lines() {
            // The last line may be under way.
            if let Ok(finding) = serde_json::from_str::<Value>(&line.unwrap()) {
                *found
                    .entry(finding["subject"].as_str().unwrap().to_owned())
                    .or_default() += 1;
            }
        }
        if done(&found) || Instant::now() > until {
            return found;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn each_once(found: &BTreeMap<String, usize>, pods: usize) {
    let wrong: Vec<_> = (0..pods)
        .map(|n| format!("pods kube-system/p{n}"))
        .map(|pod| (found.get(&pod).copied().unwrap_or(0), pod))
        .filter(|(count, _)| *count != 1)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?} of {}", found.len());
}

fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (state, out) = (dir.path().join("state"), dir.path().join("out.ndjson"));
    (dir, state, out)
}

#[test]
fn batches_come_twice_and_out_of_order_and_the_process_is_killed_again_and_again() {
    const POSTS: usize = 60;
    const EACH: usize = 5;
    let (_dir, state, out) = place();
    let mut watch = Watch::start(&state, &out, &[]);
    let mut kills = 0;
    // Out of order: every second batch goes before the one it follows.
    for at in (0..POSTS).map(|at| at ^ 1) {
        let body = list(at * EACH..(at + 1) * EACH);
        let mut acknowledged = false;
        while !acknowledged {
            acknowledged = watch.post(body.as_bytes(), "") == Some(200);
        }
        if at % 4 == 0 {
            // The answer was lost, so the API server sends it again.
            watch.post(body.as_bytes(), "");
        }
        if at % 7 == 3 {
            watch.kill();
            kills += 1;
            watch = Watch::start(&state, &out, &[]);
        }
    }
    let found = found(&out, |found| found.len() >= POSTS * EACH);
    each_once(&found, POSTS * EACH);
    watch.end();
    println!("{} findings once each through {kills} kills", POSTS * EACH);
}

#[test]
fn large_events_single_events_and_what_is_none_are_handled() {
    let (_dir, state, out) = place();
    let watch = Watch::start(&state, &out, &[]);
    let mut large = exec(0);
    large["requestObject"] = json!({"data": "x".repeat(1_800_000)});
    let body = json!({"kind": "EventList", "items": [large]}).to_string();
    assert_eq!(watch.post(body.as_bytes(), ""), Some(200));
    // A server that blocks until an event is taken posts them one at a time.
    assert_eq!(watch.post(exec(1).to_string().as_bytes(), ""), Some(200));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(list([2]).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(watch.post(&packed, "Content-Encoding: gzip\r\n"), Some(200));
    // One bad item does not cost the others.
    let mut mixed: Value = serde_json::from_str(&list([3])).unwrap();
    mixed["items"]
        .as_array_mut()
        .unwrap()
        .push(json!("no event"));
    assert_eq!(watch.post(mixed.to_string().as_bytes(), ""), Some(200));
    assert_eq!(watch.post(b"hello", ""), Some(400));
    assert_eq!(watch.post(&vec![b'{'; 30 << 20], ""), Some(413));
    let found = found(&out, |found| found.len() >= 4);
    each_once(&found, 4);
    watch.end();
}

#[test]
fn slow_and_many_clients_do_not_keep_others_out() {
    let (_dir, state, out) = place();
    let watch = Watch::start(&state, &out, &[]);
    // More than there are places: some say nothing, some begin a header, some begin a large body.
    let mut held = Vec::new();
    for at in 0..400 {
        let mut stream = watch.connect();
        let said = match at % 3 {
            0 => "",
            1 => "POST /k8s-audit HTTP/1.1\r\nHost:",
            _ => "POST /k8s-audit HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n{",
        };
        // Those that lost their place may be closed already.
        let _ = stream.write_all(said.as_bytes());
        held.push(stream);
        if at % 50 == 0 {
            assert_eq!(watch.post(list([at / 50]).as_bytes(), ""), Some(200));
        }
    }
    assert_eq!(watch.post(list([8]).as_bytes(), ""), Some(200));
    let found = found(&out, |found| found.len() >= 9);
    each_once(&found, 9);
    let statm = std::fs::read_to_string(format!("/proc/{}/status", watch.child.id())).unwrap();
    let line = statm
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    println!("{} connections held: {line}", held.len());
    watch.end();
}

#[test]
fn without_the_token_nothing_is_taken() {
    let (dir, state, out) = place();
    let token = dir.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let watch = Watch::start(&state, &out, &["--token-file", token.to_str().unwrap()]);
    assert_eq!(watch.post(list([0]).as_bytes(), ""), Some(401));
    let wrong = "Authorization: Bearer s3cre\r\n";
    assert_eq!(watch.post(list([0]).as_bytes(), wrong), Some(401));
    let right = "Authorization: Bearer s3cret\r\n";
    assert_eq!(watch.post(list([1]).as_bytes(), right), Some(200));
    let found = found(&out, |found| !found.is_empty());
    assert_eq!(found.keys().collect::<Vec<_>>(), ["pods kube-system/p1"]);
    watch.end();
    let open = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(["findings", "watch", "--webhook", "0.0.0.0:0", "--state"])
        .arg(dir.path().join("other"))
        .output()
        .unwrap();
    assert_eq!(open.status.code(), Some(2));
}

#[test]
fn a_full_disk_is_told_and_nothing_acknowledged_is_lost() {
    let (dir, _, out) = place();
    let disk = dir.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=3m", "vedette-test"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("no right to mount a small disk: a full disk is left out");
        return;
    }
    let watch = Watch::start(&disk, &out, &[]);
    let padding = "x".repeat(200_000);
    let mut taken = 0;
    let refused = loop {
        let mut event = exec(taken);
        event["requestObject"] = json!({"data": padding});
        match watch.post(event.to_string().as_bytes(), "") {
            Some(200) => taken += 1,
            other => break other,
        }
        assert!(taken < 100, "the disk never gets full");
    };
    assert!(matches!(refused, Some(503 | 507)), "{refused:?}");
    let found = found(&out, |found| found.len() >= taken);
    watch.kill();
    let unmounted = Command::new("umount").arg("-l").arg(&disk).status();
    assert!(unmounted.unwrap().success());
    each_once(&found, taken);
    println!("{taken} posts taken before the disk was full, then {refused:?}");
}

#[test]
fn followed_files_and_the_webhook_give_each_record_once_over_restarts() {
    let (dir, state, out) = place();
    let log = dir.path().join("audit.log");
    let append = |numbers: std::ops::Range<usize>| {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        for n in numbers {
            writeln!(file, "{}", exec(n)).unwrap();
        }
    };
    append(0..20);
    let tail = ["--tail", log.to_str().unwrap()];
    let watch = Watch::start(&state, &out, &tail);
    assert_eq!(found(&out, |found| found.len() >= 20).len(), 20);
    watch.kill();
    append(20..30);
    std::fs::rename(&log, dir.path().join("audit-1.log")).unwrap();
    append(30..40);
    let watch = Watch::start(&state, &out, &tail);
    // The same records by another way.
    assert_eq!(watch.post(list(10..45).as_bytes(), ""), Some(200));
    let found = found(&out, |found| found.len() >= 45);
    each_once(&found, 45);
    watch.end();
}
