//! Flags and values of the kernel in the numbering of the capture format.
//!
//! Numbers left of an arrow come from the kernel's user headers, numbers right of it from the format
//! (`falco_event_table.json`, flag tables).

/// Flag words whose bits move: (bit in the kernel's word, bit in the format's word). The numbers of the tables that C
/// code names stand in `bpf/programs/*.h`.
pub(crate) mod bits {
    pub(crate) const OPEN: u8 = 1;
    pub(crate) const RESOLVE: u8 = 2;
    pub(crate) const CLONE: u8 = 3;
    pub(crate) const FD: u8 = 4;
    pub(crate) const URING_SETUP: u8 = 5;
    pub(crate) const URING_FEATURES: u8 = 6;
    pub(crate) const URING_ENTER: u8 = 7;
    pub(crate) const PROT: u8 = 8;
    pub(crate) const MMAP: u8 = 9;
    pub(crate) const AT: u8 = 10;
    pub(crate) const UNLINKAT: u8 = 11;
    pub(crate) const LINKAT: u8 = 12;
    pub(crate) const EPOLL: u8 = 13;
    pub(crate) const SEMGET: u8 = 14;
    pub(crate) const DELETE_MODULE: u8 = 15;
    pub(crate) const MEMFD: u8 = 16;
    pub(crate) const PIDFD: u8 = 17;
    pub(crate) const CLOSE_RANGE: u8 = 18;

    /// A table number and its moves. A bit may move to two places, and two bits to one.
    pub(crate) type Table = (u8, &'static [(u8, u8)]);

    #[rustfmt::skip]
    pub(crate) const ALL: &[Table] = &[
        // O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK, O_DSYNC (also a bit of O_SYNC), O_DIRECT, O_LARGEFILE,
        // O_DIRECTORY (also a bit of O_TMPFILE), O_CLOEXEC, __O_SYNC, __O_TMPFILE
        (OPEN, &[(6, 2), (7, 5), (9, 8), (10, 3), (11, 6), (12, 4), (12, 7), (14, 9), (15, 11), (16, 10), (16, 13),
            (19, 12), (20, 7), (22, 13)]),
        // RESOLVE_NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH, IN_ROOT, CACHED
        (RESOLVE, &[(0, 4), (1, 2), (2, 3), (3, 0), (4, 1), (5, 5)]),
        // CLONE_VM, FS, FILES, SIGHAND, PTRACE, VFORK, PARENT, THREAD, NEWNS, SYSVSEM, SETTLS, PARENT_SETTID,
        // CHILD_CLEARTID, UNTRACED, CHILD_SETTID, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, IO
        (CLONE, &[(8, 15), (9, 1), (10, 0), (11, 11), (13, 10), (14, 27), (15, 8), (16, 13), (17, 5), (18, 12),
            (19, 25), (20, 9), (21, 23), (23, 14), (24, 24), (25, 28), (26, 7), (27, 3), (28, 20), (29, 6), (30, 4),
            (31, 2)]),
        // O_NONBLOCK, O_DIRECT, O_CLOEXEC, as socket, accept4, pipe2, dup3, eventfd2 and the like take them
        (FD, &[(11, 6), (14, 9), (19, 12)]),
        // IORING_SETUP_IOPOLL, SQPOLL, SQ_AFF, CQSIZE, CLAMP, ATTACH_WQ, R_DISABLED; IOPOLL also reads as the format's
        // SQ_NEED_WAKEUP, whose kernel value is the same bit of another word
        (URING_SETUP, &[(0, 0), (0, 2), (1, 1), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)]),
        (URING_FEATURES, &[(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8), (9, 9), (10, 10)]),
        (URING_ENTER, &[(0, 0), (1, 1), (2, 2), (3, 3)]),
        // PROT_READ, WRITE, EXEC, SEM, GROWSDOWN, GROWSUP
        (PROT, &[(0, 0), (1, 1), (2, 2), (3, 3), (24, 4), (25, 5)]),
        // MAP_SHARED, PRIVATE, FIXED, ANONYMOUS, 32BIT, GROWSDOWN, DENYWRITE, EXECUTABLE, LOCKED, NORESERVE, POPULATE,
        // NONBLOCK
        (MMAP, &[(0, 0), (1, 1), (4, 2), (5, 3), (6, 4), (8, 9), (11, 10), (12, 11), (13, 14), (14, 6), (15, 7),
            (16, 8)]),
        // AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH keep their places
        (AT, &[(8, 8), (11, 11), (12, 12)]),
        (UNLINKAT, &[(9, 9)]),
        (LINKAT, &[(10, 10), (12, 12)]),
        (EPOLL, &[(19, 0)]),
        // IPC_CREAT, IPC_EXCL
        (SEMGET, &[(9, 13), (10, 14)]),
        // O_NONBLOCK, O_TRUNC
        (DELETE_MODULE, &[(11, 0), (9, 1)]),
        (MEMFD, &[(0, 0), (1, 1), (2, 2)]),
        (PIDFD, &[(11, 0)]),
        // CLOSE_RANGE_UNSHARE, CLOEXEC
        (CLOSE_RANGE, &[(1, 0), (2, 1)]),
    ];
}

