//! The same ways against fanotify: alone, and with the kernel's kills behind it, which is the tier that machines without
//! BPF security modules get.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use vedette_detect::policy::drift::{Effective, Operation, Source};
use vedette_detect::policy::feed::Feed;
use vedette_detect::policy::read;
use vedette_guard::{Container, FileFacts, Gate, Inspect, Otherwise, Refusal, Settings};
use vedette_sensor::guard::{Guard, Hook, Inspector, Mechanism, Origin, mount_namespace};

use crate::cell::Cell;
use crate::ways::{After, WAYS};
use crate::{deny, start};

struct Facts(Inspector);

impl Inspect for Facts {
    fn inspect(&self, file: BorrowedFd<'_>) -> std::io::Result<FileFacts> {
        let seen = self.0.inspect(file)?;
        let bits = seen.origin.0;
        let source = if bits & (Origin::LOWER | Origin::META) != 0 {
            Source::Image
        } else if bits & Origin::UPPER != 0 {
            Source::Written
        } else if bits & Origin::MEMFD != 0 {
            Source::Memfd
        } else if bits & Origin::MEMORY != 0 {
            Source::Memory
        } else {
            Source::Volume
        };
        Ok(FileFacts {
            source,
            device: seen.device(),
            deleted: bits & Origin::DELETED != 0,
            regular: bits & Origin::REGULAR != 0,
        })
    }
}

fn effective(policy: &str, feed: &str) -> Arc<Effective> {
    let (policies, problems) = read(policy, "test");
    assert!(problems.is_empty(), "{problems:?}");
    let mut list = Feed::default();
    assert!(list.add(feed).is_empty());
    Arc::new(Effective::new(
        policies.into_iter().map(Arc::new).collect(),
        Arc::new(list),
    ))
}

const DENY: &str = "name: no drift\nmode: deny\ndetectors: [drift, malware]\n";

