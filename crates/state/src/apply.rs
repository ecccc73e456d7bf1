//! Taking in one event: finding its thread and descriptor, then letting it change the tables.

use vedette_event::{EventFlags, RawEvent};

use crate::kinds as k;
use crate::state::{Context, State};
use crate::thread::{NOT_KNOWN, Thread};
use crate::wire::clone;

/// Index of the parameter that names the descriptor an exit event works on.
pub(crate) fn fd_param(kind: u16) -> usize {
    match kind {
        k::READ_X | k::WRITE_X | k::BIND_X | k::CONNECT_X | k::SEND_X | k::SENDTO_X | k::RECV_X => {
            2
        }
        k::SENDMSG_X | k::PREAD_X | k::PWRITE_X | k::WRITEV_X | k::PWRITEV_X => 2,
        k::SYMLINKAT_X => 2,
        // The descriptor written to.
        k::SENDFILE_X => 2,
        k::RECVFROM_X | k::READV_X | k::PREADV_X => 3,
        k::RECVMSG_X => 5,
        k::MMAP_X | k::MMAP2_X => 8,
        _ => 1,
    }
}

/// Text of a parameter as Falco reads it: nothing at all, and the probe's `(NULL)`, are `<NA>`.
pub(crate) fn text<'a>(event: &RawEvent<'a>, index: usize) -> &'a [u8] {
    match event.text(index) {
        None | Some(b"(NULL)") => NOT_KNOWN,
        Some(text) => text,
    }
}

/// True when a parameter carries something.
pub(crate) fn has(event: &RawEvent<'_>, index: usize) -> bool {
    event.param(index).is_some_and(|bytes| !bytes.is_empty())
}

/// Result of a system call; `None` for events that have none.
pub(crate) fn result(event: &RawEvent<'_>) -> Option<i64> {
    let info = event.kind.info()?;
    if event.kind.is_enter()
        || event.kind.0 == k::GENERIC_X
        || !info.category.has(vedette_event::Category::SYSCALL)
        || event.nparams() == 0
    {
        return None;
    }
    match event.param(0)?.len() {
        4 | 8 => event.signed(0),
        _ => None,
    }
}

impl State {
    /// Takes in one event. Afterwards [`State::view`] tells what it means.
    pub fn apply(&mut self, event: &RawEvent<'_>) {
        self.end_boot();
        self.finish();
        let first = *self.first_ts.get_or_insert(event.ts);
        self.context.delta = if self.last_ts == 0 {
            event.ts.saturating_sub(first)
        } else {
            event.ts.saturating_sub(self.last_ts)
        };
        self.last_ts = event.ts;
        self.find_thread_and_fd(event);
        self.parse(event);
    }

    /// Lets what the event before ended go.
    pub(crate) fn finish(&mut self) {
        if let Some(tid) = self.context.ending_thread.take() {
            self.threads.remove(tid);
        }
        if let Some((tid, fd)) = self.context.ending_fd.take()
            && let Some(owner) = self
                .threads
                .find(tid)
                .and_then(|slot| self.threads.fd_owner(slot))
        {
            let mut fds = std::mem::take(&mut self.threads.at_mut(owner).fds);
            fds.remove(fd, &mut self.threads.spare);
            self.threads.at_mut(owner).fds = fds;
        }
        self.context.container = None;
    }

    /// The thread with this id, or one of which nothing else is known. `None` when the table is full.
    pub(crate) fn thread_or_unknown(&mut self, tid: i64) -> Option<u32> {
        self.threads.find(tid).or_else(|| {
            self.threads.stats.thread_lookups_failed += 1;
            self.threads.add(Thread::unknown(tid))
        })
    }

    fn find_thread_and_fd(&mut self, event: &RawEvent<'_>) {
        self.context = Context {
            delta: self.context.delta,
            ..Context::default()
        };
        let Some(info) = event.kind.info() else {
            return;
        };
        let kind = event.kind.0;
        if info.flags.has(EventFlags::SKIPPARSERESET) {
            if kind == k::PROCINFO_E {
                self.context.thread = self.threads.find(event.tid);
                self.note_processor_time(event);
            }
            return;
        }
        match kind {
            k::CONTAINER_JSON_2_E
            | k::USER_ADDED_E
            | k::USER_DELETED_E
            | k::GROUP_ADDED_E
            | k::GROUP_DELETED_E
            | k::PLUGINEVENT_E
            | k::ASYNCEVENT_E => return,
            k::CLONE_20_X
            | k::CLONE3_X
            | k::FORK_20_X
            | k::VFORK_20_X
            | k::PROCEXIT_1_E
            | k::SCHEDSWITCH_6_E => self.context.thread = self.threads.find(event.tid),
            _ => {
                self.context.thread = self.thread_or_unknown(event.tid);
                if let Some(slot) = self.context.thread {
                    self.threads.at_mut(slot).flags |= clone::ACTIVE;
                }
            }
        }
        let Some(slot) = self.context.thread else {
            return;
        };
        if kind == k::SCHEDSWITCH_6_E {
            return;
        }
        let thread = self.threads.at_mut(slot);
        thread.last_fd = -1;
        if event.kind.is_enter() || !info.flags.has(EventFlags::USES_FD) {
            return;
        }
        let index = fd_param(kind);
        if let Some(fd) = has(event, index).then(|| event.signed(index)).flatten() {
            thread.last_fd = fd;
            self.context.fd = (fd >= 0 && self.fd_at(slot, fd).is_some()).then_some(fd);
        }
        if self.context.fd.is_none() {
            self.threads.stats.fd_lookups_failed += 1;
        }
    }

