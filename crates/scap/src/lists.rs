//! Entries of the blocks that stand before the events: machine, processes, descriptors, users, interfaces.
//!
//! Each function takes a cursor that may see more than one entry and consumes exactly one, or returns `None` when what
//! it sees is not a whole one. Source of the layouts: falcosecurity libs, `scap_savefile.c`.

use crate::bytes::{ByteOrder, Cursor};
use crate::item::{
    FdDetail, FdEntry, Group, Interface, InterfaceAddress, MachineInfo, ProcessEntry, User,
};

/// Bytes of a host name field.
pub(crate) const HOSTNAME: usize = 128;

/// Bytes of a machine block's body.
pub(crate) const MACHINE_LEN: usize = 4 + 8 + 8 + HOSTNAME + 8 + 8 + 16;

/// Bytes that recorders before libs 0.10 could append after `root`: loginuid, `exe_writable`, three capability sets.
const TAIL_BEFORE_0_10: usize = 4 + 1 + 3 * 8;

/// What a list block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Processes(u8),
    Fds { tid: i64, sized: bool },
    Users { sized: bool },
    Interfaces { sized: bool },
}

impl List {
    /// What an entry is called in an error.
    pub(crate) fn entry_name(self) -> &'static str {
        match self {
            Self::Processes(_) => "process list",
            Self::Fds { .. } => "descriptor list",
            Self::Users { .. } => "user list",
            Self::Interfaces { .. } => "interface list",
        }
    }

    /// Length of the entry that the bytes start with, when it is written there. It counts itself.
    pub(crate) fn written_length(self, bytes: &[u8], order: ByteOrder) -> Option<usize> {
        let sized = match self {
            Self::Processes(version) => version >= 9,
            Self::Fds { sized, .. } | Self::Users { sized } | Self::Interfaces { sized } => sized,
        };
        let length = Cursor::new(bytes, order).u32().filter(|_| sized)? as usize;
        match self {
            // The one list whose lengths do not count themselves.
            Self::Interfaces { .. } => length.checked_add(4),
            // Writers of descriptor and user lists are free to leave it 0: "not known".
            _ if length == 0 => None,
            _ => Some(length),
        }
    }
}

pub(crate) fn machine<'a>(at: &mut Cursor<'a>) -> Option<MachineInfo<'a>> {
    let cpus = at.u32()?;
    let memory = at.u64()?;
    let max_pid = at.u64()?;
    let hostname = at.take(HOSTNAME)?;
    let end = hostname.iter().position(|&b| b == 0).unwrap_or(HOSTNAME);
    Some(MachineInfo {
        cpus,
        memory,
        max_pid,
        hostname: &hostname[..end],
        boot_ts: at.u64()?,
        flags: at.u64()?,
    })
}

pub(crate) fn process<'a>(at: &mut Cursor<'a>, version: u8) -> Option<ProcessEntry<'a>> {
    let begin = at.at();
    let length = if version >= 9 { at.u32()? as usize } else { 0 };
    let mut entry = ProcessEntry {
        tid: at.i64()?,
        pid: at.i64()?,
        ptid: at.i64()?,
        ..ProcessEntry::default()
    };
    if version >= 6 {
        entry.sid = at.i64()?;
    }
    if version >= 8 {
        entry.vpgid = at.i64()?;
    }
    entry.comm = at.text()?;
    entry.exe = at.text()?;
    if version >= 7 {
        entry.exepath = at.text()?;
    }
    entry.args = at.text()?;
    entry.cwd = at.text()?;
    entry.fdlimit = at.i64()?;
    entry.flags = at.u32()?;
    entry.uid = at.u32()?;
    entry.gid = at.u32()?;
    if version >= 2 {
        entry.vmsize_kb = at.u32()?;
        entry.vmrss_kb = at.u32()?;
        entry.vmswap_kb = at.u32()?;
        entry.pfmajor = at.u64()?;
        entry.pfminor = at.u64()?;
    }
    if version >= 3 {
        entry.env = at.text()?;
    }
    if version >= 4 {
        entry.vtid = at.i64()?;
        entry.vpid = at.i64()?;
        entry.cgroups = at.text()?;
    }
    if version >= 5 {
        entry.root = at.text()?;
    }
    if length > 0 {
        let left = length.checked_sub(at.at() - begin)?;
        let mut tail = Tail(Cursor::new(at.take(left)?, at.order()));
        process_tail(&mut tail, left, &mut entry);
    }
    Some(entry)
}

/// Fields that were appended later: each is there when the rest of the entry is long enough for it.
struct Tail<'a>(Cursor<'a>);

impl Tail<'_> {
    fn u64(&mut self, field: &mut u64) {
        *field = self.0.u64().unwrap_or(*field);
    }

    fn u32(&mut self, field: &mut u32) {
        *field = self.0.u32().unwrap_or(*field);
    }

    fn bool(&mut self, field: &mut bool) {
        *field = self.0.u8().map_or(*field, |byte| byte != 0);
    }
}