fn open(guard: &Guard, settings: Settings) -> Option<(Gate, Receiver<Refusal>)> {
    let (sink, refusals) = sync_channel(1000);
    let facts = Arc::new(Facts(guard.inspector().unwrap()));
    match Gate::open(settings, facts, sink) {
        Ok(gate) => Some((gate, refusals)),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

fn container(cell: &Cell, effective: &Arc<Effective>) -> Container {
    Container {
        id: format!("cell-{}", cell.pid()).into(),
        pid: cell.pid(),
        effective: Arc::clone(effective),
    }
}

fn expect(refusals: &Receiver<Refusal>, fits: impl Fn(&Refusal) -> bool) -> Option<Refusal> {
    let deadline = Instant::now() + Duration::from_secs(5);
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        match refusals.recv_timeout(left) {
            Ok(refusal) if fits(&refusal) => return Some(refusal),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
    None
}

fn try_all(behind: bool) {
    let mechanism = if behind {
        Mechanism::Kill
    } else {
        Mechanism::Inspect
    };
    let Some(mut guard) = start(mechanism) else {
        return;
    };
    let Some(cell) = Cell::start() else { return };
    let Some((gate, refusals)) = open(
        &guard,
        Settings {
            kernel_cache: behind,
            ..Settings::default()
        },
    ) else {
        return;
    };
    gate.prove().unwrap();
    let effective = effective(DENY, "");
    let namespace = mount_namespace(cell.pid()).unwrap();
    let container = container(&cell, &effective);
    let mut failures = Vec::new();
    for way in WAYS {
        let prepared = cell.run(way.prepare, false);
        if !prepared.status.success() {
            let why = String::from_utf8_lossy(&prepared.stderr).into_owned();
            println!("{:>2} {:<34} skipped: {}", way.number, way.name, why.trim());
            continue;
        }
        while refusals.try_recv().is_ok() {}
        if behind {
            guard
                .bind(Some(namespace), cell.group(), &deny(cell.root_dev()))
                .unwrap();
        }
        let failed = gate.admit(&container).unwrap();
        assert!(failed.is_empty(), "{failed:?}");
        let output = cell.run(way.attack, way.grouped);
        let ran = String::from_utf8_lossy(&output.stdout).contains("RAN");
        let expected = if behind {
            way.after(Mechanism::Kill)
        } else {
            way.after_fanotify()
        };
        let mut told = true;
        if let (After::Stopped(hook), false) = (expected, behind) {
            let operation = if hook == Hook::Exec {
                Operation::Execute
            } else {
                Operation::Interpret
            };
            let refusal = expect(&refusals, |r| r.operation == operation);
            told = refusal.is_some_and(|r| r.refused && r.decision.policy.is_some());
        }
        gate.dismiss(&container.id);
        guard.release(Some(namespace), cell.group()).unwrap();
        let right = told && ran == (expected == After::Runs);
        println!(
            "{:>2} {:<34} {}{}",
            way.number,
            way.name,
            if ran { "runs" } else { "stopped" },
            if right { "" } else { "   <-- WRONG" }
        );
        if !right {
            let said = String::from_utf8_lossy(&output.stderr);
            failures.push(format!("{}: told {told}: {said}", way.name));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    println!(
        "{} ways tried with fanotify, kills behind: {behind}; {:?}",
        WAYS.len(),
        gate.stats()
    );
}

#[test]
fn fanotify_alone() {
    try_all(false);
}

#[test]
fn fanotify_with_kills_behind() {
    try_all(true);
}

/// A refused program fails with an error that its parent sees, and what is refused is told with policy and reason.
#[test]
fn a_refusal_is_an_error_and_a_finding() {
    let Some(guard) = start(Mechanism::Inspect) else {
        return;
    };
    let Some(cell) = Cell::start() else { return };
    let Some((gate, refusals)) = open(&guard, Settings::default()) else {
        return;
    };
    cell.run("cp /bin/busybox /tmp/busybox", false);
    gate.admit(&container(&cell, &effective(DENY, ""))).unwrap();
    let output = cell.run("/tmp/busybox echo RAN; echo after $?", false);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("after 126"),
        "{output:?}"
    );
    let refusal = expect(&refusals, |r| r.path == "/tmp/busybox").unwrap();
    assert!(refusal.refused);
    assert_eq!(refusal.source, Source::Written);
    assert_eq!(refusal.process, "/bin/busybox");
    assert_eq!(refusal.decision.policy.unwrap().name, "no drift");
    assert_eq!(
        refusal.decision.reason,
        "/tmp/busybox was written after the container started"
    );
}

/// Where the layers lie apart, the image's programs still are the image's, and dropped ones are not.
#[test]
fn layers_on_file_systems_of_their_own() {
    for behind in [false, true] {
        let mechanism = if behind {
            Mechanism::Kill
        } else {
            Mechanism::Inspect
        };
        let Some(mut guard) = start(mechanism) else {
            return;
        };
        let Some(cell) = Cell::start_apart() else {
            return;
        };
        let Some((gate, refusals)) = open(&guard, Settings::default()) else {
            return;
        };
        cell.run("cp /bin/busybox /tmp/busybox", false);
        if behind {
            let namespace = mount_namespace(cell.pid()).unwrap();
            guard
                .bind(Some(namespace), cell.group(), &deny(cell.root_dev()))
                .unwrap();
        }
        gate.admit(&container(&cell, &effective(DENY, ""))).unwrap();
        let output = cell.run("/bin/busybox echo IMAGE; /tmp/busybox echo DROPPED", false);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("IMAGE"), "kills behind: {behind}; {output:?}");
        assert!(
            !said.contains("DROPPED"),
            "kills behind: {behind}; {output:?}"
        );
        let refusal = expect(&refusals, |r| r.path == "/tmp/busybox").unwrap();
        assert_eq!(refusal.source, Source::Written);
    }
}

/// Known-bad files are refused by hash and by name, also when they came with the image.
#[test]
fn known_bad_files() {
    use std::fmt::Write;
    let Some(guard) = start(Mechanism::Inspect) else {
        return;
    };
    let Some(cell) = Cell::start() else { return };
    let Some((gate, refusals)) = open(&guard, Settings::default()) else {
        return;
    };
    let sum = std::process::Command::new("sha256sum")
        .arg(format!("/proc/{}/root/bin/busybox", cell.pid()))
        .output();
    let Some(sum) = sum.ok().and_then(|o| {
        String::from_utf8(o.stdout)
            .ok()?
            .split(' ')
            .next()
            .map(str::to_owned)
    }) else {
        println!("skipped: no sha256sum");
        return;
    };
    let mut feed = String::from("prob? by name\n");
    let malware = "name: bad\nmode: deny\ndetectors: [malware]\n";
    gate.admit(&container(&cell, &effective(malware, &feed)))
        .unwrap();
    let ran = |what: &str| String::from_utf8_lossy(&cell.run(what, false).stdout).contains("RAN");
    assert!(!ran("/bin/probe --list >/dev/null && echo RAN"));
    assert!(ran("/bin/busybox echo RAN"));
    let refusal = expect(&refusals, |r| r.path == "/bin/probe").unwrap();
    assert_eq!(
        (refusal.decision.detector, refusal.source),
        ("malware", Source::Image)
    );
    writeln!(feed, "{sum} by hash").unwrap();
    gate.admit(&container(&cell, &effective(malware, &feed)))
        .unwrap();
    assert!(!ran("/bin/busybox echo RAN"));
    let refusal = expect(&refusals, |r| r.path == "/bin/busybox").unwrap();
    assert!(refusal.decision.reason.contains("by hash"), "{refusal:?}");
}

/// Facts that never come: what waits is answered at the deadline, either way, and the machine goes on.
#[test]
fn a_stuck_answer_is_given_at_the_deadline() {
    struct Stuck;
    impl Inspect for Stuck {
        fn inspect(&self, _: BorrowedFd<'_>) -> std::io::Result<FileFacts> {
            std::thread::sleep(Duration::from_secs(3));
            Err(std::io::Error::other("never"))
        }
    }
    let Some(cell) = Cell::start() else { return };
    for (otherwise, runs) in [(Otherwise::Allow, true), (Otherwise::Deny, false)] {
        let (sink, _refusals) = sync_channel(10);
        let settings = Settings {
            deadline: Duration::from_millis(100),
            otherwise,
            ..Settings::default()
        };
        let Ok(gate) = Gate::open(settings, Arc::new(Stuck), sink) else {
            println!("skipped: no fanotify");
            return;
        };
        gate.admit(&container(&cell, &effective(DENY, ""))).unwrap();
        let output = cell.run("echo RAN", false);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).contains("RAN"),
            runs,
            "{otherwise:?}"
        );
        assert!(
            gate.stats().expired > 0 && gate.stats().threads > 1,
            "{:?}",
            gate.stats()
        );
    }
}

/// Starts that take two seconds or so one after the other, at most so many: fewer on an emulated machine, which needs tens
/// of milliseconds for one.
fn as_many_as(cell: &Cell, most: u64) -> u64 {
    let begun = Instant::now();
    let starts = "i=0; while [ $i -lt 20 ]; do i=$((i+1)); /bin/starter; done";
    cell.run(starts, false);
    let one = begun.elapsed() / 20;
    (2_000_000 / (one.as_micros() as u64).max(1)).clamp(20, most)
}

/// As many starts as the machine can do, from several loops at once: none waits for the watchdog, and all end.
#[test]
fn a_storm_does_not_stop_the_machine() {
    const LOOPS: u64 = 4;
    /// Starts of each loop, where they take a millisecond or less.
    const MOST: u64 = 2000;
    let Some(mut guard) = start(Mechanism::Kill) else {
        return;
    };
    let Some(cell) = Cell::start() else { return };
    let settings = Settings {
        deadline: Duration::from_secs(5),
        kernel_cache: false,
        ..Settings::default()
    };
    let Some((gate, _refusals)) = open(&guard, settings) else {
        return;
    };
    let each = as_many_as(&cell, MOST);
    let namespace = mount_namespace(cell.pid()).unwrap();
    guard
        .bind(Some(namespace), cell.group(), &deny(cell.root_dev()))
        .unwrap();
    gate.admit(&container(&cell, &effective(DENY, ""))).unwrap();
    let script = format!(
        "storm() {{ i=0; while [ $i -lt {each} ]; do i=$((i+1)); /bin/starter; done; }}; \
         for n in 1 2 3 {LOOPS}; do storm 2>/dev/null & done; wait; echo RAN"
    );
    let begun = Instant::now();
    let output = cell.run(&script, false);
    let took = begun.elapsed();
    let stats = gate.stats();
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("RAN"),
        "{output:?}"
    );
    assert!(stats.asked >= LOOPS * each, "{stats:?}");
    assert_eq!(stats.expired, 0, "{stats:?}");
    println!(
        "{} starts held and answered in {:.1} s: {:.0}/s, {:.1} us each in the gate, slowest {:.1} ms",
        stats.asked,
        took.as_secs_f64(),
        (LOOPS * each) as f64 / took.as_secs_f64(),
        stats.total_ns as f64 / stats.asked as f64 / 1000.0,
        stats.slowest_ns as f64 / 1e6,
    );
}

