//! The filter of the upstream rules: what it lets through.

#![allow(clippy::print_stdout, reason = "a test says how much it compared")]

use vedette_event::EventType;
use vedette_rules::prefilter::{Class, Prefilter};
use vedette_rules::{Options, load};

const UPSTREAM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/conformance/falco/rules"
);

fn upstream() -> Option<Prefilter> {
    let files: Vec<(String, String)> = [
        "falco_rules",
        "falco-incubating_rules",
        "falco-sandbox_rules",
    ]
    .iter()
    .map(|name| format!("{UPSTREAM}/{name}.yaml"))
    .map(|path| std::fs::read_to_string(&path).map(|text| (path, text)))
    .collect::<Result<_, _>>()
    .ok()?;
    let rules = load(&files, &Options::default());
    let enabled = rules.enabled();
    let begun = std::time::Instant::now();
    let filter = Prefilter::new(&enabled, std::iter::empty());
    println!(
        "{} rules, filter made in {:?}",
        enabled.len(),
        begun.elapsed()
    );
    Some(filter)
}

#[test]
fn upstream_rules_want_few_opens() {
    let Some(filter) = upstream() else {
        println!("skipped: ../shared/conformance is not there");
        return;
    };
    for want in &filter.wants {
        println!("{:?} {}", want, want.kind.name());
    }
    let opens = filter.opens.as_ref().unwrap();
    println!(
        "{} and {} states, {} sets, names {:?}",
        opens.anchored.next.len(),
        opens.floating.next.len(),
        opens.sets.len(),
        opens
            .names
            .iter()
            .map(|n| String::from_utf8_lossy(n))
            .collect::<Vec<_>>()
    );
    let read = 0b01 | Class::OPENED;
    let write = 0b10 | Class::OPENED;
    for (class, path, want) in [
        (read, "/etc/shadow", true),
        (read, "/etc/hostname", false),
        (read, "/etc/pam.d/login", true),
        (read, "/usr/lib/x86_64-linux-gnu/libc.so.6", false),
        (read, "/proc/self/stat", false),
        (read, "/proc/1/environ", true),
        (read | Class::HOST, "/proc/1/environ", false),
        (read, "/home/a/.ssh/id_ed25519", true),
        (read, "/tmp/../etc/shadow", true),
        (read, "shadow", true),
        (read | Class::NAMED, "/srv/data", true),
        (read | Class::NAMED | Class::HOST, "/srv/data", false),
        (0b01, "/etc/shadow", false),
        (0b01, "/etc/../etc/shadow", true),
        (write, "/var/lib/data", false),
        (write, "/etc/passwd", true),
        (write, "/usr/bin/x", true),
        (write, "/root/.bashrc", true),
        (write | Class::TRUNCATE, "/var/log/auth.log", true),
    ] {
        let wanted = opens.wants(Class(class), path.as_bytes());
        assert_eq!(wanted, want, "{class:#b} {path}");
    }
    let wants = |name: &str| filter.wants.iter().find(|want| want.kind.name() == name);
    assert!(wants("read").is_none() && wants("close").is_none());
    assert!(wants("openat").is_some_and(|want| want.success));
    assert!(
        EventType::by_name("recvfrom")
            .all(|kind| filter.wants.iter().all(|want| want.kind != kind))
    );
}

#[test]
fn rules_about_io_uring_want_no_opens_by_calls() {
    let rule = "- rule: r\n  desc: d\n  output: o\n  priority: INFO\n  condition: evt.type = openat and evt.failed = false";
    for (more, calls) in [
        ("", true),
        (" and vedette.io_uring = true", false),
        (" and not vedette.io_uring = true", true),
        (" and vedette.io_uring = false", true),
    ] {
        let rules = load(
            &[("r".into(), format!("{rule}{more}\n"))],
            &Options::default(),
        );
        let filter = Prefilter::new(&rules.enabled(), std::iter::empty());
        // Requests to io_uring are told by type and outcome, without being asked for their path.
        let want = filter
            .wants
            .iter()
            .find(|want| want.kind.name() == "openat");
        assert!(
            want.is_some_and(|want| want.success && !want.failure),
            "{more}"
        );
        let opens = filter.opens.as_ref().expect("nothing counts descriptors");
        let class = Class(0b01 | Class::OPENED);
        assert_eq!(opens.wants(class, b"/etc/hostname"), calls, "{more}");
    }
}
