//! Events that make, end or change threads.

use std::sync::Arc;

use vedette_event::RawEvent;

use crate::apply::{has, result, text};
use crate::kinds as k;
use crate::state::State;
use crate::text::List;
use crate::thread::{Shared, Thread, set_shared};
use crate::threads::MAX_TOUCHED;
use crate::wire::{ALL_CAPS, PR_GET_CHILD_SUBREAPER, PR_SET_CHILD_SUBREAPER, RLIMIT_NOFILE, clone};

/// How old a thread may be that the parent's event made, for the child's event to find it valid (2 s).
const CLONE_STALE_NS: u64 = 2_000_000_000;

/// The same text, shared with `known` when it has it.
fn shared(bytes: &[u8], known: &Shared) -> Shared {
    if **known == *bytes {
        known.clone()
    } else {
        Arc::from(bytes)
    }
}

impl State {
    /// clone, clone3, fork, vfork: the parent's side has the child's id as result, the child's side 0.
    pub(crate) fn parse_clone(&mut self, event: &RawEvent<'_>) {
        match result(event) {
            Some(0) => {
                self.clone_child(event);
                self.container_of_event(event);
            }
            Some(child) if child > 0 => {
                self.clone_caller(event, child);
                self.container_of_event(event);
            }
            _ => {}
        }
    }

    /// What the clone event itself says of the new thread.
    fn child_from_event(event: &RawEvent<'_>, tid: i64, like: Option<&Thread>) -> Thread {
        let mut child = Thread {
            tid,
            flags: event.unsigned(15).unwrap_or(0) as u32,
            clone_ts: event.ts,
            ..Thread::default()
        };
        let exe = text(event, 1);
        let comm = if has(event, 13) { text(event, 13) } else { exe };
        let args = event.param(2).unwrap_or(&[]);
        match like {
            Some(like) => {
                child.exe = shared(exe, &like.exe);
                child.comm = shared(comm, &like.comm);
                child.args = if like.args.is(args) {
                    like.args.clone()
                } else {
                    List::parse(args)
                };
                // Shared with the parent when nothing differs.
                child.cgroups = like.cgroups.clone();
            }
            None => {
                child.exe = Arc::from(exe);
                child.comm = Arc::from(comm);
                child.args = List::parse(args);
            }
        }
        if has(event, 14) {
            child.set_cgroups(event.param(14).unwrap_or(&[]));
        } else {
            child.cgroups = List::default();
        }
        child.fdlimit = event.signed(7).unwrap_or(-1);
        if has(event, 12) {
            child.pfmajor = event.unsigned(8).unwrap_or(0);
            child.pfminor = event.unsigned(9).unwrap_or(0);
            child.vmsize_kb = event.unsigned(10).unwrap_or(0) as u32;
            child.vmrss_kb = event.unsigned(11).unwrap_or(0) as u32;
            child.vmswap_kb = event.unsigned(12).unwrap_or(0) as u32;
        }
        child.uid = event.signed(16).unwrap_or(-1) as u32;
        child.gid = event.signed(17).unwrap_or(-1) as u32;
        child
    }

    fn clone_caller(&mut self, event: &RawEvent<'_>, child_tid: i64) {
        let caller_tid = event.tid;
        let Some(caller) = self.thread_or_unknown(caller_tid) else {
            self.context.thread = None;
            return;
        };
        let valid = !self.threads.at(caller).is_invalid();
        if !valid {
            let in_namespace = has(event, 19);
            let thread = self.threads.at_mut(caller);
            thread.pid = event.signed(4).unwrap_or(-1);
            thread.ptid = event.signed(5).unwrap_or(-1);
            if in_namespace {
                thread.vtid = event.signed(18).unwrap_or(-1);
                thread.vpid = event.signed(19).unwrap_or(-1);
            } else {
                thread.vtid = caller_tid;
                thread.vpid = -1;
            }
            self.threads.link(caller);
            self.threads.touch(caller);
        }
        self.context.thread = Some(caller);
        let flags = event.unsigned(15).unwrap_or(0) as u32;
        // Inside a pid namespace the result is not an id that we could use; the child's own event tells.
        if flags & (clone::CHILD_IN_PIDNS | clone::NEWPID | clone::PARENT) != 0
            || caller_tid != self.threads.at(caller).vtid
        {
            return;
        }
        // After vfork the child may have come and gone before its parent goes on.
        if flags & clone::VFORK != 0 || event.kind.0 == k::VFORK_20_X {
            return;
        }
        if let Some(existing) = self.threads.find(child_tid) {
            if self.threads.at(existing).flags & clone::INVERTED != 0 {
                return;
            }
            self.threads.stats.tid_reused += 1;
            self.threads.remove(child_tid);
        }
        let Some(caller) = self.threads.find(caller_tid) else {
            self.context.thread = None;
            return;
        };
        let from = self.threads.at(caller);
        let mut child = Self::child_from_event(event, child_tid, valid.then_some(from));
        if child.flags & clone::THREAD == 0 {
            if valid {
                self.copy_process(caller, &mut child);
            }
            child.pid = child_tid;
            child.ptid = caller_tid;
        } else {
            let from = self.threads.at(caller);
            child.pid = from.pid;
            child.ptid = from.ptid;
            child.flags |= clone::FILES;
            child.lastexec_ts = from.lastexec_ts;
        }
        child.vtid = child.tid;
        child.vpid = child.pid;
        child.pidns_init_start_ts = self.boot_ts;
        if valid {
            child.inherit(self.threads.at(caller));
        } else {
            let thread = self.threads.at_mut(caller);
            thread.exe = child.exe.clone();
            thread.comm = child.comm.clone();
            thread.args = child.args.clone();
            self.threads.touch(caller);
        }
        self.threads.add(child);
        self.context.thread = self.threads.find(caller_tid);
    }

