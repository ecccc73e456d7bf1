//! What a control group uses: the counters that cost next to nothing to read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use vedette_miner::{Contact, Task, Usage};

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
        let (cpu, system) = pids.iter().find_map(|pid| {
            let group = self.proc.join(pid.to_string()).join("cgroup");
            self.cpu(&fs::read_to_string(group).ok()?)
        })?;
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
        self.processes(|groups| {
            // as events carry it: `controllers=path`, each closed by a NUL
            let mut list = Vec::with_capacity(groups.len());
            for (controllers, path) in hierarchies(groups) {
                list.extend_from_slice(controllers.as_bytes());
                list.push(b'=');
                list.extend_from_slice(path.as_bytes());
                list.push(0);
            }
            crate::locate(&list).map(|located| located.id)
        })
    }

    /// The control groups directly below `parent` that have processes now, in themselves or further below, each with the
    /// ids of those. On machines with several hierarchies the first that has `parent` counts.
    pub fn groups(&self, parent: &str) -> BTreeMap<String, Vec<i64>> {
        let parent = parent.trim_matches('/');
        self.processes(|groups| {
            hierarchies(groups).find_map(|(_, path)| {
                let rest = path.trim_start_matches('/').strip_prefix(parent)?;
                let name = rest
                    .strip_prefix('/')
                    .or(parent.is_empty().then_some(rest))?;
                let name = name.split('/').next().unwrap_or_default();
                (!name.is_empty()).then(|| name.to_owned())
            })
        })
    }

    /// Every process by what `name` says of its control groups.
    fn processes(&self, name: impl Fn(&str) -> Option<String>) -> BTreeMap<String, Vec<i64>> {
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
            if let Some(name) = name(&groups)
                && (out.len() < MAX_CONTAINERS || out.contains_key(&name))
            {
                out.entry(name).or_default().push(pid);
            }
        }
        out
    }

    /// The established TCP connections that these processes of one container have with somebody beyond the machine
    /// itself. A container with a network namespace of its own has all that are in it (a pod's containers share one); of
    /// the host's namespace it has those whose sockets its processes hold.
    pub fn contacts(&self, pids: &[i64]) -> Vec<Contact> {
        let Some(first) = pids.first() else {
            return Vec::new();
        };
        let process = self.proc.join(first.to_string());
        let namespace = |process: &Path| fs::read_link(process.join("ns/net")).ok();
        let own = namespace(&process)
            .filter(|own| namespace(&self.proc.join("1")).is_some_and(|host| host == *own))
            .map(|_| self.sockets(pids));
        let text: Vec<String> = ["tcp", "tcp6"]
            .iter()
            .filter_map(|file| fs::read_to_string(process.join("net").join(file)).ok())
            .collect();
        let sockets: Vec<Socket> = text
            .iter()
            .flat_map(|text| text.lines().skip(1).take(MAX_TASKS))
            .filter_map(socket)
            .collect();
        let served: BTreeSet<u16> = sockets
            .iter()
            .filter(|socket| socket.state == LISTEN)
            .map(|socket| socket.near)
            .collect();
        sockets
            .iter()
            .filter(|socket| socket.state == ESTABLISHED)
            .filter(|socket| !socket.far.ip().to_canonical().is_loopback())
            .filter(|socket| own.as_ref().is_none_or(|own| own.contains(&socket.inode)))
            .map(|socket| Contact {
                far: socket.far,
                accepted: served.contains(&socket.near),
            })
            .collect()
    }

    /// Numbers of the sockets that processes have open.
    fn sockets(&self, pids: &[i64]) -> BTreeSet<u64> {
        pids.iter()
            .filter_map(|pid| fs::read_dir(self.proc.join(pid.to_string()).join("fd")).ok())
            .flat_map(|open| open.flatten().take(MAX_TASKS))
            .filter_map(|entry| {
                let target = fs::read_link(entry.path()).ok()?;
                let number = target.to_str()?.strip_prefix("socket:[")?;
                number.strip_suffix(']')?.parse().ok()
            })
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
        // a process that ends is moved to the root, whose counters are the whole machine's
        if old.as_deref() == Some("") {
            return None;
        }
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
        if path.is_empty() {
            return None;
        }
        let stat = fs::read_to_string(self.cgroups.join(&path).join("cpu.stat")).ok()?;
        let value = |name: &str| -> Option<u64> {
            stat.lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.trim().parse().ok())
        };
        Some((value("usage_usec ")? * 1000, value("system_usec ")? * 1000))
    }
}

/// Controllers and path of each line of `/proc/PID/cgroup`.
fn hierarchies(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .filter_map(|line| line.split_once(':')?.1.split_once(':'))
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

/// States of `/proc/net/tcp`.
const ESTABLISHED: &str = "01";
const LISTEN: &str = "0A";

/// A line of `/proc/net/tcp`.
struct Socket<'a> {
    near: u16,
    far: SocketAddr,
    state: &'a str,
    inode: u64,
}

