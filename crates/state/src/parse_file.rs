//! Events that open, copy or close descriptors of files and kernel objects.

use std::sync::Arc;

use vedette_event::RawEvent;

use crate::apply::{result, text};
use crate::fd::{Fd, Kind};
use crate::kinds as k;
use crate::number::push_i64;
use crate::path::concatenate;
use crate::state::State;
use crate::wire::{
    AT_FDCWD, FCNTL_DUPFD, FCNTL_DUPFD_CLOEXEC, FCNTL_SETFD, FD_CLOEXEC, clone, creat, open,
};

/// What stands for a directory that is not known.
const UNKNOWN_DIRECTORY: &[u8] = b"<UNKNOWN>";

impl State {
    /// Descriptor `fd` of the thread's process.
    #[inline]
    pub(crate) fn fd_at(&self, slot: u32, fd: i64) -> Option<&Fd> {
        self.threads.at(self.threads.fd_owner(slot)?).fds.get(fd)
    }

    /// The descriptor of the event at hand.
    pub(crate) fn context_fd(&self, slot: u32) -> Option<&Fd> {
        self.fd_at(slot, self.context.fd?)
    }

    /// The descriptor of the event at hand, to be changed.
    pub(crate) fn context_fd_mut(&mut self, slot: u32) -> Option<&mut Fd> {
        let fd = self.context.fd?;
        let owner = self.threads.fd_owner(slot)?;
        self.threads.at_mut(owner).fds.get_mut(fd)
    }

    /// Puts a descriptor into the table of the thread's process and makes it the event's own.
    pub(crate) fn add_fd(&mut self, slot: u32, fd: i64, entry: Arc<Fd>) {
        let Some(owner) = self.threads.fd_owner(slot) else {
            self.context.fd = None;
            return;
        };
        let named = !entry.name.is_empty();
        let mut fds = std::mem::take(&mut self.threads.at_mut(owner).fds);
        let added = fds.insert(fd, entry, &mut self.threads.spare);
        self.threads.at_mut(owner).fds = fds;
        self.threads.at_mut(slot).last_fd = fd;
        if added {
            self.context.fd = Some(fd);
            self.context.name_changed = named;
        } else {
            self.context.fd = None;
            self.threads.stats.fds_dropped += 1;
        }
    }

    /// A fresh descriptor of this kind, filled by `fill`.
    pub(crate) fn new_fd(&mut self, kind: Kind, fill: impl FnOnce(&mut Fd)) -> Arc<Fd> {
        let mut entry = self.threads.spare.take();
        let fd = Arc::get_mut(&mut entry).expect("a spare descriptor is not shared");
        fd.kind = kind;
        fill(fd);
        entry
    }

    /// Writes the directory that a relative `name` starts from into `out`. False when it is not known.
    pub(crate) fn base_of(&self, slot: u32, name: &[u8], dirfd: i64, out: &mut Vec<u8>) -> bool {
        out.clear();
        if name.first() == Some(&b'/') {
            out.push(b'.');
        } else if dirfd == AT_FDCWD {
            match self.threads.main_of(slot) {
                Some(main) => out.extend_from_slice(&self.threads.at(main).cwd),
                None => out.extend_from_slice(b"./"),
            }
        } else if let Some(fd) = (dirfd >= 0).then(|| self.fd_at(slot, dirfd)).flatten() {
            out.extend_from_slice(&fd.name);
            if !out.is_empty() && out.last() != Some(&b'/') {
                out.push(b'/');
            }
        } else {
            out.extend_from_slice(UNKNOWN_DIRECTORY);
            return false;
        }
        true
    }

