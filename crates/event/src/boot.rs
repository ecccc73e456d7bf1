//! What was already there when events began: machine, interfaces, users, groups, processes and their descriptors, as a
//! capture's start-up blocks or a scan of `/proc` tell it.
//!
//! Plain data between the sources (capture reader, live sensor) and the state engine. Text is bytes without a closing
//! NUL; lists of text (arguments, environment, cgroups) are bytes in which every item ends with a NUL.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The machine that the events come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineInfo {
    /// Number of processors.
    pub cpus: u32,
    /// Main memory in bytes.
    pub memory: u64,
    /// Highest process id it hands out.
    pub max_pid: u64,
    /// Its host name.
    pub hostname: Vec<u8>,
    /// When it was started, in nanoseconds since the Unix epoch; 0 when not known.
    pub boot_ts: u64,
    /// Flags of the recorder.
    pub flags: u64,
}

/// A network interface address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interface {
    /// An IPv4 address.
    V4 {
        /// Name such as `eth0`.
        name: Vec<u8>,
        /// Address.
        addr: Ipv4Addr,
        /// Mask of its network.
        netmask: Ipv4Addr,
        /// Broadcast address.
        broadcast: Ipv4Addr,
        /// Bits a second; 0 when not known.
        linkspeed: u64,
    },
    /// An IPv6 address.
    V6 {
        /// Name such as `eth0`.
        name: Vec<u8>,
        /// Address.
        addr: Ipv6Addr,
        /// Mask of its network.
        netmask: Ipv6Addr,
        /// Broadcast address.
        broadcast: Ipv6Addr,
        /// Bits a second; 0 when not known.
        linkspeed: u64,
    },
}

/// A line of the user database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserEntry {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Name.
    pub name: Vec<u8>,
    /// Home directory.
    pub home: Vec<u8>,
    /// Login shell.
    pub shell: Vec<u8>,
}

/// A line of the group database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupEntry {
    /// Group id.
    pub gid: u32,
    /// Name.
    pub name: Vec<u8>,
}

/// A thread that was running. Ids are those of the initial process namespace unless they are called virtual; `-1` where
/// not known. Fields that an old capture does not hold keep their default.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the kernel's own words; units are in the names"
)]
pub struct ProcessEntry {
    pub tid: i64,
    pub pid: i64,
    pub ptid: i64,
    pub sid: i64,
    /// Virtual process group id.
    pub vpgid: i64,
    pub pgid: i64,
    pub comm: Vec<u8>,
    pub exe: Vec<u8>,
    pub exepath: Vec<u8>,
    /// Arguments without the first, each ended by a NUL.
    pub args: Vec<u8>,
    pub cwd: Vec<u8>,
    pub fdlimit: i64,
    /// Clone flags of the format (`CLONE_THREAD` and so on).
    pub flags: u32,
    pub uid: u32,
    pub gid: u32,
    pub vmsize_kb: u32,
    pub vmrss_kb: u32,
    pub vmswap_kb: u32,
    pub pfmajor: u64,
    pub pfminor: u64,
    /// Environment, each variable ended by a NUL.
    pub env: Vec<u8>,
    /// Virtual thread id.
    pub vtid: i64,
    /// Virtual process id.
    pub vpid: i64,
    /// Control groups as `subsystem=path`, each ended by a NUL.
    pub cgroups: Vec<u8>,
    pub root: Vec<u8>,
    /// Start of the first process of its pid namespace, in nanoseconds since the Unix epoch.
    pub pidns_init_start_ts: u64,
    pub tty: u32,
    pub loginuid: u32,
    pub exe_writable: bool,
    pub exe_upper_layer: bool,
    pub exe_lower_layer: bool,
    pub exe_from_memfd: bool,
    pub cap_inheritable: u64,
    pub cap_permitted: u64,
    pub cap_effective: u64,
    pub exe_ino: u64,
    pub exe_ino_ctime: u64,
    pub exe_ino_mtime: u64,
    /// When the thread was made, in nanoseconds since the Unix epoch; 0 when not known.
    pub clone_ts: u64,
}

impl Default for ProcessEntry {
    fn default() -> Self {
        Self {
            tid: -1,
            pid: -1,
            ptid: -1,
            sid: -1,
            vpgid: -1,
            pgid: -1,
            comm: Vec::new(),
            exe: Vec::new(),
            exepath: Vec::new(),
            args: Vec::new(),
            cwd: Vec::new(),
            fdlimit: -1,
            flags: 0,
            uid: u32::MAX,
            gid: u32::MAX,
            vmsize_kb: 0,
            vmrss_kb: 0,
            vmswap_kb: 0,
            pfmajor: 0,
            pfminor: 0,
            env: Vec::new(),
            vtid: -1,
            vpid: -1,
            cgroups: Vec::new(),
            root: Vec::new(),
            pidns_init_start_ts: 0,
            tty: 0,
            loginuid: u32::MAX,
            exe_writable: false,
            exe_upper_layer: false,
            exe_lower_layer: false,
            exe_from_memfd: false,
            cap_inheritable: 0,
            cap_permitted: 0,
            cap_effective: 0,
            exe_ino: 0,
            exe_ino_ctime: 0,
            exe_ino_mtime: 0,
            clone_ts: 0,
        }
    }
}

/// A descriptor that was open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FdEntry {
    /// Thread that it belongs to.
    pub tid: i64,
    /// Its number.
    pub fd: i64,
    /// Inode, 0 when not known.
    pub ino: u64,
    /// Type number of the format (1 file, 2 directory, 3 IPv4 socket and so on).
    pub kind: u8,
    /// What it stands for.
    pub body: FdBody,
}

/// What a descriptor of the start-up list stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "addresses, ports and names say what they are")]
pub enum FdBody {
    /// A connected or unconnected IPv4 socket; `l4` is the protocol number of the format (1 TCP, 2 UDP, 3 ICMP, 4 raw).
    V4 {
        sip: Ipv4Addr,
        dip: Ipv4Addr,
        sport: u16,
        dport: u16,
        l4: u8,
    },
    /// The same for IPv6.
    V6 {
        sip: Ipv6Addr,
        dip: Ipv6Addr,
        sport: u16,
        dport: u16,
        l4: u8,
    },
    /// A listening or bound IPv4 socket.
    ServerV4 { ip: Ipv4Addr, port: u16, l4: u8 },
    /// The same for IPv6.
    ServerV6 { ip: Ipv6Addr, port: u16, l4: u8 },
    /// A Unix socket with kernel addresses of both ends.
    Unix {
        source: u64,
        destination: u64,
        path: Vec<u8>,
    },
    /// A file with what it was opened with.
    File {
        open_flags: u32,
        path: Vec<u8>,
        dev: u32,
        mount_id: u32,
    },
    /// Anything else, by name.
    Named { path: Vec<u8> },
}
