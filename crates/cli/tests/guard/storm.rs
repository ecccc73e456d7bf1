//! Many starts at once through the gate, and an agent that is killed among them: nothing hangs, nothing is lost.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::POLICY;
use crate::cell::{Agent, Runc};

/// Starts that the gate is asked about each time: an exception of the policy, so that the kernel remembers nothing.
const ASKED: usize = 10_000;
/// Loops beside each other.
const LOOPS: usize = 4;
/// Where a stuck start would show. It takes some 20 seconds on two busy processors.
const LONGEST: Duration = Duration::from_secs(150);

/// A loop of so many starts of a program, which says how many came to their end.
fn starts(program: &str, count: usize) -> String {
    format!(
        "i=0; n=0; while [ $i -lt {count} ]; do {program} true 2>/dev/null && n=$((n+1)); i=$((i+1)); done; echo $n"
    )
}

fn guarded(arguments: &[&str]) -> Option<(Runc, Agent)> {
    let container = Runc::start()?;
    let policy = container.base.join("policy.yaml");
    fs::write(&policy, POLICY).unwrap();
    let agent = Agent::start_with(&policy, arguments);
    if agent.wait_for(&["watching"]).is_err() || !container.up() {
        println!("skipped: no agent or no container here");
        return None;
    }
    agent.wait_for(&["guarded", &container.id]).unwrap();
    container.exec("cp /bin/busybox /tmp/busybox-allowed; cp /bin/busybox /tmp/busybox-dropped");
    Some((container, agent))
}

#[test]
fn ten_thousand_starts_pass_the_gate_and_none_is_lost() {
    let Some((container, _agent)) = guarded(&[]) else {
        return;
    };
    let one = starts("/tmp/busybox-allowed", ASKED / LOOPS);
    let refused = starts("/tmp/busybox-dropped", 500);
    let script = format!("for l in 1 2 3 4; do ( {one} ) & done; ( {refused} ) & wait");
    let began = Instant::now();
    let said = container.exec(&script);
    let took = began.elapsed();
    let mut counts: Vec<usize> = said
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [0, 2500, 2500, 2500, 2500], "{said}");
    assert!(took < LONGEST, "{took:?}");
    println!(
        "{ASKED} starts asked about and 500 refused in {:.1} s, {:.0} a second",
        took.as_secs_f64(),
        (ASKED + 500) as f64 / took.as_secs_f64()
    );
}

/// A loop in the container that goes on while the agent is killed; what it said when it was through.
fn killed_among_starts(container: &Runc, agent: &mut Agent) -> String {
    let loop_ = Command::new("runc")
        .args(["exec", &container.id, "/bin/sh", "-c"])
        .arg(starts("/tmp/busybox-allowed", 3000))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // so that it is among its starts
    container.exec("sleep 0.3");
    agent.child.kill().unwrap();
    agent.child.wait().unwrap();
    let output = loop_.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn an_agent_that_is_killed_leaves_everything_running() {
    let Some((container, mut agent)) = guarded(&[]) else {
        return;
    };
    assert!(
        !container
            .exec("/tmp/busybox-dropped echo DROPPED")
            .contains("DROPPED")
    );
    assert_eq!(killed_among_starts(&container, &mut agent), "3000");
    // open: what was refused runs now
    assert!(
        container
            .exec("/tmp/busybox-dropped echo DROPPED")
            .contains("DROPPED")
    );
}

/// Ends the hooks that an agent left behind.
struct Pinned;

impl Pinned {
    const PLACE: &str = "/sys/fs/bpf/vedette-guard";
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(Self::PLACE);
    }
}

#[test]
fn hooks_that_outlive_their_agent_go_on_refusing_and_heed_exceptions() {
    let pinned = Pinned;
    let Some((container, mut agent)) = guarded(&["--set", "guard.on_death=closed"]) else {
        return;
    };
    if !Path::new(Pinned::PLACE).exists() {
        println!("skipped: nothing can be pinned here");
        return;
    }
    // more than the ring holds: nobody empties it any more
    assert_eq!(killed_among_starts(&container, &mut agent), "3000");
    let refused = "/tmp/busybox-dropped echo DROPPED; /bin/busybox echo over";
    let said = container.exec(refused);
    assert!(!said.contains("DROPPED") && said.contains("over"), "{said}");
    drop(pinned);
    let said = container.exec(refused);
    assert!(said.contains("DROPPED") && said.contains("over"), "{said}");
}
