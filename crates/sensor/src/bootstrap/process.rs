//! One thread, from its directory below `/proc`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use vedette_event::boot::ProcessEntry;

use super::{MAX_LIST, link, read};

/// `PPM_CL_CLONE_THREAD | PPM_CL_CLONE_FILES`: a thread that is not the first of its process.
const THREAD_FLAGS: u32 = 1 << 13 | 1;
/// Clock ticks a second in `/proc/PID/stat`; the same on every architecture that is built for.
const TICKS_PER_SECOND: u64 = 100;
/// `CAP_DAC_OVERRIDE` and `CAP_FOWNER`: either lets a process write what its user may not.
const CAP_DAC_OVERRIDE: u64 = 1 << 1;
const CAP_FOWNER: u64 = 1 << 3;

/// What an entry borrows from.
#[derive(Debug, Default)]
pub(super) struct Facts {
    plain: ProcessEntry<'static>,
    comm: Vec<u8>,
    exe: Vec<u8>,
    args: Vec<u8>,
    exepath: Vec<u8>,
    cwd: Vec<u8>,
    env: Vec<u8>,
    cgroups: Vec<u8>,
    root: Vec<u8>,
}

impl Facts {
    /// Reads the thread in `task`, a directory of the process in `process`. `None` when it is gone.
    pub(super) fn read(task: &Path, process: &Path, tid: i64, pid: i64, boot: u64) -> Option<Self> {
        let mut facts = Self::default();
        facts.plain.tid = tid;
        facts.plain.pid = pid;
        if tid != pid {
            facts.plain.flags = THREAD_FLAGS;
        }
        facts.stat(&read(&task.join("stat"))?, boot)?;
        facts.status(&read(&task.join("status"))?);
        if let Some(text) = read(&task.join("limits")) {
            facts.plain.fdlimit = open_files(&text).unwrap_or(0);
        }
        facts.plain.loginuid = read(&task.join("loginuid"))
            .and_then(|text| number(&text))
            .unwrap_or(u32::MAX);
        if let Some(list) = read(&process.join("cmdline")) {
            let split = list
                .iter()
                .position(|&b| b == 0)
                .map_or(list.len(), |at| at + 1);
            let (exe, args) = list.split_at(split);
            facts.exe = exe.strip_suffix(b"\0").unwrap_or(exe).to_vec();
            facts.args = bounded_list(args);
        }
        if tid == pid {
            facts.env = read(&task.join("environ"))
                .map(|l| bounded_list(&l))
                .unwrap_or_default();
        }
        facts.cgroups = read(&task.join("cgroup"))
            .map(|t| cgroups(&t))
            .unwrap_or_default();
        facts.cwd = link(&task.join("cwd")).unwrap_or_default();
        if !facts.cwd.is_empty() && !facts.cwd.ends_with(b"/") {
            facts.cwd.push(b'/');
        }
        facts.root = link(&task.join("root")).unwrap_or_default();
        facts.executable(&task.join("exe"), &task.join("mountinfo"));
        Some(facts)
    }