    /// Gives a new process the descriptors, the working directory and the environment of `from`.
    fn copy_process(&mut self, from: u32, child: &mut Thread) {
        if let Some(owner) = self.threads.fd_owner(from) {
            let fds = std::mem::take(&mut self.threads.at_mut(owner).fds);
            child.fds.copy_from(&fds, &mut self.threads.spare);
            self.threads.at_mut(owner).fds = fds;
        }
        child.cwd = self.cwd_of(from);
        child.env = self.threads.at(from).env.clone();
    }

    /// Working directory of the thread's process; `./` when the process is not known.
    pub(crate) fn cwd_of(&self, slot: u32) -> Shared {
        match self.threads.main_of(slot) {
            Some(main) => self.threads.at(main).cwd.clone(),
            None => Arc::from(&b"./"[..]),
        }
    }

    /// The same without sharing it.
    pub(crate) fn cwd_bytes(&self, slot: u32) -> &[u8] {
        self.threads
            .main_of(slot)
            .map_or(b"./", |main| &self.threads.at(main).cwd)
    }

    fn clone_child(&mut self, event: &RawEvent<'_>) {
        let tid = event.tid;
        if let Some(slot) = self.context.thread {
            let made = self.threads.at(slot).clone_ts;
            if made != 0 {
                if event.ts.wrapping_sub(made) < CLONE_STALE_NS {
                    return;
                }
                // Too old to be this one: its exit was lost.
                self.threads.stats.tid_reused += 1;
                self.threads.remove(tid);
                self.context.thread = None;
            }
        }
        let flags = event.unsigned(15).unwrap_or(0) as u32;
        let pid = event.signed(4).unwrap_or(-1);
        let ptid = event.signed(5).unwrap_or(-1);
        let leads = flags & clone::THREAD == 0;
        let Some(lookup) = self.thread_or_unknown(if leads { ptid } else { pid }) else {
            self.context.thread = None;
            return;
        };
        let valid = !self.threads.at(lookup).is_invalid();
        let mut child = Self::child_from_event(event, tid, valid.then(|| self.threads.at(lookup)));
        child.pid = pid;
        child.ptid = ptid;
        if has(event, 19) {
            child.vtid = event.signed(18).unwrap_or(-1);
            child.vpid = event.signed(19).unwrap_or(-1);
        } else {
            child.vtid = tid;
            child.vpid = -1;
        }
        child.flags |= clone::INVERTED;
        if !leads {
            child.flags |= clone::FILES;
        }
        if valid {
            child.inherit(self.threads.at(lookup));
            if leads {
                self.copy_process(lookup, &mut child);
            } else {
                child.lastexec_ts = self.threads.at(lookup).lastexec_ts;
            }
        } else if !leads {
            let thread = self.threads.at_mut(lookup);
            thread.pid = child.pid;
            thread.ptid = child.ptid;
            thread.vpid = child.vpid;
            thread.vtid = child.vpid;
            thread.exe = child.exe.clone();
            thread.comm = child.comm.clone();
            thread.args = child.args.clone();
            self.threads.link(lookup);
            self.threads.touch(lookup);
        }
        let inside =
            child.flags & (clone::CHILD_IN_PIDNS | clone::NEWPID) != 0 || child.tid != child.vtid;
        if !inside {
            child.pidns_init_start_ts = self.boot_ts;
        } else if has(event, 20) {
            child.pidns_init_start_ts = event.unsigned(20).unwrap_or(0).wrapping_add(self.boot_ts);
        }
        self.context.thread = self.threads.add(child);
    }

