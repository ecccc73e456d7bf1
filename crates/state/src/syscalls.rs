//! Names of system calls by the portable number that generic events carry.

/// Number that stands for a system call which the recorder did not know.
pub(crate) const UNKNOWN: u16 = 0;

/// Name of portable number `id`; `unknown` where there is none.
pub(crate) fn name(id: u16) -> &'static str {
    NAMES.get(usize::from(id)).copied().unwrap_or("unknown")
}

/// Name by the number of the x86-64 kernel interface, for system calls that the recorder of a capture did not know yet.
pub(crate) fn by_native(number: u16) -> Option<&'static str> {
    NATIVE
        .iter()
        .find(|(native, _)| *native == number)
        .map(|(_, name)| *name)
}

#[rustfmt::skip]
static NAMES: &[&str] = &[
    "unknown", "restart_syscall", "exit", "read", "write", "open", "close", "creat", "link", "unlink", "chdir",
    "time", "mknod", "chmod", "stat", "lseek", "getpid", "mount", "ptrace", "alarm", "fstat", "pause", "utime",
    "access", "sync", "kill", "rename", "mkdir", "rmdir", "dup", "pipe", "times", "brk", "acct", "ioctl", "fcntl",
    "setpgid", "umask", "chroot", "ustat", "dup2", "getppid", "getpgrp", "setsid", "sethostname", "setrlimit",
    "getrusage", "gettimeofday", "settimeofday", "symlink", "lstat", "readlink", "uselib", "swapon", "reboot", "mmap",
    "munmap", "truncate", "ftruncate", "fchmod", "getpriority", "setpriority", "statfs", "fstatfs", "syslog",
    "setitimer", "getitimer", "uname", "vhangup", "wait4", "swapoff", "sysinfo", "fsync", "setdomainname", "adjtimex",
    "mprotect", "init_module", "delete_module", "quotactl", "getpgid", "fchdir", "sysfs", "personality", "getdents",
    "select", "flock", "msync", "readv", "writev", "getsid", "fdatasync", "mlock", "munlock", "mlockall",
    "munlockall", "sched_setparam", "sched_getparam", "sched_setscheduler", "sched_getscheduler", "sched_yield",
    "sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval", "nanosleep", "mremap", "poll",
    "prctl", "rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo", "rt_sigsuspend",
    "getcwd", "capget", "capset", "sendfile", "getrlimit", "lchown", "getuid", "getgid", "geteuid", "getegid",
    "setreuid", "setregid", "getgroups", "setgroups", "fchown", "setresuid", "getresuid", "setresgid", "getresgid",
    "chown", "setuid", "setgid", "setfsuid", "setfsgid", "pivot_root", "mincore", "madvise", "gettid", "setxattr",
    "lsetxattr", "fsetxattr", "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr",
    "removexattr", "lremovexattr", "fremovexattr", "tkill", "futex", "sched_setaffinity", "sched_getaffinity",
    "set_thread_area", "get_thread_area", "io_setup", "io_destroy", "io_getevents", "io_submit", "io_cancel",
    "exit_group", "epoll_create", "epoll_ctl", "epoll_wait", "remap_file_pages", "set_tid_address", "timer_create",
    "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete", "clock_settime", "clock_gettime",
    "clock_getres", "clock_nanosleep", "tgkill", "utimes", "mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive",
    "mq_notify", "mq_getsetattr", "kexec_load", "waitid", "add_key", "request_key", "keyctl", "ioprio_set",
    "ioprio_get", "inotify_init", "inotify_add_watch", "inotify_rm_watch", "openat", "mkdirat", "mknodat", "fchownat",
    "futimesat", "unlinkat", "renameat", "linkat", "symlinkat", "readlinkat", "fchmodat", "faccessat", "pselect6",
    "ppoll", "unshare", "set_robust_list", "get_robust_list", "splice", "tee", "vmsplice", "getcpu", "epoll_pwait",
    "utimensat", "signalfd", "timerfd_create", "eventfd", "timerfd_settime", "timerfd_gettime", "signalfd4",
    "eventfd2", "epoll_create1", "dup3", "pipe2", "inotify_init1", "preadv", "pwritev", "rt_tgsigqueueinfo",
    "perf_event_open", "fanotify_init", "prlimit64", "clock_adjtime", "syncfs", "setns", "getdents64", "socket",
    "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "sendto", "recvfrom",
    "shutdown", "setsockopt", "getsockopt", "sendmsg", "sendmmsg", "recvmsg", "recvmmsg", "accept4", "semop",
    "semget", "semctl", "msgsnd", "msgrcv", "msgget", "msgctl", "shmdt", "shmget", "shmctl", "statfs64", "fstatfs64",
    "fstatat64", "sendfile64", "ugetrlimit", "bdflush", "sigprocmask", "ipc", "socketcall", "stat64", "lstat64",
    "fstat64", "fcntl64", "mmap2", "_newselect", "sgetmask", "ssetmask", "sigpending", "olduname", "umount", "signal",
    "nice", "stime", "_llseek", "waitpid", "pread64", "pwrite64", "arch_prctl", "shmat", "rt_sigreturn", "fallocate",
    "newfstatat", "process_vm_readv", "process_vm_writev", "fork", "vfork", "setuid32", "getuid32", "setgid32",
    "geteuid32", "getgid32", "setresuid32", "setresgid32", "getresuid32", "getresgid32", "finit_module", "bpf",
    "seccomp", "sigaltstack", "getrandom", "fadvise64", "renameat2", "userfaultfd", "openat2", "umount2", "execve",
    "execveat", "copy_file_range", "clone", "clone3", "open_by_handle_at", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "mlock2", "getegid32", "fsconfig", "fspick", "fsmount", "fsopen", "open_tree", "move_mount",
    "mount_setattr", "memfd_create", "memfd_secret", "ioperm", "kexec_file_load", "pidfd_getfd", "pidfd_open",
    "pidfd_send_signal", "pkey_alloc", "pkey_mprotect", "pkey_free", "landlock_create_ruleset", "quotactl_fd",
    "landlock_restrict_self", "landlock_add_rule", "epoll_pwait2", "migrate_pages", "move_pages", "preadv2",
    "pwritev2", "kcmp", "sched_setattr", "mbind", "epoll_ctl_old", "lookup_dcookie", "modify_ldt", "statx",
    "set_mempolicy", "io_pgetevents", "set_mempolicy_home_node", "semtimedop", "get_kernel_syms", "readahead",
    "futex_waitv", "getpmsg", "name_to_handle_at", "process_mrelease", "nfsservctl", "epoll_wait_old", "rseq",
    "create_module", "unknown", "sched_getattr", "faccessat2", "_sysctl", "query_module", "get_mempolicy",
    "sync_file_range", "process_madvise", "membarrier", "iopl", "close_range", "fanotify_mark", "recv", "send",
    "sched_process_exit", "sched_switch", "page_fault_user", "page_fault_kernel", "signal_deliver",
];

