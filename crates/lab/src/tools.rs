//! The programs of this machine that the lab is made of and with.

use std::path::{Path, PathBuf};

use crate::Control;

/// Programs that are needed, and the Debian package that has each.
const NEEDED: &[(&str, &str)] = &[
    ("busybox", "busybox-static"),
    ("hostname", "hostname"),
    ("ip", "iproute2"),
    ("ldd", "libc-bin"),
    ("mount", "mount"),
    ("nsenter", "util-linux"),
    ("pivot_root", "util-linux"),
    ("runc", "runc"),
    ("setpriv", "util-linux"),
    ("tar", "tar"),
    ("unshare", "util-linux"),
];

/// What a node with containerd needs of this machine besides, all of the Debian package containerd.
pub(crate) const CONTAINERD: [&str; 3] = ["containerd", "containerd-shim-runc-v2", "ctr"];
/// Modules of iptables that the lab's network policy takes.
const MODULES: [&str; 5] = [
    "libxt_standard.so",
    "libxt_conntrack.so",
    "libxt_tcp.so",
    "libxt_udp.so",
    "libipt_REJECT.so",
];

/// Directories in which programs are looked for besides `PATH`, which often lacks them.
const ALSO: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// A reason why the lab cannot run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is missing, and what to do about it.
    pub what: String,
}

/// Everything that keeps the lab from running on this machine; nothing when it can be tried.
pub fn missing() -> Vec<Missing> {
    let mut out = Vec::new();
    let mut add = |what: String| out.push(Missing { what });
    if !is_root() {
        add("the lab makes namespaces and mounts: run it as root".to_owned());
    }
    for (program, package) in NEEDED {
        if find(program).is_none() {
            add(format!(
                "the program {program} is not installed (package {package})"
            ));
        }
    }
    if crate::PARTS.is_empty() {
        add("this build carries no program for the lab's parts: build it where a static C library is installed (libc6-dev)".to_owned());
    }
    out
}

/// The same for a node with this control.
pub fn missing_for(control: Option<Control>) -> Vec<Missing> {
    let mut out = missing();
    if control == Some(Control::EgressPolicy) && find("iptables").is_none() {
        out.push(Missing {
            what: "the program iptables is not installed (package iptables)".to_owned(),
        });
    }
    out
}

/// The program of containerd that is not installed, if one is not.
pub(crate) fn missing_of_containerd() -> Option<&'static str> {
    CONTAINERD
        .into_iter()
        .find(|program| find(program).is_none())
}

/// Where the modules of iptables are that the lab's network policy takes, as far as they are there.
pub(crate) fn iptables_modules() -> Vec<PathBuf> {
    let below = |root: &str| {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    // Debian has them below a directory of the architecture
    [PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64")]
        .into_iter()
        .chain(below("/usr/lib"))
        .map(|directory| directory.join("xtables"))
        .flat_map(|directory| MODULES.map(|module| directory.join(module)))
        .filter(|module| module.is_file())
        .collect()
}

/// Where a program is.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(ALSO.iter().map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// The search path that the lab's own commands get.
pub(crate) fn search_path() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&path).chain(ALSO.iter().map(PathBuf::from));
    std::env::join_paths(all.filter(|path| !path.as_os_str().is_empty())).unwrap_or(path)
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    field(&status, "Uid:").is_some_and(|uids| uids.split_whitespace().nth(1) == Some("0"))
}

/// The bounding set of capabilities of this process, as a mask.
pub(crate) fn bounding() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    field(&status, "CapBnd:")
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name))
}

/// Children of a process, by `/proc`.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|child| parent(*child) == Some(pid))
        .collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat =
        std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // the name in parentheses may hold anything, blanks and parentheses included
    let after = &stat[stat.rfind(')')? + 1..];
    after.split_whitespace().nth(1)?.parse().ok()
}
