//! Doing what a policy says: kill a process, kill, stop, pause and resume a container.
//!
//! Whether it may be done is [`vedette_detect::policy::respond`]'s. Here it is done to exactly the process that was meant:
//! a number that was used again is another process, and a control group that is not the container's is not touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::process;

/// How often a container's processes are killed anew where new ones appear meanwhile.
const ROUNDS: u32 = 50;
/// How long a frozen state is waited for.
const FREEZE: Duration = Duration::from_secs(2);

/// Sends a signal to a process that started at this time (see [`process::start_ticks`]; `None` takes any). A process that
/// is gone is no error: what was wanted is the case. True when the signal was sent.
pub fn signal(pid: u32, started: Option<u64>, signal: Signal) -> io::Result<bool> {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Err(io::Error::other("not a process id"));
    };
    let handle = match pidfd_open(number, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(false),
        Err(errno) => return Err(errno.into()),
    };
    // the handle names the process for good: compared now, it cannot become another one
    if let Some(started) = started
        && process::start_ticks(pid).ok() != Some(started)
    {
        return Ok(false);
    }
    match pidfd_send_signal(&handle, signal) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Kills a process, see [`signal`].
pub fn kill(pid: u32, started: Option<u64>) -> io::Result<bool> {
    signal(pid, started, Signal::KILL)
}

/// A container by its control groups.
#[derive(Clone, Debug)]
pub struct ContainerGroups {
    dirs: Vec<PathBuf>,
}

impl ContainerGroups {
    /// The groups of a process that name its container's id. `None` when none does: a group that others share is never
    /// touched.
    pub fn of(pid: u32, id: &str) -> Option<Self> {
        if id.len() < 8 {
            return None;
        }
        let dirs: Vec<PathBuf> = process::control_groups(pid)
            .into_iter()
            .filter_map(|dir| topmost(&dir, id))
            .collect();
        (!dirs.is_empty()).then_some(Self { dirs })
    }

    /// The groups that name a container's id, wherever they are: for one of which no process is known. `None` when there
    /// is none.
    pub fn find(id: &str) -> Option<Self> {
        if id.len() < 12 {
            return None;
        }
        let (mut dirs, mut left) = (Vec::new(), MAX_GROUPS);
        search(Path::new("/sys/fs/cgroup"), id, 0, &mut left, &mut dirs);
        (!dirs.is_empty()).then_some(Self { dirs })
    }

    /// The groups of the container that a process was in, which may have ended meanwhile.
    pub fn of_or_find(pid: u32, id: &str) -> Option<Self> {
        Self::of(pid, id).or_else(|| Self::find(id))
    }

    /// Whether a process is in one of these groups, or below.
    pub fn has(&self, pid: u32) -> bool {
        process::control_groups(pid)
            .iter()
            .any(|group| self.dirs.iter().any(|dir| group.starts_with(dir)))
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        self.dirs
            .iter()
            .map(|dir| dir.join(name))
            .find(|file| file.exists())
    }

    /// Kills every process. The answer is how many were killed; 0 when it was empty, or when the kernel did it at once.
    pub fn kill(&self) -> io::Result<usize> {
        if let Some(file) = self.file("cgroup.kill") {
            fs::write(file, "1")?;
            return Ok(0);
        }
        let mut killed = 0;
        for _ in 0..ROUNDS {
            let processes = self.processes();
            if processes.is_empty() {
                return Ok(killed);
            }
            for pid in processes {
                killed += usize::from(kill(pid, None)?);
            }
            // a frozen process meets its signal only when it is thawed, and then runs no instruction of its own
            if let Some(freezer) = self.file("freezer.state") {
                let _ = fs::write(freezer, "THAWED");
            }
            // a killed process stays in the list until its parent has asked for it
            std::thread::sleep(Duration::from_millis(2));
            if self.processes().iter().all(|pid| is_dead(*pid)) {
                return Ok(killed);
            }
        }
        Err(io::Error::other(
            "processes appear faster than they are killed",
        ))
    }

    /// Every process, of groups below it, too.
    pub fn processes(&self) -> Vec<u32> {
        let mut out = Vec::new();
        for dir in &self.dirs {
            collect(dir, 0, &mut out);
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Freezes or thaws it, and waits until it is.
    pub fn pause(&self, paused: bool) -> io::Result<()> {
        // unified hierarchy, then the freezer's own
        for (name, value, wanted, report) in [
            (
                "cgroup.freeze",
                if paused { "1" } else { "0" },
                if paused { "frozen 1" } else { "frozen 0" },
                "cgroup.events",
            ),
            (
                "freezer.state",
                if paused { "FROZEN" } else { "THAWED" },
                if paused { "FROZEN" } else { "THAWED" },
                "freezer.state",
            ),
        ] {
            let Some(file) = self.file(name) else {
                continue;
            };
            fs::write(&file, value)?;
            let report = file.with_file_name(report);
            let deadline = Instant::now() + FREEZE;
            while Instant::now() < deadline {
                if fs::read_to_string(&report)?.contains(wanted) {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the container did not come to rest in time",
            ));
        }
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the container has no control group that can be frozen",
        ))
    }

    /// Asks its first process to end, waits, and kills what is left. Blocks for as long as `grace`.
    pub fn stop(&self, grace: Duration) -> io::Result<usize> {
        let first = self
            .processes()
            .into_iter()
            .min_by_key(|pid| process::start_ticks(*pid).unwrap_or(u64::MAX));
        if let Some(pid) = first {
            signal(pid, None, Signal::TERM)?;
        }
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            if self.processes().iter().all(|pid| is_dead(*pid)) {
                return Ok(0);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill()
    }
}

/// The highest directory whose name has the id: a container may make groups below its own.
fn topmost(dir: &Path, id: &str) -> Option<PathBuf> {
    dir.ancestors()
        .filter(|d| {
            d.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.contains(id))
        })
        .last()
        .map(Path::to_path_buf)
}

/// Depth and number of groups below a container that are looked at.
const MAX_DEPTH: u32 = 8;
const MAX_PROCESSES: usize = 65_536;

fn collect(dir: &Path, depth: u32, out: &mut Vec<u32>) {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    out.extend(text.lines().filter_map(|l| l.parse::<u32>().ok()));
    if depth >= MAX_DEPTH || out.len() >= MAX_PROCESSES {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), depth + 1, out);
        }
    }
}

/// Depth and number of directories that are searched for a container's groups.
const SEARCH_DEPTH: u32 = 12;
const MAX_GROUPS: usize = 20_000;

/// Collects the topmost directories whose names have the id.
fn search(dir: &Path, id: &str, depth: u32, left: &mut usize, out: &mut Vec<PathBuf>) {
    if depth >= SEARCH_DEPTH {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if *left == 0 {
            return;
        }
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        *left -= 1;
        let is_it = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.contains(id));
        let path = entry.path();
        // the monitor's group (`crio-conmon-ID`, `libpod-conmon-ID`) is not the container's
        let monitors = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.contains("conmon"));
        if is_it && !monitors {
            out.push(path);
        } else {
            search(&path, id, depth + 1, left, out);
        }
    }
}

/// Gone, or only waiting for its parent to ask.
pub fn is_dead(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with(['Z', 'X'])),
        Err(_) => true,
    }
}
