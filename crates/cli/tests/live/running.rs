//! A running agent: its alerts, its log, its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before the test fails; far above what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `ready` gives something.
pub(crate) fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether this process may do what the tests need; prints one line when not.
pub(crate) fn may_run(what: &str) -> bool {
    let root = std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|text| text.lines().any(|line| line.starts_with("Uid:\t0\t0\t")));
    if !root {
        println!("skipped: {what} is only tested as root");
        return false;
    }
    let doctor = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .arg("doctor")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    if !doctor.success() {
        println!(
            "skipped: {what} needs a kernel that allows the sensor; `vedette doctor` says what is missing"
        );
    }
    doctor.success()
}

/// Whether a program is installed; prints one line when not.
pub(crate) fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path)
            .chain(["/usr/sbin".into(), "/sbin".into()])
            .any(|dir| dir.join(program).is_file())
    });
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

type Lines = Arc<Mutex<Vec<String>>>;

pub(crate) struct Agent {
    child: Child,
    out: Lines,
    err: Lines,
}

impl Agent {
    /// Starts `vedette agent` and waits until it watches.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
        command.arg("agent").args(args);
        Self::spawn(command)
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = collect(child.stdout.take().unwrap());
        let err = collect(child.stderr.take().unwrap());
        let mut agent = Self { child, out, err };
        agent.wait_for_log("msg=watching");
        agent
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of the log.
    pub(crate) fn wait_for_log(&mut self, text: &str) -> String {
        wait_for(text, || {
            let found = self
                .err
                .lock()
                .unwrap()
                .iter()
                .find(|line| line.contains(text))
                .cloned();
            if found.is_none()
                && let Ok(Some(status)) = self.child.try_wait()
            {
                panic!("the agent ended with {status}: {:#?}", self.err.lock());
            }
            found
        })
    }

    /// Address of the metrics page.
    pub(crate) fn address(&mut self) -> SocketAddr {
        let line = self.wait_for_log("metrics and health are served");
        line.rsplit_once("address=").unwrap().1.parse().unwrap()
    }

    /// Every alert so far, as JSON; lines that are none are left out.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        self.out
            .lock()
            .unwrap()
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.out.lock().unwrap().clone()
    }

    /// Waits for an alert whose JSON has this text in it.
    pub(crate) fn wait_for_alert(&self, text: &str) -> Value {
        wait_for(text, || {
            self.out
                .lock()
                .unwrap()
                .iter()
                .find(|line| line.contains(text))
                .and_then(|line| serde_json::from_str(line).ok())
        })
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Asks it to end and waits. Its log comes back.
    pub(crate) fn stop(mut self) -> String {
        self.signal("TERM");
        let status = wait_for("the agent's end", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}: {:#?}", self.err.lock());
        wait_for("the end of its log", || {
            let log = self.err.lock().unwrap().join("\n");
            log.contains("msg=stopped").then_some(log)
        })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(from: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let into = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            into.lock().unwrap().push(line);
        }
    });
    lines
}

/// Status and body of a GET request.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// A sample of a metrics page.
pub(crate) fn sample(page: &str, name: &str) -> Option<f64> {
    page.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// A figure of the agent as a whole, from `/proc`: `Threads`, `VmRSS` and so on.
pub(crate) fn status(pid: u32, key: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap()
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Writes a rules file whose one rule fires when a program named `echo` gets a text with `marker` in it.
pub(crate) fn rules(dir: &Path, marker: &str) -> String {
    let path = dir.join("rules.yaml");
    std::fs::write(&path, rule(marker, "NOTICE", false)).unwrap();
    path.display().to_string()
}

pub(crate) fn rule(marker: &str, priority: &str, capture: bool) -> String {
    format!(
        "- rule: echoed {marker}\n  desc: a test\n  condition: >\n    evt.type in (execve, execveat) and evt.res=SUCCESS \
         and proc.name in (echo, sh) and proc.cmdline contains {marker}\n  \
         output: seen %proc.cmdline image=%container.image.repository\n  priority: {priority}\n  capture: {capture}\n  \
         capture_duration: 300\n"
    )
}

/// Runs `echo MARKER…` on this machine.
pub(crate) fn echo(text: &str) {
    let status = Command::new("/bin/echo")
        .arg(text)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}
