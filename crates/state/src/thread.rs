//! One thread and what is known of it.

use std::sync::Arc;

use vedette_event::boot::ProcessEntry;

use crate::fd::FdTable;
use crate::text::{List, empty};
use crate::wire::clone;

/// Text that many threads share.
pub(crate) type Shared = Arc<[u8]>;

/// What stands for names that nobody told.
pub(crate) const NOT_KNOWN: &[u8] = b"<NA>";

/// Ending of an executable's path when the file is gone.
const DELETED: &[u8] = b" (deleted)";

/// A thread. Ids are those of the initial pid namespace unless they are called virtual; `-1` means not known.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) tid: i64,
    pub(crate) pid: i64,
    pub(crate) ptid: i64,
    pub(crate) sid: i64,
    pub(crate) vpgid: i64,
    pub(crate) pgid: i64,
    pub(crate) vtid: i64,
    pub(crate) vpid: i64,
    /// Thread that takes the children over, as the kernel said at exit; 0 or less when it did not say.
    pub(crate) reaper_tid: i64,
    pub(crate) flags: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) loginuid: u32,
    pub(crate) tty: u32,
    pub(crate) comm: Shared,
    pub(crate) exe: Shared,
    pub(crate) exepath: Shared,
    pub(crate) args: List,
    pub(crate) env: List,
    /// `subsystem=path`, with the subsystems under their usual names.
    pub(crate) cgroups: List,
    pub(crate) cwd: Shared,
    pub(crate) root: Shared,
    pub(crate) exe_writable: bool,
    pub(crate) exe_upper_layer: bool,
    pub(crate) exe_lower_layer: bool,
    pub(crate) exe_from_memfd: bool,
    pub(crate) exe_ino: u64,
    pub(crate) exe_ino_ctime: u64,
    pub(crate) exe_ino_mtime: u64,
    pub(crate) exe_ino_ctime_duration_clone_ts: u64,
    pub(crate) exe_ino_ctime_duration_pidns_start: u64,
    pub(crate) cap_inheritable: u64,
    pub(crate) cap_permitted: u64,
    pub(crate) cap_effective: u64,
    pub(crate) fdlimit: i64,
    pub(crate) vmsize_kb: u32,
    pub(crate) vmrss_kb: u32,
    pub(crate) vmswap_kb: u32,
    pub(crate) pfmajor: u64,
    pub(crate) pfminor: u64,
    pub(crate) pidns_init_start_ts: u64,
    pub(crate) clone_ts: u64,
    pub(crate) lastexec_ts: u64,
    /// Container, by its short id; empty for the host.
    pub(crate) container_id: Shared,
    /// Time spent on a processor, as far as switch events told.
    pub(crate) exec_time_ns: u64,
    /// Processor time that the latest process information told.
    pub(crate) last_cpu: (u64, u64),
    /// Descriptor of the latest event, -1 when it had none.
    pub(crate) last_fd: i64,
    pub(crate) fds: FdTable,
    /// Group of threads that this one belongs to; none for a thread of which only the id is known.
    pub(crate) group: Option<u32>,
    /// Slots of the threads that this one made.
    pub(crate) children: Vec<u32>,
    /// Counts up whenever something changes that fields of process scope can see.
    pub(crate) version: u64,
}

