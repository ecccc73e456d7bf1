//! Which old event becomes what: one row for each shape (type and number of parameters) that a recorder once wrote.
//!
//! A row is one step; older shapes take several. The facts are those of Falco 0.44 (libs, the capture engine's
//! conversion table): which types replaced which, and which parameters the start of a call used to hold.

use Take::{ContainerJson, Default, Empty, Old, Start, StartOrEmpty};

/// One step of one shape.
#[derive(Debug)]
pub(super) struct Row {
    /// Type of the event.
    pub from: &'static str,
    /// Its number of parameters.
    pub nparams: u8,
    /// Type of the result.
    pub to: &'static str,
    pub change: Change,
}

/// What is done with an event.
#[derive(Debug)]
pub(super) enum Change {
    /// A start of a call that holds nothing its end lacks, but that Falco numbers.
    Pass,
    /// A start of a call that is kept for its end.
    Keep { numbered: bool },
    /// Parameters are appended.
    Add(&'static [Take]),
    /// It becomes another type with these parameters.
    Become(&'static [Take]),
}

/// Where a parameter comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Take {
    /// These parameters of the event itself, first to last.
    Old(u8, u8),
    /// This parameter of the call's start, else the default of its type.
    Start(u8),
    /// This parameter of the call's start, else nothing.
    StartOrEmpty(u8),
    /// The default of its type.
    Default,
    /// This many parameters without a value.
    Empty(u8),
    /// The JSON text made of an old container event.
    ContainerJson,
}

const fn row(from: &'static str, nparams: u8, to: &'static str, change: Change) -> Row {
    Row {
        from,
        nparams,
        to,
        change,
    }
}

const fn kept(from: &'static str, nparams: u8) -> Row {
    row(from, nparams, from, Change::Keep { numbered: false })
}

const fn kept_and_numbered(from: &'static str, nparams: u8) -> Row {
    row(from, nparams, from, Change::Keep { numbered: true })
}

const fn numbered(from: &'static str, nparams: u8) -> Row {
    row(from, nparams, from, Change::Pass)
}

const fn add(from: &'static str, nparams: u8, takes: &'static [Take]) -> Row {
    row(from, nparams, from, Change::Add(takes))
}

const fn becomes(from: &'static str, nparams: u8, to: &'static str, takes: &'static [Take]) -> Row {
    row(from, nparams, to, Change::Become(takes))
}

/// Every step.
#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    // Files.
    kept("GENERIC_E", 2),
    add("GENERIC_X", 1, &[StartOrEmpty(1)]),
    add("SYSCALL_OPEN_E", 0, &[Empty(3)]),
    numbered("SYSCALL_OPEN_E", 3),
    add("SYSCALL_OPEN_X", 4, &[Empty(1)]),
    add("SYSCALL_OPEN_X", 5, &[Empty(1)]),
    add("SYSCALL_CREAT_E", 0, &[Empty(2)]),
    numbered("SYSCALL_CREAT_E", 2),
    add("SYSCALL_CREAT_X", 3, &[Empty(1)]),
    add("SYSCALL_CREAT_X", 4, &[Empty(1)]),
    add("SYSCALL_CREAT_X", 5, &[Empty(1)]),
    kept("SYSCALL_OPENAT_E", 4),
    becomes("SYSCALL_OPENAT_X", 1, "SYSCALL_OPENAT_2_X", &[Old(0, 0), StartOrEmpty(0), StartOrEmpty(1), StartOrEmpty(2), StartOrEmpty(3), Empty(2)]),
    add("SYSCALL_OPENAT_2_E", 0, &[Empty(4)]),
    numbered("SYSCALL_OPENAT_2_E", 4),
    add("SYSCALL_OPENAT_2_X", 5, &[Empty(1)]),
    add("SYSCALL_OPENAT_2_X", 6, &[Empty(1)]),
    add("SYSCALL_OPENAT2_E", 0, &[Empty(5)]),
    numbered("SYSCALL_OPENAT2_E", 5),
    add("SYSCALL_OPENAT2_X", 6, &[Empty(2)]),
    kept("SYSCALL_CLOSE_E", 1),
    add("SYSCALL_CLOSE_X", 1, &[Start(0)]),
    kept("SYSCALL_READ_E", 2),
    add("SYSCALL_READ_X", 2, &[Start(0), Start(1)]),
    kept("SYSCALL_WRITE_E", 2),
    add("SYSCALL_WRITE_X", 2, &[Start(0), Start(1)]),
    kept("SYSCALL_PREAD_E", 3),
    add("SYSCALL_PREAD_X", 2, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_PWRITE_E", 3),
    add("SYSCALL_PWRITE_X", 2, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_READV_E", 1),
    add("SYSCALL_READV_X", 3, &[Start(0)]),
    kept("SYSCALL_WRITEV_E", 2),
    add("SYSCALL_WRITEV_X", 2, &[Start(0), Start(1)]),
    kept("SYSCALL_PREADV_E", 2),
    add("SYSCALL_PREADV_X", 3, &[Start(0), Start(1)]),
    kept("SYSCALL_PWRITEV_E", 3),
    add("SYSCALL_PWRITEV_X", 2, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_SENDFILE_E", 4),
    add("SYSCALL_SENDFILE_X", 2, &[Start(0), Start(1), Start(3)]),
    kept("SYSCALL_COPY_FILE_RANGE_E", 3),
    add("SYSCALL_COPY_FILE_RANGE_X", 3, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_SPLICE_E", 4),
    add("SYSCALL_SPLICE_X", 1, &[Start(0), Start(1), Start(2), Start(3)]),
    kept("SYSCALL_LSEEK_E", 3),
    add("SYSCALL_LSEEK_X", 1, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_LLSEEK_E", 3),
    add("SYSCALL_LLSEEK_X", 1, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_FSTAT_E", 1),
    add("SYSCALL_FSTAT_X", 1, &[Start(0)]),
    kept("SYSCALL_ACCESS_E", 1),
    add("SYSCALL_ACCESS_X", 2, &[Start(0)]),
    kept("SYSCALL_FCNTL_E", 2),
    add("SYSCALL_FCNTL_X", 1, &[Start(0), Start(1)]),
    add("SYSCALL_FCNTL_X", 3, &[Default]),
    kept("SYSCALL_FLOCK_E", 2),
    add("SYSCALL_FLOCK_X", 1, &[Start(0), Start(1)]),
    kept("SYSCALL_FCHDIR_E", 1),
    add("SYSCALL_FCHDIR_X", 1, &[StartOrEmpty(0)]),
    kept("SYSCALL_GETDENTS_E", 1),
    add("SYSCALL_GETDENTS_X", 1, &[Start(0)]),
    kept("SYSCALL_GETDENTS64_E", 1),
    add("SYSCALL_GETDENTS64_X", 1, &[Start(0)]),
    kept("SYSCALL_DUP_E", 1),
    becomes("SYSCALL_DUP_X", 1, "SYSCALL_DUP_1_X", &[Old(0, 0), StartOrEmpty(0)]),
    kept("SYSCALL_IOCTL_2_E", 2),
    becomes("SYSCALL_IOCTL_2_X", 1, "SYSCALL_IOCTL_3_X", &[Old(0, 0), StartOrEmpty(0), StartOrEmpty(1), Empty(1)]),
    kept("SYSCALL_IOCTL_3_E", 3),
    add("SYSCALL_IOCTL_3_X", 1, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_LINK_E", 2),
    becomes("SYSCALL_LINK_X", 1, "SYSCALL_LINK_2_X", &[Old(0, 0), StartOrEmpty(0), StartOrEmpty(1)]),
    kept("SYSCALL_LINKAT_E", 4),
    becomes("SYSCALL_LINKAT_X", 1, "SYSCALL_LINKAT_2_X", &[Old(0, 0), StartOrEmpty(0), StartOrEmpty(1), StartOrEmpty(2), StartOrEmpty(3), Empty(1)]),
    kept("SYSCALL_UNLINK_E", 1),
    becomes("SYSCALL_UNLINK_X", 1, "SYSCALL_UNLINK_2_X", &[Old(0, 0), StartOrEmpty(0)]),
    kept("SYSCALL_UNLINKAT_E", 2),
    becomes("SYSCALL_UNLINKAT_X", 1, "SYSCALL_UNLINKAT_2_X", &[Old(0, 0), StartOrEmpty(0), StartOrEmpty(1), Empty(1)]),
    kept("SYSCALL_MKDIR_E", 2),
    becomes("SYSCALL_MKDIR_X", 1, "SYSCALL_MKDIR_2_X", &[Old(0, 0), StartOrEmpty(0), StartOrEmpty(1)]),
    kept("SYSCALL_MKDIR_2_E", 1),
    add("SYSCALL_MKDIR_2_X", 2, &[StartOrEmpty(0)]),
    kept("SYSCALL_RMDIR_E", 1),
    becomes("SYSCALL_RMDIR_X", 1, "SYSCALL_RMDIR_2_X", &[Old(0, 0), StartOrEmpty(0)]),
    kept("SYSCALL_MOUNT_E", 1),
    add("SYSCALL_MOUNT_X", 4, &[Start(0)]),
    becomes("SYSCALL_UMOUNT_X", 2, "SYSCALL_UMOUNT_1_X", &[Old(0, 1)]),
    kept("SYSCALL_UMOUNT2_E", 1),
    add("SYSCALL_UMOUNT2_X", 2, &[Start(0)]),
    kept("SYSCALL_QUOTACTL_E", 4),
    add("SYSCALL_QUOTACTL_X", 14, &[Start(0), Start(1), Start(2), Start(3)]),
    // Descriptors that are not files.
    kept("SYSCALL_SIGNALFD_E", 3),
    add("SYSCALL_SIGNALFD_X", 1, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_SIGNALFD4_E", 2),
    add("SYSCALL_SIGNALFD4_X", 2, &[Start(0), Start(1)]),
    kept("SYSCALL_TIMERFD_CREATE_E", 2),
    add("SYSCALL_TIMERFD_CREATE_X", 1, &[Start(0), Start(1)]),
    kept("SYSCALL_INOTIFY_INIT_E", 1),
    add("SYSCALL_INOTIFY_INIT_X", 1, &[Start(0)]),
    kept("SYSCALL_EVENTFD_E", 2),
    add("SYSCALL_EVENTFD_X", 1, &[Start(0), Start(1)]),
    kept("SYSCALL_EVENTFD2_E", 1),
    add("SYSCALL_EVENTFD2_X", 2, &[Start(0)]),
    kept("SYSCALL_EPOLL_CREATE_E", 1),
    add("SYSCALL_EPOLL_CREATE_X", 1, &[Start(0)]),
    kept("SYSCALL_EPOLL_CREATE1_E", 1),
    add("SYSCALL_EPOLL_CREATE1_X", 1, &[Start(0)]),
    kept("SYSCALL_EPOLLWAIT_E", 1),
    add("SYSCALL_EPOLLWAIT_X", 1, &[Start(0)]),
    kept("SYSCALL_POLL_E", 2),
    add("SYSCALL_POLL_X", 2, &[Start(1)]),
    kept("SYSCALL_PPOLL_E", 3),
    add("SYSCALL_PPOLL_X", 2, &[Start(1), Start(2)]),
    becomes("SYSCALL_NEWSELECT_X", 1, "SYSCALL_SELECT_X", &[Old(0, 0)]),
    // Sockets.
    kept("SOCKET_SOCKET_E", 3),
    add("SOCKET_SOCKET_X", 1, &[Start(0), Start(1), Start(2)]),
    add("SOCKET_SOCKET_X", 4, &[Default]),
    kept("SOCKET_BIND_E", 1),
    add("SOCKET_BIND_X", 2, &[Start(0)]),
    add("SOCKET_CONNECT_E", 1, &[Default]),
    kept_and_numbered("SOCKET_CONNECT_E", 2),
    add("SOCKET_CONNECT_X", 2, &[Start(0)]),
    add("SOCKET_CONNECT_X", 3, &[Start(1)]),
    kept("SOCKET_LISTEN_E", 2),
    add("SOCKET_LISTEN_X", 1, &[Start(0), Start(1)]),
    becomes("SOCKET_ACCEPT_X", 3, "SOCKET_ACCEPT_5_X", &[Old(0, 2), Default, Default]),
    kept("SOCKET_ACCEPT4_E", 1),
    becomes("SOCKET_ACCEPT4_X", 3, "SOCKET_ACCEPT4_6_X", &[Old(0, 2), Default, Default, Start(0)]),
    kept("SOCKET_ACCEPT4_5_E", 1),
    becomes("SOCKET_ACCEPT4_5_X", 5, "SOCKET_ACCEPT4_6_X", &[Old(0, 4), Start(0)]),
    kept("SOCKET_ACCEPT4_6_E", 1),
    add("SOCKET_ACCEPT4_6_X", 5, &[Start(0)]),
    kept("SOCKET_RECV_E", 2),
    add("SOCKET_RECV_X", 2, &[Start(0), Start(1), Default]),
    kept("SOCKET_RECVFROM_E", 2),
    add("SOCKET_RECVFROM_X", 3, &[Start(0), Start(1)]),
    kept("SOCKET_SEND_E", 2),
    add("SOCKET_SEND_X", 2, &[Start(0), Start(1), Default]),
    kept("SOCKET_SENDTO_E", 3),
    add("SOCKET_SENDTO_X", 2, &[Start(0), Start(1), Start(2)]),
    kept("SOCKET_SHUTDOWN_E", 2),
    add("SOCKET_SHUTDOWN_X", 1, &[Start(0), Start(1)]),
    kept("SOCKET_SOCKETPAIR_E", 3),
    add("SOCKET_SOCKETPAIR_X", 5, &[Start(0), Start(1), Start(2)]),
    kept("SOCKET_SENDMSG_E", 3),
    add("SOCKET_SENDMSG_X", 2, &[Start(0), Start(1), Start(2)]),
    add("SOCKET_SENDMMSG_X", 0, &[Default, Empty(4)]),
    add("SOCKET_RECVMSG_X", 4, &[Default]),
    kept("SOCKET_RECVMSG_E", 1),
    add("SOCKET_RECVMSG_X", 5, &[Start(0)]),
    add("SOCKET_RECVMMSG_X", 0, &[Default, Empty(5)]),
    // Memory.
    kept("SYSCALL_BRK_1_E", 1),
    becomes("SYSCALL_BRK_1_X", 1, "SYSCALL_BRK_4_X", &[Old(0, 0), StartOrEmpty(0), Empty(3)]),
    kept("SYSCALL_BRK_4_E", 1),
    add("SYSCALL_BRK_4_X", 4, &[StartOrEmpty(0)]),
    kept("SYSCALL_MMAP_E", 6),
    add("SYSCALL_MMAP_X", 4, &[Start(0), Start(1), Start(2), Start(3), Start(4), Start(5)]),
    kept("SYSCALL_MMAP2_E", 6),
    add("SYSCALL_MMAP2_X", 4, &[Start(0), Start(1), Start(2), Start(3), Start(4), Start(5)]),
    kept("SYSCALL_MUNMAP_E", 2),
    add("SYSCALL_MUNMAP_X", 4, &[Start(0), Start(1)]),
    kept("SYSCALL_MPROTECT_E", 3),
    add("SYSCALL_MPROTECT_X", 1, &[Start(0), Start(1), Start(2)]),
    // Processes: programs.
    becomes("SYSCALL_EXECVE_8_E", 0, "SYSCALL_EXECVE_13_E", &[]),
    becomes("SYSCALL_EXECVE_13_E", 0, "SYSCALL_EXECVE_14_E", &[]),
    becomes("SYSCALL_EXECVE_14_E", 0, "SYSCALL_EXECVE_15_E", &[]),
    becomes("SYSCALL_EXECVE_15_E", 0, "SYSCALL_EXECVE_16_E", &[]),
    becomes("SYSCALL_EXECVE_16_E", 0, "SYSCALL_EXECVE_17_E", &[]),
    becomes("SYSCALL_EXECVE_17_E", 0, "SYSCALL_EXECVE_18_E", &[Empty(1)]),
    becomes("SYSCALL_EXECVE_18_E", 1, "SYSCALL_EXECVE_19_E", &[Old(0, 0)]),
    kept_and_numbered("SYSCALL_EXECVE_19_E", 1),
    becomes("SYSCALL_EXECVE_8_X", 8, "SYSCALL_EXECVE_13_X", &[Old(0, 7), Empty(5)]),
    becomes("SYSCALL_EXECVE_13_X", 13, "SYSCALL_EXECVE_14_X", &[Old(0, 12), Empty(1)]),
    becomes("SYSCALL_EXECVE_14_X", 14, "SYSCALL_EXECVE_15_X", &[Old(0, 12), Empty(1), Old(13, 13)]),
    becomes("SYSCALL_EXECVE_15_X", 15, "SYSCALL_EXECVE_16_X", &[Old(0, 13), Empty(1), Old(14, 14)]),
    becomes("SYSCALL_EXECVE_16_X", 16, "SYSCALL_EXECVE_17_X", &[Old(0, 15), Empty(1)]),
    becomes("SYSCALL_EXECVE_17_X", 17, "SYSCALL_EXECVE_18_X", &[Old(0, 16)]),
    becomes("SYSCALL_EXECVE_18_X", 17, "SYSCALL_EXECVE_19_X", &[Old(0, 16), Empty(1)]),
    add("SYSCALL_EXECVE_19_X", 18, &[Empty(1)]),
    add("SYSCALL_EXECVE_19_X", 19, &[Empty(1)]),
    add("SYSCALL_EXECVE_19_X", 20, &[Empty(3)]),
    add("SYSCALL_EXECVE_19_X", 23, &[Empty(3)]),
    add("SYSCALL_EXECVE_19_X", 26, &[Empty(1)]),
    add("SYSCALL_EXECVE_19_X", 27, &[Empty(1)]),
    add("SYSCALL_EXECVE_19_X", 28, &[Empty(1)]),
    add("SYSCALL_EXECVE_19_X", 29, &[Empty(1)]),
    add("SYSCALL_EXECVE_19_X", 30, &[StartOrEmpty(0)]),
    numbered("SYSCALL_EXECVEAT_E", 3),
    add("SYSCALL_EXECVEAT_X", 19, &[Empty(1)]),
    add("SYSCALL_EXECVEAT_X", 20, &[Empty(3)]),
    add("SYSCALL_EXECVEAT_X", 23, &[Empty(3)]),
    add("SYSCALL_EXECVEAT_X", 26, &[Empty(1)]),
    add("SYSCALL_EXECVEAT_X", 27, &[Empty(1)]),
    add("SYSCALL_EXECVEAT_X", 28, &[Empty(1)]),
    add("SYSCALL_EXECVEAT_X", 29, &[Empty(1)]),
    // Processes: births and deaths.
    becomes("SYSCALL_CLONE_11_X", 11, "SYSCALL_CLONE_16_X", &[Old(0, 7), Empty(5), Old(8, 10)]),
    becomes("SYSCALL_CLONE_16_X", 16, "SYSCALL_CLONE_17_X", &[Old(0, 12), Empty(1), Old(13, 15)]),
    becomes("SYSCALL_CLONE_17_X", 17, "SYSCALL_CLONE_20_X", &[Old(0, 13), Empty(1), Old(14, 16), Empty(2)]),
    add("SYSCALL_CLONE_20_X", 20, &[Empty(1)]),
    add("SYSCALL_CLONE3_X", 20, &[Empty(1)]),
    becomes("SYSCALL_FORK_X", 16, "SYSCALL_FORK_17_X", &[Old(0, 12), Empty(1), Old(13, 15)]),
    becomes("SYSCALL_FORK_17_X", 17, "SYSCALL_FORK_20_X", &[Old(0, 13), Empty(1), Old(14, 16), Empty(2)]),
    add("SYSCALL_FORK_20_X", 20, &[Empty(1)]),
    becomes("SYSCALL_VFORK_X", 16, "SYSCALL_VFORK_17_X", &[Old(0, 12), Empty(1), Old(13, 15)]),
    becomes("SYSCALL_VFORK_17_X", 17, "SYSCALL_VFORK_20_X", &[Old(0, 13), Empty(1), Old(14, 16), Empty(2)]),
    add("SYSCALL_VFORK_20_X", 20, &[Empty(1)]),
    becomes("PROCEXIT_E", 0, "PROCEXIT_1_E", &[Empty(5)]),
    becomes("SCHEDSWITCH_1_E", 1, "SCHEDSWITCH_6_E", &[Old(0, 0), Empty(5)]),
    kept("SYSCALL_KILL_E", 2),
    add("SYSCALL_KILL_X", 1, &[Start(0), Start(1)]),
    kept("SYSCALL_TKILL_E", 2),
    add("SYSCALL_TKILL_X", 1, &[Start(0), Start(1)]),
    kept("SYSCALL_TGKILL_E", 3),
    add("SYSCALL_TGKILL_X", 1, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_NANOSLEEP_E", 1),
    add("SYSCALL_NANOSLEEP_X", 1, &[Start(0)]),
    kept("SYSCALL_FUTEX_E", 3),
    add("SYSCALL_FUTEX_X", 1, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_PTRACE_E", 2),
    add("SYSCALL_PTRACE_X", 3, &[StartOrEmpty(0), StartOrEmpty(1)]),
    add("SYSCALL_PTRACE_X", 0, &[Empty(3)]),
    // Identity, limits, namespaces.
    kept("SYSCALL_SETUID_E", 1),
    add("SYSCALL_SETUID_X", 1, &[StartOrEmpty(0)]),
    kept("SYSCALL_SETGID_E", 1),
    add("SYSCALL_SETGID_X", 1, &[StartOrEmpty(0)]),
    kept("SYSCALL_SETRESUID_E", 3),
    add("SYSCALL_SETRESUID_X", 1, &[StartOrEmpty(0), StartOrEmpty(1), StartOrEmpty(2)]),
    kept("SYSCALL_SETRESGID_E", 3),
    add("SYSCALL_SETRESGID_X", 1, &[StartOrEmpty(0), StartOrEmpty(1), StartOrEmpty(2)]),
    kept("SYSCALL_SETPGID_E", 2),
    add("SYSCALL_SETPGID_X", 1, &[StartOrEmpty(0), StartOrEmpty(1)]),
    kept("SYSCALL_GETRLIMIT_E", 1),
    add("SYSCALL_GETRLIMIT_X", 3, &[Start(0)]),
    kept("SYSCALL_SETRLIMIT_E", 1),
    add("SYSCALL_SETRLIMIT_X", 3, &[Start(0)]),
    kept("SYSCALL_PRLIMIT_E", 2),
    add("SYSCALL_PRLIMIT_X", 5, &[StartOrEmpty(0), StartOrEmpty(1)]),
    kept("SYSCALL_UNSHARE_E", 1),
    add("SYSCALL_UNSHARE_X", 1, &[Start(0)]),
    kept("SYSCALL_SETNS_E", 2),
    add("SYSCALL_SETNS_X", 1, &[StartOrEmpty(0), StartOrEmpty(1)]),
    add("SYSCALL_SECCOMP_E", 1, &[Default]),
    kept("SYSCALL_SECCOMP_E", 2),
    add("SYSCALL_SECCOMP_X", 1, &[Start(0), Start(1)]),
    kept("SYSCALL_BPF_E", 1),
    becomes("SYSCALL_BPF_X", 1, "SYSCALL_BPF_2_X", &[Old(0, 0), StartOrEmpty(0)]),
    // System V semaphores.
    kept("SYSCALL_SEMOP_E", 1),
    add("SYSCALL_SEMOP_X", 8, &[Start(0)]),
    kept("SYSCALL_SEMGET_E", 3),
    add("SYSCALL_SEMGET_X", 1, &[Start(0), Start(1), Start(2)]),
    kept("SYSCALL_SEMCTL_E", 4),
    add("SYSCALL_SEMCTL_X", 1, &[Start(0), Start(1), Start(2), Start(3)]),
    // Containers.
    becomes("CONTAINER_E", 4, "CONTAINER_JSON_E", &[ContainerJson]),
    becomes("CONTAINER_JSON_E", 1, "CONTAINER_JSON_2_E", &[Old(0, 0)]),
];