/// What the gate costs: the same program started again and again without it, with it asked every time, and with the
/// kernel remembering. The first start of a file costs what asking costs.
#[test]
fn cost() {
    const MOST: u64 = 400;
    let Some(mut guard) = start(Mechanism::Kill) else {
        return;
    };
    let Some(cell) = Cell::start() else { return };
    let starts = as_many_as(&cell, MOST);
    let measure = || -> f64 {
        let run = || {
            let what = format!(
                "CELL_ACT=starts CELL_COUNT={starts} /bin/probe acts::act --exact --nocapture"
            );
            let output = cell.run(&what, false);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines()
                .find_map(|l| l.split("us_each ").nth(1)?.trim().parse::<f64>().ok())
                .unwrap_or_else(|| panic!("{output:?}"))
        };
        // the best of several: other work on the machine only adds
        (0..5).map(|_| run()).fold(f64::INFINITY, f64::min)
    };
    let off = measure();
    let namespace = mount_namespace(cell.pid()).unwrap();
    guard
        .bind(Some(namespace), cell.group(), &deny(cell.root_dev()))
        .unwrap();
    let hooks = measure();
    let mut figures = Vec::new();
    for kernel_cache in [false, true] {
        let Some((gate, _refusals)) = open(
            &guard,
            Settings {
                kernel_cache,
                ..Settings::default()
            },
        ) else {
            return;
        };
        gate.admit(&container(
            &cell,
            &effective(
                "name: e\nmode: deny\ndetectors: {drift: {scripts: 'off'}}\n",
                "",
            ),
        ))
        .unwrap();
        figures.push(measure());
    }
    println!(
        "a start takes {off:.0} us without prevention; {hooks:.0} us with the kernel's hooks (x{:.2}); \
         {:.0} us when the gate is asked (+{:.0} us, x{:.2}); {:.0} us when the kernel remembers (+{:.0} us, x{:.2})",
        hooks / off,
        figures[0],
        figures[0] - hooks,
        figures[0] / off,
        figures[1],
        figures[1] - hooks,
        figures[1] / off,
    );
    let Some((gate, refusals)) = open(&guard, Settings::default()) else {
        return;
    };
    let copies = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); cp /bin/busybox /opt/x$i; done";
    cell.run(copies, false);
    gate.admit(&container(&cell, &effective(DENY, ""))).unwrap();
    cell.run(
        "i=0; while [ $i -lt 200 ]; do i=$((i+1)); /opt/x$i; done",
        false,
    );
    // the last ones are told when their starts have been answered already
    let patience = Duration::from_secs(10);
    let told = std::iter::from_fn(|| refusals.recv_timeout(patience).ok());
    let mut took: Vec<Duration> = told.take(200).map(|r| r.took).collect();
    took.sort_unstable();
    assert_eq!(took.len(), 200);
    println!(
        "200 first starts of dropped programs refused: the gate took {:.0} us in the middle, {:.0} us at the 90th percentile",
        took[100].as_secs_f64() * 1e6,
        took[180].as_secs_f64() * 1e6,
    );
    // loaded machines vary; these bounds only catch a mistake of an order of magnitude
    let bound = 2000f64.max(off * 2.0);
    assert!(figures[0] - hooks < bound && figures[1] < hooks * 3.0);
}

