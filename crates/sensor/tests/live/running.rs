//! The sensor as a whole: what is wanted changes while it runs, order, counters, costs, the way out.

use vedette_event::EventType;
use vedette_sensor::{Capabilities, HookState, Interest, Outcome, Sensor, Tier};

use crate::calls::text;
use crate::watch::{Watch, call, tid};

fn interest(symbol: &str, outcome: Outcome) -> Interest {
    Interest {
        kind: EventType::by_symbol(symbol).expect(symbol),
        outcome,
    }
}

#[test]
fn only_what_is_wanted_comes() {
    let Some(mut watch) = Watch::start(&[interest("SYSCALL_CLOSE_X", Outcome::Failure)]) else {
        return;
    };
    let open = || call(libc::SYS_open, &[text("/dev/null"), 0, 0]);
    let fd = open();
    assert_eq!(call(libc::SYS_close, &[fd]), 0);
    assert_eq!(call(libc::SYS_close, &[60_000]), -9);
    let seen = watch.own("SYSCALL_CLOSE_X");
    assert_eq!(seen.number("res"), -9);
    // while it runs: now the successes of another call
    watch
        .sensor
        .watch(&[interest("SYSCALL_OPEN_X", Outcome::Success)])
        .unwrap();
    assert_eq!(call(libc::SYS_close, &[60_000]), -9);
    assert_eq!(call(libc::SYS_open, &[text("/nonexistent"), 0, 0]), -2);
    let fd = open();
    let seen = watch.take("anything of this thread", |s| s.tid == tid());
    assert_eq!((seen.kind.name(), seen.number("fd")), ("open", fd));
    call(libc::SYS_close, &[fd]);
}

#[test]
fn events_come_in_order_and_are_counted() {
    let Some(mut watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let busy: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                for _ in 0..2_000 {
                    call(libc::SYS_close, &[-1]);
                }
            })
        })
        .collect();
    for thread in busy {
        thread.join().unwrap();
    }
    watch.settle();
    for _ in 0..10 {
        call(libc::SYS_close, &[-2]);
    }
    std::thread::sleep(std::time::Duration::from_millis(10));
    watch.poll();
    assert!(watch.seen.is_sorted_by_key(|s| s.ts));
    let own = watch
        .seen
        .iter()
        .filter(|s| s.tid == tid() && s.kind.name() == "close")
        .count();
    assert_eq!(own, 10);
    let stats = watch.sensor.stats().unwrap();
    assert!(stats.events >= 8_010 && stats.bytes > stats.events * 40);
    assert_eq!(
        (stats.dropped(), stats.late, stats.malformed),
        (0, 0, 0),
        "{stats:?}"
    );
}

#[test]
fn a_full_ring_is_counted_and_survived() {
    let config = vedette_sensor::Config {
        ring_bytes: 4096,
        ..Default::default()
    };
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: the live sensor is only tested as root");
        return;
    }
    let close = [interest("SYSCALL_CLOSE_X", Outcome::Failure)];
    let (mut sensor, _) = Sensor::start(&config, &close).unwrap();
    for _ in 0..1_000 {
        call(libc::SYS_close, &[-1]);
    }
    let stats = sensor.stats().unwrap();
    let lost: u64 = stats.drops.iter().map(|d| d.ring_full).sum();
    assert!(lost > 500, "{stats:?}");
    std::thread::sleep(std::time::Duration::from_millis(10));
    let got = sensor.poll(|event| assert_eq!(event.kind.name(), "close"));
    assert!(got > 0);
    // and there is room again
    call(libc::SYS_close, &[-1]);
    std::thread::sleep(std::time::Duration::from_millis(10));
    assert!(sensor.poll(|_| {}) > 0);
}

#[test]
fn programs_stay_within_their_budget() {
    let Some(watch) = Watch::start(&[]) else {
        return;
    };
    let programs = watch.sensor.programs();
    assert!(programs.len() > 30);
    for program in &programs {
        println!("{} {}", program.name, program.verified_instructions);
        // the verifier's limit is a million; far below it, other kernels' verifiers agree too
        assert!(program.verified_instructions < 100_000, "{program:?}");
    }
}

#[test]
fn the_report_is_of_this_kernel() {
    let Capabilities {
        kernel,
        btf,
        hooks,
        tier,
        ..
    } = Sensor::probe();
    assert!(kernel.contains('.'));
    assert!(hooks.len() >= 6);
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } == 0 && btf {
        assert!(
            hooks
                .iter()
                .any(|h| h.name == "tp_btf/sys_exit" && h.state == HookState::Works)
        );
        assert!(tier < Tier::Nothing);
    }
}

/// Rules change while a thread opens and closes: nothing that both rule sets want is missed.
#[test]
fn changing_what_is_watched_under_load_misses_nothing() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    const CHANGES: u32 = 40;
    let filtered = || {
        let rules = "- rule: r\n  desc: d\n  priority: NOTICE\n  output: o\n  condition: evt.type=openat and fd.name startswith /etc/x\n";
        let loaded = vedette_rules::load(
            &[("r".to_owned(), rules.to_owned())],
            &vedette_rules::Options::default(),
        );
        vedette_sensor::Watch::rules(vedette_rules::prefilter::Prefilter::new(
            &loaded.enabled(),
            std::iter::empty(),
        ))
    };
    let Some(mut watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            let (path, here) = (text("/dev/null"), text("."));
            let mut marks = 0;
            while !stop.load(Relaxed) {
                let fd = call(libc::SYS_openat, &[-100, path, 0]);
                call(libc::SYS_close, &[fd]);
                call(libc::SYS_chdir, &[here]);
                marks += 1;
                std::thread::sleep(std::time::Duration::from_micros(200));
            }
            (crate::watch::tid(), marks)
        })
    };
    watch.settle();
    let chdir = EventType::by_symbol("SYSCALL_CHDIR_X").unwrap();
    for change in 0..CHANGES {
        if change % 2 == 0 {
            watch.sensor.watch(filtered()).unwrap();
        } else {
            watch
                .sensor
                .watch(vedette_sensor::Watch::everything())
                .unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(3));
        watch.poll();
    }
    stop.store(true, Relaxed);
    let (tid, marks) = load.join().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let mut missing = u64::MAX;
    // What came before the first look was dropped; from then on the numbers have to agree.
    while missing != 0 && std::time::Instant::now() < until {
        watch.sensor.wait(std::time::Duration::from_millis(5));
        watch.poll();
        let seen = watch
            .seen
            .iter()
            .filter(|s| s.kind == chdir && s.tid == tid)
            .count() as u64;
        let stats = watch.sensor.stats().unwrap();
        assert_eq!((stats.dropped(), stats.malformed), (0, 0));
        missing = u64::from(stats.waiting > 0 && seen < marks);
    }
    let seen = watch
        .seen
        .iter()
        .filter(|s| s.kind == chdir && s.tid == tid)
        .count() as u64;
    println!("{seen} of {marks} markers seen over {CHANGES} changes");
    // The first few happened before `settle` was done.
    assert!(seen + 100 > marks, "{seen} of {marks}");
}

/// A sensor that is dropped takes everything along.
#[test]
fn a_dropped_sensor_leaves_nothing_behind() {
    if std::env::var_os("NEXTEST").is_none() {
        println!("skipped: other tests of this process have sensors of their own");
        return;
    }
    let count = || {
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        links
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .filter(|to| to.to_string_lossy().contains("bpf"))
            .count()
    };
    let before = count();
    let Some(watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    assert!(count() > before + 10);
    drop(watch);
    assert_eq!(count(), before);
}
