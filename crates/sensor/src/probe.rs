//! What this kernel allows: the sensor's tier and what is lost without the next one.

use std::ffi::CString;
use std::fs;

/// Whether a hook can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookState {
    /// Tried, and it works.
    Works,
    /// The kernel has it and refuses it; the error number.
    Refused(i32),
    /// The kernel does not have it.
    Missing,
}

/// One hook that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its name, such as `tp_btf/sys_exit`.
    pub name: &'static str,
    /// What the product uses it for.
    pub purpose: &'static str,
    /// What came of it.
    pub state: HookState,
}

/// How far prevention can go on this kernel. Observation works in every tier but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Security hooks can refuse an operation before it happens.
    Deny,
    /// fanotify can refuse the start of executables.
    DenyExec,
    /// A process can be killed from the hook that sees it.
    Kill,
    /// Events only.
    Observe,
    /// Nothing: not even tracepoints.
    Nothing,
}

/// The report.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// Release of the kernel, as uname tells it.
    pub kernel: String,
    /// Whether the kernel publishes its types, without which nothing can be loaded.
    pub btf: bool,
    /// Active security modules; empty when securityfs is not mounted.
    pub lsm: Vec<String>,
    /// Every hook that was tried.
    pub hooks: Vec<Hook>,
    /// The best tier that works.
    pub tier: Tier,
}

/// Most of a processor list that is read; such lists are short even on the largest machines.
const LIST_BYTES: usize = 4096;

pub(crate) fn probe() -> Capabilities {
    // what a refused attempt makes libbpf print is what the report says in its own words
    let previous = libbpf_rs::set_print(None);
    let report = attempt();
    libbpf_rs::set_print(previous);
    report
}

fn attempt() -> Capabilities {
    let btf = fs::metadata("/sys/kernel/btf/vmlinux").is_ok();
    let lsm: Vec<String> = fs::read_to_string("/sys/kernel/security/lsm")
        .map(|text| text.trim().split(',').map(str::to_owned).collect())
        .unwrap_or_default();
    let hooks = vec![
        hook("tp_btf/sys_exit", "every system call", || {
            load(
                "sys_exit",
                libbpf_sys::BPF_PROG_TYPE_TRACING,
                libbpf_sys::BPF_TRACE_RAW_TP,
            )
        }),
        hook("tp_btf/sched_process_exec", "processes", || {
            load(
                "sched_process_exec",
                libbpf_sys::BPF_PROG_TYPE_TRACING,
                libbpf_sys::BPF_TRACE_RAW_TP,
            )
        }),
        hook(
            "tp_btf/io_uring_submit",
            "operations through io_uring",
            || {
                // 6.4 renamed it
                ["io_uring_submit_req", "io_uring_submit_sqe"]
                    .into_iter()
                    .map(|name| {
                        load(
                            name,
                            libbpf_sys::BPF_PROG_TYPE_TRACING,
                            libbpf_sys::BPF_TRACE_RAW_TP,
                        )
                    })
                    .find(|state| *state != HookState::Missing)
                    .unwrap_or(HookState::Missing)
            },
        ),
        hook(
            "lsm/bprm_check_security",
            "refusing the start of executables",
            || {
                load(
                    "bprm_check_security",
                    libbpf_sys::BPF_PROG_TYPE_LSM,
                    libbpf_sys::BPF_LSM_MAC,
                )
            },
        ),
        hook("fentry", "watching kernel functions themselves", || {
            load(
                "security_file_open",
                libbpf_sys::BPF_PROG_TYPE_TRACING,
                libbpf_sys::BPF_TRACE_FENTRY,
            )
        }),
        hook(
            "fanotify",
            "refusing the start of executables, from user space",
            fanotify,
        ),
    ];
    let works = |name: &str| {
        hooks
            .iter()
            .any(|h| h.name == name && h.state == HookState::Works)
    };
    let tier = if !works("tp_btf/sys_exit") {
        Tier::Nothing
    } else if works("lsm/bprm_check_security") && lsm.iter().any(|name| name == "bpf") {
        Tier::Deny
    } else if works("fanotify") {
        Tier::DenyExec
    } else if works("tp_btf/sched_process_exec") {
        Tier::Kill
    } else {
        Tier::Observe
    };
    Capabilities {
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
            .map(|text| text.trim().to_owned())
            .unwrap_or_default(),
        btf,
        lsm,
        hooks,
        tier,
    }
}