    /// procexit: the thread stays for the fields of this event.
    pub(crate) fn parse_exit(&mut self, event: &RawEvent<'_>) {
        let Some(slot) = self.context.thread else {
            return;
        };
        self.threads.mark_dead(slot);
        self.context.ending_thread = Some(event.tid);
        let thread = self.threads.at_mut(slot);
        if thread.children.is_empty() {
            return;
        }
        if event.nparams() > 4 {
            if has(event, 4) {
                thread.reaper_tid = event.signed(4).unwrap_or(-1);
            }
        } else {
            thread.reaper_tid = -1;
        }
    }

    /// chdir and getcwd.
    pub(crate) fn parse_chdir(&mut self, event: &RawEvent<'_>) {
        if let (Some(slot), Some(0..)) = (self.context.thread, result(event)) {
            self.change_directory(slot, text(event, 1));
        }
    }

    /// fchdir.
    pub(crate) fn parse_fchdir(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0..)) = (self.context.thread, result(event)) else {
            return;
        };
        if let Some(name) = self.context_fd(slot).map(|fd| fd.name.clone()) {
            self.change_directory(slot, &name);
        }
    }

    fn change_directory(&mut self, slot: u32, path: &[u8]) {
        let Some(main) = self.threads.main_of(slot) else {
            return;
        };
        // Relative to the thread's own record, which is empty for all but the first thread, as in Falco.
        let base = self.threads.at(slot).cwd.clone();
        let cwd = self.directory_text(&base, path);
        if *self.threads.at(main).cwd != *cwd {
            self.threads.at_mut(main).cwd = cwd;
            self.touch_process(main);
        }
    }

    /// Notes a change that every thread of the process can see, but nobody else.
    pub(crate) fn touch_process(&mut self, slot: u32) {
        let siblings = self.threads.siblings(slot).len();
        if siblings > MAX_TOUCHED {
            self.threads.touch_all();
            return;
        }
        for index in 0..siblings {
            let sibling = self.threads.siblings(slot)[index];
            self.threads.touch_own(sibling);
        }
        self.threads.touch_own(slot);
    }

    /// chroot.
    pub(crate) fn parse_chroot(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0)) = (self.context.thread, result(event)) else {
            return;
        };
        let path = text(event, 1);
        if path.first() == Some(&b'/') {
            set_shared(&mut self.threads.at_mut(slot).root, path);
        } else {
            let cwd = self.cwd_of(slot);
            crate::path::concatenate(&mut self.scratch, &cwd, path);
            self.threads.at_mut(slot).root = Arc::from(&self.scratch[..]);
        }
        self.container_of_event(event);
    }

    /// setsid.
    pub(crate) fn parse_setsid(&mut self, event: &RawEvent<'_>) {
        if let (Some(slot), Some(sid @ 0..)) = (self.thread_of(event), result(event)) {
            let (vpgid, pgid) = {
                let thread = self.threads.at(slot);
                (thread.vpgid, thread.pgid)
            };
            self.threads.set_leaders(slot, sid, vpgid, pgid);
            self.threads.touch(slot);
        }
    }

    /// unshare and setns: a new user namespace gives every capability.
    pub(crate) fn parse_namespaces(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0..)) = (self.context.thread, result(event)) else {
            return;
        };
        let index = if event.kind.0 == k::UNSHARE_X { 1 } else { 2 };
        if event.unsigned(index).unwrap_or(0) as u32 & clone::NEWUSER == 0 {
            return;
        }
        let thread = self.threads.at_mut(slot);
        thread.cap_inheritable = ALL_CAPS;
        thread.cap_permitted = ALL_CAPS;
        thread.cap_effective = ALL_CAPS;
        self.threads.touch_own(slot);
    }

    /// capset.
    pub(crate) fn parse_capset(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0..)) = (self.context.thread, result(event)) else {
            return;
        };
        let thread = self.threads.at_mut(slot);
        thread.cap_inheritable = event.unsigned(1).unwrap_or(0);
        thread.cap_permitted = event.unsigned(2).unwrap_or(0);
        thread.cap_effective = event.unsigned(3).unwrap_or(0);
        self.threads.touch_own(slot);
    }

    /// prctl: who takes orphans over.
    pub(crate) fn parse_prctl(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0..)) = (self.thread_of(event), result(event)) else {
            return;
        };
        if let Some(PR_SET_CHILD_SUBREAPER | PR_GET_CHILD_SUBREAPER) = event.unsigned(1) {
            self.threads
                .set_reaper(slot, event.signed(3).unwrap_or(0) != 0);
        }
    }

    /// setuid and its relatives; the effective user is parameter `index`.
    pub(crate) fn parse_set_user(&mut self, event: &RawEvent<'_>, index: usize) {
        if let (Some(0), Some(slot), Some(uid)) =
            (result(event), self.thread_of(event), event.unsigned(index))
        {
            self.threads.at_mut(slot).uid = uid as u32;
            self.threads.touch_own(slot);
        }
    }

    /// setgid and its relatives; the effective group is parameter `index`.
    pub(crate) fn parse_set_group(&mut self, event: &RawEvent<'_>, index: usize) {
        if let (Some(0), Some(slot), Some(gid)) =
            (result(event), self.thread_of(event), event.unsigned(index))
        {
            self.threads.at_mut(slot).gid = gid as u32;
            self.threads.touch_own(slot);
        }
    }

    /// getrlimit and setrlimit.
    pub(crate) fn parse_rlimit(&mut self, event: &RawEvent<'_>) {
        if let (Some(slot), Some(0..), Some(RLIMIT_NOFILE)) =
            (self.context.thread, result(event), event.unsigned(3))
        {
            self.set_fdlimit(slot, event.signed(1));
        }
    }

    /// prlimit, possibly of another process.
    pub(crate) fn parse_prlimit(&mut self, event: &RawEvent<'_>) {
        if result(event) != Some(0) || event.unsigned(6) != Some(RLIMIT_NOFILE) {
            return;
        }
        let Some(tid) = event.signed(5) else {
            return;
        };
        let tid = if tid == 0 { event.tid } else { tid };
        let limit = event.signed(1);
        if limit != Some(-1)
            && let Some(slot) = self.thread_or_unknown(tid)
            && !self.threads.at(slot).is_invalid()
        {
            self.set_fdlimit(slot, limit);
        }
    }

    fn set_fdlimit(&mut self, slot: u32, limit: Option<i64>) {
        if let Some(limit) = limit.filter(|&limit| limit != -1)
            && let Some(main) = self.threads.main_of(slot)
            && self.threads.at(main).fdlimit != limit
        {
            self.threads.at_mut(main).fdlimit = limit;
            self.touch_process(main);
        }
    }

    /// brk, mmap, munmap: how much memory the process has.
    pub(crate) fn parse_memory(&mut self, event: &RawEvent<'_>) {
        let Some(slot) = self.context.thread else {
            return;
        };
        let thread = self.threads.at_mut(slot);
        if let Some(size) = event.unsigned(1) {
            thread.vmsize_kb = size as u32;
        }
        if has(event, 3) {
            thread.vmrss_kb = event.unsigned(2).unwrap_or(0) as u32;
            thread.vmswap_kb = event.unsigned(3).unwrap_or(0) as u32;
        }
    }

    /// switch: a processor goes on with another thread.
    pub(crate) fn parse_switch(&mut self, event: &RawEvent<'_>) {
        let ran = self.time_on_processor(event);
        let Some(slot) = self.context.thread else {
            return;
        };
        let thread = self.threads.at_mut(slot);
        thread.exec_time_ns = thread.exec_time_ns.saturating_add(ran);
        if !has(event, 5) {
            return;
        }
        thread.pfmajor = event.unsigned(1).unwrap_or(0);
        thread.pfminor = event.unsigned(2).unwrap_or(0);
        if let Some(main) = self.threads.main_of(slot) {
            let main = self.threads.at_mut(main);
            main.vmsize_kb = event.unsigned(3).unwrap_or(0) as u32;
            main.vmrss_kb = event.unsigned(4).unwrap_or(0) as u32;
            main.vmswap_kb = event.unsigned(5).unwrap_or(0) as u32;
        }
    }

    /// Time since the switch before on the same processor.
    fn time_on_processor(&mut self, event: &RawEvent<'_>) -> u64 {
        let cpu = usize::from(event.cpu);
        if self.switched.len() <= cpu {
            self.switched.resize(cpu + 1, 0);
        }
        let before = std::mem::replace(&mut self.switched[cpu], event.ts);
        self.context.ran = if before == 0 {
            0
        } else {
            event.ts.saturating_sub(before)
        };
        self.context.ran
    }
}
