//! A whole session under the agent's own restrictions: alerts, outputs, metrics, health, captures, reading again, sending
//! to a server; and what the process may still do meanwhile.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::running::{Agent, PATIENCE, echo, get, may_run, rule, sample, status, wait_for};

/// Takes records in as a server does: answers 200 and keeps the lines. Has no orders for anybody. Ends with the test's
/// process.
pub(crate) fn ingest(listener: TcpListener) -> Arc<Mutex<Vec<Value>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&lines);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let into = Arc::clone(&into);
            // the one that waits for orders does not keep the others waiting
            std::thread::spawn(move || serve(stream, &into));
        }
    });
    lines
}

/// Answers the requests of one connection.
fn serve(stream: TcpStream, into: &Mutex<Vec<Value>>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut head) = (0, Vec::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                break;
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head.push(line);
        }
        if head.is_empty() {
            return;
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let authorized = head
            .iter()
            .any(|line| line.eq_ignore_ascii_case("authorization: Bearer t0ken"));
        let mut answer = "";
        match head[0].split(['?', ' ']).take(2).collect::<Vec<_>>()[..] {
            _ if !authorized => panic!("{head:?}"),
            ["POST", "/api/v1/ingest"] => {
                let text = String::from_utf8(body).unwrap();
                let records = text.lines().map(|l| serde_json::from_str(l).unwrap());
                into.lock().unwrap().extend(records);
            }
            ["POST", "/api/v1/heartbeat"] => {}
            ["GET", "/api/v1/orders"] => {
                std::thread::sleep(Duration::from_secs(1));
                answer = r#"{"orders":[],"bundle":""}"#;
            }
            _ => panic!("{head:?}"),
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        );
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Everything the agent can do, with privileges dropped and under the filter.
#[test]
fn a_full_session_with_nothing_but_what_it_needs() {
    if !may_run("the agent's session") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let marker = format!("session-{}", std::process::id());
    fs::write(path("rules.yaml"), rule(&marker, "NOTICE", true)).unwrap();
    fs::write(path("token"), "t0ken\n").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let records = ingest(listener);
    fs::write(
        path("agent.yaml"),
        format!(
            "rules: {0}/rules.yaml\nstdout: {{format: json}}\noutputs: ['file:{0}/alerts.jsonl']\n\
             metrics: {{listen: '127.0.0.1:0'}}\ncapture: {{dir: {0}/captures}}\n\
             server: {{url: 'http://{server}', token_file: {0}/token, spool: {0}/spool}}\n",
            dir.path().display()
        ),
    )
    .unwrap();
    let mut agent = Agent::start(&["--config", &path("agent.yaml")]);
    let address = agent.address();
    // what is left of root: reading /proc for captures, runtimes' files, and killing what a person says
    assert_eq!(status(agent.pid(), "CapEff"), "0000000000080024");
    assert_eq!(status(agent.pid(), "CapPrm"), "0000000000080024");
    assert_eq!(status(agent.pid(), "CapInh"), "0000000000000000");
    assert_eq!(status(agent.pid(), "CapAmb"), "0000000000000000");
    assert_eq!(status(agent.pid(), "NoNewPrivs"), "1");
    assert_eq!(status(agent.pid(), "Seccomp"), "2");
    for thread in fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap() {
        let text = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        assert!(text.contains("CapEff:\t0000000000080024"), "{text}");
        assert!(text.contains("Seccomp:\t2"), "{text}");
    }

    echo(&format!("{marker}-1 --password=hunter2"));
    let alert = agent.wait_for_alert(&format!("{marker}-1"));
    assert_eq!(alert["priority"], "Notice");
    assert!(!alert.to_string().contains("hunter2"), "{alert}");
    wait_for("the file output", || {
        fs::read_to_string(path("alerts.jsonl"))
            .ok()?
            .contains(&marker)
            .then_some(())
    });
    let finding = wait_for("the finding at the server", || {
        let records = records.lock().unwrap();
        let found = records.iter().find(|record| record["record"] == "finding");
        found.cloned()
    });
    assert_eq!(finding["rule"], format!("echoed {marker}"));
    assert!(finding["lineage"].as_array().unwrap().len() > 1);
    assert_eq!(finding["lineage"][0]["name"], "echo");
    assert_eq!(finding["why"]["holds"], true);
    assert_eq!(finding["actions"][0]["kind"], "capture");
    assert!(!finding.to_string().contains("hunter2"), "{finding}");
    wait_for("the activity at the server", || {
        let records = records.lock().unwrap();
        let found = records.iter().any(|record| {
            record["record"] == "activity"
                && record["process"]["cmdline"].to_string().contains(&marker)
        });
        found.then_some(())
    });

    // captures: readable by ourselves, with the same alert, and by sysdig
    let file = finding["actions"][0]["detail"].as_str().unwrap();
    agent.wait_for_log("capture written");
    let replayed = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(["replay", "-o", "json", "-r", &path("rules.yaml"), file])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&replayed.stdout).contains(&format!("{marker}-1")));
    if crate::running::has("sysdig") {
        let read = Command::new("sysdig")
            .args(["-r", file, "-p", "%proc.cmdline", "evt.type=execve"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&read.stdout);
        assert!(
            text.contains(&marker),
            "{}",
            String::from_utf8_lossy(&read.stderr)
        );
    }

    // reading again: a change of the file, a fault, SIGHUP
    fs::write(path("rules.yaml"), rule(&marker, "CRITICAL", false)).unwrap();
    agent.wait_for_log("read again");
    echo(&format!("{marker}-2"));
    assert_eq!(
        agent.wait_for_alert(&format!("{marker}-2"))["priority"],
        "Critical"
    );
    fs::write(path("rules.yaml"), "- rule: no condition\n").unwrap();
    agent.wait_for_log("cannot use what was read again");
    echo(&format!("{marker}-3"));
    assert_eq!(
        agent.wait_for_alert(&format!("{marker}-3"))["priority"],
        "Critical"
    );
    fs::write(path("rules.yaml"), rule(&marker, "WARNING", false)).unwrap();
    fs::rename(path("alerts.jsonl"), path("rotated")).unwrap();
    agent.signal("HUP");
    wait_for("the rules to be taken over", || {
        echo(&format!("{marker}-4"));
        let warned = |alert: &Value| alert["priority"] == "Warning";
        agent.alerts().iter().any(warned).then_some(())
    });
    wait_for("the reopened file", || {
        fs::metadata(path("alerts.jsonl")).ok()
    });

    // figures and health, now with something to say
    let page = wait_for("the metrics", || {
        let (code, page) = get(address, "/metrics");
        assert_eq!(code, 200);
        let failed = sample(&page, "vedette_reloads_total{outcome=\"failed\"}")?;
        let done = sample(&page, "vedette_reloads_total{outcome=\"done\"}")?;
        (failed >= 1.0 && done >= 2.0).then_some(page)
    });
    assert!(sample(&page, "vedette_alerts_total").unwrap() >= 4.0);
    assert!(sample(&page, "vedette_sensor_events_total").unwrap() > 100.0);
    assert_eq!(
        sample(&page, "vedette_captures_total{outcome=\"written\"}"),
        Some(1.0)
    );
    assert!(sample(&page, "vedette_memory_rss_bytes").unwrap() > 1e6);
    let before =
        format!("vedette_rule_matches_total{{rule=\"echoed {marker}\",priority=\"Notice\"}}");
    assert_eq!(sample(&page, &before), Some(1.0));
    assert!(page.contains("vedette_events_total{source=\"syscall\",type=\"execve\"}"));
    let (code, health) = get(address, "/healthz");
    assert!(
        code == 200 || health.contains("were lost"),
        "{code} {health}"
    );
    let log = agent.stop();
    assert!(
        !log.contains("EPERM") && !log.contains("not permitted"),
        "{log}"
    );
}