// System calls that came after the portable numbering of older recorders.
#[rustfmt::skip]
static NATIVE: &[(u16, &str)] = &[
    (15, "rt_sigreturn"), (25, "mremap"), (30, "shmat"), (131, "sigaltstack"), (154, "modify_ldt"),
    (158, "arch_prctl"), (172, "iopl"), (173, "ioperm"), (187, "readahead"), (212, "lookup_dcookie"),
    (220, "semtimedop"), (221, "fadvise64"), (237, "mbind"), (238, "set_mempolicy"), (239, "get_mempolicy"),
    (256, "migrate_pages"), (262, "newfstatat"), (277, "sync_file_range"), (279, "move_pages"), (285, "fallocate"),
    (301, "fanotify_mark"), (303, "name_to_handle_at"), (304, "open_by_handle_at"), (310, "process_vm_readv"),
    (311, "process_vm_writev"), (312, "kcmp"), (313, "finit_module"), (314, "sched_setattr"), (315, "sched_getattr"),
    (316, "renameat2"), (317, "seccomp"), (318, "getrandom"), (319, "memfd_create"), (320, "kexec_file_load"),
    (321, "bpf"), (322, "execveat"), (323, "userfaultfd"), (324, "membarrier"), (325, "mlock2"),
    (326, "copy_file_range"), (327, "preadv2"), (328, "pwritev2"), (329, "pkey_mprotect"), (330, "pkey_alloc"),
    (331, "pkey_free"), (332, "statx"), (333, "io_pgetevents"), (334, "rseq"), (424, "pidfd_send_signal"),
    (425, "io_uring_setup"), (426, "io_uring_enter"), (427, "io_uring_register"), (428, "open_tree"),
    (429, "move_mount"), (430, "fsopen"), (431, "fsconfig"), (432, "fsmount"), (433, "fspick"), (434, "pidfd_open"),
    (435, "clone3"), (436, "close_range"), (437, "openat2"), (438, "pidfd_getfd"), (439, "faccessat2"),
    (440, "process_madvise"), (441, "epoll_pwait2"), (442, "mount_setattr"), (443, "quotactl_fd"),
    (444, "landlock_create_ruleset"), (445, "landlock_add_rule"), (446, "landlock_restrict_self"),
    (447, "memfd_secret"), (448, "process_mrelease"), (449, "futex_waitv"), (450, "set_mempolicy_home_node"),
];

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_lead_to_names() {
        assert_eq!(super::name(176), "clock_gettime");
        assert_eq!(super::name(400), "signal_deliver");
        assert_eq!(super::name(9999), "unknown");
        assert_eq!(super::by_native(437), Some("openat2"));
    }
}