    /// The facts in the shape in which a capture carries them.
    pub(super) fn entry(&self) -> ProcessEntry<'_> {
        ProcessEntry {
            comm: &self.comm,
            exe: &self.exe,
            exepath: &self.exepath,
            args: &self.args,
            cwd: &self.cwd,
            env: &self.env,
            cgroups: &self.cgroups,
            root: &self.root,
            ..self.plain
        }
    }

    /// `PID (COMM) STATE PPID PGRP SESSION TTY …`; the name may hold anything, parentheses included.
    fn stat(&mut self, text: &[u8], boot: u64) -> Option<()> {
        let open = text.iter().position(|&b| b == b'(')?;
        let close = text.iter().rposition(|&b| b == b')')?;
        self.comm = text.get(open + 1..close)?.to_vec();
        let rest = std::str::from_utf8(text.get(close + 2..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |n: usize| fields.get(n).and_then(|f| f.parse::<i64>().ok());
        // numbered from the state on, which is field 3 of proc(5)
        self.plain.ptid = field(1)?;
        self.plain.pgid = field(2)?;
        self.plain.vpgid = self.plain.pgid;
        self.plain.sid = field(3)?;
        self.plain.tty = field(4)? as u32;
        self.plain.pfminor = field(7)? as u64;
        self.plain.pfmajor = field(9)? as u64;
        let ticks = field(19)? as u64;
        self.plain.clone_ts = boot + ticks * (1_000_000_000 / TICKS_PER_SECOND);
        self.plain.vtid = self.plain.tid;
        self.plain.vpid = self.plain.pid;
        Some(())
    }

    fn status(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let nth = |n: usize| value.split_ascii_whitespace().nth(n);
            let last = || {
                value
                    .split_ascii_whitespace()
                    .next_back()
                    .and_then(|v| v.parse::<i64>().ok())
            };
            let hex = || u64::from_str_radix(value.trim(), 16).unwrap_or(0);
            let kib = || nth(0).and_then(|v| v.parse().ok()).unwrap_or(0);
            match key {
                // real, effective, saved, file system
                "Uid" => self.plain.uid = nth(1).and_then(|v| v.parse().ok()).unwrap_or(u32::MAX),
                "Gid" => self.plain.gid = nth(1).and_then(|v| v.parse().ok()).unwrap_or(u32::MAX),
                "VmSize" => self.plain.vmsize_kb = kib(),
                "VmRSS" => self.plain.vmrss_kb = kib(),
                "VmSwap" => self.plain.vmswap_kb = kib(),
                // from the outermost namespace to the innermost
                "NStgid" => self.plain.vpid = last().unwrap_or(self.plain.vpid),
                "NSpid" => self.plain.vtid = last().unwrap_or(self.plain.vtid),
                "NSpgid" => self.plain.vpgid = last().unwrap_or(self.plain.vpgid),
                "NSsid" => self.plain.sid = last().unwrap_or(self.plain.sid),
                "CapInh" => self.plain.cap_inheritable = hex(),
                "CapPrm" => self.plain.cap_permitted = hex(),
                "CapEff" => self.plain.cap_effective = hex(),
                _ => {}
            }
        }
    }

    fn executable(&mut self, exe: &Path, mounts: &Path) {
        let Some(path) = link(exe) else { return };
        self.plain.exe_from_memfd = path.starts_with(b"/memfd:");
        if let Ok(meta) = fs::metadata(exe) {
            self.plain.exe_ino = meta.ino();
            self.plain.exe_ino_ctime = nanoseconds(meta.ctime(), meta.ctime_nsec());
            self.plain.exe_ino_mtime = nanoseconds(meta.mtime(), meta.mtime_nsec());
            self.plain.exe_writable = self.may_write(meta.uid(), meta.gid(), meta.mode());
        }
        if let Some(upper) = upper_directory(mounts) {
            let inside = std::str::from_utf8(&path)
                .ok()
                .map(|p| p.trim_start_matches('/'));
            let changed =
                inside.is_some_and(|p| fs::symlink_metadata(Path::new(&upper).join(p)).is_ok());
            self.plain.exe_upper_layer = changed;
            self.plain.exe_lower_layer = !changed;
        }
        self.exepath = path;
    }

    fn may_write(&self, uid: u32, gid: u32, mode: u32) -> bool {
        let mine = self.plain.uid == uid;
        let ours = self.plain.gid == gid;
        mine || mode & 0o002 != 0
            || (ours && mode & 0o020 != 0)
            || self.plain.cap_effective & (CAP_DAC_OVERRIDE | CAP_FOWNER) != 0
    }
}

