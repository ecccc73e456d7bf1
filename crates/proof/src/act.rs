//! Acts: what an event says was done, as far as a control can care.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use serde_json::Value as Json;
use vedette_event::Process;

use crate::paths;

/// The namespaces that a process has changed for those of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Namespaces {
    /// It sees the host's files.
    pub mount: bool,
    /// It sees the host's processes.
    pub pid: bool,
    /// It uses the host's network.
    pub network: bool,
}

impl Namespaces {
    /// All of them, or none.
    pub fn all(left: bool) -> Self {
        Self {
            mount: left,
            pid: left,
            network: left,
        }
    }

    /// Those of either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            mount: self.mount || other.mount,
            pid: self.pid || other.pid,
            network: self.network || other.network,
        }
    }

    /// True when one was left.
    pub fn any(self) -> bool {
        self.mount || self.pid || self.network
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum Deed {
    /// A file was read.
    Read {
        /// Its path.
        path: String,
    },
    /// A file was created, written, removed, renamed, or its owner or mode changed.
    Write {
        /// Its path.
        path: String,
        /// Whether it lies in the writable layer of the container; `None` when the recording does not say.
        upper: Option<bool>,
    },
    /// A program was started, or a start was tried that the shell then interpreted.
    Execute {
        /// Path of the program.
        path: String,
        /// Why it is not part of the image, if it is not.
        foreign: Option<&'static str>,
        /// How the file came to be, when the recording has that: what refuses this refuses the start.
        brought: Option<Box<Act>>,
    },
    /// Another process's namespaces were entered.
    Enter {
        /// Path or description of what named them.
        target: String,
        /// Which were entered.
        namespaces: Namespaces,
    },
    /// A connection was made.
    Connect {
        /// Address of the other side.
        ip: IpAddr,
        /// Its port.
        port: u16,
    },
    /// What the other side of a connection that was made said.
    Receive {
        /// Address of the other side.
        ip: IpAddr,
        /// Its port.
        port: u16,
    },
    /// A call that needs a capability.
    Privileged {
        /// The call.
        call: String,
        /// The capability, such as `CAP_SYS_ADMIN`.
        capability: &'static str,
        /// Whether the runtime's default set has it.
        default: bool,
    },
    /// Anything else.
    Other {
        /// The event type.
        call: String,
    },
}

/// A deed and who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Act {
    /// What was done.
    #[serde(flatten)]
    pub deed: Deed,
    /// Number of the event in the recording.
    pub event: u64,
    /// User id, as the host counts them; `None` when unknown.
    pub uid: Option<u64>,
    /// Id of the container; `None` on the host.
    pub container: Option<String>,
    /// Namespaces of the container that the process had left.
    pub left: Namespaces,
    /// Command line of the process.
    pub command: String,
}

/// What was seen before an event that bears on what it means.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Namespaces that its process had left.
    pub left: Namespaces,
    /// How a container wrote the file that it names.
    pub written: Option<Act>,
    /// Whether its container made the connection that it names, rather than took it.
    pub connected: bool,
}

/// The call, the capability it needs, and whether container runtimes grant that by default.
/// Source: capabilities(7), and the default set of the OCI runtimes (14 capabilities).
const PRIVILEGED: &[(&str, &str, bool)] = &[
    ("mount", "CAP_SYS_ADMIN", false),
    ("umount", "CAP_SYS_ADMIN", false),
    ("umount2", "CAP_SYS_ADMIN", false),
    ("pivot_root", "CAP_SYS_ADMIN", false),
    ("bpf", "CAP_BPF", false),
    ("init_module", "CAP_SYS_MODULE", false),
    ("finit_module", "CAP_SYS_MODULE", false),
    ("ptrace", "CAP_SYS_PTRACE", false),
    ("chroot", "CAP_SYS_CHROOT", true),
    ("setuid", "CAP_SETUID", true),
    ("setresuid", "CAP_SETUID", true),
    ("setgid", "CAP_SETGID", true),
    ("setresgid", "CAP_SETGID", true),
    ("chown", "CAP_CHOWN", true),
    ("lchown", "CAP_CHOWN", true),
    ("fchown", "CAP_CHOWN", true),
    ("fchownat", "CAP_CHOWN", true),
];

impl Act {
    /// The act that an event's fields tell of. `past` is what the recording said before.
    pub fn of(fields: &BTreeMap<String, Json>, lineage: &[Process], past: Past) -> Self {
        let left = past.left;
        let seen = Fields(fields);
        let container = seen
            .text("container.id")
            .filter(|id| !id.is_empty() && *id != "host" && *id != "<NA>");
        Self {
            deed: deed(&seen, lineage, past),
            event: seen.number("evt.num").unwrap_or(0).max(0) as u64,
            uid: seen
                .number("user.uid")
                .and_then(|uid| u64::try_from(uid).ok())
                .filter(|uid| *uid != u64::from(u32::MAX)),
            container: container.map(str::to_owned),
            left,
            command: lineage
                .first()
                .map(|process| process.cmdline.clone())
                .or_else(|| seen.text("proc.cmdline").map(str::to_owned))
                .unwrap_or_default(),
        }
    }
}

/// Fields as findings carry them.
pub(crate) struct Fields<'a>(pub(crate) &'a BTreeMap<String, Json>);

