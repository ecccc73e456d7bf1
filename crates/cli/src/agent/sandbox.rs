//! The system calls that the agent may make once it runs. What parses attackers' bytes should not be able to do more than
//! its work, whatever goes wrong in it.
//!
//! Two forms: the strict one allows what the agent, its outputs and its captures need, and nothing else; the one for
//! agents with a `program:` output, which must let that program work, refuses what no such program needs. A refused call
//! fails with EPERM.

use std::collections::BTreeMap;

use anyhow::Context;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter_all_threads,
};

/// What the agent, its outputs and its captures do.
const ALLOWED: &[i64] = &[
    // files and descriptors
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fadvise64,
    libc::SYS_flock,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_umask,
    // waiting and watching
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    // memory and threads
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // what a process may know of itself
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrandom,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_prlimit64,
    libc::SYS_capget,
    // sockets of outputs, the metrics page and the server
    libc::SYS_connect,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_bind,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
    libc::SYS_socketpair,
];

/// Older forms of the calls above, which only x86-64 has.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_pipe,
    libc::SYS_dup2,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[i64] = &[];

/// Address families of sockets: local, IPv4, IPv6, and the kernel's routes, which name resolution reads.
const FAMILIES: &[i32] = &[
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// Commands of bpf(2) that use tables and describe objects whose descriptors the agent holds: look up, update, delete,
/// next key, object info, batch look up. Loading and attaching are not among them. Source: `enum bpf_cmd`.
const BPF_COMMANDS: &[u64] = &[1, 2, 3, 4, 15, 24];

/// What a guard stage does while it runs: marks, verdicts' answers, signals to processes by descriptor.
const GUARD: &[i64] = &[
    libc::SYS_fanotify_mark,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_execve,
    libc::SYS_wait4,
    libc::SYS_waitid,
    // the canary's own mount namespace
    libc::SYS_unshare,
];

/// What carrying out an order takes: signals to processes by descriptor.
const RESPOND: &[i64] = &[libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal];

/// The command with which a guard stage asks where a file comes from: run a program.
const GUARD_BPF: u64 = 10;

/// What no output program needs and an attacker would like.
const REFUSED: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_open_by_handle_at,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_acct,
    libc::SYS_quotactl,
];

/// What the filter must let through besides the agent itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Besides {
    /// A `program:` output is configured.
    pub(crate) programs: bool,
    /// A stage denies or kills.
    pub(crate) guard: bool,
    /// Orders of people are carried out.
    pub(crate) respond: bool,
}

/// Restricts every thread of this process, and all that it starts, from now on.
pub(crate) fn enter(besides: Besides) -> anyhow::Result<()> {
    for filter in filters(besides)? {
        apply_filter_all_threads(&filter).context("restricting system calls (seccomp)")?;
    }
    Ok(())
}

fn filters(besides: Besides) -> anyhow::Result<Vec<BpfProgram>> {
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let always = |calls: &[i64]| -> BTreeMap<i64, Vec<SeccompRule>> {
        calls.iter().map(|call| (*call, Vec::new())).collect()
    };
    if besides.programs {
        let rules = always(REFUSED);
        return Ok(vec![program(rules, SeccompAction::Allow, refuse)?]);
    }
    let mut rules = always(ALLOWED);
    rules.extend(always(ALLOWED_HERE));
    if besides.respond {
        rules.extend(always(RESPOND));
    }
    if besides.guard {
        rules.extend(always(GUARD));
    }
    let one_of = |values: Vec<u64>, mask: Option<u64>| -> anyhow::Result<Vec<SeccompRule>> {
        values
            .into_iter()
            .map(|value| {
                let op = mask.map_or(Op::Eq, Op::MaskedEq);
                let condition = SeccompCondition::new(0, Len::Dword, op, value)?;
                Ok(SeccompRule::new(vec![condition])?)
            })
            .collect()
    };
    rules.insert(
        libc::SYS_socket,
        one_of(FAMILIES.iter().map(|family| *family as u64).collect(), None)?,
    );
    let mut commands = BPF_COMMANDS.to_vec();
    // threads, but no processes
    let thread = libc::CLONE_THREAD as u64;
    let mut clones = one_of(vec![thread], Some(thread))?;
    if besides.guard {
        commands.push(GUARD_BPF);
        // the canary, which is to be stopped when it is executed
        let child = libc::CLONE_VFORK as u64;
        clones.extend(one_of(vec![child], Some(child))?);
    }
    rules.insert(libc::SYS_bpf, one_of(commands, None)?);
    rules.insert(libc::SYS_clone, clones);
    // naming threads and memory
    rules.insert(
        libc::SYS_prctl,
        one_of(
            vec![libc::PR_SET_NAME as u64, libc::PR_SET_VMA as u64],
            None,
        )?,
    );
    // aborting, which signals this process itself
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, one_of(vec![own], None)?);
    // The arguments of clone3 cannot be looked at. Where it does not exist, the C library uses clone.
    let absent = SeccompAction::Errno(libc::ENOSYS as u32);
    let clone3 = always(&[libc::SYS_clone3]);
    // the strict one last: it does not allow a further filter
    Ok(vec![
        program(clone3, SeccompAction::Allow, absent)?,
        program(rules, refuse, SeccompAction::Allow)?,
    ])
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> anyhow::Result<BpfProgram> {
    let here = std::env::consts::ARCH
        .try_into()
        .context("seccomp on this architecture")?;
    let filter = SeccompFilter::new(rules, otherwise, matched, here).context("seccomp filter")?;
    filter.try_into().context("seccomp filter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_compiles_within_the_kernels_limit() {
        for programs in [false, true] {
            for guard in [false, true] {
                for respond in [false, true] {
                    let besides = Besides {
                        programs,
                        guard,
                        respond,
                    };
                    for filter in filters(besides).expect("sound rules") {
                        assert!(!filter.is_empty() && filter.len() < 4096);
                    }
                }
            }
        }
    }
}