fn nanoseconds(seconds: i64, rest: i64) -> u64 {
    (seconds as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(rest as u64)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// A list of texts each closed by a NUL, cut after the last whole one that fits.
fn bounded_list(list: &[u8]) -> Vec<u8> {
    if list.len() <= MAX_LIST {
        return list.to_vec();
    }
    let cut = &list[..MAX_LIST];
    let end = cut.iter().rposition(|&b| b == 0).map_or(0, |at| at + 1);
    cut[..end].to_vec()
}

/// The soft limit of open files; unlimited is −1.
fn open_files(limits: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(limits).ok()?;
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix("Max open files"))?;
    let soft = line.split_ascii_whitespace().next()?;
    if soft == "unlimited" {
        Some(-1)
    } else {
        soft.parse().ok()
    }
}

/// `ID:CONTROLLERS:PATH` lines as `controller=path` texts: one for each controller of version 1; the one path of version
/// 2 stands for the five controllers that events carry.
fn cgroups(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut push = |name: &[u8], path: &[u8]| {
        if out.len() + name.len() + path.len() + 2 <= MAX_LIST {
            out.extend_from_slice(name);
            out.push(b'=');
            out.extend_from_slice(path);
            out.push(0);
        }
    };
    let lines = || text.split(|&b| b == b'\n').filter(|l| !l.is_empty());
    let unified_only = lines().count() == 1;
    for line in lines() {
        let mut parts = line.splitn(3, |&b| b == b':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if controllers.is_empty() {
            if unified_only {
                for name in [&b"cpuset"[..], b"cpu", b"cpuacct", b"io", b"memory"] {
                    push(name, path);
                }
            }
            continue;
        }
        for name in controllers.split(|&b| b == b',') {
            push(name, path);
        }
    }
    out
}

/// The upper directory of the overlay that a process has as its root, if it has one.
fn upper_directory(mounts: &Path) -> Option<String> {
    let text = String::from_utf8(read(mounts)?).ok()?;
    let root = text
        .lines()
        .find(|line| line.split_ascii_whitespace().nth(4) == Some("/"))?;
    let (_, tail) = root.split_once(" - ")?;
    let mut tail = tail.split_ascii_whitespace();
    if tail.next()? != "overlay" {
        return None;
    }
    tail.nth(1)?
        .split(',')
        .find_map(|option| option.strip_prefix("upperdir="))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_the_rest() {
        let mut facts = Facts::default();
        let text = b"7 (a) S (b) R 1 2 3 34816 -1 0 11 0 13 0 0 0 0 0 20 0 1 0 250 0 0";
        facts.stat(text, 1_000).unwrap();
        assert_eq!(facts.comm, b"a) S (b");
        let plain = facts.plain;
        assert_eq!(
            (plain.ptid, plain.pgid, plain.sid, plain.tty),
            (1, 2, 3, 34816)
        );
        assert_eq!((plain.pfminor, plain.pfmajor), (11, 13));
        assert_eq!(plain.clone_ts, 1_000 + 2_500_000_000);
        for len in 0..20 {
            assert!(Facts::default().stat(&text[..len], 0).is_none());
        }
    }

    #[test]
    fn control_groups_of_both_versions() {
        assert_eq!(
            cgroups(b"4:memory:/m\n3:cpu,cpuacct:/c\n0::/u\n"),
            b"memory=/m\0cpu=/c\0cpuacct=/c\0"
        );
        assert_eq!(
            cgroups(b"0::/kubepods/x\n"),
            b"cpuset=/kubepods/x\0cpu=/kubepods/x\0cpuacct=/kubepods/x\0io=/kubepods/x\0memory=/kubepods/x\0"
        );
        assert!(cgroups(b"rubbish\n:\n").is_empty());
    }

    #[test]
    fn lists_are_cut_between_texts() {
        let mut list = vec![b'a'; 4000];
        list.push(0);
        list.extend([b'b'; 200]);
        list.push(0);
        assert_eq!(bounded_list(&list).len(), 4001);
        assert_eq!(bounded_list(b"x\0"), b"x\0");
    }

    #[test]
    fn limits() {
        let text = b"Limit                     Soft Limit           Hard Limit           Units\n\
                     Max open files            1024                 4096                 files\n";
        assert_eq!(open_files(text), Some(1024));
        assert_eq!(
            open_files(b"Max open files unlimited unlimited files"),
            Some(-1)
        );
        assert_eq!(open_files(b""), None);
    }
}
