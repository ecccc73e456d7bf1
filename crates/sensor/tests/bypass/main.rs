//! The known ways around drift prevention, tried one by one in a small container, under every mechanism that this
//! kernel allows. `docs/drift.md` has the table; this is its proof.
//!
//! Needs root. In other kernels: `bpf/test-kernels.sh`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::exit,
    reason = "a test shall fail loudly and say what it left out"
)]

mod acts;
mod cell;
mod gate;
mod ways;

use std::time::{Duration, Instant};

use cell::Cell;
use vedette_sensor::guard::{
    Attempt, Guard, Mechanism, Origin, Scope, Subject, Verdict, mount_namespace,
};
use ways::{After, WAYS};

const SCOPE: u32 = 77;
const DRIFT: u32 = Origin::UPPER | Origin::MEMORY | Origin::MEMFD | Origin::OTHER;

fn deny(root_dev: u64) -> Scope {
    Scope {
        id: SCOPE,
        root_dev,
        refuse: [DRIFT; 4],
        report: [DRIFT; 4],
    }
}

fn start(mechanism: Mechanism) -> Option<Guard> {
    match Guard::start(mechanism) {
        Ok(guard) => Some(guard),
        Err(error) => {
            println!("skipped: {mechanism:?}: {error}");
            None
        }
    }
}

/// The attempts of one container, waited for until one fits.
fn attempts(guard: &mut Guard, fits: impl Fn(&Attempt) -> bool) -> Vec<Attempt> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut all = Vec::new();
    while Instant::now() < deadline {
        guard.poll(|attempt| all.push(attempt));
        if all.iter().any(&fits) {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    all
}

fn try_all(mechanism: Mechanism) {
    let Some(mut guard) = start(mechanism) else {
        return;
    };
    let Some(cell) = Cell::start() else { return };
    let namespace = mount_namespace(cell.pid()).unwrap();
    let mut failures = Vec::new();
    for way in WAYS {
        // prepared while nothing is prevented
        let prepared = cell.run(way.prepare, false);
        if !prepared.status.success() {
            let why = String::from_utf8_lossy(&prepared.stderr).into_owned();
            println!("{:>2} {:<34} skipped: {}", way.number, way.name, why.trim());
            continue;
        }
        guard.poll(|_| {});
        guard
            .bind(Some(namespace), cell.group(), &deny(cell.root_dev()))
            .unwrap();
        let output = cell.run(way.attack, way.grouped);
        let ran = String::from_utf8_lossy(&output.stdout).contains("RAN");
        let expected = way.after(mechanism);
        let seen = match expected {
            After::Stopped(hook) => attempts(&mut guard, |a| a.hook == hook),
            After::Runs => Vec::new(),
        };
        guard.release(Some(namespace), cell.group()).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let right = match expected {
            After::Stopped(hook) => {
                !ran && seen.iter().any(|a| {
                    a.hook == hook
                        && a.scope == SCOPE
                        && a.verdict
                            == if mechanism == Mechanism::Refuse {
                                Verdict::Denied
                            } else {
                                Verdict::Killed
                            }
                })
            }
            After::Runs => ran,
        };
        println!(
            "{:>2} {:<34} {}{}",
            way.number,
            way.name,
            if ran { "runs" } else { "stopped" },
            if right { "" } else { "   <-- WRONG" }
        );
        if !right {
            failures.push(format!("{}: {said} {seen:?}", way.name));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    println!("{} ways tried with {mechanism:?}", WAYS.len());
}

#[test]
fn killing() {
    try_all(Mechanism::Kill);
}

#[test]
fn refusing() {
    try_all(Mechanism::Refuse);
}

/// An exception lets one path, one directory or one program through, and nothing else.
#[test]
fn exceptions() {
    for mechanism in [Mechanism::Refuse, Mechanism::Kill] {
        let Some(mut guard) = start(mechanism) else {
            continue;
        };
        let Some(cell) = Cell::start() else { return };
        cell.run(
            "mkdir -p /opt/ok /tmp; for f in /opt/ok/busybox /tmp/busybox /tmp/busybox2; do cp /bin/busybox $f; done",
            false,
        );
        let namespace = mount_namespace(cell.pid()).unwrap();
        guard
            .bind(Some(namespace), cell.group(), &deny(cell.root_dev()))
            .unwrap();
        let ran = |what: &str| {
            let output = cell.run(&format!("{what} echo RAN; true"), false);
            String::from_utf8_lossy(&output.stdout).contains("RAN")
        };
        assert!(!ran("/tmp/busybox"));
        guard
            .except(SCOPE, Subject::Path, b"/opt/ok/", true)
            .unwrap();
        guard
            .except(SCOPE, Subject::Path, b"/tmp/busybox", false)
            .unwrap();
        assert!(ran("/opt/ok/busybox") && ran("/tmp/busybox"));
        assert!(
            !ran("/tmp/busybox2"),
            "an exception for one file is for one file"
        );
        guard
            .unexcept(SCOPE, Subject::Path, b"/opt/ok/", true)
            .unwrap();
        assert!(!ran("/opt/ok/busybox"));
        guard
            .except(SCOPE, Subject::Process, b"/bin/busybox", false)
            .unwrap();
        assert!(ran("/tmp/busybox2"));
        println!("exceptions hold with {mechanism:?}");
    }
}

/// Report only: everything runs, and is told.
#[test]
fn auditing() {
    for mechanism in [Mechanism::Refuse, Mechanism::Kill] {
        let Some(mut guard) = start(mechanism) else {
            continue;
        };
        let Some(cell) = Cell::start() else { return };
        let scope = Scope {
            refuse: [0; 4],
            ..deny(cell.root_dev())
        };
        let namespace = mount_namespace(cell.pid()).unwrap();
        guard.bind(Some(namespace), cell.group(), &scope).unwrap();
        let output = cell.run("cp /bin/busybox /tmp/busybox; /tmp/busybox echo RAN", false);
        assert!(String::from_utf8_lossy(&output.stdout).contains("RAN"));
        let seen = attempts(&mut guard, |a| a.path == b"/tmp/busybox");
        let told = seen
            .iter()
            .find(|a| a.path == b"/tmp/busybox")
            .unwrap_or_else(|| panic!("{seen:?}"));
        assert_eq!(told.verdict, Verdict::Audit);
        assert_eq!(told.origin.0 & Origin::UPPER, Origin::UPPER);
        // what came with the image is not told
        assert!(seen.iter().all(|a| a.path != b"/bin/busybox"));
        println!("auditing works with {mechanism:?}");
    }
}

/// The runtime executes itself from a memfd in the host's namespace, in the container's control group already: that
/// must go on.
#[test]
fn the_runtime_is_left_alone() {
    let Some(mut guard) = start(Mechanism::Kill) else {
        return;
    };
    let Some(cell) = Cell::start() else { return };
    let namespace = mount_namespace(cell.pid()).unwrap();
    guard
        .bind(Some(namespace), cell.group(), &deny(cell.root_dev()))
        .unwrap();
    let Some(group) = cell.group_dir() else {
        println!("skipped: no control group can be made");
        return;
    };
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "echo $$ > \"$1/cgroup.procs\"; exec \"$2\" acts::act --exact --nocapture",
            "sh",
        ])
        .arg(group)
        .arg(std::env::current_exe().unwrap())
        .env("CELL_ACT", "memfd")
        .env(
            "CELL_FILE",
            if std::path::Path::new("/usr/bin/busybox").exists() {
                "/usr/bin/busybox"
            } else {
                "/bin/busybox"
            },
        )
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("RAN"),
        "{output:?}"
    );
}
