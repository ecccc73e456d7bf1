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