/// As the unit file runs it: not root, with the documented capabilities and no others.
#[test]
fn capabilities_are_enough_without_root() {
    if !may_run("the agent without root") || !crate::running::has("setpriv") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let marker = format!("user-{}", std::process::id());
    let rules = crate::running::rules(dir.path(), &marker);
    // readable for the other user, wherever the build's own directory is
    let binary = dir.path().join("vedette");
    fs::copy(env!("CARGO_BIN_EXE_vedette"), &binary).unwrap();
    run_chmod(dir.path());
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args([
            "--inh-caps=-all,+bpf,+perfmon,+sys_ptrace,+dac_read_search",
            "--ambient-caps=-all,+bpf,+perfmon,+sys_ptrace,+dac_read_search",
            "--bounding-set=-all,+bpf,+perfmon,+sys_ptrace,+dac_read_search",
        ])
        .arg(&binary)
        .args(["agent", "-o", "json", "-r", &rules]);
    let agent = Agent::spawn(command);
    assert!(status(agent.pid(), "Uid").starts_with("65534"));
    assert_eq!(status(agent.pid(), "CapEff"), "0000000000000004");
    assert_eq!(status(agent.pid(), "CapAmb"), "0000000000000000");
    echo(&marker);
    agent.wait_for_alert(&marker);
    agent.stop();
}

fn run_chmod(dir: &std::path::Path) {
    crate::image::run(Command::new("chmod").args(["-R", "a+rX"]).arg(dir));
}

/// Text for people: the tree under the alert, and nothing of the agent's own doings.
#[test]
fn a_tree_under_the_alert() {
    if !may_run("the process tree") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let marker = format!("tree-{}", std::process::id());
    let rules = crate::running::rules(dir.path(), &marker);
    let agent = Agent::start(&["--tree", "-r", &rules]);
    let script = format!("/bin/echo {marker}; true");
    crate::image::run(Command::new("/bin/sh").args(["-c", &script]));
    let tree = wait_for("the tree", || {
        let lines = agent.lines();
        let at = lines
            .iter()
            .position(|line| line.contains("Notice seen echo") && line.contains(&marker))?;
        let tree: Vec<String> = lines[at + 1..]
            .iter()
            .take_while(|line| line.starts_with("  "))
            .cloned()
            .collect();
        tree.last()
            .is_some_and(|line| line.contains("echo["))
            .then_some(tree)
    });
    assert!(tree.len() >= 3, "{tree:#?}");
    assert!(tree[tree.len() - 2].contains("└─ sh["), "{tree:#?}");
    agent.stop();
}