impl Default for Thread {
    fn default() -> Self {
        let empty: Shared = empty();
        Self {
            tid: -1,
            pid: -1,
            ptid: -1,
            sid: -1,
            vpgid: -1,
            pgid: -1,
            vtid: -1,
            vpid: -1,
            reaper_tid: -1,
            flags: clone::NAME_CHANGED,
            uid: u32::MAX,
            gid: u32::MAX,
            loginuid: u32::MAX,
            tty: 0,
            comm: empty.clone(),
            exe: empty.clone(),
            exepath: empty.clone(),
            args: List::default(),
            env: List::default(),
            cgroups: List::default(),
            cwd: empty.clone(),
            root: empty.clone(),
            exe_writable: false,
            exe_upper_layer: false,
            exe_lower_layer: false,
            exe_from_memfd: false,
            exe_ino: 0,
            exe_ino_ctime: 0,
            exe_ino_mtime: 0,
            exe_ino_ctime_duration_clone_ts: 0,
            exe_ino_ctime_duration_pidns_start: 0,
            cap_inheritable: 0,
            cap_permitted: 0,
            cap_effective: 0,
            fdlimit: -1,
            vmsize_kb: 0,
            vmrss_kb: 0,
            vmswap_kb: 0,
            pfmajor: 0,
            pfminor: 0,
            pidns_init_start_ts: 0,
            clone_ts: 0,
            lastexec_ts: 0,
            container_id: empty,
            exec_time_ns: 0,
            last_cpu: (0, 0),
            last_fd: 0,
            fds: FdTable::default(),
            group: None,
            children: Vec::new(),
            version: 0,
        }
    }
}

impl Thread {
    /// A thread of which nothing but the id is known.
    pub(crate) fn unknown(tid: i64) -> Self {
        let name: Shared = Arc::from(NOT_KNOWN);
        Self {
            tid,
            comm: name.clone(),
            exe: name,
            ..Self::default()
        }
    }

    /// A thread from the start-up list.
    pub(crate) fn from_entry(entry: &ProcessEntry<'_>) -> Self {
        let mut thread = Self {
            tid: entry.tid,
            pid: entry.pid,
            ptid: entry.ptid,
            sid: entry.sid,
            vpgid: entry.vpgid,
            pgid: entry.pgid,
            vtid: entry.vtid,
            vpid: entry.vpid,
            flags: clone::NAME_CHANGED | clone::ACTIVE | entry.flags,
            uid: entry.uid,
            gid: entry.gid,
            loginuid: entry.loginuid,
            tty: entry.tty,
            comm: Arc::from(entry.comm),
            exe: Arc::from(entry.exe),
            args: List::parse(entry.args),
            root: Arc::from(entry.root),
            exe_writable: entry.exe_writable,
            exe_upper_layer: entry.exe_upper_layer,
            exe_lower_layer: entry.exe_lower_layer,
            exe_from_memfd: entry.exe_from_memfd,
            exe_ino: entry.exe_ino,
            exe_ino_ctime: entry.exe_ino_ctime,
            exe_ino_mtime: entry.exe_ino_mtime,
            cap_inheritable: entry.cap_inheritable,
            cap_permitted: entry.cap_permitted,
            cap_effective: entry.cap_effective,
            fdlimit: entry.fdlimit,
            vmsize_kb: entry.vmsize_kb,
            vmrss_kb: entry.vmrss_kb,
            vmswap_kb: entry.vmswap_kb,
            pfmajor: entry.pfmajor,
            pfminor: entry.pfminor,
            pidns_init_start_ts: entry.pidns_init_start_ts,
            clone_ts: entry.clone_ts,
            ..Self::default()
        };
        thread.set_exepath(entry.exepath);
        thread.set_cgroups(entry.cgroups);
        if thread.is_main() {
            thread.env = List::parse(entry.env);
        }
        thread
    }

    /// True for the first thread of a process.
    pub(crate) fn is_main(&self) -> bool {
        self.tid == self.pid || self.flags & clone::IS_MAIN_THREAD != 0
    }

    /// True when too little is known for it to have a process or a parent.
    pub(crate) fn is_invalid(&self) -> bool {
        self.tid < 0 || self.pid < 0 || self.ptid < 0
    }

    /// True once it has exited and only waits for removal.
    pub(crate) fn is_dead(&self) -> bool {
        self.flags & clone::CLOSED != 0
    }

    /// True when its ids mean something else inside its own pid namespace.
    pub(crate) fn is_in_pid_namespace(&self) -> bool {
        self.flags & clone::CHILD_IN_PIDNS != 0 || self.tid != self.vtid && self.vtid >= 0
    }

