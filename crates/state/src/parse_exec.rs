//! execve and execveat: a thread becomes another program.

use std::sync::Arc;

use vedette_event::RawEvent;

use crate::apply::{has, result, text};
use crate::kinds as k;
use crate::path::concatenate;
use crate::state::State;
use crate::text::List;
use crate::thread::{NOT_KNOWN, set_shared};
use crate::wire::{AT_FDCWD, clone, exe};

/// Flag of execveat: run what the descriptor itself stands for.
const AT_EMPTY_PATH: u64 = 1;

/// Most beginnings of execve that wait for their end.
const MAX_PENDING: usize = 4096;

/// What the beginning of an execve told, for captures whose end does not tell the path of the executable.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExecEnter {
    dirfd: i64,
    at: bool,
    empty_path: bool,
    path: Vec<u8>,
}

impl State {
    /// Keeps what the enter event of an old capture tells.
    pub(crate) fn parse_exec_enter(&mut self, event: &RawEvent<'_>) {
        if self.context.thread.is_none() {
            return;
        }
        let at = event.kind.0 == k::EXECVEAT_E;
        let index = usize::from(at);
        if !has(event, index) && !at {
            return;
        }
        if self.exec_enters.len() >= MAX_PENDING {
            self.exec_enters.clear();
        }
        let enter = ExecEnter {
            dirfd: if at {
                event.signed(0).unwrap_or(AT_FDCWD)
            } else {
                AT_FDCWD
            },
            at,
            empty_path: at && event.unsigned(2).unwrap_or(0) & AT_EMPTY_PATH != 0,
            path: text(event, index).to_vec(),
        };
        self.exec_enters.insert(event.tid, enter);
    }

    /// Path of the executable from what the enter event told; `None` when it told nothing.
    fn entered_path(&mut self, slot: u32, tid: i64) -> Option<Arc<[u8]>> {
        let enter = self.exec_enters.remove(&tid)?;
        let unknown = enter.path == NOT_KNOWN;
        if !enter.at {
            if unknown {
                return Some(Arc::from(NOT_KNOWN));
            }
            let cwd = self.cwd_of(slot);
            concatenate(&mut self.scratch, &cwd, &enter.path);
            return Some(Arc::from(&self.scratch[..]));
        }
        let mut base = std::mem::take(&mut self.base);
        let known = self.base_of(slot, &enter.path, enter.dirfd, &mut base);
        if !known || unknown && !enter.empty_path {
            concatenate(&mut self.scratch, b"", NOT_KNOWN);
        } else if enter.empty_path {
            concatenate(&mut self.scratch, b"", &base);
        } else {
            concatenate(&mut self.scratch, &base, &enter.path);
        }
        self.base = base;
        Some(Arc::from(&self.scratch[..]))
    }

    /// execve and execveat that came back.
    pub(crate) fn parse_exec(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0..)) = (self.context.thread, result(event)) else {
            return;
        };
        self.threads.resurrect(slot);
        let exepath = if has(event, 27) {
            None
        } else {
            self.entered_path(slot, event.tid)
        };
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
        if has(event, 27) {
            thread.set_exepath(text(event, 27));
        } else if let Some(path) = exepath {
            thread.set_exepath(&path);
        }
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
        self.container_of_event(event);
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