/// The process that holds the gate is killed: what it guarded goes on, also what waited at that moment.
#[test]
fn killing_the_guard_leaves_the_machine_running() {
    let Some(cell) = Cell::start() else { return };
    cell.run("cp /bin/busybox /tmp/busybox", false);
    let mut holder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["gate::hold", "--exact", "--nocapture"])
        .env("CELL_HOLD", cell.pid().to_string())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(holder.stdout.take().unwrap()));
    let ready = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|l| l.contains("holding") || l.contains("skipped"));
    if !ready.is_some_and(|line| line.contains("holding")) {
        println!("skipped: no fanotify here");
        let _ = holder.kill();
        let _ = holder.wait();
        return;
    }
    let dropped = || {
        String::from_utf8_lossy(&cell.run("/tmp/busybox echo RAN", false).stdout).contains("RAN")
    };
    assert!(!dropped(), "the gate holds");
    let starts = as_many_as(&cell, 1500);
    let script = format!(
        "i=0; while [ $i -lt {starts} ]; do i=$((i+1)); /bin/starter; done 2>/dev/null; echo RAN"
    );
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| cell.run(&script, false));
        std::thread::sleep(Duration::from_millis(300));
        // SIGKILL
        holder.kill().unwrap();
        holder.wait().unwrap();
        let output = storm.join().unwrap();
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("RAN"),
            "{output:?}"
        );
    });
    assert!(
        dropped(),
        "fanotify ends with its process: everything runs again"
    );
}

/// Not a test: holds a gate until it is killed, when the test above starts this program.
#[test]
fn hold() {
    let Some(pid) = std::env::var("CELL_HOLD").ok().and_then(|p| p.parse().ok()) else {
        return;
    };
    let Some(guard) = start(Mechanism::Inspect) else {
        return;
    };
    let Some((gate, _refusals)) = open(&guard, Settings::default()) else {
        return;
    };
    let held = Container {
        id: "held".into(),
        pid,
        effective: effective(DENY, ""),
    };
    gate.admit(&held).unwrap();
    println!("holding");
    std::thread::sleep(Duration::from_secs(60));
}
