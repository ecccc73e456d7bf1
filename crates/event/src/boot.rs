//! What was already there when events began: machine, interfaces, users, groups, processes and their descriptors, as a
//! capture's start-up blocks or a scan of `/proc` tell it.
//!
//! Plain borrowed data between the sources (capture reader, live sensor) and the state engine.

/// The machine that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineInfo<'a> {
    /// Number of processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Highest process id.
    pub max_pid: u64,
    /// Host name, at most 128 bytes, as it stood before the first NUL.
    pub hostname: &'a [u8],
    /// Boot time in nanoseconds since the Unix epoch; 0 in old captures.
    pub boot_ts: u64,
    /// Platform flags of the recorder.
    pub flags: u64,
}

/// A thread as found in `/proc` when recording began.
///
/// Old captures have fewer fields; what they lack holds the value that Falco takes then: 0, empty, and −1 for `sid`,
/// `vpgid`, `vtid`, `vpid`, `pgid` and `loginuid`. Texts have no closing NUL; lists have one after each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessEntry<'a> {
    /// Thread id.
    pub tid: i64,
    /// Process id.
    pub pid: i64,
    /// Parent process id.
    pub ptid: i64,
    /// Session id.
    pub sid: i64,
    /// Process group id in its pid namespace.
    pub vpgid: i64,
    /// Command name (`/proc/PID/comm`).
    pub comm: &'a [u8],
    /// First argument.
    pub exe: &'a [u8],
    /// Path of the executable.
    pub exepath: &'a [u8],
    /// Arguments after the first, each closed by a NUL.
    pub args: &'a [u8],
    /// Working directory.
    pub cwd: &'a [u8],
    /// Limit of open descriptors.
    pub fdlimit: i64,
    /// `PPM_CL_*` flags.
    pub flags: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Virtual memory in KiB.
    pub vmsize_kb: u32,
    /// Resident memory in KiB.
    pub vmrss_kb: u32,
    /// Swapped memory in KiB.
    pub vmswap_kb: u32,
    /// Major page faults.
    pub pfmajor: u64,
    /// Minor page faults.
    pub pfminor: u64,
    /// Environment, `NAME=value` each closed by a NUL.
    pub env: &'a [u8],
    /// Thread id in its pid namespace.
    pub vtid: i64,
    /// Process id in its pid namespace.
    pub vpid: i64,
    /// Control groups, `subsystem=path` each closed by a NUL.
    pub cgroups: &'a [u8],
    /// Root directory.
    pub root: &'a [u8],
    /// Start of the init process of its pid namespace, nanoseconds since the Unix epoch.
    pub pidns_init_start_ts: u64,
    /// Number of the controlling terminal.
    pub tty: u32,
    /// Audit user id.
    pub loginuid: u32,
    /// The executable is writable by the user.
    pub exe_writable: bool,
    /// Inheritable capabilities.
    pub cap_inheritable: u64,
    /// Permitted capabilities.
    pub cap_permitted: u64,
    /// Effective capabilities.
    pub cap_effective: u64,
    /// The executable is in the upper layer of an overlay file system.
    pub exe_upper_layer: bool,
    /// Inode of the executable.
    pub exe_ino: u64,
    /// Its change time, nanoseconds since the Unix epoch.
    pub exe_ino_ctime: u64,
    /// Its modification time, nanoseconds since the Unix epoch.
    pub exe_ino_mtime: u64,
    /// The executable is a memfd.
    pub exe_from_memfd: bool,
    /// The executable is in the lower layer of an overlay file system.
    pub exe_lower_layer: bool,
    /// Process group id.
    pub pgid: i64,
    /// When it was made, nanoseconds since the Unix epoch; 0 when not known (captures do not say).
    pub clone_ts: u64,
}