    /// Sets the path of the executable, without the kernel's remark that the file is gone.
    pub(crate) fn set_exepath(&mut self, path: &[u8]) {
        let path = match path.strip_suffix(DELETED) {
            Some(rest) if !rest.is_empty() => rest,
            _ => path,
        };
        set_shared(&mut self.exepath, path);
    }

    /// Sets the control groups from `subsystem=path` items. An item without `=` spoils the list, which then stays.
    pub(crate) fn set_cgroups(&mut self, bytes: &[u8]) {
        // What a list holds has its usual names, so the same bytes give the same list unless something is to be cut off.
        if self.cgroups.is(bytes) && memchr::memmem::find(bytes, b"_cgroup").is_none() {
            return;
        }
        let list = List::parse(bytes);
        let mut out = Vec::with_capacity(bytes.len() + 16);
        for item in list.iter() {
            let Some(eq) = memchr::memchr(b'=', item) else {
                return;
            };
            let (subsystem, path) = item.split_at(eq);
            let cut = memchr::memmem::find(subsystem, b"_cgroup");
            let mut name = subsystem.to_vec();
            if let Some(at) = cut {
                name.drain(at..at + b"_cgroup".len());
            }
            out.extend_from_slice(match &name[..] {
                b"perf" => b"perf_event",
                b"mem" => b"memory",
                b"io" => b"blkio",
                other => other,
            });
            out.extend_from_slice(path);
            out.push(0);
        }
        if !self.cgroups.is(&out) {
            self.cgroups = List::parse(&out);
        }
    }

    /// Path of control group `subsystem`.
    pub(crate) fn cgroup(&self, subsystem: &[u8]) -> Option<&[u8]> {
        self.cgroups.iter().find_map(|item| {
            let eq = memchr::memchr(b'=', item)?;
            (&item[..eq] == subsystem).then(|| &item[eq + 1..])
        })
    }

    /// Takes over what a child has in common with the thread it was made from.
    pub(crate) fn inherit(&mut self, from: &Self) {
        self.exepath = from.exepath.clone();
        self.exe_writable = from.exe_writable;
        self.exe_upper_layer = from.exe_upper_layer;
        self.exe_lower_layer = from.exe_lower_layer;
        self.exe_from_memfd = from.exe_from_memfd;
        self.root = from.root.clone();
        self.sid = from.sid;
        self.vpgid = from.vpgid;
        self.pgid = from.pgid;
        self.tty = from.tty;
        self.loginuid = from.loginuid;
        self.cap_permitted = from.cap_permitted;
        self.cap_inheritable = from.cap_inheritable;
        self.cap_effective = from.cap_effective;
        self.exe_ino = from.exe_ino;
        self.exe_ino_ctime = from.exe_ino_ctime;
        self.exe_ino_mtime = from.exe_ino_mtime;
        self.exe_ino_ctime_duration_clone_ts = from.exe_ino_ctime_duration_clone_ts;
    }

    /// Appends name and arguments as one line.
    pub(crate) fn write_cmdline(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.comm);
        for arg in self.args.iter() {
            out.push(b' ');
            out.extend_from_slice(arg);
        }
    }

    /// Value of environment variable `name` without blanks around it; `None` when it is not set or empty.
    pub(crate) fn env_value(&self, name: &[u8]) -> Option<&[u8]> {
        let item = self.env.iter().find(|item| {
            item.len() > name.len() + 1 && item.starts_with(name) && item[name.len()] == b'='
        })?;
        let value = &item[name.len() + 1..];
        let from = value.iter().position(|&byte| byte != b' ')?;
        let to = value.iter().rposition(|&byte| byte != b' ')?;
        Some(&value[from..=to])
    }
}

/// Sets a shared text, keeping the old one when it is the same.
pub(crate) fn set_shared(text: &mut Shared, value: &[u8]) {
    if **text != *value {
        *text = Arc::from(value);
    }
}
