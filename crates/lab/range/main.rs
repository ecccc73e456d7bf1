//! The one program that plays every part in the attack lab.
//!
//! A part is chosen by the name under which the program is called, as with busybox: the vulnerable web service
//! (`gunicorn`), the victims (`hello-server`, `postgres`), the harmless look-alikes of what an attacker brings (`nmap`,
//! `crictl`, `kubectl`, `xmrig`), the node's own (`kubelet`, `crond`, the network plugins, `pause`; `containerd` where the real one is missing), and the world
//! around (`range-cloud`, `range-metadata`, `range-gate`).
//! It is built as a static program with nothing but the standard library, so that it runs in images that hold nothing else.
//!
//! None of the parts does harm: the scanner connects to addresses of the lab, the miner hashes for some seconds at half a
//! core, the clients talk to the lab's own servers. There is no address in here that leads out of the lab's network.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "command-line tools speak there"
)]

mod cloud;
mod cluster;
mod cri;
mod database;
mod fields;
mod gate;
mod grpc;
mod hosts;
mod http;
mod kubelet;
mod message;
mod metadata;
mod miner;
mod narrow;
mod network;
mod node;
mod packages;
mod runtime;
mod scanner;
mod web;

use std::process::ExitCode;

/// What a part does with its arguments.
type Part = fn(&[String]) -> ExitCode;

/// Every part by name.
const PARTS: &[(&str, Part)] = &[
    ("apt-get", packages::apt_get),
    ("containerd", runtime::daemon),
    ("crictl", runtime::crictl),
    ("crond", node::crond),
    ("dpkg", packages::dpkg),
    ("gunicorn", web::gunicorn),
    ("hello-server", web::hello_server),
    ("kubectl", cluster::kubectl),
    ("kubelet", kubelet::run),
    ("logrotate", node::logrotate),
    ("loopback", network::loopback),
    ("nmap", scanner::nmap),
    ("pause", kubelet::pause),
    ("postgres", database::postgres),
    ("psql", database::psql),
    ("range-cloud", cloud::run),
    ("range-cni", network::pod),
    ("range-gate", gate::run),
    ("range-metadata", metadata::run),
    ("runc", narrow::runc),
    ("xmrig", miner::xmrig),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let name = arguments.next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    if let Some((_, part)) = PARTS.iter().find(|(known, _)| *known == name) {
        return part(&rest);
    }
    eprintln!("{name}: no part of the lab has this name");
    ExitCode::from(127)
}

/// Says what went wrong the way command-line tools do, and gives their exit code.
fn fail(tool: &str, code: u8, why: impl std::fmt::Display) -> ExitCode {
    eprintln!("{tool}: {why}");
    ExitCode::from(code)
}
