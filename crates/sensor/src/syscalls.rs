//! The system calls that become events: one row each.
//!
//! A plain call says how its parameters are made from its arguments; the few others name their program of the kernel
//! side. Adding a plain call is one row here; the tests hold every row against the event table.

use vedette_event::{EventFlags, EventType};

use crate::spec::Param::{
    Bits16, Bits32, Bytes, Caps, Enum8, Enum16, Fd, MemS64, MemU32, Memory, Mode, Ret, Ret32,
    SockAddr, Text, TextOk, U8, U16, U32, U64, Zero8, Zero32,
};
use crate::spec::{Creates, Param};
use crate::tables::{bits, values};

/// How the event of a system call is built.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// By the interpreter, from these rows.
    Row(&'static [Param]),
    /// By this program.
    Program(&'static str),
}
use How::{Program, Row};

/// One system call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syscall {
    /// Name in the kernel's headers.
    pub(crate) name: &'static str,
    /// Number on x86-64; from 480 on for calls that only 32-bit programs have.
    pub(crate) nr: u16,
    /// Numbers on i386, including the successors with wider arguments.
    pub(crate) compat: &'static [u16],
    /// Id of the event.
    pub(crate) event: u16,
    pub(crate) how: How,
}

const fn row(name: &'static str, nr: u16, compat: &'static [u16], event: u16, how: How) -> Syscall {
    Syscall {
        name,
        nr,
        compat,
        event,
        how,
    }
}

impl Syscall {
    /// The arguments that may name a descriptor, as bits.
    pub(crate) fn fds(&self) -> u8 {
        match self.how {
            Row(rows) => rows.iter().fold(0, |bits, row| match row {
                Fd(arg) => bits | 1 << arg,
                _ => bits,
            }),
            Program(name) => u8::from(FIRST_IS_FD.contains(&name)),
        }
    }

    /// What it does to the table of descriptors.
    pub(crate) fn creates(&self) -> Creates {
        let makes = EventType(self.event)
            .info()
            .is_some_and(|info| info.flags.has(EventFlags::CREATES_FD));
        match self.name {
            "pipe" | "pipe2" | "socketpair" => Creates::Several,
            "fcntl" => Creates::Fcntl,
            "close_range" => Creates::ClosesRange,
            _ if makes => Creates::Result,
            _ => Creates::Nothing,
        }
    }
}

/// Programs of calls whose first argument is a descriptor.
const FIRST_IS_FD: &[&str] = &[
    "sys_read",
    "sys_write",
    "sys_pread64",
    "sys_pwrite64",
    "sys_readv",
    "sys_writev",
    "sys_preadv",
    "sys_pwritev",
    "sys_connect",
    "sys_accept",
    "sys_accept4",
    "sys_sendto",
    "sys_recvfrom",
    "sys_sendmsg",
    "sys_recvmsg",
    "sys_sendmmsg",
    "sys_recvmmsg",
    "sys_setsockopt",
    "sys_getsockopt",
    "sys_openat",
    "sys_openat2",
    "sys_open_by_handle_at",
    "sys_execveat",
];

/// Rows of the table that tracepoints consult, and the events they send.
pub(crate) const NR_PROCEXIT: u16 = 500;
pub(crate) const NR_EXEC: u16 = 501;
pub(crate) const NR_FORK_CHILD: u16 = 502;
pub(crate) const EVENT_PROCEXIT: u16 = 186;
pub(crate) const EVENT_EXECVE: u16 = 293;
pub(crate) const EVENT_EXECVEAT: u16 = 331;
/// clone, fork, vfork, clone3.
pub(crate) const EVENTS_CLONE: [u16; 4] = [223, 225, 227, 335];