impl<'a> Fields<'a> {
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Json::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Json::as_i64)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Json::as_bool)
    }

    /// Address and port of a connection's server.
    fn peer(&self) -> Option<(IpAddr, u16)> {
        let ip = self.text("fd.sip")?.parse().ok()?;
        Some((ip, self.number("fd.sport").unwrap_or(0) as u16))
    }

    /// The path that the event is about.
    pub(crate) fn path(&self) -> Option<String> {
        [
            "fs.path.name",
            "fs.path.target",
            "fd.name",
            "evt.arg.filename",
        ]
        .iter()
        .filter_map(|name| self.text(name))
        .find(|path| !path.is_empty() && *path != "<NA>")
        .map(str::to_owned)
    }
}

fn deed(seen: &Fields<'_>, lineage: &[Process], past: Past) -> Deed {
    let call = seen.text("evt.type").unwrap_or_default();
    let path = || seen.path().unwrap_or_default();
    let other = || Deed::Other {
        call: call.to_owned(),
    };
    match call {
        "execve" | "execveat" => {
            let failed = seen.text("evt.res").is_some_and(|res| res != "SUCCESS");
            let path = if failed {
                seen.text("evt.arg.filename").unwrap_or_default().to_owned()
            } else {
                lineage
                    .first()
                    .map(|process| process.exepath.clone())
                    .or_else(|| seen.text("proc.exepath").map(str::to_owned))
                    .unwrap_or_default()
            };
            let flag = |name| !failed && seen.flag(name) == Some(true);
            let foreign = if flag("proc.is_exe_from_memfd") {
                Some("it lies in memory only")
            } else if flag("proc.is_exe_upper_layer") {
                Some("it lies in the container's writable layer")
            } else if past.written.is_some() {
                Some("it was written while the container ran")
            } else {
                None
            };
            Deed::Execute {
                path,
                foreign,
                brought: past.written.map(Box::new),
            }
        }
        "open" | "openat" | "openat2" | "creat" => {
            if seen.flag("evt.is_open_write") == Some(true) || call == "creat" {
                Deed::Write {
                    path: path(),
                    upper: seen.flag("fd.is_upper_layer"),
                }
            } else {
                Deed::Read { path: path() }
            }
        }
        "unlink" | "unlinkat" | "rename" | "renameat" | "renameat2" | "link" | "linkat"
        | "symlink" | "symlinkat" | "mkdir" | "mkdirat" | "rmdir" | "chmod" | "fchmod"
        | "fchmodat" => Deed::Write {
            path: path(),
            upper: None,
        },
        "setns" => {
            let target = seen.text("fd.name").unwrap_or_default().to_owned();
            Deed::Enter {
                namespaces: namespaces(seen.text("evt.arg.nstype").unwrap_or_default(), &target),
                target,
            }
        }
        "connect" | "sendto" | "sendmsg" => seen
            .peer()
            .map_or_else(other, |(ip, port)| Deed::Connect { ip, port }),
        "read" | "readv" | "recvfrom" | "recvmsg" | "recvmmsg" if past.connected => seen
            .peer()
            .map_or_else(other, |(ip, port)| Deed::Receive { ip, port }),
        _ => match PRIVILEGED.iter().find(|(name, _, _)| *name == call) {
            Some((_, capability, default)) => Deed::Privileged {
                call: call.to_owned(),
                capability,
                default: *default,
            },
            None => other(),
        },
    }
}

/// Which namespaces a `setns` entered: by its flags, or, when it gave none, by the file it named.
/// A pidfd with no readable flags means all of them.
pub(crate) fn namespaces(flags: &str, target: &str) -> Namespaces {
    let of = |flag: &str, file: &str| {
        flags.contains(flag) || (flags_empty(flags) && target.ends_with(file))
    };
    let entered = Namespaces {
        mount: of("CLONE_NEWNS", "/mnt"),
        pid: of("CLONE_NEWPID", "/pid") || target.ends_with("/pid_for_children"),
        network: of("CLONE_NEWNET", "/net"),
    };
    let other = ["/ipc", "/uts", "/user", "/cgroup", "/time"]
        .iter()
        .any(|file| target.ends_with(file));
    if entered.any() || other || !flags_empty(flags) {
        entered
    } else {
        Namespaces::all(true)
    }
}

fn flags_empty(flags: &str) -> bool {
    flags.is_empty() || flags == "0"
}

impl Deed {
    /// The deed in words, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Read { path } => format!("read {path}"),
            Self::Write { path, .. } => format!("wrote {path}"),
            Self::Execute { path, .. } => format!("ran {path}"),
            Self::Enter { target, .. } if target.is_empty() => {
                "entered another process's namespaces".to_owned()
            }
            Self::Enter { target, .. } => format!("entered the namespaces of {target}"),
            Self::Connect { ip, port } => format!("connected to {ip} port {port}"),
            Self::Receive { ip, port } => format!("heard from {ip} port {port}"),
            Self::Privileged { call, .. } | Self::Other { call } => format!("called {call}"),
        }
    }

    /// Whether only root may do it to files as images have them; `None` when their owner is not known.
    pub(crate) fn needs_root(&self) -> Option<bool> {
        match self {
            Self::Read { path } => paths::root_reads(path),
            Self::Write { path, .. } => paths::root_writes(path),
            Self::Enter { .. } | Self::Privileged { .. } => Some(true),
            Self::Execute { .. }
            | Self::Connect { .. }
            | Self::Receive { .. }
            | Self::Other { .. } => Some(false),
        }
    }
}
