//! What may be done in answer to a finding: never to the host's own critical processes, never twice, never in a flood.
//!
//! Pure: time comes in as an argument, doing is somebody else's.

use std::collections::HashMap;

use super::{ActionKind, Policy};

/// Actions of one kind within a minute, of all policies together. A wrong policy shall not take a node down.
pub const PER_MINUTE: u32 = 30;
/// Seconds for which the same action on the same target is not repeated.
pub const REPEAT_AFTER: i64 = 60;
/// Targets that are remembered.
const MAX_REMEMBERED: usize = 4096;

/// The process that an action is aimed at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Process id in the host's namespace.
    pub pid: u32,
    /// When it started, so that a number used again is another process.
    pub started: u64,
    /// Path of its executable as the host or the container sees it.
    pub exe: String,
    /// Full id of its container; empty on the host.
    pub container: String,
    /// Our own process.
    pub is_self: bool,
}

/// Programs that a node cannot do without. Only outside containers: a name inside one is anybody's.
const CRITICAL: &[&str] = &[
    "systemd",
    "init",
    "kubelet",
    "k3s",
    "k3s-agent",
    "rke2",
    "k0s",
    "containerd",
    "containerd-shim",
    "containerd-shim-runc-v2",
    "dockerd",
    "docker-proxy",
    "crio",
    "conmon",
    "conmonrs",
    "podman",
    "runc",
    "crun",
    "kube-proxy",
    "sshd",
    "dbus-daemon",
    "dbus-broker",
    "systemd-journald",
    "systemd-udevd",
    "systemd-logind",
    "systemd-networkd",
    "systemd-resolved",
    "NetworkManager",
    "udevd",
    "agetty",
    "chronyd",
    "ntpd",
    "cilium-agent",
    "calico-node",
    "flanneld",
    "vedette",
];

/// Why a process must not be touched.
pub fn protected(target: &Target) -> Option<String> {
    if target.is_self {
        return Some("it is this agent".to_owned());
    }
    if target.pid <= 1 {
        return Some("it is the machine's first process".to_owned());
    }
    if !target.container.is_empty() {
        return None;
    }
    let name = target.exe.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    CRITICAL
        .contains(&name)
        .then(|| format!("{name} keeps the host running"))
}

/// What is to become of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Do it.
    Do,
    /// Only say that it would have been done.
    DryRun,
    /// Do not, and why.
    Withhold(String),
}

/// Grants actions.
#[derive(Debug, Default)]
pub struct Governor {
    /// Kind and target → when it was last granted.
    done: HashMap<(ActionKind, String), i64>,
    minute: i64,
    granted: HashMap<ActionKind, u32>,
}

impl Governor {
    /// Asks for an action. `now` is in seconds and never goes back by much.
    pub fn ask(
        &mut self,
        kind: ActionKind,
        policy: &Policy,
        target: &Target,
        now: i64,
    ) -> Permission {
        let container = matches!(
            kind,
            ActionKind::KillContainer | ActionKind::StopContainer | ActionKind::PauseContainer
        );
        if container && target.container.is_empty() {
            return Permission::Withhold("the process is in no container".to_owned());
        }
        if !policy.critical_processes
            && let Some(why) = protected(target)
        {
            return Permission::Withhold(why);
        }
        if policy.dry_run {
            return Permission::DryRun;
        }
        let key = if container {
            target.container.clone()
        } else {
            format!("{}@{}", target.pid, target.started)
        };
        if let Some(last) = self.done.get(&(kind, key.clone()))
            && now < last + REPEAT_AFTER
        {
            return Permission::Withhold("it was just done".to_owned());
        }
        if self.minute != now / 60 {
            self.minute = now / 60;
            self.granted.clear();
        }
        let granted = self.granted.entry(kind).or_default();
        if *granted >= PER_MINUTE {
            return Permission::Withhold(format!(
                "{PER_MINUTE} actions of this kind were taken within this minute"
            ));
        }
        *granted += 1;
        if self.done.len() >= MAX_REMEMBERED {
            self.done.retain(|_, last| now < *last + REPEAT_AFTER);
            if self.done.len() >= MAX_REMEMBERED {
                self.done.clear();
            }
        }
        self.done.insert((kind, key), now);
        Permission::Do
    }
}
