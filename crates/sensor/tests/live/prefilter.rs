//! The filter of opens where it runs: the kernel side tells exactly the opens that the tables say, and what it keeps
//! comes when something works on it.

use vedette_event::EventType;
use vedette_rules::prefilter::{Class, OpenFilter, Prefilter};
use vedette_rules::{Options, load};
use vedette_sensor::{Config, Origin, Sensor, Watch as Wanted};

use crate::calls::text;
use crate::watch::{Watch, call, tid};

const RULES: &str = r#"
- rule: reading
  desc: d
  priority: NOTICE
  output: "%fd.name"
  condition: >
    evt.type in (open, openat, openat2) and evt.is_open_read=true and fd.num>=0 and
    (fd.name startswith /tmp/vedette-filter-secret or fd.filename in (shadow, vedette-key) or
     fd.name contains "/.vedette/" or fd.name glob /tmp/*/vedette-glob)
- rule: writing
  desc: d
  priority: NOTICE
  output: "%fd.name"
  condition: >
    evt.type in (open, openat) and evt.is_open_write=true and fd.directory=/tmp and evt.arg.flags contains O_CREAT
- rule: failing
  desc: d
  priority: NOTICE
  output: "%fd.name"
  condition: evt.type in (open, openat) and evt.failed=true and fd.name endswith .vedette-missing
- rule: mode
  desc: d
  priority: NOTICE
  output: "%fd.name"
  condition: evt.type=fchmod
"#;

/// Descriptors whose opens the kernel side keeps, and how many of them a test needs.
const KEPT: i64 = 32;
const LOW: usize = 16;

/// Whether a test has the descriptor that it needs: tests that run beside it in one process may have taken the low ones.
fn is_low(fd: i64) -> bool {
    let low = (0..KEPT).contains(&fd);
    if !low {
        println!("skipped: no low descriptor is free");
    }
    low
}

fn filter() -> Prefilter {
    let loaded = load(
        &[("rules".to_owned(), RULES.to_owned())],
        &Options::default(),
    );
    assert!(!loaded.has_errors());
    Prefilter::new(&loaded.enabled(), std::iter::empty())
}

fn start() -> Option<Watch> {
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: the live sensor is only tested as root");
        return None;
    }
    // The sensor's own descriptors shall not take the low numbers, whose opens are kept.
    let null = text("/dev/null");
    let low: Vec<i64> = (0..LOW)
        .map(|_| call(libc::SYS_openat, &[-100, null, 0]))
        .collect();
    let (sensor, _) = Sensor::start(&Config::default(), Wanted::rules(filter()))
        .expect("root can start the sensor");
    for fd in low {
        call(libc::SYS_close, &[fd]);
    }
    Some(Watch {
        sensor,
        seen: Vec::new(),
    })
}

/// Names of the opens of this thread up to now.
fn opened(watch: &mut Watch) -> Vec<(String, Origin)> {
    let (end, me) = (EventType::by_symbol("SYSCALL_CHDIR_X").unwrap(), tid());
    let here = text(".");
    call(libc::SYS_chdir, &[here]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !watch
        .seen
        .iter()
        .any(|seen| seen.kind == end && seen.tid == me)
    {
        assert!(
            std::time::Instant::now() < until,
            "the events did not arrive"
        );
        watch.sensor.wait(std::time::Duration::from_millis(1));
        watch.poll();
    }
    let opens = ["SYSCALL_OPEN_X", "SYSCALL_OPENAT_2_X", "SYSCALL_OPENAT2_X"]
        .map(|s| EventType::by_symbol(s).unwrap());
    let names = (watch.seen.iter())
        .filter(|seen| seen.tid == me && opens.contains(&seen.kind))
        .map(|seen| (seen.text("name"), seen.origin))
        .collect();
    watch.seen.clear();
    names
}

fn class(flags: i64, mode: i64, result: i64, host: u8) -> Class {
    let mut class = [1, 2, 3, 1][(flags & 3) as usize] | host;
    for (holds, bit) in [
        (flags & i64::from(libc::O_CREAT) != 0, Class::CREATE),
        (flags & i64::from(libc::O_TRUNC) != 0, Class::TRUNCATE),
        (
            flags & i64::from(libc::O_CREAT | libc::O_TMPFILE | libc::O_DIRECTORY) != 0
                && mode & 0o111 != 0,
            Class::EXECUTABLE,
        ),
        (result >= 0, Class::OPENED),
    ] {
        if holds {
            class |= bit;
        }
    }
    Class(class)
}

/// Whether an open is told: as the tables say, or because it cannot be kept.
fn expected(opens: &OpenFilter, class: Class, path: &str, result: i64) -> bool {
    let kept = result < KEPT && path.starts_with('/') && path.len() < 116;
    opens.wants(class, path.as_bytes()) || result >= 0 && !kept
}

#[test]
fn the_kernel_side_tells_what_the_tables_say() {
    let Some(mut watch) = start() else { return };
    let opens = filter().opens.unwrap();
    let base = "/tmp/vedette-filter";
    std::fs::create_dir_all(format!("{base}/.vedette")).unwrap();
    std::fs::create_dir_all(format!("{base}-secret.d")).unwrap();
    for file in [
        "plain",
        ".vedette/in",
        "vedette-key",
        "vedette-glob",
        "x.vedette-missing",
    ] {
        std::fs::write(format!("{base}/{file}"), "x").unwrap();
    }
    let long = format!("{base}/{}", "l/".repeat(80));
    let paths = [
        format!("{base}/plain"),
        format!("{base}/.vedette/in"),
        format!("{base}/vedette-key"),
        format!("{base}/xvedette-key"),
        format!("{base}/vedette-glob"),
        format!("{base}-secret.d"),
        format!("{base}/x.vedette-missing"),
        format!("{base}/y.vedette-missing"),
        format!("{base}/../vedette-filter/plain"),
        format!("{base}//plain"),
        format!("{base}/./plain"),
        format!("{base}/plain/"),
        "/tmp/vedette-filter-made".to_owned(),
        "/etc/shadow".to_owned(),
        "/etc/hostname".to_owned(),
        "/".to_owned(),
        "vedette-relative".to_owned(),
        ".".to_owned(),
        long,
    ];
    let flags = [
        libc::O_RDONLY,
        libc::O_WRONLY,
        libc::O_RDWR | libc::O_CREAT,
        libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC,
        libc::O_RDONLY | libc::O_CLOEXEC,
    ];
    opened(&mut watch);
    let (mut compared, mut told) = (0, 0);
    for path in &paths {
        for flags in flags.map(i64::from) {
            // No new files where none belong.
            if flags & i64::from(libc::O_CREAT) != 0 && !path.starts_with("/tmp/") {
                continue;
            }
            for nr in [libc::SYS_open, libc::SYS_openat] {
                let name = text(path);
                let result = if nr == libc::SYS_open {
                    call(nr, &[name, flags, 0o644])
                } else {
                    call(nr, &[-100, name, flags, 0o644])
                };
                if result >= 0 {
                    call(libc::SYS_close, &[result]);
                }
                let class = class(flags, 0o644, result, 0);
                let seen = opened(&mut watch);
                let want = expected(&opens, class, path, result);
                // Whether the machine counts as host changes nothing for these rules.
                let wanted = usize::from(want);
                assert_eq!(
                    seen.len(),
                    wanted,
                    "{path} with {flags:#o}: {result}, class {class:?}, seen {seen:?}"
                );
                compared += 1;
                told += wanted;
            }
        }
    }
    std::fs::remove_dir_all(base).unwrap();
    std::fs::remove_dir_all(format!("{base}-secret.d")).unwrap();
    let _ = std::fs::remove_file("/tmp/vedette-filter-made");
    println!("{compared} opens compared with the tables, {told} told");
    assert!(told > 20);
    assert!(watch.sensor.stats().unwrap().filtered > 0);
}

#[test]
fn what_was_kept_is_told_before_what_works_on_it() {
    let Some(mut watch) = start() else { return };
    let path = text("/proc/self/status");
    let fd = call(libc::SYS_openat, &[-100, path, i64::from(libc::O_CLOEXEC)]);
    if !is_low(fd) {
        return;
    }
    assert!(opened(&mut watch).is_empty(), "nobody asks for this file");
    // The first event that works on it brings it.
    call(libc::SYS_fchmod, &[fd, 0o444]);
    let seen = opened(&mut watch);
    assert_eq!(seen, [("/proc/self/status".to_owned(), Origin::Kept)]);
    call(libc::SYS_fchmod, &[fd, 0o444]);
    assert!(opened(&mut watch).is_empty(), "once is enough");
    // Now its end is told too.
    call(libc::SYS_close, &[fd]);
    let close = EventType::by_symbol("SYSCALL_CLOSE_X").unwrap();
    let seen = watch.own("SYSCALL_CLOSE_X");
    assert_eq!((seen.kind, seen.number("fd")), (close, fd));
    // The next one at this number is neither told nor is its end.
    let again = call(libc::SYS_openat, &[-100, path, 0]);
    if again != fd {
        println!("skipped the rest: another test of this process took descriptor {fd}");
        return;
    }
    call(libc::SYS_close, &[fd]);
    let me = tid();
    opened(&mut watch);
    call(libc::SYS_openat, &[-100, path, 0]);
    call(libc::SYS_close, &[fd]);
    let here = text(".");
    call(libc::SYS_chdir, &[here]);
    let chdir = EventType::by_symbol("SYSCALL_CHDIR_X").unwrap();
    let end = watch.take("chdir", |seen| seen.kind == chdir && seen.tid == me);
    assert!(
        !watch
            .seen
            .iter()
            .any(|seen| seen.kind == close && seen.tid == me && seen.ts < end.ts),
        "a close of what was never told"
    );
}

#[test]
fn a_child_has_what_its_parent_kept() {
    let Some(mut watch) = start() else { return };
    let path = text("/proc/self/status");
    let fd = call(libc::SYS_openat, &[-100, path, 0]);
    if !is_low(fd) {
        return;
    }
    // SAFETY: the child makes two system calls and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above; no memory is touched.
        unsafe {
            libc::syscall(libc::SYS_fchmod, fd, 0o444);
            libc::_exit(0);
        }
    }
    // SAFETY: waits for the child just made.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    call(libc::SYS_close, &[fd]);
    let kept = watch.take("the child's open", |seen| {
        seen.tid == i64::from(child) && seen.origin == Origin::Kept
    });
    assert_eq!(
        (kept.text("name"), kept.number("fd")),
        ("/proc/self/status".to_owned(), fd)
    );
}