/// Values that are renumbered.
pub(crate) mod values {
    pub(crate) const SOCKOPT_LEVEL: u8 = 1;
    pub(crate) const SOCKOPT_NAME: u8 = 2;
    pub(crate) const SOCKOPT_SHAPE: u8 = 3;
    pub(crate) const PTRACE: u8 = 4;
    pub(crate) const FCNTL: u8 = 5;
    pub(crate) const RLIMIT: u8 = 6;
    pub(crate) const URING_REGISTER: u8 = 7;

    /// The key under which a table holds what any other value becomes.
    pub(crate) const UNKNOWN: u32 = u32::MAX;

    /// (table, value of the kernel, value of the format)
    pub(crate) fn all() -> Vec<(u8, u32, u32)> {
        let mut out = vec![(SOCKOPT_LEVEL, 1, 1), (SOCKOPT_LEVEL, 6, 2)];
        // SO_DEBUG to SO_ATTACH_BPF keep their numbers, the last three do not
        out.extend((1..=50).map(|n| (SOCKOPT_NAME, n, n)));
        out.extend([
            (SOCKOPT_NAME, 59, 51),
            (SOCKOPT_NAME, 55, 52),
            (SOCKOPT_NAME, 57, 53),
        ]);
        // how the value is shown: 1 errno, 2 u32, 3 u64, 4 a time
        out.push((SOCKOPT_SHAPE, 4, 1));
        let plain = [
            1, 2, 3, 5, 6, 7, 8, 9, 10, 15, 16, 18, 19, 29, 30, 32, 33, 34, 36, 37, 38, 39, 40, 41,
            42, 43, 44, 45, 46, 47, 48, 49,
        ];
        out.extend(plain.map(|n| (SOCKOPT_SHAPE, n, 2)));
        out.push((SOCKOPT_SHAPE, 57, 3));
        out.extend([(SOCKOPT_SHAPE, 20, 4), (SOCKOPT_SHAPE, 21, 4)]);
        // TRACEME … KILL, SINGLESTEP, ATTACH, DETACH, SYSCALL, then the generic and the x86 requests
        out.extend(
            [
                (0, 1),
                (1, 2),
                (2, 3),
                (3, 4),
                (4, 5),
                (5, 6),
                (6, 7),
                (7, 8),
                (8, 9),
                (9, 10),
                (12, 26),
                (13, 27),
                (14, 28),
                (15, 29),
                (16, 11),
                (17, 12),
                (18, 30),
                (19, 31),
                (21, 32),
                (24, 13),
                (25, 33),
                (26, 34),
                (30, 35),
                (31, 36),
                (32, 37),
                (33, 38),
                (0x4200, 14),
                (0x4201, 15),
                (0x4202, 16),
                (0x4203, 17),
                (0x4204, 18),
                (0x4205, 19),
                (0x4206, 20),
                (0x4207, 21),
                (0x4208, 22),
                (0x4209, 23),
                (0x420a, 24),
                (0x420b, 25),
            ]
            .map(|(from, to)| (PTRACE, from, to)),
        );
        // F_DUPFD … F_GETSIG, the owner and lock commands, the 1024 range
        out.extend(
            [
                (0, 1),
                (1, 2),
                (2, 3),
                (3, 4),
                (4, 5),
                (5, 6),
                (6, 8),
                (7, 9),
                (8, 10),
                (9, 12),
                (10, 13),
                (11, 15),
                (15, 21),
                (16, 22),
                (36, 30),
                (37, 31),
                (38, 32),
                (1024, 23),
                (1025, 24),
                (1026, 27),
                (1029, 25),
                (1030, 26),
                (1031, 28),
                (1032, 29),
            ]
            .map(|(from, to)| (FCNTL, from, to)),
        );
        out.extend((0..=15).map(|n| (RLIMIT, n, n)));
        out.push((RLIMIT, UNKNOWN, 255));
        out.extend((0..22).map(|n| (URING_REGISTER, n, n + 1)));
        out
    }
}

/// Flags of an opened file in the format's numbering, as the kernel side makes them.
pub(crate) fn open_flags(flags: u64) -> u32 {
    let access = if flags & 3 == 3 {
        1
    } else {
        (flags & 3) as u32 + 1
    };
    bits::ALL
        .iter()
        .find(|(table, _)| *table == bits::OPEN)
        .map_or(&[][..], |(_, moves)| moves)
        .iter()
        .fold(access, |out, (from, to)| {
            out | ((flags >> from & 1) as u32) << to
        })
}
