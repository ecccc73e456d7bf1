//! Calls that change who a process is or reach for the kernel, row by row as in `calls`.

use std::fs;
use std::os::fd::AsRawFd;

use vedette_sensor::Interest;

use crate::calls::P::{Any, Bytes, Empty, I64, Text, U8, U16, U32};
use crate::calls::{EBADF, EINVAL, Table, text};
use crate::watch::Watch;

#[test]
fn identity_and_kernel() {
    let Some(watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let mut t = Table { watch, checked: 0 };
    let same = -1i64; // leave as it is
    t.row("SYSCALL_SETUID_X", libc::SYS_setuid, &[0], |_| {
        vec![I64(0), U32(0)]
    });
    t.row("SYSCALL_SETGID_X", libc::SYS_setgid, &[0], |_| {
        vec![I64(0), U32(0)]
    });
    t.row(
        "SYSCALL_SETREUID_X",
        libc::SYS_setreuid,
        &[same, same],
        |_| vec![I64(0), U32(u32::MAX), U32(u32::MAX)],
    );
    t.row("SYSCALL_SETREGID_X", libc::SYS_setregid, &[same, 0], |_| {
        vec![I64(0), U32(u32::MAX), U32(0)]
    });
    t.row(
        "SYSCALL_SETRESUID_X",
        libc::SYS_setresuid,
        &[0, 0, 0],
        |_| vec![I64(0), U32(0), U32(0), U32(0)],
    );
    t.row(
        "SYSCALL_SETRESGID_X",
        libc::SYS_setresgid,
        &[0, same, 0],
        |_| vec![I64(0), U32(0), U32(u32::MAX), U32(0)],
    );
    t.row("SYSCALL_GETUID_X", libc::SYS_getuid, &[], |_| vec![U32(0)]);
    t.row(
        "SYSCALL_SETPGID_X",
        libc::SYS_setpgid,
        &[999_999, 5],
        |ret| vec![I64(ret), I64(999_999), I64(5)],
    );
    t.row(
        "SYSCALL_KILL_X",
        libc::SYS_kill,
        &[i64::from(std::process::id()), 0],
        |_| vec![I64(0), I64(std::process::id().into()), U8(0)],
    );
    t.row("SYSCALL_TKILL_X", libc::SYS_tkill, &[-5, 9], |_| {
        vec![I64(EINVAL), I64(-5), U8(9)]
    });
    t.row("SYSCALL_TGKILL_X", libc::SYS_tgkill, &[-5, -6, 9], |_| {
        vec![I64(EINVAL), I64(-5), I64(-6), U8(9)]
    });
    t.row(
        "SYSCALL_PRCTL_X",
        libc::SYS_prctl,
        &[15, text("sensortest")],
        |_| vec![I64(0), U32(15), Text("sensortest".into()), Empty],
    );
    t.row("SYSCALL_PRCTL_X", libc::SYS_prctl, &[36, 1], |_| {
        vec![I64(0), U32(36), Empty, I64(1)]
    });
    let mut reaper = 0i32;
    t.row(
        "SYSCALL_PRCTL_X",
        libc::SYS_prctl,
        &[37, (&raw mut reaper) as i64],
        |_| vec![I64(0), U32(37), Empty, I64(1)],
    );
    t.row("SYSCALL_UNSHARE_X", libc::SYS_unshare, &[0], |_| {
        vec![I64(0), U32(0)]
    });
    t.row(
        "SYSCALL_UNSHARE_X",
        libc::SYS_unshare,
        &[0x4000_0001],
        |_| vec![I64(EINVAL), U32(1 << 4)],
    );
    t.row(
        "SYSCALL_SETNS_X",
        libc::SYS_setns,
        &[-1, 0x1000_0000],
        |_| vec![I64(EBADF), I64(-1), U32(1 << 20)],
    );
    let image = b"notamodule".to_vec();
    t.row(
        "SYSCALL_INIT_MODULE_X",
        libc::SYS_init_module,
        &[image.as_ptr() as i64, 10, text("a=b")],
        |ret| vec![I64(ret), Bytes(image.clone()), I64(10), Text("a=b".into())],
    );
    t.row(
        "SYSCALL_FINIT_MODULE_X",
        libc::SYS_finit_module,
        &[-1, text("a=b"), 3],
        |ret| vec![I64(ret), I64(-1), Text("a=b".into()), U32(3)],
    );
    t.row(
        "SYSCALL_DELETE_MODULE_X",
        libc::SYS_delete_module,
        &[text("nosuchmodule"), 0o4000],
        |ret| vec![I64(ret), Text("nosuchmodule".into()), U32(1)],
    );
    t.row(
        "SYSCALL_MPROTECT_X",
        libc::SYS_mprotect,
        &[1, 4096, 7],
        |_| vec![I64(EINVAL), I64(1), I64(4096), U32(7)],
    );
    let map = t.row(
        "SYSCALL_MMAP_X",
        libc::SYS_mmap,
        &[0, 8192, 7, 0x22, -1, 0],
        |ret| {
            vec![
                I64(ret),
                Any,
                Any,
                Any,
                I64(0),
                I64(8192),
                U32(7),
                U32(2 | 8),
                I64(-1),
                I64(0),
            ]
        },
    );
    t.row("SYSCALL_MUNMAP_X", libc::SYS_munmap, &[map, 8192], |_| {
        vec![I64(0), Any, Any, Any, I64(map), I64(8192)]
    });
    t.row(
        "SYSCALL_PTRACE_X",
        libc::SYS_ptrace,
        &[16, 999_999, 1, 2],
        |ret| {
            vec![
                I64(ret),
                Bytes(vec![0; 9]),
                Bytes(vec![0; 9]),
                U16(11),
                I64(999_999),
            ]
        },
    );
    let limit = [1000u64, 2000];
    t.row(
        "SYSCALL_SETRLIMIT_X",
        libc::SYS_setrlimit,
        &[4, limit.as_ptr() as i64],
        |_| vec![I64(0), I64(1000), I64(2000), U8(4)],
    );
    let mut old = [0u64; 2];
    t.row(
        "SYSCALL_PRLIMIT_X",
        libc::SYS_prlimit64,
        &[0, 4, 0, old.as_mut_ptr() as i64],
        |_| vec![I64(0), I64(0), I64(0), I64(1000), I64(2000), I64(0), U8(4)],
    );
    t.row("SYSCALL_SECCOMP_X", libc::SYS_seccomp, &[77, 3], |_| {
        vec![I64(EINVAL), I64(77), I64(3)]
    });
    // capset: what the task holds afterwards
    let effective = fs::read_to_string("/proc/thread-self/status").unwrap();
    let caps = |name: &str| {
        let line = effective
            .lines()
            .find_map(|l| l.strip_prefix(name))
            .unwrap();
        i64::from_str_radix(line.trim(), 16).unwrap()
    };
    t.row("SYSCALL_CAPSET_X", libc::SYS_capset, &[0, 0], |ret| {
        vec![
            I64(ret),
            I64(caps("CapInh:")),
            I64(caps("CapPrm:")),
            I64(caps("CapEff:")),
        ]
    });
    let file = fs::File::open("/").unwrap();
    let fd = i64::from(file.as_raw_fd());
    t.row("SYSCALL_FCHDIR_X", libc::SYS_fchdir, &[fd], |_| {
        vec![I64(0), I64(fd)]
    });
    println!("{} rows compared", t.checked);
}
