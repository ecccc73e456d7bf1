//! execve and execveat: a thread becomes another program.

use std::sync::Arc;

use vedette_event::RawEvent;

use crate::apply::{has, result, text};
use crate::path::concatenate;
use crate::state::State;
use crate::text::{List, empty};
use crate::thread::{NOT_KNOWN, set_shared};
use crate::wire::{clone, exe};

impl State {
    /// Path of the executable from the file name that execve was given: what events of old captures tell instead of
    /// the path that the kernel resolved.
    fn named_path(&mut self, slot: u32, event: &RawEvent<'_>) -> Arc<[u8]> {
        let name = text(event, 30);
        if name.is_empty() || name == NOT_KNOWN {
            return empty();
        }
        let cwd = self.cwd_of(slot);
        concatenate(&mut self.scratch, &cwd, name);
        Arc::from(&self.scratch[..])
    }

    /// execve and execveat that came back.
    pub(crate) fn parse_exec(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0..)) = (self.context.thread, result(event)) else {
            return;
        };
        self.threads.resurrect(slot);
        let named = (!has(event, 27)).then(|| self.named_path(slot, event));
        let exe = text(event, 1);
        let thread = self.threads.at_mut(slot);
        set_shared(&mut thread.exe, exe);
        thread.lastexec_ts = event.ts;
        set_shared(
            &mut thread.comm,
            if has(event, 13) { text(event, 13) } else { exe },
        );
        let args = event.param(2).unwrap_or(&[]);
        if !thread.args.is(args) {
            thread.args = List::parse(args);
        }
        if let Some(pid) = event.signed(4) {
            thread.pid = pid;
        }
        if thread.is_invalid() {
            thread.ptid = event.signed(5).unwrap_or(-1);
            if thread.flags & clone::CHILD_IN_PIDNS == 0 {
                thread.vtid = thread.tid;
                thread.vpid = thread.pid;
            }
            self.threads.link(slot);
        }
        let thread = self.threads.at_mut(slot);
        thread.fdlimit = event.signed(7).unwrap_or(-1);
        if has(event, 12) {
            thread.pfmajor = event.unsigned(8).unwrap_or(0);
            thread.pfminor = event.unsigned(9).unwrap_or(0);
            thread.vmsize_kb = event.unsigned(10).unwrap_or(0) as u32;
            thread.vmrss_kb = event.unsigned(11).unwrap_or(0) as u32;
            thread.vmswap_kb = event.unsigned(12).unwrap_or(0) as u32;
        }
        if let Some(env) = event.param(15).filter(|env| !env.is_empty())
            && !thread.env.is(env)
        {
            thread.env = List::parse(env);
        }
        if let Some(cgroups) = event.param(14).filter(|cgroups| !cgroups.is_empty()) {
            thread.set_cgroups(cgroups);
        }
        if let Some(tty) = event.unsigned(16) {
            thread.tty = tty as u32;
        }
        thread.set_exepath(named.as_deref().unwrap_or_else(|| text(event, 27)));
        if let Some(loginuid) = event.unsigned(18) {
            thread.loginuid = loginuid as u32;
        }
        if let Some(flags) = event.unsigned(19) {
            let flags = flags as u32;
            thread.exe_writable = flags & exe::WRITABLE != 0;
            thread.exe_upper_layer = flags & exe::UPPER_LAYER != 0;
            thread.exe_from_memfd = flags & exe::FROM_MEMFD != 0;
            thread.exe_lower_layer = flags & exe::LOWER_LAYER != 0;
        }
        if has(event, 22) {
            thread.cap_inheritable = event.unsigned(20).unwrap_or(0);
            thread.cap_permitted = event.unsigned(21).unwrap_or(0);
            thread.cap_effective = event.unsigned(22).unwrap_or(0);
        }
        if has(event, 25) {
            thread.exe_ino = event.unsigned(23).unwrap_or(0);
            thread.exe_ino_ctime = event.unsigned(24).unwrap_or(0);
            thread.exe_ino_mtime = event.unsigned(25).unwrap_or(0);
            if thread.clone_ts != 0 {
                thread.exe_ino_ctime_duration_clone_ts =
                    thread.clone_ts.wrapping_sub(thread.exe_ino_ctime);
            }
            if thread.pidns_init_start_ts != 0 && thread.exe_ino_ctime > thread.pidns_init_start_ts
            {
                thread.exe_ino_ctime_duration_pidns_start =
                    thread.exe_ino_ctime - thread.pidns_init_start_ts;
            }
        }
        if let Some(uid) = event.unsigned(26) {
            thread.uid = uid as u32;
        }
        if let Some(gid) = event.unsigned(29) {
            thread.gid = gid as u32;
        }
        thread.flags = clone::ACTIVE
            | clone::NAME_CHANGED
            | thread.flags
                & (clone::PIPE_SRC | clone::PIPE_DST | clone::IS_MAIN_THREAD | clone::INVERTED);
        let (sid, vpgid) = (thread.sid, event.signed(17).unwrap_or(thread.vpgid));
        self.threads
            .set_leaders(slot, sid, vpgid, event.signed(28).unwrap_or(-1));
        self.threads.touch(slot);
        self.end_siblings(slot);
        self.close_on_exec(slot);
        self.container_of_event(event);
    }

    /// The new program does not see what was marked to be closed before it.
    fn close_on_exec(&mut self, slot: u32) {
        let Some(owner) = self.threads.fd_owner(slot) else {
            return;
        };
        let mut fds = std::mem::take(&mut self.threads.at_mut(owner).fds);
        fds.retain(&mut self.threads.spare, |_, fd| !fd.close_on_exec);
        self.threads.at_mut(owner).fds = fds;
    }

    /// A new program has one thread: the others of the process are gone.
    fn end_siblings(&mut self, slot: u32) {
        if self.threads.alive(slot) <= 1 {
            return;
        }
        let own = self.threads.at(slot).tid;
        let others: Vec<i64> = self
            .threads
            .siblings(slot)
            .iter()
            .map(|&sibling| self.threads.at(sibling))
            .filter(|thread| !thread.is_main() && thread.tid != own)
            .map(|thread| thread.tid)
            .collect();
        for tid in others {
            self.threads.remove(tid);
        }
    }
}