impl Default for ProcessEntry<'_> {
    fn default() -> Self {
        Self {
            tid: 0,
            pid: 0,
            ptid: 0,
            sid: -1,
            vpgid: -1,
            comm: &[],
            exe: &[],
            exepath: &[],
            args: &[],
            cwd: &[],
            fdlimit: 0,
            flags: 0,
            uid: 0,
            gid: 0,
            vmsize_kb: 0,
            vmrss_kb: 0,
            vmswap_kb: 0,
            pfmajor: 0,
            pfminor: 0,
            env: &[],
            vtid: -1,
            vpid: -1,
            cgroups: &[],
            root: &[],
            pidns_init_start_ts: 0,
            tty: 0,
            loginuid: u32::MAX,
            exe_writable: false,
            cap_inheritable: 0,
            cap_permitted: 0,
            cap_effective: 0,
            exe_upper_layer: false,
            exe_ino: 0,
            exe_ino_ctime: 0,
            exe_ino_mtime: 0,
            exe_from_memfd: false,
            exe_lower_layer: false,
            pgid: -1,
            clone_ts: 0,
        }
    }
}

/// A descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdEntry<'a> {
    /// Its number.
    pub fd: i64,
    /// Inode, or the number of a socket.
    pub ino: u64,
    /// Type as stored (`SCAP_FD_*`): 1 file, 2 directory, 3 IPv4 and 4 IPv6 connection, 5 and 6 listening sockets,
    /// 7 pipe, 8 Unix socket, 9 eventfd, 10 unsupported, 11 signalfd, 12 epoll, 13 inotify, 14 timerfd, 15 netlink,
    /// 16 file with flags, 17 bpf, 18 userfaultfd, 19 `io_uring`, 20 memfd, 21 pidfd.
    pub kind: u8,
    /// What the type says besides.
    pub detail: FdDetail<'a>,
}

/// What is known of a descriptor beside its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FdDetail<'a> {
    /// A name: path of a file or directory, `pipe:[…]`, and so on for all that is not one of the others.
    Name(&'a [u8]),
    /// A file with its flags.
    File {
        /// `PPM_O_*` flags it was opened with.
        flags: u32,
        /// Path.
        name: &'a [u8],
        /// Device; 0 in older captures.
        dev: u32,
    },
    /// An IPv4 connection. Addresses are in network order, ports are numbers.
    Ipv4 {
        /// Source address.
        sip: [u8; 4],
        /// Destination address.
        dip: [u8; 4],
        /// Source port.
        sport: u16,
        /// Destination port.
        dport: u16,
        /// Protocol (`SCAP_L4_*`: 0 unknown, 1 none, 2 TCP, 3 UDP, 4 ICMP, 5 raw).
        l4proto: u8,
    },
    /// An IPv6 connection.
    Ipv6 {
        /// Source address.
        sip: [u8; 16],
        /// Destination address.
        dip: [u8; 16],
        /// Source port.
        sport: u16,
        /// Destination port.
        dport: u16,
        /// Protocol, as for IPv4.
        l4proto: u8,
    },
    /// A listening IPv4 socket.
    Ipv4Server {
        /// Address.
        ip: [u8; 4],
        /// Port.
        port: u16,
        /// Protocol, as for a connection.
        l4proto: u8,
    },
    /// A listening IPv6 socket.
    Ipv6Server {
        /// Address.
        ip: [u8; 16],
        /// Port.
        port: u16,
        /// Protocol, as for a connection.
        l4proto: u8,
    },
    /// A Unix socket.
    Unix {
        /// Kernel address of this end.
        source: u64,
        /// Kernel address of the other end.
        destination: u64,
        /// Path; empty when it has none.
        name: &'a [u8],
    },
    /// A type that is not known; a newer recorder wrote it. Nothing is known but the type.
    Other,
}

/// A user account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User<'a> {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Name.
    pub name: &'a [u8],
    /// Home directory.
    pub home: &'a [u8],
    /// Shell.
    pub shell: &'a [u8],
}

/// A group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// Group id.
    pub gid: u32,
    /// Name.
    pub name: &'a [u8],
}

/// An address of a network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface<'a> {
    /// Name such as `eth0`.
    pub name: &'a [u8],
    /// Its address.
    pub address: InterfaceAddress,
    /// Speed of the link; 0 when not recorded.
    pub linkspeed: u64,
}

/// Address, netmask and broadcast address in network order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceAddress {
    /// IPv4.
    V4 {
        /// Address.
        address: [u8; 4],
        /// Netmask.
        netmask: [u8; 4],
        /// Broadcast address.
        broadcast: [u8; 4],
    },
    /// IPv6.
    V6 {
        /// Address.
        address: [u8; 16],
        /// Netmask.
        netmask: [u8; 16],
        /// Broadcast address.
        broadcast: [u8; 16],
    },
}
