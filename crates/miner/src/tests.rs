//! Windows, scores and habits.

use std::net::SocketAddr;

use crate::{Contact, FEATURES, Glance, Task, Usage, Watch, Window, score};

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
    assert!((window.other() - 0.5f64.ln_1p()).abs() < 1e-9);
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
        waits: 8.0,
        faults: 6.0,
        ..Window::between(&reading(1, 2, 0.3, 2, 3), &reading(2, 2, 0.3, 2, 3)).unwrap()
    };
    let (miner, server) = (score(&miner), score(&server));
    assert!(miner.probability > crate::THRESHOLD, "{miner:?}");
    assert!(server.probability < 0.05, "{server:?}");
    assert_eq!(miner.reasons.len(), FEATURES.len());
    assert!(miner.reasons[0].weight.abs() >= miner.reasons[2].weight.abs());
}

/// A connection to 192.0.2.`n`.
fn contact(n: u8, accepted: bool) -> Contact {
    Contact {
        far: SocketAddr::from(([192, 0, 2, n], 3333)),
        accepted,
    }
}

/// What a workload does in a window.
#[derive(Clone, Copy)]
enum Does {
    Mine,
    /// Mines with a tenth of a processor.
    Starve,
    Rest,
    Serve,
}

/// The windows, counted from 1, at whose end somebody is told.
fn told(
    doings: impl IntoIterator<Item = Does>,
    contacts: impl Fn(usize) -> Vec<Contact>,
) -> Vec<usize> {
    let mut watch = Watch::default();
    let mut usage = reading(1, 2, 0.99, 2, 3);
    assert_eq!(watch.take(usage.clone(), Vec::new), Glance::default());
    let mut told = Vec::new();
    for (at, doing) in (1..).zip(doings) {
        let share = match doing {
            Does::Mine => 0.99,
            Does::Starve => 0.1,
            Does::Rest => 0.0,
            Does::Serve => 0.5,
        };
        let used = (10.0 * SECOND as f64 * share) as u64;
        usage.time += 10 * SECOND;
        usage.cpu += used;
        usage.tasks[0].cpu += used;
        if matches!(doing, Does::Serve) {
            usage.system += used / 2;
            usage.tasks[0].faults += 9000;
        }
        let glance = watch.take(usage.clone(), || {
            assert!(
                matches!(doing, Does::Mine | Does::Starve),
                "asked for nothing"
            );
            contacts(at)
        });
        assert!(glance.heat <= 6);
        if glance.is_told {
            told.push(at);
        }
    }
    told
}

fn pool(_: usize) -> Vec<Contact> {
    vec![contact(7, false)]
}

#[test]
fn a_burst_is_no_habit_and_a_habit_is_told_once_an_hour() {
    use Does::{Mine, Rest};
    assert_eq!(told([Mine; 5], pool), []);
    assert_eq!(told([Mine; 800], pool), [6, 366, 726]);
    // a burst a while ago counts no more
    let mut bursts = vec![Mine; 4];
    bursts.extend([Rest; 4]);
    bursts.extend([Mine; 5]);
    assert_eq!(told(bursts, pool), []);
}

#[test]
fn a_miner_that_rests_less_than_half_of_the_time_is_told_all_the_same() {
    use Does::{Mine, Rest, Serve};
    let turns = |what: &[Does]| what.iter().copied().cycle().take(360).collect::<Vec<_>>();
    assert_eq!(
        told(turns(&[Mine, Mine, Mine, Mine, Mine, Rest]), pool),
        [8]
    );
    assert_eq!(told(turns(&[Mine, Mine, Mine, Rest, Rest]), pool), [18]);
    assert_eq!(told(turns(&[Mine, Rest]), pool), []);
    // pointless system calls in one window of five hide nothing, in one of three they do
    assert_eq!(told(turns(&[Mine, Mine, Mine, Mine, Serve]), pool), [9]);
    assert_eq!(told(turns(&[Mine, Mine, Serve]), pool), []);
}

#[test]
fn what_is_starved_must_compute_as_much_as_a_window_is_long() {
    use Does::{Rest, Starve};
    assert_eq!(told([Starve; 100], pool), [10]);
    let mut short = vec![Starve; 9];
    short.extend([Rest; 6]);
    assert_eq!(told(short.repeat(20), pool), []);
}

#[test]
fn a_connection_must_be_opened_by_the_workload_and_stay() {
    use Does::Mine;
    let hours = [Mine; 100];
    assert_eq!(told(hours, |_| Vec::new()), []);
    assert_eq!(told(hours, |_| vec![contact(7, true)]), []);
    // another far end each time is a crawler
    assert_eq!(told(hours, |at| vec![contact(at as u8, false)]), []);
    // one that comes late is told when it has stayed for a minute
    let late = |at| if at < 20 { Vec::new() } else { pool(at) };
    assert_eq!(told(hours, late), [25]);
    // the same machine, whatever its port and whoever else is there
    let ports = |at: usize| {
        let mut again = contact(7, false);
        again.far.set_port(3000 + at as u16);
        vec![contact(at as u8, false), again, contact(9, true)]
    };
    assert_eq!(told(hours, ports), [6]);
    // a flood of far ends is remembered in part
    let many = |_| (0..=255).map(|n| contact(n, false)).collect();
    assert_eq!(told(hours, many), [6]);
}
