//! Names of the system calls that have no event type of their own and come as generic events.

/// Sorted, as [`is_generic`] searches it.
#[rustfmt::skip]
pub(super) static GENERIC: &[&str] = &[
    "_newselect", "_sysctl", "acct", "add_key", "adjtimex", "alarm", "arch_prctl", "bdflush", "cachestat", "capget",
    "clock_adjtime", "clock_getres", "clock_gettime", "clock_nanosleep", "clock_settime", "create_module",
    "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait_old", "exit", "exit_group",
    "faccessat", "faccessat2", "fadvise64", "fallocate", "fanotify_init", "fanotify_mark", "fchmodat2", "fdatasync",
    "fgetxattr", "file_getattr", "file_setattr", "flistxattr", "fremovexattr", "fsetxattr", "fsmount", "fsopen",
    "fspick", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "futex_requeue", "futex_wait",
    "futex_waitv", "futex_wake", "futimesat", "get_kernel_syms", "get_mempolicy", "get_robust_list",
    "get_thread_area", "getcpu", "getgroups", "getitimer", "getpgid", "getpgrp", "getpid", "getpmsg", "getppid",
    "getpriority", "getrandom", "getrusage", "getsid", "gettid", "gettimeofday", "getxattr", "getxattrat", "idle",
    "inotify_add_watch", "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup",
    "io_submit", "ioperm", "iopl", "ioprio_get", "ioprio_set", "ipc", "kcmp", "kexec_file_load", "kexec_load",
    "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "lgetxattr", "listmount", "listns",
    "listxattr", "listxattrat", "llistxattr", "lookup_dcookie", "lremovexattr", "lsetxattr", "lsm_get_self_attr",
    "lsm_list_modules", "lsm_set_self_attr", "madvise", "map_shadow_stack", "mbind", "membarrier", "memfd_secret",
    "migrate_pages", "mincore", "modify_ldt", "mount_setattr", "move_mount", "move_pages", "mq_getsetattr",
    "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "mremap", "mseal", "msgctl", "msgget",
    "msgrcv", "msgsnd", "msync", "multiplexer", "name_to_handle_at", "nfsservctl", "nice", "oldfstat", "oldlstat",
    "oldolduname", "oldstat", "olduname", "open_tree", "open_tree_attr", "pause", "pciconfig_iobase",
    "pciconfig_read", "pciconfig_write", "perf_event_open", "personality", "pidfd_send_signal", "pivot_root",
    "pkey_alloc", "pkey_free", "pkey_mprotect", "preadv2", "process_madvise", "process_mrelease", "pselect6",
    "pwritev2", "query_module", "quotactl_fd", "readahead", "readdir", "readlink", "readlinkat", "reboot",
    "remap_file_pages", "removexattr", "removexattrat", "request_key", "restart_syscall", "riscv_flush_icache",
    "riscv_hwprobe", "rseq", "rseq_slice_yield", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
    "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "rtas",
    "s390_guarded_storage", "s390_pci_mmio_read", "s390_pci_mmio_write", "s390_runtime_instr", "s390_sthyi",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr", "sched_setparam",
    "sched_setscheduler", "sched_yield", "semtimedop", "set_mempolicy", "set_mempolicy_home_node",
    "set_robust_list", "set_thread_area", "set_tid_address", "setdomainname", "setfsgid", "setfsuid", "setgroups",
    "sethostname", "setitimer", "setpriority", "settimeofday", "setxattr", "setxattrat", "sgetmask", "shmat",
    "shmctl", "shmdt", "shmget", "sigaction", "sigaltstack", "signal", "sigpending", "sigprocmask", "sigreturn",
    "sigsuspend", "socketcall", "spu_create", "spu_run", "ssetmask", "statfs", "statfs64", "statmount", "statx",
    "stime", "subpage_prot", "swapcontext", "swapoff", "swapon", "switch_endian", "sync", "sync_file_range",
    "sync_file_range2", "syncfs", "sys_debug_setcontext", "sysfs", "sysinfo", "syslog", "tee", "time",
    "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime", "timerfd",
    "timerfd_gettime", "timerfd_settime", "times", "truncate", "umask", "uname", "uprobe", "uretprobe", "uselib",
    "ustat", "utime", "utimensat", "utimes", "vhangup", "vm86", "vmsplice", "wait4", "waitid", "waitpid",
];

/// True for a system call that comes as a generic event.
pub(super) fn is_generic(name: &str) -> bool {
    GENERIC.binary_search(&name).is_ok()
}
