//! The node's network plugins (CNI): one that puts a pod on the node's bridge with the address that is its own in every run,
//! and one for the pod's loopback device. Source of the protocol: the CNI specification, versions 0.3.1 to 1.0.0.

use std::env;
use std::fs;
use std::io::{self, Read};
use std::process::{Command, ExitCode};

use crate::fail;

/// One pod a line: its name, its address, and `no-egress` when a policy refuses what it sends; between blanks.
const ADDRESSES: &str = "/run/range/addresses";
const GATEWAY: &str = "10.244.1.1";
/// Most bytes of a network's configuration.
const MAX_CONFIG: u64 = 64 << 10;
/// Letters of a device's name that are the container's. The kernel takes names of 15.
const ID: usize = 11;

/// `range-cni`.
pub(crate) fn pod(_: &[String]) -> ExitCode {
    plugin("range-cni", on_the_bridge)
}

/// `loopback`.
pub(crate) fn loopback(_: &[String]) -> ExitCode {
    plugin("loopback", |netns, _| {
        ip(&["-n", netns, "link", "set", "lo", "up"])?;
        Ok("127.0.0.1/8".to_owned())
    })
}

fn plugin(name: &str, add: impl Fn(&str, &str) -> io::Result<String>) -> ExitCode {
    let said = |name: &str| env::var(name).unwrap_or_default();
    let mut config = String::new();
    let read = io::stdin().take(MAX_CONFIG).read_to_string(&mut config);
    if let Err(error) = read {
        return fail(name, 1, error);
    }
    let version = version_in(&config);
    match said("CNI_COMMAND").as_str() {
        "ADD" => {
            let path = said("CNI_NETNS");
            let netns = path.rsplit('/').next().unwrap_or_default();
            match add(netns, &said("CNI_ARGS")) {
                Ok(address) => {
                    println!("{}", result(version, &said("CNI_IFNAME"), &path, &address));
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    println!(r#"{{"cniVersion":"{version}","code":100,"msg":"{name} failed"}}"#);
                    fail(name, 1, error)
                }
            }
        }
        "VERSION" => {
            println!(
                r#"{{"cniVersion":"{version}","supportedVersions":["0.3.1","0.4.0","1.0.0"]}}"#
            );
            ExitCode::SUCCESS
        }
        // devices go with the pod's network namespace
        _ => ExitCode::SUCCESS,
    }
}

/// The version that a configuration wants its answer in, of those that look the same.
fn version_in(config: &str) -> &'static str {
    ["1.0.0", "0.4.0"]
        .into_iter()
        .find(|version| config.contains(&format!("\"{version}\"")))
        .unwrap_or("0.3.1")
}

fn result(version: &str, device: &str, netns: &str, address: &str) -> String {
    // version 1.0.0 dropped the field `version`, and passes over it
    let gateway = if device == "eth0" {
        format!(r#","gateway":"{GATEWAY}""#)
    } else {
        String::new()
    };
    format!(
        r#"{{"cniVersion":"{version}","interfaces":[{{"name":"{device}","sandbox":"{netns}"}}],"ips":[{{"version":"4","interface":0,"address":"{address}"{gateway}}}],"dns":{{}}}}"#
    )
}

fn on_the_bridge(netns: &str, arguments: &str) -> io::Result<String> {
    let pod = arguments
        .split(';')
        .find_map(|pair| pair.strip_prefix("K8S_POD_NAME="))
        .unwrap_or_default();
    let table = fs::read_to_string(ADDRESSES)?;
    let (address, egress) =
        address_of(&table, pod).ok_or_else(|| io::Error::other(format!("no address for {pod}")))?;
    let id = env::var("CNI_CONTAINERID").unwrap_or_default();
    let device: String = "veth".chars().chain(id.chars().take(ID)).collect();
    ip(&[
        "link", "add", &device, "type", "veth", "peer", "name", "eth0", "netns", netns,
    ])?;
    ip(&["link", "set", &device, "master", "cni0", "up"])?;
    ip(&["-n", netns, "address", "add", &address, "dev", "eth0"])?;
    ip(&["-n", netns, "link", "set", "eth0", "up"])?;
    ip(&["-n", netns, "route", "add", "default", "via", GATEWAY])?;
    if !egress {
        // a network policy without a rule for anything but the name service: replies pass, all else is refused
        for rule in [
            "-o lo -j ACCEPT",
            "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
            "-p tcp --dport 53 -j ACCEPT",
            "-p udp --dport 53 -j ACCEPT",
            "-j REJECT --reject-with icmp-admin-prohibited",
        ] {
            let mut words = vec!["netns", "exec", netns, "iptables", "-A", "OUTPUT"];
            words.extend(rule.split(' '));
            ip(&words)?;
        }
    }
    Ok(address)
}

/// A pod's address with the length of its network, and whether it may make connections.
fn address_of(table: &str, pod: &str) -> Option<(String, bool)> {
    table.lines().find_map(|line| {
        let mut words = line.split(' ');
        (words.next()? == pod).then_some(())?;
        let address = format!("{}/24", words.next()?);
        Some((address, words.next() != Some("no-egress")))
    })
}

fn ip(words: &[&str]) -> io::Result<()> {
    let output = Command::new("ip").args(words).output()?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("ip {words:?}: {}", why.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_have_their_addresses() {
        let table = "web-0 10.244.1.10 no-egress\ndb-0 10.244.1.13\n";
        assert_eq!(
            address_of(table, "web-0"),
            Some(("10.244.1.10/24".into(), false))
        );
        assert_eq!(
            address_of(table, "db-0"),
            Some(("10.244.1.13/24".into(), true))
        );
        assert_eq!(address_of(table, "web"), None);
    }

    #[test]
    fn answers_are_in_the_version_that_was_asked_for() {
        assert_eq!(version_in(r#"{"cniVersion":"1.0.0"}"#), "1.0.0");
        assert_eq!(version_in("{}"), "0.3.1");
        let answer = result("0.4.0", "eth0", "/run/netns/a", "10.244.1.10/24");
        assert!(answer.contains(r#""address":"10.244.1.10/24","gateway":"10.244.1.1""#));
        assert!(!result("0.4.0", "lo", "/run/netns/a", "127.0.0.1/8").contains("gateway"));
    }
}