fn process_tail(tail: &mut Tail<'_>, left: usize, entry: &mut ProcessEntry<'_>) {
    // libs 0.10 put two fields in the middle; what is left tells which recorder it was.
    if left > TAIL_BEFORE_0_10 {
        tail.u64(&mut entry.pidns_init_start_ts);
        tail.u32(&mut entry.tty);
    }
    tail.u32(&mut entry.loginuid);
    tail.bool(&mut entry.exe_writable);
    tail.u64(&mut entry.cap_inheritable);
    tail.u64(&mut entry.cap_permitted);
    tail.u64(&mut entry.cap_effective);
    tail.bool(&mut entry.exe_upper_layer);
    tail.u64(&mut entry.exe_ino);
    tail.u64(&mut entry.exe_ino_ctime);
    tail.u64(&mut entry.exe_ino_mtime);
    tail.bool(&mut entry.exe_from_memfd);
    tail.bool(&mut entry.exe_lower_layer);
    entry.pgid = tail.0.i64().unwrap_or(entry.pgid);
}

/// Types of descriptors that carry a name and nothing else.
pub(crate) const NAMED: [u8; 15] = [1, 2, 7, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21];

pub(crate) fn fd<'a>(at: &mut Cursor<'a>, sized: bool) -> Option<FdEntry<'a>> {
    let begin = at.at();
    let length = if sized { at.u32()? as usize } else { 0 };
    let fd = at.i64()?;
    let ino = at.u64()?;
    let kind = at.u8()?;
    let detail = match kind {
        3 => FdDetail::Ipv4 {
            sip: at.array()?,
            dip: at.array()?,
            sport: at.u16()?,
            dport: at.u16()?,
            l4proto: at.u8()?,
        },
        4 => FdDetail::Ipv6 {
            sip: at.array()?,
            dip: at.array()?,
            sport: at.u16()?,
            dport: at.u16()?,
            l4proto: at.u8()?,
        },
        5 => FdDetail::Ipv4Server {
            ip: at.array()?,
            port: at.u16()?,
            l4proto: at.u8()?,
        },
        6 => FdDetail::Ipv6Server {
            ip: at.array()?,
            port: at.u16()?,
            l4proto: at.u8()?,
        },
        8 => FdDetail::Unix {
            source: at.u64()?,
            destination: at.u64()?,
            name: at.text()?,
        },
        16 => {
            let flags = at.u32()?;
            let name = at.text()?;
            let has_dev = length >= at.at() - begin + 4;
            let dev = if has_dev { at.u32()? } else { 0 };
            FdDetail::File { flags, name, dev }
        }
        kind if NAMED.contains(&kind) => FdDetail::Name(at.text()?),
        _ => FdDetail::Other,
    };
    skip_rest(at, begin, length)?;
    Some(FdEntry {
        fd,
        ino,
        kind,
        detail,
    })
}

/// Goes to the end of an entry that says how long it is: a newer recorder may have appended fields.
fn skip_rest(at: &mut Cursor<'_>, begin: usize, length: usize) -> Option<()> {
    if length > 0 {
        at.take(length.checked_sub(at.at() - begin)?)?;
    }
    Some(())
}

/// A user or a group: they share a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Account<'a> {
    User(User<'a>),
    Group(Group<'a>),
}

/// Type byte of a user in the user list; anything else is a group.
pub(crate) const USER: u8 = 0;
/// Type byte of a group in the user list.
pub(crate) const GROUP: u8 = 1;

pub(crate) fn account<'a>(at: &mut Cursor<'a>, sized: bool) -> Option<Account<'a>> {
    let begin = at.at();
    let length = if sized { at.u32()? as usize } else { 0 };
    let account = if at.u8()? == USER {
        Account::User(User {
            uid: at.u32()?,
            gid: at.u32()?,
            name: at.text()?,
            home: at.text()?,
            shell: at.text()?,
        })
    } else {
        Account::Group(Group {
            gid: at.u32()?,
            name: at.text()?,
        })
    };
    skip_rest(at, begin, length)?;
    Some(account)
}

/// Type of an IPv4 interface entry.
pub(crate) const IPV4: u16 = 1;
/// Type of an IPv6 interface entry.
pub(crate) const IPV6: u16 = 2;
/// As [`IPV4`], without the link speed.
const IPV4_SHORT: u16 = 3;
/// As [`IPV6`], without the link speed.
const IPV6_SHORT: u16 = 4;

pub(crate) fn interface<'a>(at: &mut Cursor<'a>, sized: bool) -> Option<Interface<'a>> {
    let length = if sized { at.u32()? as usize } else { 0 };
    let begin = at.at();
    let kind = at.u16()?;
    let name_len = at.u16()?;
    let address = match kind {
        IPV4 | IPV4_SHORT => InterfaceAddress::V4 {
            address: at.array()?,
            netmask: at.array()?,
            broadcast: at.array()?,
        },
        IPV6 | IPV6_SHORT => InterfaceAddress::V6 {
            address: at.array()?,
            netmask: at.array()?,
            broadcast: at.array()?,
        },
        _ => return None,
    };
    let linkspeed = if matches!(kind, IPV4 | IPV6) {
        at.u64()?
    } else {
        0
    };
    let name = at.take(usize::from(name_len))?;
    skip_rest(at, begin, length)?;
    Some(Interface {
        name,
        address,
        linkspeed,
    })
}
