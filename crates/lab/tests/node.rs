//! The node for real: it comes up, answers, and leaves nothing behind. Needs root, runc and some tools; says so otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test program that says what it skips"
)]

use std::path::Path;

use vedette_lab::{Node, Profile, Settings, missing};

fn start(profile: Profile) -> Option<Node> {
    if let Some(missing) = missing().first() {
        eprintln!("skipped: {}", missing.what);
        return None;
    }
    let marks = vec!["1.begin".to_owned()];
    match Node::start(&Settings { profile, marks }) {
        Ok(node) => Some(node),
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    }
}

#[test]
fn the_playground_gives_the_node_away() {
    let Some(node) = start(Profile::Playground) else {
        return;
    };
    let gate = node.gate();
    assert_eq!(gate.get("/health").unwrap(), "OK");
    assert_eq!(gate.exec("id -u").unwrap(), "0\n");
    assert!(gate.get("/etc/shadow").unwrap().starts_with("root:"));
    gate.mark("1.begin").unwrap();
    assert!(gate.mark("9.begin").is_err());
    let hosts = gate
        .exec("nsenter --all --target=1 cat /etc/inittab")
        .unwrap();
    assert!(hosts.contains("range"), "{hosts}");
    // nothing of this machine is there, and nothing leads out
    assert_eq!(
        gate.exec("nsenter --all --target=1 ls /home").unwrap(),
        "python\n"
    );
    assert_eq!(
        gate.exec("nsenter --all --target=1 ip route 2>&1 | grep -c default")
            .unwrap(),
        "0\n"
    );
    let name = node.name().to_owned();
    let root = node.root();
    assert!(root.join("run/range").exists());
    drop(node);
    assert!(!root.join("run/range").exists());
    assert!(
        !Path::new("/run/containerd/io.containerd.runtime.v2.task")
            .join(&name)
            .exists()
    );
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").unwrap() {
        assert!(!hierarchy.unwrap().path().join(&name).exists());
    }
}

#[test]
fn the_restricted_profile_does_not() {
    let Some(node) = start(Profile::RestrictedNodrift) else {
        return;
    };
    let gate = node.gate();
    assert_eq!(gate.exec("id -u").unwrap(), "1000\n");
    assert!(!gate.get("/etc/shadow").unwrap().contains("root:"));
    let out = gate
        .exec("nsenter --all --target=1 cat /etc/inittab 2>&1")
        .unwrap();
    assert!(!out.contains("/run/range/start"), "{out}");
    assert_eq!(
        gate.exec("grep -c Seccomp:.2 /proc/self/status").unwrap(),
        "1\n"
    );
}