/// Every traced system call.
#[rustfmt::skip]
pub(crate) const ALL: &[Syscall] = &[
    row("read", 0, &[3], 7, Program("sys_read")),
    row("write", 1, &[4], 9, Program("sys_write")),
    row("open", 2, &[5], 3, Program("sys_open")),
    row("close", 3, &[6], 5, Row(&[Ret, Fd(0)])),
    row("stat", 4, &[106], 67, Row(&[Ret, Text(0)])),
    row("fstat", 5, &[108], 71, Row(&[Ret, Fd(0)])),
    row("lstat", 6, &[107], 69, Row(&[Ret, Text(0)])),
    row("lseek", 8, &[19], 87, Row(&[Ret, Fd(0), U64(1), U8(2)])),
    row("mmap", 9, &[], 161, Row(&[Ret, Memory, U64(0), U64(1), Bits32(2, bits::PROT), Bits32(3, bits::MMAP), Fd(4), U64(5)])),
    row("mprotect", 10, &[125], 329, Row(&[Ret, U64(0), U64(1), Bits32(2, bits::PROT)])),
    row("munmap", 11, &[91], 165, Row(&[Ret, Memory, U64(0), U64(1)])),
    row("brk", 12, &[45], 159, Row(&[Ret, Memory, U64(0)])),
    row("ioctl", 16, &[54], 171, Row(&[Ret, Fd(0), U64(1), U64(2)])),
    row("pread64", 17, &[180], 113, Program("sys_pread64")),
    row("pwrite64", 18, &[181], 115, Program("sys_pwrite64")),
    row("readv", 19, &[145], 117, Program("sys_readv")),
    row("writev", 20, &[146], 119, Program("sys_writev")),
    row("access", 21, &[33], 265, Row(&[Ret, Text(0), U32(1)])),
    row("pipe", 22, &[42], 61, Program("sys_pipe")),
    row("select", 23, &[82, 142], 83, Row(&[Ret])),
    row("dup", 32, &[41], 367, Row(&[Ret, Fd(0)])),
    row("dup2", 33, &[63], 363, Row(&[Ret, Fd(0), Fd(1)])),
    row("sendfile", 40, &[187, 239], 189, Row(&[Ret, MemS64(2, 0), Fd(0), Fd(1), U64(3)])),
    row("socket", 41, &[359], 19, Row(&[Ret, U32(0), U32(1), U32(2), Bits32(1, bits::FD)])),
    row("connect", 42, &[362], 23, Program("sys_connect")),
    row("accept", 43, &[], 247, Program("sys_accept")),
    row("sendto", 44, &[369], 31, Program("sys_sendto")),
    row("recvfrom", 45, &[371], 35, Program("sys_recvfrom")),
    row("sendmsg", 46, &[370], 49, Program("sys_sendmsg")),
    row("recvmsg", 47, &[372], 53, Program("sys_recvmsg")),
    row("shutdown", 48, &[373], 37, Row(&[Ret, Fd(0), U8(1)])),
    row("bind", 49, &[361], 21, Row(&[Ret, SockAddr(1, 2), Fd(0)])),
    row("listen", 50, &[363], 25, Row(&[Ret, Fd(0), U32(1)])),
    row("getsockname", 51, &[367], 39, Row(&[])),
    row("getpeername", 52, &[368], 41, Row(&[])),
    row("socketpair", 53, &[360], 43, Program("sys_socketpair")),
    row("setsockopt", 54, &[366], 45, Program("sys_setsockopt")),
    row("getsockopt", 55, &[365], 47, Program("sys_getsockopt")),
    row("clone", 56, &[120], 223, Program("sys_clone")),
    row("fork", 57, &[2], 225, Program("sys_fork")),
    row("vfork", 58, &[190], 227, Program("sys_fork")),
    row("execve", 59, &[11], 293, Program("sys_execve")),
    row("kill", 62, &[37], 129, Row(&[Ret, Fd(0), U8(1)])),
    row("semget", 64, &[393], 263, Row(&[Ret, U32(0), U32(1), Bits32(2, bits::SEMGET)])),
    row("fcntl", 72, &[55, 221], 151, Row(&[Ret, Fd(0), Enum8(1, values::FCNTL), U64(2)])),
    row("flock", 73, &[143], 243, Row(&[Ret, Fd(0), U32(1)])),
    row("getdents", 78, &[141], 237, Row(&[Ret, Fd(0)])),
    row("getcwd", 79, &[183], 93, Row(&[Ret, TextOk(0)])),
    row("chdir", 80, &[12], 95, Row(&[Ret, Text(0)])),
    row("fchdir", 81, &[133], 97, Row(&[Ret, Fd(0)])),
    row("rename", 82, &[38], 175, Row(&[Ret, Text(0), Text(1)])),
    row("mkdir", 83, &[39], 277, Row(&[Ret, Text(0), U32(1)])),
    row("rmdir", 84, &[40], 279, Row(&[Ret, Text(0)])),
    row("creat", 85, &[8], 59, Program("sys_creat")),
    row("link", 86, &[9], 309, Row(&[Ret, Text(0), Text(1)])),
    row("unlink", 87, &[10], 301, Row(&[Ret, Text(0)])),
    row("symlink", 88, &[83], 179, Row(&[Ret, Text(0), Text(1)])),
    row("chmod", 90, &[15], 315, Row(&[Ret, Text(0), Mode(1)])),
    row("fchmod", 91, &[94], 317, Row(&[Ret, Fd(0), Mode(1)])),
    row("chown", 92, &[182, 212], 379, Row(&[Ret, Text(0), U32(1), U32(2)])),
    row("fchown", 93, &[95, 207], 383, Row(&[Ret, Fd(0), U32(1), U32(2)])),
    row("lchown", 94, &[16, 198], 381, Row(&[Ret, Text(0), U32(1), U32(2)])),
    row("getrlimit", 97, &[76, 191], 141, Row(&[Ret, MemS64(1, 0), MemS64(1, 1), Enum8(0, values::RLIMIT)])),
    row("ptrace", 101, &[26], 169, Program("sys_ptrace")),
    row("getuid", 102, &[24, 199], 203, Row(&[Ret32])),
    row("getgid", 104, &[47, 200], 207, Row(&[Ret32])),
    row("setuid", 105, &[23, 213], 199, Row(&[Ret, U32(0)])),
    row("setgid", 106, &[46, 214], 201, Row(&[Ret, U32(0)])),
    row("geteuid", 107, &[49, 201], 205, Row(&[Ret32])),
    row("getegid", 108, &[50, 202], 209, Row(&[Ret32])),
    row("setpgid", 109, &[57], 295, Row(&[Ret, Fd(0), Fd(1)])),
    row("setsid", 112, &[66], 275, Row(&[Ret])),
    row("setreuid", 113, &[70, 203], 427, Row(&[Ret, U32(0), U32(1)])),
    row("setregid", 114, &[71, 204], 429, Row(&[Ret, U32(0), U32(1)])),
    row("setresuid", 117, &[164, 208], 193, Row(&[Ret, U32(0), U32(1), U32(2)])),
    row("getresuid", 118, &[209], 211, Row(&[Ret, MemU32(0, 0), MemU32(1, 0), MemU32(2, 0)])),
    row("setresgid", 119, &[170, 210], 195, Row(&[Ret, U32(0), U32(1), U32(2)])),
    row("getresgid", 120, &[211], 213, Row(&[Ret, MemU32(0, 0), MemU32(1, 0), MemU32(2, 0)])),
    row("capset", 126, &[185], 353, Row(&[Ret, Caps(0), Caps(1), Caps(2)])),
    row("mknod", 133, &[14], 415, Row(&[Ret, Text(0), U32(1), U32(2)])),
    row("mlock", 149, &[150], 345, Row(&[Ret, U64(0), U64(1)])),
    row("munlock", 150, &[151], 347, Row(&[Ret, U64(0), U64(1)])),
    row("mlockall", 151, &[152], 349, Row(&[Ret, U32(0)])),
    row("munlockall", 152, &[153], 351, Row(&[Ret])),
    row("prctl", 157, &[172], 401, Program("sys_prctl")),
    row("setrlimit", 160, &[75], 143, Row(&[Ret, MemS64(1, 0), MemS64(1, 1), Enum8(0, values::RLIMIT)])),
    row("chroot", 161, &[61], 267, Row(&[Ret, Text(0)])),
    row("mount", 165, &[21], 257, Row(&[Ret, Text(0), Text(1), Text(2), U32(3)])),
    row("umount2", 166, &[52], 391, Row(&[Ret, Text(0), U32(1)])),
    row("init_module", 175, &[128], 411, Row(&[Ret, Bytes(0, 1), U64(1), Text(2)])),
    row("delete_module", 176, &[129], 425, Row(&[Ret, Text(0), Bits32(1, bits::DELETE_MODULE)])),
    row("tkill", 200, &[238], 131, Row(&[Ret, Fd(0), U8(1)])),
    row("futex", 202, &[240, 422], 65, Row(&[Ret, U64(0), U16(1), U64(2)])),
    row("epoll_create", 213, &[254], 375, Row(&[Ret, U32(0)])),
    row("getdents64", 217, &[220], 239, Row(&[Ret, Fd(0)])),
    row("epoll_wait", 232, &[256], 79, Row(&[Ret, Fd(2)])),
    row("tgkill", 234, &[270], 133, Row(&[Ret, Fd(0), Fd(1), U8(2)])),
    row("inotify_init", 253, &[291], 139, Row(&[Ret, Zero8])),
    row("openat", 257, &[295], 307, Program("sys_openat")),
    row("mkdirat", 258, &[296], 305, Row(&[Ret, Fd(0), Text(1), U32(2)])),
    row("mknodat", 259, &[297], 417, Row(&[Ret, Fd(0), Text(1), U32(2), U32(3)])),
    row("fchownat", 260, &[298], 385, Row(&[Ret, Fd(0), Text(1), U32(2), U32(3), Bits32(4, bits::AT)])),
    row("newfstatat", 262, &[300], 419, Row(&[Ret, Fd(0), Text(1), Bits32(3, bits::AT)])),
    row("unlinkat", 263, &[301], 303, Row(&[Ret, Fd(0), Text(1), Bits32(2, bits::UNLINKAT)])),
    row("renameat", 264, &[302], 177, Row(&[Ret, Fd(0), Text(1), Fd(2), Text(3)])),
    row("linkat", 265, &[303], 311, Row(&[Ret, Fd(0), Text(1), Fd(2), Text(3), Bits32(4, bits::LINKAT)])),
    row("symlinkat", 266, &[304], 181, Row(&[Ret, Text(0), Fd(1), Text(2)])),
    row("fchmodat", 268, &[306], 313, Row(&[Ret, Fd(0), Text(1), Mode(2)])),
    row("unshare", 272, &[310], 285, Row(&[Ret, Bits32(0, bits::CLONE)])),
    row("splice", 275, &[313], 167, Row(&[Ret, Fd(0), Fd(2), U64(4), U32(5)])),
    row("signalfd", 282, &[321], 127, Row(&[Ret, Fd(0), Zero32, Zero8])),
    row("timerfd_create", 283, &[322], 137, Row(&[Ret, Zero8, Zero8])),
    row("eventfd", 284, &[323], 63, Row(&[Ret, U64(0), Zero32])),
    row("signalfd4", 289, &[327], 399, Row(&[Ret, Bits16(3, bits::FD), Fd(0), Zero32])),
    row("eventfd2", 290, &[328], 397, Row(&[Ret, Bits16(1, bits::FD), U64(0)])),
    row("accept4", 288, &[364], 389, Program("sys_accept4")),
    row("epoll_create1", 291, &[329], 377, Row(&[Ret, Bits32(0, bits::EPOLL)])),
    row("dup3", 292, &[330], 365, Row(&[Ret, Fd(0), Fd(1), Bits32(2, bits::FD)])),
    row("pipe2", 293, &[331], 393, Program("sys_pipe2")),
    row("inotify_init1", 294, &[332], 395, Row(&[Ret, Bits16(0, bits::FD)])),
    row("preadv", 295, &[333], 121, Program("sys_preadv")),
    row("pwritev", 296, &[334], 123, Program("sys_pwritev")),
    row("recvmmsg", 299, &[337, 417], 55, Program("sys_recvmmsg")),
    row("prlimit64", 302, &[340], 145, Row(&[Ret, MemS64(2, 0), MemS64(2, 1), MemS64(3, 0), MemS64(3, 1), Fd(0), Enum8(1, values::RLIMIT)])),
    row("open_by_handle_at", 304, &[342], 337, Program("sys_open_by_handle_at")),
    row("sendmmsg", 307, &[345], 51, Program("sys_sendmmsg")),
    row("setns", 308, &[346], 241, Row(&[Ret, Fd(0), Bits32(1, bits::CLONE)])),
    row("process_vm_readv", 310, &[347], 421, Program("sys_process_vm_readv")),
    row("process_vm_writev", 311, &[348], 423, Program("sys_process_vm_writev")),
    row("finit_module", 313, &[350], 413, Row(&[Ret, Fd(0), Text(1), U32(2)])),
    row("renameat2", 316, &[353], 319, Row(&[Ret, Fd(0), Text(1), Fd(2), Text(3), U32(4)])),
    row("seccomp", 317, &[354], 299, Row(&[Ret, U64(0), U64(1)])),
    row("memfd_create", 319, &[356], 405, Row(&[Ret, Text(0), Bits32(1, bits::MEMFD)])),
    row("bpf", 321, &[357], 369, Row(&[Ret, U32(0)])),
    row("execveat", 322, &[358], 331, Program("sys_execveat")),
    row("userfaultfd", 323, &[374], 321, Row(&[Ret, Bits32(0, bits::FD)])),
    row("mlock2", 325, &[376], 371, Row(&[Ret, U64(0), U64(1), U32(2)])),
    row("copy_file_range", 326, &[377], 333, Row(&[Ret, Fd(2), U64(3), Fd(0), U64(1), U64(4)])),
    row("preadv2", 327, &[378], 121, Program("sys_preadv")),
    row("pwritev2", 328, &[379], 123, Program("sys_pwritev")),
    row("io_uring_setup", 425, &[425], 339, Program("sys_io_uring_setup")),
    row("io_uring_enter", 426, &[426], 341, Row(&[Ret, Fd(0), U32(1), U32(2), Bits32(3, bits::URING_ENTER), Zero32])),
    row("io_uring_register", 427, &[427], 343, Row(&[Ret, Fd(0), Enum16(1, values::URING_REGISTER), U64(2), U32(3)])),
    row("pidfd_open", 434, &[434], 409, Row(&[Ret, Fd(0), Bits32(1, bits::PIDFD)])),
    row("clone3", 435, &[435], 335, Program("sys_clone3")),
    row("close_range", 436, &[436], 451, Row(&[Ret, U32(0), U32(1), Bits32(2, bits::CLOSE_RANGE)])),
    row("openat2", 437, &[437], 327, Program("sys_openat2")),
    row("pidfd_getfd", 438, &[438], 407, Row(&[Ret, Fd(0), Fd(1), U32(2)])),
    row("fchmodat2", 452, &[452], 313, Row(&[Ret, Fd(0), Text(1), Mode(2)])),
    row("umount", 480, &[22], 387, Row(&[Ret, Text(0)])),
    row("mmap2", 481, &[192], 163, Row(&[Ret, Memory, U64(0), U64(1), Bits32(2, bits::PROT), Bits32(3, bits::MMAP), Fd(4), U64(5)])),
    row("stat64", 482, &[195], 73, Row(&[Ret, Text(0)])),
    row("lstat64", 483, &[196], 75, Row(&[Ret, Text(0)])),
    row("fstat64", 484, &[197], 77, Row(&[Ret])),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{SPEC_PARAMS, width_of};
    use std::collections::HashSet;

    /// The event that a row builds has exactly the parameters of the event table, each with its width.
    #[test]
    fn rows_agree_with_the_event_table() {
        for syscall in ALL {
            let info = EventType(syscall.event).info().expect(syscall.name);
            assert!(
                !info.flags.has(EventFlags::OLD_VERSION),
                "{} builds an old event",
                syscall.name
            );
            let Row(rows) = syscall.how else { continue };
            assert!(rows.len() <= SPEC_PARAMS, "{}", syscall.name);
            let made: Vec<_> = rows.iter().flat_map(|row| row.widths()).copied().collect();
            let wanted: Vec<_> = info.params.iter().map(|p| width_of(p.ty)).collect();
            assert_eq!(made, wanted, "{} as {}", syscall.name, info.symbol);
        }
    }

    #[test]
    fn numbers_are_unique() {
        let mut native = HashSet::new();
        let mut compat = HashSet::new();
        for syscall in ALL {
            assert!(native.insert(syscall.nr), "{}", syscall.name);
            for nr in syscall.compat {
                assert!(compat.insert(*nr), "{} has {nr} twice", syscall.name);
            }
        }
    }

    /// Numbers match the kernel's user headers where those are installed.
    #[test]
    fn numbers_match_the_headers() {
        let file = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h";
        let Ok(text) = std::fs::read_to_string(file) else {
            println!("skipped: {file} is not installed");
            return;
        };
        let mut seen = 0;
        for syscall in ALL.iter().filter(|s| s.nr < 480) {
            let line = format!("#define __NR_{} {}\n", syscall.name, syscall.nr);
            if text.contains(&format!("__NR_{} ", syscall.name)) {
                assert!(text.contains(&line), "{line}");
                seen += 1;
            }
        }
        println!("{seen} system call numbers compared");
        assert!(seen > 140);
    }
}
