//! What the sensor costs: the same loads without and with it, at a fixed rate and flat out.
//!
//! `cargo bench -p vedette-sensor --bench live [-- LOAD…]`, as root. The load runs in a process of its own (this program
//! again), so that its time and the sensor's are told apart. Figures of real Falco for the same loads stand in the
//! conformance data's README.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark that prints, and stops when a step fails"
)]

use std::process::Command;
use std::time::{Duration, Instant};

use vedette_sensor::{Config, Interest, Sensor};

/// Seconds that each load runs.
const SECONDS: f64 = 3.0;

struct Load {
    name: &'static str,
    /// System calls a second; `None`: as many as possible.
    rate: Option<u64>,
    what: &'static str,
}

const LOADS: &[Load] = &[
    Load {
        name: "idle-calls",
        rate: None,
        what: "getpid, which nobody wants, flat out",
    },
    Load {
        name: "open-close",
        rate: Some(100_000),
        what: "open and close, 100,000 system calls/s",
    },
    Load {
        name: "open-close",
        rate: None,
        what: "open and close, flat out",
    },
    Load {
        name: "mixed",
        rate: Some(56_000),
        what: "files, reads, writes, connections, 56,000 system calls/s",
    },
    Load {
        name: "mixed",
        rate: None,
        what: "the same, flat out",
    },
    Load {
        name: "forks",
        rate: Some(200),
        what: "200 processes/s",
    },
];

fn call(nr: libc::c_long, a: i64, b: i64, c: i64) -> i64 {
    // SAFETY: the loads pass valid pointers.
    unsafe { libc::syscall(nr, a, b, c) }
}

/// Runs a load for `SECONDS` and prints how many system calls it made.
fn run_load(name: &str, rate: Option<u64>) {
    let path = c"/proc/self/stat";
    let address: [u8; 16] = [2, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut buf = [0u8; 64];
    let begun = Instant::now();
    let mut calls = 0u64;
    while begun.elapsed().as_secs_f64() < SECONDS {
        for _ in 0..32 {
            match name {
                "idle-calls" => {
                    call(libc::SYS_getpid, 0, 0, 0);
                    calls += 1;
                }
                "open-close" => {
                    let fd = call(libc::SYS_openat, -100, c"/etc/hostname".as_ptr() as i64, 0);
                    call(libc::SYS_close, fd, 0, 0);
                    calls += 2;
                }
                "mixed" => {
                    let fd = call(libc::SYS_openat, -100, path.as_ptr() as i64, 0);
                    call(libc::SYS_read, fd, buf.as_mut_ptr() as i64, 64);
                    call(libc::SYS_read, fd, buf.as_mut_ptr() as i64, 64);
                    call(libc::SYS_fcntl, fd, 3, 0);
                    call(libc::SYS_close, fd, 0, 0);
                    let socket = call(libc::SYS_socket, 2, 2, 0);
                    call(libc::SYS_connect, socket, address.as_ptr() as i64, 16);
                    call(libc::SYS_close, socket, 0, 0);
                    calls += 8;
                }
                _ => {
                    Command::new("/bin/true").status().unwrap();
                    calls += 1;
                    if let Some(rate) = rate {
                        pace(begun, calls, rate);
                    }
                    if begun.elapsed().as_secs_f64() >= SECONDS {
                        break;
                    }
                }
            }
        }
        if let Some(rate) = rate {
            pace(begun, calls, rate);
        }
    }
    println!("{calls} {}", begun.elapsed().as_secs_f64());
}

fn pace(begun: Instant, calls: u64, rate: u64) {
    let due = Duration::from_secs_f64(calls as f64 / rate as f64);
    if let Some(ahead) = due.checked_sub(begun.elapsed())
        && ahead > Duration::from_millis(1)
    {
        std::thread::sleep(ahead);
    }
}

/// User and system time of this process, seconds.
fn own_cpu() -> f64 {
    // SAFETY: the structure is plain and valid for the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1024.0
}

fn spawn(load: &Load) -> std::process::Child {
    let rate = load.rate.map_or_else(|| "-".to_owned(), |r| r.to_string());
    Command::new(std::env::current_exe().unwrap())
        .args(["--load", load.name, &rate])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

fn calls_per_second(child: std::process::Child) -> f64 {
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let mut words = text.split_whitespace();
    let calls: f64 = words.next().unwrap().parse().unwrap();
    calls / words.next().unwrap().parse::<f64>().unwrap()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "--load") {
        run_load(&args[at + 1], args[at + 2].parse().ok());
        return;
    }
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: the live sensor is only measured as root");
        return;
    }
    let chosen: Vec<&String> = args[1..].iter().filter(|a| !a.starts_with('-')).collect();
    println!(
        "{:<58} {:>11} {:>11} {:>7} {:>9} {:>10} {:>8} {:>8}",
        "load", "calls/s", "with", "slower", "sensor", "events", "dropped", "RSS MiB"
    );
    for load in LOADS {
        if !chosen.is_empty() && !chosen.iter().any(|c| *c == load.name) {
            continue;
        }
        let before = calls_per_second(spawn(load));
        let (mut sensor, _) = Sensor::start(&Config::default(), &Interest::for_state()).unwrap();
        let mut child = spawn(load);
        let cpu = own_cpu();
        let begun = Instant::now();
        let mut seen = 0u64;
        let mut sum = 0u64;
        loop {
            let ready = sensor.poll(|event| {
                seen += 1;
                // touch what a rule would touch first
                sum = sum.wrapping_add(event.unsigned(0).unwrap_or(0));
            });
            if ready < 64 {
                std::thread::sleep(Duration::from_millis(4));
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
        }
        let wall = begun.elapsed().as_secs_f64();
        let cpu = own_cpu() - cpu;
        let with = calls_per_second(child);
        let stats = sensor.stats().unwrap();
        println!(
            "{:<58} {:>11.0} {:>11.0} {:>6.1}% {:>8.1}% {:>10} {:>8} {:>8.1}",
            load.what,
            before,
            with,
            (before / with - 1.0) * 100.0,
            cpu / wall * 100.0,
            seen,
            stats.dropped(),
            rss_mib(),
        );
        std::hint::black_box(sum);
    }
}
