//! What was there before the sensor: machine, accounts, interfaces' addresses, processes and their descriptors, read from
//! `/proc`, `/sys` and `/etc`, in the same shapes in which a capture carries them.
//!
//! Start the sensor first and scan then: what changes during the scan is told by events, whose time is later than the
//! scan's, and a process that ends while it is read is left out.

mod accounts;
mod descriptors;
mod process;
mod sockets;

use std::fs;
use std::path::{Path, PathBuf};

use vedette_event::boot::{FdEntry, Group, MachineInfo, ProcessEntry, User};

/// Most threads that a scan tells; further ones are counted. The kernel's own default for `pid_max` on 64-bit machines
/// is 4 million, far more than a host runs.
pub const MAX_THREADS: usize = 1 << 18;
/// Most descriptors of one process that a scan tells.
pub const MAX_FDS: usize = 1 << 16;
/// Most bytes of one file below `/proc` that are read: longer than any argument list that events carry.
pub(crate) const MAX_FILE: u64 = 1 << 20;
/// Most bytes of argument lists and environments that are kept, as in events.
pub(crate) const MAX_LIST: usize = 4096;

/// One fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "a fact is lent to the sink and never stored, so its size costs nothing"
)]
pub enum Fact<'a> {
    /// The machine.
    Machine(MachineInfo<'a>),
    /// An account of the host.
    User(User<'a>),
    /// A group of the host.
    Group(Group<'a>),
    /// A thread; the main thread of a process comes before its others and its descriptors.
    Process(ProcessEntry<'a>),
    /// A descriptor of the process with this id.
    Descriptor(i64, FdEntry<'a>),
}

/// What a scan found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Threads told.
    pub threads: usize,
    /// Descriptors told.
    pub descriptors: usize,
    /// Threads and descriptors beyond the bounds.
    pub skipped: usize,
    /// Processes that ended, or could not be read, while they were looked at.
    pub vanished: usize,
}

/// Where to look. The default is this machine.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The process file system.
    pub proc: PathBuf,
    /// Root of the host, for accounts.
    pub root: PathBuf,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            root: "/".into(),
        }
    }
}

impl Scan {
    /// Tells every fact to `sink`: machine, accounts, then processes by number.
    pub fn run(&self, sink: &mut dyn FnMut(Fact<'_>)) -> Report {
        let mut report = Report::default();
        let boot = self.boot_time_ns();
        self.machine(boot, sink);
        accounts::tell(&self.root, sink);

        let mut pids: Vec<i64> = numbers(&self.proc);
        pids.sort_unstable();
        let mut sockets = sockets::Tables::default();
        for pid in pids {
            let dir = self.proc.join(pid.to_string());
            let Some(main) = process::Facts::read(&dir, &dir, pid, pid, boot) else {
                report.vanished += 1;
                continue;
            };
            if report.threads >= MAX_THREADS {
                report.skipped += 1;
                continue;
            }
            sink(Fact::Process(main.entry()));
            report.threads += 1;
            for tid in numbers(&dir.join("task")) {
                if tid == pid {
                    continue;
                }
                if report.threads >= MAX_THREADS {
                    report.skipped += 1;
                    continue;
                }
                let task = dir.join("task").join(tid.to_string());
                match process::Facts::read(&task, &dir, tid, pid, boot) {
                    Some(thread) => {
                        sink(Fact::Process(thread.entry()));
                        report.threads += 1;
                    }
                    None => report.vanished += 1,
                }
            }
            descriptors::tell(&dir, pid, &mut sockets, sink, &mut report);
        }
        report
    }

    fn machine(&self, boot: u64, sink: &mut dyn FnMut(Fact<'_>)) {
        let read = |path: &str| fs::read_to_string(self.proc.join(path)).unwrap_or_default();
        let cpus = read("cpuinfo")
            .lines()
            .filter(|l| l.starts_with("processor"))
            .count();
        let memory = read("meminfo")
            .lines()
            .find_map(|l| l.strip_prefix("MemTotal:"))
            .and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0);
        let hostname = read("sys/kernel/hostname");
        sink(Fact::Machine(MachineInfo {
            cpus: cpus as u32,
            memory: memory * 1024,
            max_pid: read("sys/kernel/pid_max").trim().parse().unwrap_or(0),
            hostname: hostname.trim_end().as_bytes(),
            boot_ts: boot,
            flags: 0,
        }));
    }

    /// When the machine was started, nanoseconds since the Unix epoch.
    fn boot_time_ns(&self) -> u64 {
        fs::read_to_string(self.proc.join("stat"))
            .unwrap_or_default()
            .lines()
            .find_map(|l| l.strip_prefix("btime "))
            .and_then(|t| t.trim().parse::<u64>().ok())
            .unwrap_or(0)
            * 1_000_000_000
    }
}

/// Entries of a directory whose names are numbers.
fn numbers(dir: &Path) -> Vec<i64> {
    fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// At most [`MAX_FILE`] bytes of a file.
fn read(path: &Path) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut out = Vec::new();
    fs::File::open(path)
        .ok()?
        .take(MAX_FILE)
        .read_to_end(&mut out)
        .ok()?;
    Some(out)
}

/// What a symbolic link says.
fn link(path: &Path) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    fs::read_link(path)
        .ok()
        .map(|p| p.into_os_string().into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine() {
        let own = i64::from(std::process::id());
        let mut seen = None;
        let mut machine = None;
        let mut fds = 0;
        let report = Scan::default().run(&mut |fact| match fact {
            Fact::Machine(m) => machine = Some((m.cpus, m.memory > 0, m.boot_ts > 0)),
            Fact::Process(p) if p.tid == own => {
                seen = Some((
                    p.pid,
                    p.comm.to_vec(),
                    p.exepath.to_vec(),
                    p.cwd.to_vec(),
                    p.fdlimit,
                ));
            }
            Fact::Descriptor(pid, _) if pid == own => fds += 1,
            _ => {}
        });
        let (pid, comm, exepath, cwd, fdlimit) = seen.expect("the test itself is a process");
        assert_eq!(pid, own);
        assert!(!comm.is_empty() && comm.len() < 16);
        assert!(exepath.starts_with(b"/") && cwd.ends_with(b"/"));
        assert!(fdlimit > 0 && fds >= 3);
        assert_eq!(
            machine.map(|m| (m.0 > 0, m.1, m.2)),
            Some((true, true, true))
        );
        assert!(report.threads > 0 && report.descriptors >= fds);
    }

    #[test]
    fn nothing_is_fine() {
        let scan = Scan {
            proc: "/nonexistent".into(),
            root: "/nonexistent".into(),
        };
        let mut facts = 0;
        let report = scan.run(&mut |_| facts += 1);
        assert_eq!((report, facts), (Report::default(), 1));
    }
}