    /// open and its relatives.
    pub(crate) fn parse_open(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(number @ 0..)) = (self.context.thread, result(event)) else {
            return;
        };
        let kind = event.kind.0;
        let mut base = std::mem::take(&mut self.base);
        base.clear();
        let (name, flags, dev, ino) = match kind {
            k::OPEN_X | k::CREAT_X => {
                let name = text(event, 1);
                // An absolute name does not depend on the working directory, whose length would count otherwise: deep
                // directories shall be no place to open files from unnamed.
                self.base_of(slot, name, AT_FDCWD, &mut base);
                if kind == k::OPEN_X {
                    let flags = event.unsigned(2).unwrap_or(0) as u32;
                    (name, flags, event.unsigned(4), event.unsigned(5))
                } else {
                    let layer = event.unsigned(5).unwrap_or(0);
                    let flags = if layer & creat::UPPER_LAYER != 0 {
                        open::UPPER_LAYER
                    } else if layer & creat::LOWER_LAYER != 0 {
                        open::LOWER_LAYER
                    } else {
                        0
                    };
                    (name, flags, event.unsigned(3), event.unsigned(4))
                }
            }
            k::OPEN_BY_HANDLE_AT_X => (
                text(event, 3),
                event.unsigned(2).unwrap_or(0) as u32,
                event.unsigned(4),
                event.unsigned(5),
            ),
            _ => {
                let name = text(event, 2);
                if let Some(dirfd) = event.signed(1) {
                    self.base_of(slot, name, dirfd, &mut base);
                }
                let at = if kind == k::OPENAT2_X { 6 } else { 5 };
                let flags = event.unsigned(3).unwrap_or(0) as u32;
                (name, flags, event.unsigned(at), event.unsigned(at + 1))
            }
        };
        let is_directory = flags & open::DIRECTORY != 0;
        let entry = self.new_fd(
            if is_directory {
                Kind::Directory
            } else {
                Kind::FileV2
            },
            |fd| {
                fd.open_flags = flags;
                fd.close_on_exec = flags & open::CLOEXEC != 0;
                fd.dev = dev.unwrap_or(0) as u32;
                fd.ino = ino.unwrap_or(0);
                fd.raw_name.extend_from_slice(name);
                concatenate(&mut fd.name, &base, name);
                fd.upper_layer = flags & open::UPPER_LAYER != 0;
                fd.lower_layer = flags & open::LOWER_LAYER != 0;
            },
        );
        self.base = base;
        self.add_fd(slot, number, entry);
    }

    /// close: the descriptor stays for the fields of this event.
    pub(crate) fn parse_close(&mut self, event: &RawEvent<'_>) {
        if let (Some(slot), Some(0..), Some(_)) =
            (self.context.thread, result(event), self.context.fd)
        {
            let thread = self.threads.at(slot);
            self.context.ending_fd = Some((thread.tid, thread.last_fd));
        }
    }

    /// close_range: many at once.
    pub(crate) fn parse_close_range(&mut self, event: &RawEvent<'_>) {
        /// Flag that only marks the descriptors to be closed by execve.
        const CLOEXEC: u64 = 1 << 2;
        let (Some(slot), Some(0)) = (self.context.thread, result(event)) else {
            return;
        };
        let (first, last) = (
            event.unsigned(1).unwrap_or(0) as i64,
            event.unsigned(2).unwrap_or(0) as i64,
        );
        let only_mark = event.unsigned(3).unwrap_or(0) & CLOEXEC != 0;
        if let Some(owner) = self.threads.fd_owner(slot) {
            let mut fds = std::mem::take(&mut self.threads.at_mut(owner).fds);
            if only_mark {
                fds.mark_close_on_exec(first, last);
                self.threads.at_mut(owner).fds = fds;
                return;
            }
            fds.retain(&mut self.threads.spare, |fd, _| {
                !(first..=last).contains(&fd)
            });
            self.threads.at_mut(owner).fds = fds;
        }
    }

    /// dup and its relatives.
    pub(crate) fn parse_dup(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(number @ 0..)) = (self.context.thread, result(event)) else {
            return;
        };
        match number {
            0 => self.threads.at_mut(slot).flags |= clone::PIPE_DST,
            1 => self.threads.at_mut(slot).flags |= clone::PIPE_SRC,
            _ => {}
        }
        if self.context.fd.is_none() {
            return;
        }
        let close_on_exec = event.kind.0 == k::DUP3_X
            && event.unsigned(3).unwrap_or(0) & u64::from(open::CLOEXEC) != 0;
        self.copy_fd(slot, number, close_on_exec);
    }

    /// fcntl, which copies descriptors too and says whether they outlive the next exec.
    pub(crate) fn parse_fcntl(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(result @ 0..), Some(_)) =
            (self.context.thread, result(event), self.context.fd)
        else {
            return;
        };
        match event.unsigned(2) {
            Some(command @ (FCNTL_DUPFD | FCNTL_DUPFD_CLOEXEC)) => {
                self.copy_fd(slot, result, command == FCNTL_DUPFD_CLOEXEC);
            }
            Some(FCNTL_SETFD) => {
                let close_on_exec = event.unsigned(3).unwrap_or(0) & FD_CLOEXEC != 0;
                if let Some(fd) = self.context_fd_mut(slot)
                    && fd.close_on_exec != close_on_exec
                {
                    fd.close_on_exec = close_on_exec;
                }
            }
            _ => {}
        }
    }

    /// Puts a copy of the event's descriptor under another number.
    fn copy_fd(&mut self, slot: u32, number: i64, close_on_exec: bool) {
        let Some(owner) = self.threads.fd_owner(slot) else {
            return;
        };
        if let Some(mut entry) = self
            .context
            .fd
            .and_then(|fd| self.threads.at(owner).fds.shared(fd))
        {
            if entry.close_on_exec != close_on_exec {
                Arc::make_mut(&mut entry).close_on_exec = close_on_exec;
            }
            self.add_fd(slot, number, entry);
            // The copy is no new name.
            self.context.name_changed = false;
        }
    }

    /// pipe and pipe2.
    pub(crate) fn parse_pipe(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0..)) = (self.context.thread, result(event)) else {
            return;
        };
        let ino = event.unsigned(3).unwrap_or(0);
        let flags = if event.kind.0 == k::PIPE2_X {
            event.unsigned(4).unwrap_or(0) as u32
        } else {
            0
        };
        for index in [1, 2] {
            if let Some(number) = event.signed(index) {
                let entry = self.new_fd(Kind::Fifo, |fd| {
                    fd.ino = ino;
                    fd.open_flags = flags;
                    fd.close_on_exec = flags & open::CLOEXEC != 0;
                });
                self.add_fd(slot, number, entry);
            }
        }
    }

    /// Descriptors of kernel objects that have no more to them than their kind.
    pub(crate) fn parse_special_fd(&mut self, event: &RawEvent<'_>) {
        /// The one flag of `epoll_create1`.
        const EPOLL_CLOEXEC: u64 = 1;
        /// For descriptors that the kernel always closes on exec.
        const ALWAYS: Option<u64> = Some(open::CLOEXEC as u64);
        let (Some(slot), Some(number @ 0..)) = (self.context.thread, result(event)) else {
            return;
        };
        let (kind, flags) = match event.kind.0 {
            k::EVENTFD_X => (Kind::Event, None),
            k::EVENTFD2_X => (Kind::Event, event.unsigned(1)),
            k::SIGNALFD_X => (Kind::Signal, None),
            k::SIGNALFD4_X => (Kind::Signal, event.unsigned(1)),
            k::TIMERFD_CREATE_X => (Kind::Timer, None),
            k::INOTIFY_INIT_X => (Kind::Inotify, None),
            k::INOTIFY_INIT1_X => (Kind::Inotify, event.unsigned(1)),
            k::BPF_2_X => (Kind::Bpf, ALWAYS),
            k::USERFAULTFD_X => (Kind::Userfault, event.unsigned(1)),
            k::IO_URING_SETUP_X => (Kind::IoUring, ALWAYS),
            k::EPOLL_CREATE1_X => (
                Kind::Epoll,
                event
                    .unsigned(1)
                    .map(|flags| (flags & EPOLL_CLOEXEC) * u64::from(open::CLOEXEC)),
            ),
            _ => (Kind::Epoll, None),
        };
        let flags = flags.unwrap_or(0) as u32;
        let entry = self.new_fd(kind, |fd| {
            fd.open_flags = flags;
            fd.close_on_exec = flags & open::CLOEXEC != 0;
        });
        self.add_fd(slot, number, entry);
    }

    /// memfd_create.
    pub(crate) fn parse_memfd(&mut self, event: &RawEvent<'_>) {
        const MFD_CLOEXEC: u32 = 1;
        let (Some(slot), Some(number)) = (self.context.thread, result(event)) else {
            return;
        };
        let entry = if number >= 0 {
            self.new_fd(Kind::Memfd, |fd| {
                fd.name.extend_from_slice(text(event, 1));
                fd.open_flags = event.unsigned(2).unwrap_or(0) as u32;
                fd.close_on_exec = fd.open_flags & MFD_CLOEXEC != 0;
            })
        } else {
            self.new_fd(Kind::Unknown, |_| {})
        };
        self.add_fd(slot, number, entry);
    }

    /// pidfd_open.
    pub(crate) fn parse_pidfd_open(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(number)) = (self.context.thread, result(event)) else {
            return;
        };
        let entry = if number >= 0 {
            self.new_fd(Kind::Pidfd, |fd| {
                fd.pid = event.signed(1).unwrap_or(-1);
                fd.name.extend_from_slice(b"/proc/");
                let pid = fd.pid;
                push_i64(&mut fd.name, pid);
                fd.open_flags = event.unsigned(2).unwrap_or(0) as u32;
                // The kernel always sets it.
                fd.close_on_exec = true;
            })
        } else {
            self.new_fd(Kind::Unknown, |_| {})
        };
        self.add_fd(slot, number, entry);
    }

    /// pidfd_getfd: a copy of another process's descriptor.
    pub(crate) fn parse_pidfd_getfd(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(number)) = (self.context.thread, result(event)) else {
            return;
        };
        let (Some(pidfd @ 0..), Some(target @ 0..)) = (event.signed(1), event.signed(2)) else {
            return;
        };
        let entry = self
            .fd_at(slot, pidfd)
            .filter(|fd| fd.kind == Kind::Pidfd)
            .and_then(|fd| self.threads.find(fd.pid))
            .and_then(|other| self.threads.fd_owner(other))
            .and_then(|owner| self.threads.at(owner).fds.shared(target));
        if let Some(entry) = entry {
            self.add_fd(slot, number, entry);
            self.context.fd = None;
        }
    }
}
