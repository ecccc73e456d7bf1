//! What a control group uses: the counters that cost next to nothing to read.

use std::fs;
use std::path::{Path, PathBuf};

use vedette_miner::{Task, Usage};

/// Processes and threads that are looked at in a group; more than these say no more.
const MAX_TASKS: usize = 4096;

/// Nanoseconds of a clock tick. The kernel's USER_HZ is 100 on every architecture we build for.
const TICK: u64 = 10_000_000;

/// Bytes of a page, as `statm` counts memory.
const PAGE: u64 = 4096;

/// Reads the counters of control groups.
#[derive(Clone, Debug)]
pub struct Meter {
    proc: PathBuf,
    cgroups: PathBuf,
}

impl Meter {
    /// Counters below these two mounts, usually `/proc` and `/sys/fs/cgroup`.
    pub fn new(proc: impl Into<PathBuf>, cgroups: impl Into<PathBuf>) -> Self {
        Self {
            proc: proc.into(),
            cgroups: cgroups.into(),
        }
    }

    /// The counters at `time` of the group that these processes are in. `None` when none of them is left, or the group's
    /// processor time cannot be read.
    pub fn read(&self, pids: &[i64], time: u64) -> Option<Usage> {
        let group = pids.iter().find_map(|pid| {
            fs::read_to_string(self.proc.join(pid.to_string()).join("cgroup")).ok()
        })?;
        let (cpu, system) = self.cpu(&group)?;
        let mut usage = Usage {
            time,
            cpu,
            system,
            ..Usage::default()
        };
        for pid in pids {
            let process = self.proc.join(pid.to_string());
            if let Ok(statm) = fs::read_to_string(process.join("statm")) {
                let pages = statm
                    .split(' ')
                    .nth(1)
                    .and_then(|text| text.parse::<u64>().ok());
                usage.memory += pages.unwrap_or(0) * PAGE;
            }
            let Ok(threads) = fs::read_dir(process.join("task")) else {
                continue;
            };
            for thread in threads.flatten() {
                if usage.tasks.len() >= MAX_TASKS {
                    break;
                }
                usage.tasks.extend(task(&thread.path()));
            }
        }
        Some(usage)
    }

    /// Processor time of a group in nanoseconds, and the kernel's part of it; `text` is `/proc/PID/cgroup`.
    fn cpu(&self, text: &str) -> Option<(u64, u64)> {
        let lines = || text.lines().filter_map(|line| line.split_once(':'));
        // version 1: the controller has a hierarchy of its own
        let old = lines().find_map(|(_, rest)| {
            let (controllers, path) = rest.split_once(':')?;
            controllers
                .split(',')
                .any(|name| name == "cpuacct")
                .then(|| path.trim_start_matches('/').to_owned())
        });
        if let Some(path) = old {
            for mount in ["cpuacct", "cpu,cpuacct"] {
                let dir = self.cgroups.join(mount).join(&path);
                if let Some(found) = old_cpu(&dir) {
                    return Some(found);
                }
            }
        }
        let path = lines().find_map(|(number, rest)| {
            (number == "0").then(|| {
                rest.trim_start_matches(':')
                    .trim_start_matches('/')
                    .to_owned()
            })
        })?;
        let stat = fs::read_to_string(self.cgroups.join(&path).join("cpu.stat")).ok()?;
        let value = |name: &str| -> Option<u64> {
            stat.lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.trim().parse().ok())
        };
        Some((value("usage_usec ")? * 1000, value("system_usec ")? * 1000))
    }
}

fn old_cpu(dir: &Path) -> Option<(u64, u64)> {
    let cpu = fs::read_to_string(dir.join("cpuacct.usage")).ok()?;
    let stat = fs::read_to_string(dir.join("cpuacct.stat")).ok()?;
    let system = stat
        .lines()
        .find_map(|line| line.strip_prefix("system "))
        .and_then(|ticks| ticks.trim().parse::<u64>().ok())?;
    Some((cpu.trim().parse().ok()?, system * TICK))
}

/// A thread's counters from its `stat`, `schedstat` and `status`. Source: proc(5).
fn task(dir: &Path) -> Option<Task> {
    let stat = fs::read_to_string(dir.join("stat")).ok()?;
    // the name may hold spaces and parentheses; the last one closes it
    let (head, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    let exact = fs::read_to_string(dir.join("schedstat")).ok();
    let exact = exact.and_then(|text| text.split(' ').next()?.parse().ok());
    let status = fs::read_to_string(dir.join("status")).ok()?;
    let count = |name: &str| -> u64 {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.trim().parse().ok())
            .unwrap_or(0)
    };
    Some(Task {
        tid: head.split(' ').next()?.parse().ok()?,
        started: number(19)?,
        cpu: exact.unwrap_or((number(11)? + number(12)?) * TICK),
        waits: count("voluntary_ctxt_switches:"),
        preempted: count("nonvoluntary_ctxt_switches:"),
        faults: number(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let me = i64::from(std::process::id());
        let meter = Meter::new("/proc", "/sys/fs/cgroup");
        let Some(usage) = meter.read(&[me], 1) else {
            println!("usage: skipped, this machine mounts no control groups at /sys/fs/cgroup");
            return;
        };
        assert!(usage.memory > 0);
        assert!(usage.tasks.iter().any(|task| task.tid == me));
    }

    #[test]
    fn version_2_groups_are_read_from_cpu_stat() {
        let root = tempfile::tempdir().unwrap();
        let (proc, cgroups) = (root.path().join("proc"), root.path().join("cgroup"));
        let thread = proc.join("7/task/7");
        fs::create_dir_all(&thread).unwrap();
        fs::create_dir_all(cgroups.join("kubepods/a")).unwrap();
        fs::write(proc.join("7/cgroup"), "0::/kubepods/a\n").unwrap();
        fs::write(proc.join("7/statm"), "500 256 1 1 0 1 0\n").unwrap();
        fs::write(
            cgroups.join("kubepods/a/cpu.stat"),
            "usage_usec 5000\nuser_usec 4000\nsystem_usec 1000\n",
        )
        .unwrap();
        let rest: Vec<String> = (0..30).map(|n| n.to_string()).collect();
        fs::write(
            thread.join("stat"),
            format!("7 (a) b) R {}", rest[1..].join(" ")),
        )
        .unwrap();
        fs::write(thread.join("schedstat"), "123 4 5\n").unwrap();
        fs::write(
            thread.join("status"),
            "Name:\ta\nvoluntary_ctxt_switches:\t11\nnonvoluntary_ctxt_switches:\t12\n",
        )
        .unwrap();
        let usage = Meter::new(&proc, &cgroups).read(&[7], 9).unwrap();
        assert_eq!((usage.cpu, usage.system), (5_000_000, 1_000_000));
        assert_eq!(usage.memory, 256 * PAGE);
        let expected = Task {
            tid: 7,
            started: 19,
            cpu: 123,
            waits: 11,
            preempted: 12,
            faults: 7,
        };
        assert_eq!(usage.tasks, [expected]);
        assert_eq!(Meter::new(&proc, &cgroups).read(&[8], 9), None);
    }
}
