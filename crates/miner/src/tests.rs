//! Windows, scores and habits.

use crate::{FEATURES, Task, Usage, Watch, Window, score};

const SECOND: u64 = 1_000_000_000;

/// A reading after `n` windows of ten seconds in which `threads` threads were busy for `share` of the time.
fn reading(n: u64, threads: u64, share: f64, waits: u64, faults: u64) -> Usage {
    let cpu = (n as f64 * 10.0 * SECOND as f64 * share) as u64;
    Usage {
        time: n * 10 * SECOND,
        cpu: cpu * threads,
        system: cpu * threads / 200,
        memory: 64 << 20,
        tasks: (1..=threads)
            .map(|tid| Task {
                tid: tid as i64,
                started: 5,
                cpu,
                waits: n * waits,
                preempted: 0,
                faults: n * faults,
            })
            .collect(),
    }
}

#[test]
fn a_window_says_what_happened_between_two_readings() {
    let window = Window::between(&reading(1, 2, 0.9, 10, 90), &reading(2, 2, 0.9, 10, 90)).unwrap();
    assert!((window.cores - 1.8).abs() < 1e-9);
    assert!((window.lasting - 1.0).abs() < 1e-9);
    assert!((window.evenness - 1.0).abs() < 1e-9);
    assert!((window.user - 0.995).abs() < 1e-9);
    assert!((window.waits - (20.0f64 / 18.0).ln_1p()).abs() < 1e-9);
    assert!((window.faults - 10.0f64.ln_1p()).abs() < 1e-9);
    assert!((window.memory - 64.0f64.ln_1p()).abs() < 1e-9);
    assert_eq!(window.values().len(), FEATURES.len());
}

#[test]
fn threads_that_come_and_go_do_not_last() {
    let mut after = reading(2, 2, 0.9, 0, 0);
    // the same ids, but other threads
    for task in &mut after.tasks {
        task.started = 6;
    }
    let window = Window::between(&reading(1, 2, 0.9, 0, 0), &after).unwrap();
    assert_eq!((window.lasting, window.evenness), (0.0, 0.0));
}

#[test]
fn nothing_is_said_of_the_idle_and_of_counters_that_run_backwards() {
    assert_eq!(
        Window::between(&reading(1, 1, 0.01, 0, 0), &reading(2, 1, 0.01, 0, 0)),
        None
    );
    assert_eq!(
        Window::between(&reading(2, 1, 0.9, 0, 0), &reading(1, 1, 0.9, 0, 0)),
        None
    );
    assert_eq!(
        Window::between(&reading(1, 1, 0.9, 0, 0), &reading(1, 1, 0.9, 0, 0)),
        None
    );
}

#[test]
fn a_miner_scores_high_and_a_server_low() {
    let miner = Window::between(&reading(1, 2, 0.99, 2, 3), &reading(2, 2, 0.99, 2, 3)).unwrap();
    let server = Window {
        user: 0.4,
        faults: 6.0,
        ..Window::between(&reading(1, 2, 0.3, 2, 3), &reading(2, 2, 0.3, 2, 3)).unwrap()
    };
    let (miner, server) = (score(&miner), score(&server));
    assert!(miner.probability > crate::THRESHOLD, "{miner:?}");
    assert!(server.probability < 0.05, "{server:?}");
    assert_eq!(miner.reasons.len(), FEATURES.len());
    assert!(miner.reasons[0].weight.abs() >= miner.reasons[2].weight.abs());
}

#[test]
fn a_burst_is_no_habit_and_a_habit_is_told_once() {
    let mut watch = Watch::default();
    let mut told = Vec::new();
    for n in 1..=5 {
        assert_eq!(watch.take(reading(n, 2, 0.99, 2, 3)), None, "window {n}");
    }
    // idle for a while: the counters stand still
    let mut idle = reading(5, 2, 0.99, 2, 3);
    idle.time = 6 * 10 * SECOND;
    assert_eq!(watch.take(idle), None);
    for n in 7..=40 {
        if watch.take(reading(n, 2, 0.99, 2, 3)).is_some() {
            told.push(n);
        }
    }
    assert_eq!(
        told,
        [12],
        "the sixth hot window in a row, then silence for an hour"
    );
}