fn hook(name: &'static str, purpose: &'static str, attempt: impl FnOnce() -> HookState) -> Hook {
    Hook {
        name,
        purpose,
        state: attempt(),
    }
}

/// Loads a program that does nothing, to see whether the kernel takes one of this type for this target.
fn load(target: &str, program_type: u32, attach_type: u32) -> HookState {
    let (Ok(target), Ok(name), Ok(license)) = (
        CString::new(target),
        CString::new("probe"),
        CString::new("GPL"),
    ) else {
        return HookState::Missing;
    };
    // SAFETY: a NUL-terminated name and an attach type.
    let id = unsafe { libbpf_sys::libbpf_find_vmlinux_btf_id(target.as_ptr(), attach_type) };
    let Ok(id) = u32::try_from(id) else {
        return HookState::Missing;
    };
    // r0 = 0; exit
    let mut zero = libbpf_sys::bpf_insn {
        code: 0xb7,
        ..Default::default()
    };
    zero.set_dst_reg(0);
    let exit = libbpf_sys::bpf_insn {
        code: 0x95,
        ..Default::default()
    };
    let program = [zero, exit];
    let mut opts = libbpf_sys::bpf_prog_load_opts {
        sz: size_of::<libbpf_sys::bpf_prog_load_opts>() as libbpf_sys::size_t,
        expected_attach_type: attach_type,
        attach_btf_id: id,
        ..Default::default()
    };
    // SAFETY: every pointer is valid for the call, and the instruction count matches the array.
    let fd = unsafe {
        libbpf_sys::bpf_prog_load(
            program_type,
            name.as_ptr(),
            license.as_ptr(),
            program.as_ptr(),
            program.len() as libbpf_sys::size_t,
            &raw mut opts,
        )
    };
    close_or_error(fd)
}

fn fanotify() -> HookState {
    // SAFETY: no pointers.
    let fd = unsafe {
        libc::fanotify_init(
            libc::FAN_CLASS_CONTENT | libc::FAN_CLOEXEC,
            libc::O_RDONLY as u32,
        )
    };
    if fd < 0 {
        return HookState::Refused(
            std::io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(libc::EPERM),
        );
    }
    // A permission mark on the root's file system is what prevention would set; it is removed with the descriptor.
    // SAFETY: the path is NUL-terminated.
    let marked = unsafe {
        libc::fanotify_mark(
            fd,
            libc::FAN_MARK_ADD,
            libc::FAN_OPEN_EXEC_PERM,
            libc::AT_FDCWD,
            c"/proc/self/exe".as_ptr(),
        )
    };
    let state = if marked == 0 {
        HookState::Works
    } else {
        HookState::Refused(
            std::io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(libc::EPERM),
        )
    };
    // SAFETY: the descriptor is ours.
    unsafe { libc::close(fd) };
    state
}

fn close_or_error(fd: i32) -> HookState {
    if fd < 0 {
        return HookState::Refused(-fd);
    }
    // SAFETY: the descriptor is ours.
    unsafe { libc::close(fd) };
    HookState::Works
}

/// Processors that can ever be present: the highest number plus one.
pub(crate) fn possible_cpus() -> u32 {
    let text = fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
    last_cpu(text.get(..text.len().min(LIST_BYTES)).unwrap_or_default())
        .map_or(1, |last| last.saturating_add(1))
}

/// The highest number of a list such as `0-3,8-11`.
fn last_cpu(list: &str) -> Option<u32> {
    list.trim()
        .split([',', '-'])
        .filter_map(|n| n.parse().ok())
        .max()
}

fn clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is valid for the call. Both clocks exist on every kernel that can load the object.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Nanoseconds since boot, suspended time included.
pub(crate) fn boottime_ns() -> u64 {
    clock(libc::CLOCK_BOOTTIME)
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn realtime_ns() -> u64 {
    clock(libc::CLOCK_REALTIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_lists() {
        assert_eq!(last_cpu("0-3,8-11\n"), Some(11));
        assert_eq!(last_cpu("0\n"), Some(0));
        assert_eq!(last_cpu(""), None);
    }
}