/// Addresses are hexadecimal words in the machine's byte order. Source: proc_net_tcp in the kernel's documentation.
fn socket(line: &str) -> Option<Socket<'_>> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, near) = words.get(1)?.split_once(':')?;
    let (ip, far_port) = words.get(2)?.split_once(':')?;
    let port = |text: &str| u16::from_str_radix(text, 16).ok();
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok();
    let far: IpAddr = if ip.len() == 8 {
        Ipv4Addr::from(word(0)?.to_ne_bytes()).into()
    } else {
        let mut bytes = [0; 16];
        for at in 0..4 {
            bytes[at * 4..at * 4 + 4].copy_from_slice(&word(at)?.to_ne_bytes());
        }
        Ipv6Addr::from(bytes).into()
    };
    Some(Socket {
        near: port(near)?,
        far: SocketAddr::new(far, port(far_port)?),
        state: words.get(3)?,
        inode: words.get(9)?.parse().ok()?,
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
            println!(
                "usage: skipped, no control groups at /sys/fs/cgroup, or this process is in the root's"
            );
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

        // the first process has just ended, which put it into the root group
        fs::create_dir_all(proc.join("6")).unwrap();
        fs::write(proc.join("6/cgroup"), "0::/\n").unwrap();
        fs::write(
            cgroups.join("cpu.stat"),
            "usage_usec 9000000\nuser_usec 9000000\nsystem_usec 0\n",
        )
        .unwrap();
        let usage = Meter::new(&proc, &cgroups).read(&[6, 7], 9).unwrap();
        assert_eq!(usage.cpu, 5_000_000);
        assert_eq!(Meter::new(&proc, &cgroups).read(&[6], 9), None);
    }

    #[test]
    fn processes_are_found_by_container_and_by_control_group() {
        let root = tempfile::tempdir().unwrap();
        let id = "ab".repeat(32);
        for (pid, groups) in [
            (
                7,
                format!("2:cpuset:/\n1:cpu,cpuacct:/kubepods/pod1/{id}\n"),
            ),
            (8, format!("0::/kubepods/pod1/{id}/inner\n")),
            (9, "0::/system.slice/cron.service\n".to_owned()),
            (10, "0::/system.slice\n".to_owned()),
        ] {
            let dir = root.path().join(pid.to_string());
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("cgroup"), groups).unwrap();
        }
        let sorted = |mut found: BTreeMap<String, Vec<i64>>| {
            found.values_mut().for_each(|pids| pids.sort_unstable());
            found.into_iter().collect::<Vec<_>>()
        };
        let meter = Meter::new(root.path(), "/nowhere");
        assert_eq!(sorted(meter.containers()), [(id, vec![7, 8])]);
        assert_eq!(
            sorted(meter.groups("/system.slice/")),
            [("cron.service".to_owned(), vec![9])]
        );
        assert_eq!(
            sorted(meter.groups("kubepods")),
            [("pod1".to_owned(), vec![7, 8])]
        );
        let top: Vec<String> = meter.groups("").into_keys().collect();
        assert_eq!(top, ["kubepods", "system.slice"]);
        assert!(meter.groups("nowhere").is_empty());
    }

    #[test]
    fn connections_are_read_with_their_far_ends() {
        let root = tempfile::tempdir().unwrap();
        let net = root.path().join("7/net");
        fs::create_dir_all(&net).unwrap();
        let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
        let line = |near: &str, far: &str, state: &str, inode: u64| {
            format!(
                "   0: {near} {far} {state} 00000000:00000000 00:00000000 00000000 0 0 {inode} 1 0\n"
            )
        };
        let at = |bytes: [u8; 4], port: &str| format!("{}:{port}", word(bytes));
        let me = at([198, 51, 100, 1], "9C40");
        let served = at([198, 51, 100, 1], "1F90");
        let text = format!(
            "  sl  local_address rem_address   st\n{}{}{}{}",
            line(&me, &at([192, 0, 2, 7], "0D05"), "01", 70),
            line(&at([0; 4], "1F90"), &at([0; 4], "0000"), "0A", 71),
            line(&served, &at([192, 0, 2, 8], "C350"), "01", 72),
            line(&me, &at([127, 0, 0, 1], "0D05"), "01", 73),
        );
        fs::write(net.join("tcp"), text).unwrap();
        let far = format!(
            "{}{}{}{}:0D05",
            word([0x20, 1, 0xd, 0xb8]),
            word([0; 4]),
            word([0; 4]),
            word([0, 0, 0, 1])
        );
        let near = format!("{}:9C41", word([0; 4]).repeat(4));
        fs::write(
            net.join("tcp6"),
            format!("head\n{}", line(&near, &far, "01", 74)),
        )
        .unwrap();
        let seen = || -> Vec<(String, bool)> {
            Meter::new(root.path(), "/nowhere")
                .contacts(&[7])
                .iter()
                .map(|contact| (contact.far.to_string(), contact.accepted))
                .collect()
        };
        let pool = ("192.0.2.7:3333".to_owned(), false);
        let client = ("192.0.2.8:50000".to_owned(), true);
        let other = ("[2001:db8::1]:3333".to_owned(), false);
        assert_eq!(seen(), [pool.clone(), client, other]);

        // in the host's namespace, only what the container's own processes hold
        for process in ["1", "7"] {
            let ns = root.path().join(process).join("ns");
            fs::create_dir_all(&ns).unwrap();
            std::os::unix::fs::symlink("net:[4026531840]", ns.join("net")).unwrap();
        }
        assert_eq!(seen(), []);
        let open = root.path().join("7/fd");
        fs::create_dir_all(&open).unwrap();
        std::os::unix::fs::symlink("socket:[70]", open.join("3")).unwrap();
        assert_eq!(seen(), [pool]);
    }
}
