//! The node for real: it comes up, answers, and leaves nothing behind. Needs root, runc and some tools; says so otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test program that says what it skips"
)]

use std::path::Path;

use vedette_lab::{Control, Node, Profile, Settings, missing_for};

fn start(profile: Profile) -> Option<Node> {
    start_with(profile, None)
}

fn start_with(profile: Profile, control: Option<Control>) -> Option<Node> {
    if let Some(missing) = missing_for(control).first() {
        eprintln!("skipped: {}", missing.what);
        return None;
    }
    let marks = vec!["1.begin".to_owned()];
    match Node::start(&Settings {
        profile,
        control,
        marks,
    }) {
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

/// What version 2 of the metadata service is asked first. An answer that dies on its way is waited for no longer than this.
const PUT: &str =
    r"printf 'PUT /latest/api/token HTTP/1.0\r\n\r\n' | busybox timeout 3 nc 169.254.169.254 80";

#[test]
fn a_token_of_the_metadata_service_comes_as_far_as_its_hops() {
    let Some(node) = start(Profile::Playground) else {
        return;
    };
    let token = "range-metadata-token";
    let plain = "wget -q -O- http://169.254.169.254/latest/meta-data/instance-id";
    let gate = node.gate();
    assert!(gate.exec(PUT).unwrap().contains(token));
    assert_eq!(gate.exec(plain).unwrap(), "i-0range");
    drop(node);
    let Some(node) = start_with(Profile::Playground, Some(Control::MetadataHopLimit)) else {
        return;
    };
    let gate = node.gate();
    // the node is one hop away, the pod two
    let at_the_node = format!("nsenter --net --target=1 sh -c \"{PUT}\"");
    assert!(gate.exec(&at_the_node).unwrap().contains(token));
    assert_eq!(gate.exec(PUT).unwrap(), "");
    assert_eq!(gate.exec(plain).unwrap(), "");
    assert_eq!(
        gate.exec(&plain.replace(
            "-q",
            &format!("-q --header 'X-aws-ec2-metadata-token: {token}'")
        ))
        .unwrap(),
        "i-0range"
    );
}
