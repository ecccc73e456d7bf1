//! What a control group uses: the counters that cost next to nothing to read.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use vedette_miner::{Task, Usage};

/// Processes and threads that are looked at in a group; more than these say no more.
const MAX_TASKS: usize = 4096;

/// Containers that are told; a node has some hundred.
const MAX_CONTAINERS: usize = 4096;

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

    /// The containers that have processes now, each with the ids of those.
    pub fn containers(&self) -> BTreeMap<String, Vec<i64>> {
        let mut out: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let Ok(entries) = fs::read_dir(&self.proc) else {
            return out;
        };
        for entry in entries.flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let Ok(groups) = fs::read_to_string(entry.path().join("cgroup")) else {
                continue;
            };
            // as events carry it: `controllers=path`, each closed by a NUL
            let mut list = Vec::with_capacity(groups.len());
            for line in groups.lines() {
                if let Some((controllers, path)) = line
                    .split_once(':')
                    .and_then(|(_, rest)| rest.split_once(':'))
                {
                    list.extend_from_slice(controllers.as_bytes());
                    list.push(b'=');
                    list.extend_from_slice(path.as_bytes());
                    list.push(0);
                }
            }
            if let Some(located) = crate::locate(&list)
                && (out.len() < MAX_CONTAINERS || out.contains_key(&located.id))
            {
                out.entry(located.id).or_default().push(pid);
            }
        }
        out
    }

    /// Far ends of the established TCP connections in the network namespace of a process, loopback left out.
    pub fn peers(&self, pid: i64) -> Vec<SocketAddr> {
        let net = self.proc.join(pid.to_string()).join("net");
        ["tcp", "tcp6"]
            .iter()
            .filter_map(|file| fs::read_to_string(net.join(file)).ok())
            .flat_map(|text| {
                text.lines()
                    .skip(1)
                    .take(MAX_TASKS)
                    .filter_map(peer)
                    .collect::<Vec<_>>()
            })
            .filter(|peer| !peer.ip().to_canonical().is_loopback())
            .collect()
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

/// The far end of a line of `/proc/net/tcp` that is established (state 01). Addresses are hexadecimal words in the
/// machine's byte order. Source: proc_net_tcp in the kernel's documentation.
fn peer(line: &str) -> Option<SocketAddr> {
    let mut words = line.split_ascii_whitespace().skip(2);
    let (far, state) = (words.next()?, words.next()?);
    if state != "01" {
        return None;
    }
    let (ip, port) = far.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok();
    let ip: IpAddr = if ip.len() == 8 {
        Ipv4Addr::from(word(0)?.to_ne_bytes()).into()
    } else {
        let mut bytes = [0; 16];
        for at in 0..4 {
            bytes[at * 4..at * 4 + 4].copy_from_slice(&word(at)?.to_ne_bytes());
        }
        Ipv6Addr::from(bytes).into()
    };
    Some(SocketAddr::new(ip, port))
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

    #[test]
    fn connections_are_read_with_their_far_ends() {
        let root = tempfile::tempdir().unwrap();
        let net = root.path().join("7/net");
        fs::create_dir_all(&net).unwrap();
        // a pool, a listener, loopback, and a pool over IPv6
        let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
        let line = |far: &str, state: &str| {
            format!("   0: 0100007F:0016 {far} {state} 00000000:00000000 00:0\n")
        };
        let pool = format!("{}:0D05", word([192, 0, 2, 7]));
        let own = format!("{}:0D05", word([127, 0, 0, 1]));
        let text = format!(
            "  sl  local_address rem_address   st\n{}{}{}",
            line(&pool, "01"),
            line("00000000:0000", "0A"),
            line(&own, "01")
        );
        fs::write(net.join("tcp"), text).unwrap();
        let far = format!(
            "{}{}{}{}:0D05",
            word([0x20, 1, 0xd, 0xb8]),
            word([0; 4]),
            word([0; 4]),
            word([0, 0, 0, 1])
        );
        fs::write(net.join("tcp6"), format!("head\n{}", line(&far, "01"))).unwrap();
        let seen: Vec<String> = Meter::new(root.path(), "/nowhere")
            .peers(7)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(seen, ["192.0.2.7:3333", "[2001:db8::1]:3333"]);
    }
}
