//! The node for real, with each runtime: it comes up, answers, and leaves nothing behind. Needs root, runc and some tools;
//! says so otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test program that says what it skips"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use vedette_lab::{Control, Node, Profile, Runtime, Settings, missing_for};

/// A node for each runtime that this machine has; the others, or everything, are said to be skipped.
fn each(profile: Profile, control: Option<Control>, look: impl Fn(Node)) {
    for runtime in Runtime::ALL {
        let missing = missing_for(control).into_iter().map(|missing| missing.what);
        if let Some(missing) = missing.chain(runtime.missing()).next() {
            eprintln!("skipped with {}: {missing}", runtime.name());
            continue;
        }
        let settings = Settings {
            profile,
            control,
            runtime,
            marks: vec!["1.begin".to_owned()],
        };
        match Node::start(&settings) {
            Ok(node) => look(node),
            Err(error) => panic!(
                "{}: {error}: {:?}",
                runtime.name(),
                std::error::Error::source(&error)
            ),
        }
    }
}

#[test]
fn the_playground_gives_the_node_away() {
    each(Profile::Playground, None, gives_the_node_away);
}

fn gives_the_node_away(node: Node) {
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
    // a privileged container has none of this machine's devices, and no capability that reaches the machine itself
    let devices = Path::new("/sys/fs/cgroup/devices").join(&name);
    for list in files(&devices.join("kubepods"), "devices.list") {
        let members = std::fs::read_to_string(list.with_file_name("cgroup.procs")).unwrap();
        if members.is_empty() {
            continue;
        }
        for line in std::fs::read_to_string(list).unwrap().lines() {
            // to make a device's file, which takes a capability too, is not to use it
            assert!(line.starts_with("c ") || line.ends_with(" m"), "{line}");
        }
    }
    let capabilities = gate.exec("grep Cap /proc/self/status").unwrap();
    for line in capabilities.lines() {
        let mask = line.split_whitespace().nth(1).unwrap();
        let mask = u64::from_str_radix(mask, 16).unwrap();
        // modules, raw I/O, reboot, the clock, device nodes, BPF
        for number in [16, 17, 22, 25, 27, 39] {
            assert_eq!(mask & (1 << number), 0, "{line}");
        }
    }
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
    each(Profile::RestrictedNodrift, None, gives_nothing_away);
}

fn gives_nothing_away(node: Node) {
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

const TOKEN: &str = "range-metadata-token";
const PLAIN: &str = "wget -q -O- http://169.254.169.254/latest/meta-data/instance-id";

#[test]
fn a_token_of_the_metadata_service_comes_as_far_as_its_hops() {
    each(Profile::Playground, None, |node| {
        let gate = node.gate();
        assert!(gate.exec(PUT).unwrap().contains(TOKEN));
        assert_eq!(gate.exec(PLAIN).unwrap(), "i-0range");
    });
    let control = Some(Control::MetadataHopLimit);
    each(Profile::Playground, control, is_one_hop_away);
}

fn is_one_hop_away(node: Node) {
    let gate = node.gate();
    // the node is one hop away, the pod two
    let at_the_node = format!("nsenter --net --target=1 sh -c \"{PUT}\"");
    assert!(gate.exec(&at_the_node).unwrap().contains(TOKEN));
    assert_eq!(gate.exec(PUT).unwrap(), "");
    assert_eq!(gate.exec(PLAIN).unwrap(), "");
    assert_eq!(
        gate.exec(&PLAIN.replace(
            "-q",
            &format!("-q --header 'X-aws-ec2-metadata-token: {TOKEN}'")
        ))
        .unwrap(),
        "i-0range"
    );
}

/// Files of this name below a directory.
fn files(directory: &Path, name: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(files(&path, name));
        } else if path.ends_with(name) {
            out.push(path);
        }
    }
    out
}

/// What a program of the node prints there.
fn on_the_node(node: &Node, words: &[&str]) -> String {
    let output = Command::new("nsenter")
        .args(["--all", "--target", &node.init().to_string()])
        .args(words)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn containerd_has_the_pods_and_agents_know_them() {
    each(Profile::Playground, None, |node| {
        if node.runtime() != Runtime::Containerd {
            return;
        }
        let list = on_the_node(&node, &["ctr", "-n", "k8s.io", "tasks", "list", "-q"]);
        let mut running: Vec<&str> = list.lines().collect();
        running.sort_unstable();
        // four pods, each with the process that holds it open and with its container
        assert_eq!(running.len(), 8, "{list}");
        let place = Path::new("/run/containerd/io.containerd.runtime.v2.task").join(node.name());
        let mut announced = Vec::new();
        let mut named = Vec::new();
        for bundle in std::fs::read_dir(place).unwrap() {
            let bundle = bundle.unwrap();
            announced.push(bundle.file_name().into_string().unwrap());
            let text = std::fs::read_to_string(bundle.path().join("config.json")).unwrap();
            let config: serde_json::Value = serde_json::from_str(&text).unwrap();
            let name = &config["annotations"]["io.kubernetes.cri.container-name"];
            named.extend(name.as_str().map(str::to_owned));
        }
        announced.sort_unstable();
        named.sort_unstable();
        assert_eq!(announced, running);
        let pods = [
            "hello-client",
            "hello-server",
            "postgres-sakila",
            "security-playground",
        ];
        assert_eq!(named, pods);
    });
}