    fn note_processor_time(&mut self, event: &RawEvent<'_>) {
        let Some(slot) = self.context.thread else {
            return;
        };
        let now = (
            event.unsigned(0).unwrap_or(0),
            event.unsigned(1).unwrap_or(0),
        );
        let before = std::mem::replace(&mut self.threads.at_mut(slot).last_cpu, now);
        if before != (0, 0) {
            self.context.cpu_delta = (
                now.0.saturating_sub(before.0),
                now.1.saturating_sub(before.1),
            );
        }
    }

    fn parse(&mut self, event: &RawEvent<'_>) {
        match event.kind.0 {
            k::READ_X
            | k::READV_X
            | k::PREAD_X
            | k::PREADV_X
            | k::RECV_X
            | k::RECVFROM_X
            | k::RECVMSG_X
            | k::RECVMMSG_X => self.parse_read(event),
            k::WRITE_X
            | k::WRITEV_X
            | k::PWRITE_X
            | k::PWRITEV_X
            | k::SEND_X
            | k::SENDTO_X
            | k::SENDMSG_X
            | k::SENDMMSG_X => self.parse_write(event),
            k::OPEN_X | k::CREAT_X | k::OPENAT_2_X | k::OPENAT2_X | k::OPEN_BY_HANDLE_AT_X => {
                self.parse_open(event);
            }
            k::CLOSE_X => self.parse_close(event),
            k::UNSHARE_X | k::SETNS_X => self.parse_namespaces(event),
            k::MEMFD_CREATE_X => self.parse_memfd(event),
            k::CLONE_20_X | k::FORK_20_X | k::VFORK_20_X | k::CLONE3_X => self.parse_clone(event),
            k::PIDFD_OPEN_X => self.parse_pidfd_open(event),
            k::PIDFD_GETFD_X => self.parse_pidfd_getfd(event),
            k::EXECVE_19_X | k::EXECVEAT_X => self.parse_exec(event),
            k::PROCEXIT_1_E => self.parse_exit(event),
            k::PIPE_X | k::PIPE2_X => self.parse_pipe(event),
            k::SOCKET_X => self.parse_socket(event),
            k::BIND_X => self.parse_bind(event),
            k::CONNECT_X => self.parse_connect(event),
            k::ACCEPT_5_X | k::ACCEPT4_6_X => self.parse_accept(event),
            k::FCNTL_X => self.parse_fcntl(event),
            k::CHDIR_X | k::GETCWD_X => self.parse_chdir(event),
            k::FCHDIR_X => self.parse_fchdir(event),
            k::DUP_1_X | k::DUP2_X | k::DUP3_X => self.parse_dup(event),
            k::EVENTFD_X
            | k::EVENTFD2_X
            | k::SIGNALFD_X
            | k::SIGNALFD4_X
            | k::TIMERFD_CREATE_X
            | k::INOTIFY_INIT_X
            | k::INOTIFY_INIT1_X
            | k::BPF_2_X
            | k::USERFAULTFD_X
            | k::IO_URING_SETUP_X
            | k::EPOLL_CREATE_X
            | k::EPOLL_CREATE1_X => self.parse_special_fd(event),
            k::CLOSE_RANGE_X => self.parse_close_range(event),
            k::GETRLIMIT_X | k::SETRLIMIT_X => self.parse_rlimit(event),
            k::PRLIMIT_X => self.parse_prlimit(event),
            k::SOCKETPAIR_X => self.parse_socketpair(event),
            k::SCHEDSWITCH_6_E => self.parse_switch(event),
            k::BRK_4_X | k::MMAP_X | k::MMAP2_X | k::MUNMAP_X => self.parse_memory(event),
            k::SETRESUID_X | k::SETREUID_X => self.parse_set_user(event, 2),
            k::SETUID_X => self.parse_set_user(event, 1),
            k::SETRESGID_X | k::SETREGID_X => self.parse_set_group(event, 2),
            k::SETGID_X => self.parse_set_group(event, 1),
            k::CHROOT_X => self.parse_chroot(event),
            k::SETSID_X => self.parse_setsid(event),
            k::CAPSET_X => self.parse_capset(event),
            k::PRCTL_X => self.parse_prctl(event),
            k::USER_ADDED_E | k::USER_DELETED_E => self.parse_user(event),
            k::GROUP_ADDED_E | k::GROUP_DELETED_E => self.parse_group(event),
            k::CONTAINER_E | k::CONTAINER_JSON_E | k::CONTAINER_JSON_2_E | k::ASYNCEVENT_E => {
                self.parse_container(event);
            }
            _ => {}
        }
    }

    /// The thread that fields of the event speak of.
    pub(crate) fn thread_of(&self, event: &RawEvent<'_>) -> Option<u32> {
        self.context.thread.or_else(|| self.threads.find(event.tid))
    }
}
