//! Portable flag values of the event format (they differ from the kernel's own).

/// Directory descriptor that stands for the working directory.
pub(crate) const AT_FDCWD: i64 = -100;

/// Clone and thread flags.
pub(crate) mod clone {
    pub(crate) const FILES: u32 = 1;
    pub(crate) const NEWPID: u32 = 1 << 6;
    pub(crate) const PARENT: u32 = 1 << 8;
    pub(crate) const THREAD: u32 = 1 << 13;
    /// The child's event came before its parent's.
    pub(crate) const INVERTED: u32 = 1 << 16;
    pub(crate) const NAME_CHANGED: u32 = 1 << 17;
    /// The thread is dead and waits for removal.
    pub(crate) const CLOSED: u32 = 1 << 18;
    /// Seen in an event of its own.
    pub(crate) const ACTIVE: u32 = 1 << 19;
    pub(crate) const NEWUSER: u32 = 1 << 20;
    pub(crate) const PIPE_SRC: u32 = 1 << 21;
    pub(crate) const PIPE_DST: u32 = 1 << 22;
    pub(crate) const VFORK: u32 = 1 << 27;
    /// The child is not in the initial pid namespace.
    pub(crate) const CHILD_IN_PIDNS: u32 = 1 << 29;
    pub(crate) const IS_MAIN_THREAD: u32 = 1 << 30;
}

/// Flags of open.
pub(crate) mod open {
    pub(crate) const RDONLY: u32 = 1;
    pub(crate) const WRONLY: u32 = 1 << 1;
    pub(crate) const CREAT: u32 = 1 << 2;
    pub(crate) const DIRECTORY: u32 = 1 << 10;
    pub(crate) const CLOEXEC: u32 = 1 << 12;
    pub(crate) const TMPFILE: u32 = 1 << 13;
    pub(crate) const CREATED: u32 = 1 << 14;
    pub(crate) const UPPER_LAYER: u32 = 1 << 15;
    pub(crate) const LOWER_LAYER: u32 = 1 << 16;
}

/// Layer flags of creat, which has no open flags.
pub(crate) mod creat {
    pub(crate) const UPPER_LAYER: u64 = 1;
    pub(crate) const LOWER_LAYER: u64 = 2;
}

/// Facts about an executable that execve events tell.
pub(crate) mod exe {
    pub(crate) const WRITABLE: u32 = 1;
    pub(crate) const UPPER_LAYER: u32 = 1 << 1;
    pub(crate) const FROM_MEMFD: u32 = 1 << 2;
    pub(crate) const LOWER_LAYER: u32 = 1 << 3;
}

/// Address families.
pub(crate) mod family {
    pub(crate) const UNIX: u8 = 1;
    pub(crate) const INET: u8 = 2;
    pub(crate) const INET6: u8 = 10;
    pub(crate) const NETLINK: u8 = 16;
}

/// Transport protocols, by the numbers of the capture format.
pub(crate) mod l4 {
    pub(crate) const UNKNOWN: u8 = 0;
    /// The socket has no role yet, so nothing is said of its protocol.
    pub(crate) const NA: u8 = 1;
    pub(crate) const TCP: u8 = 2;
    pub(crate) const UDP: u8 = 3;
    pub(crate) const ICMP: u8 = 4;
    pub(crate) const RAW: u8 = 5;
}

pub(crate) const FCNTL_DUPFD: u64 = 1;
pub(crate) const FCNTL_SETFD: u64 = 3;
pub(crate) const FCNTL_DUPFD_CLOEXEC: u64 = 26;
/// Argument of `F_SETFD`: close the descriptor when the process becomes another program.
pub(crate) const FD_CLOEXEC: u64 = 1;
pub(crate) const RLIMIT_NOFILE: u64 = 7;
pub(crate) const PR_SET_CHILD_SUBREAPER: u64 = 36;
pub(crate) const PR_GET_CHILD_SUBREAPER: u64 = 37;
/// `EINPROGRESS` as it stands in results.
pub(crate) const EINPROGRESS: i64 = -115;
/// Every capability up to `CAP_CHECKPOINT_RESTORE`.
pub(crate) const ALL_CAPS: u64 = (1 << 41) - 1;
