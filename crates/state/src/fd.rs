//! Descriptors, and the table of those that a process has open.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::sock::{
    Interfaces, Sock, write_unix, write_v4_server, write_v4_tuple, write_v6_server, write_v6_tuple,
};
use crate::wire::l4;

/// What a descriptor stands for, by the type numbers of the capture format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Unknown,
    File,
    Directory,
    V4,
    V6,
    ServerV4,
    ServerV6,
    Fifo,
    Unix,
    Event,
    Unsupported,
    Signal,
    Epoll,
    Inotify,
    Timer,
    Netlink,
    FileV2,
    Bpf,
    Userfault,
    IoUring,
    Memfd,
    Pidfd,
}

impl Kind {
    /// The kind with this number of the format.
    pub(crate) fn from_wire(number: u8) -> Option<Self> {
        const KINDS: [Kind; 21] = [
            Kind::File,
            Kind::Directory,
            Kind::V4,
            Kind::V6,
            Kind::ServerV4,
            Kind::ServerV6,
            Kind::Fifo,
            Kind::Unix,
            Kind::Event,
            Kind::Unsupported,
            Kind::Signal,
            Kind::Epoll,
            Kind::Inotify,
            Kind::Timer,
            Kind::Netlink,
            Kind::FileV2,
            Kind::Bpf,
            Kind::Userfault,
            Kind::IoUring,
            Kind::Memfd,
            Kind::Pidfd,
        ];
        KINDS.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The letter that `fd.typechar` shows.
    pub(crate) fn letter(self) -> u8 {
        match self {
            Self::File | Self::FileV2 => b'f',
            Self::Directory => b'd',
            Self::V4 | Self::ServerV4 => b'4',
            Self::V6 | Self::ServerV6 => b'6',
            Self::Fifo => b'p',
            Self::Unix => b'u',
            Self::Event => b'e',
            Self::Unsupported => b'X',
            Self::Signal => b's',
            Self::Epoll => b'l',
            Self::Inotify => b'i',
            Self::Timer => b't',
            Self::Netlink => b'n',
            Self::Bpf => b'b',
            Self::Userfault => b'u',
            Self::IoUring => b'r',
            Self::Memfd => b'm',
            Self::Pidfd => b'P',
            Self::Unknown => b'o',
        }
    }

    /// The word that `fd.type` shows.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::File | Self::FileV2 => "file",
            Self::Directory => "directory",
            Self::V4 | Self::ServerV4 => "ipv4",
            Self::V6 | Self::ServerV6 => "ipv6",
            Self::Fifo => "pipe",
            Self::Unix => "unix",
            Self::Event => "event",
            Self::Signal => "signalfd",
            Self::Epoll => "eventpoll",
            Self::Inotify => "inotify",
            Self::Timer => "timerfd",
            Self::Netlink => "netlink",
            Self::Bpf => "bpf",
            Self::Userfault => "userfaultfd",
            Self::IoUring => "io_uring",
            Self::Memfd => "memfd",
            Self::Pidfd => "pidfd",
            Self::Unsupported | Self::Unknown => "<NA>",
        }
    }

    pub(crate) fn is_file(self) -> bool {
        matches!(self, Self::File | Self::FileV2)
    }

    /// True for a connection (or a socket that may become one) of either IP version.
    pub(crate) fn is_connection(self) -> bool {
        matches!(self, Self::V4 | Self::V6)
    }

    pub(crate) fn is_ip(self) -> bool {
        matches!(self, Self::V4 | Self::V6 | Self::ServerV4 | Self::ServerV6)
    }
}

/// One descriptor.
#[derive(Clone, Debug)]
pub(crate) struct Fd {
    pub(crate) kind: Kind,
    pub(crate) client: bool,
    pub(crate) server: bool,
    pub(crate) connected: bool,
    pub(crate) upper_layer: bool,
    pub(crate) lower_layer: bool,
    /// The next exec closes it.
    pub(crate) close_on_exec: bool,
    pub(crate) open_flags: u32,
    pub(crate) dev: u32,
    pub(crate) ino: u64,
    /// Process that a pidfd stands for.
    pub(crate) pid: i64,
    pub(crate) sock: Sock,
    /// What `fd.name` shows.
    pub(crate) name: Vec<u8>,
    /// The name as it was given to the system call.
    pub(crate) raw_name: Vec<u8>,
}

impl Default for Fd {
    fn default() -> Self {
        Self {
            kind: Kind::Unknown,
            client: false,
            server: false,
            connected: false,
            upper_layer: false,
            lower_layer: false,
            close_on_exec: false,
            open_flags: 0,
            dev: 0,
            ino: 0,
            pid: 0,
            sock: Sock::default(),
            name: Vec::new(),
            raw_name: Vec::new(),
        }
    }
}

impl Fd {
    /// Back to the default, keeping the room of the texts.
    pub(crate) fn reset(&mut self) {
        let (mut name, mut raw_name) = (
            std::mem::take(&mut self.name),
            std::mem::take(&mut self.raw_name),
        );
        name.clear();
        raw_name.clear();
        *self = Self {
            name,
            raw_name,
            ..Self::default()
        };
    }

    /// True when it is not known yet which end it is.
    pub(crate) fn has_no_role(&self) -> bool {
        !self.client && !self.server
    }

    pub(crate) fn set_client(&mut self) {
        self.client = true;
        self.server = false;
    }

    pub(crate) fn set_server(&mut self) {
        self.server = true;
        self.client = false;
    }

    /// Transport protocol, of which nothing is said while the role is open.
    pub(crate) fn l4proto(&self) -> u8 {
        let (protocol, needs_role) = match self.kind {
            Kind::V4 => (self.sock.v4_l4(), true),
            Kind::V6 => (self.sock.v6_l4(), true),
            Kind::ServerV4 => (self.sock.v4_server_l4(), false),
            Kind::ServerV6 => (self.sock.v6_server_l4(), false),
            _ => return l4::NA,
        };
        if needs_role && protocol != l4::RAW && self.has_no_role() {
            l4::NA
        } else {
            protocol
        }
    }

    pub(crate) fn is_tcp(&self) -> bool {
        match self.kind {
            Kind::V4 => self.sock.v4_l4() == l4::TCP,
            Kind::V6 => self.sock.v6_l4() == l4::TCP,
            Kind::ServerV4 => self.sock.v4_server_l4() == l4::TCP,
            Kind::ServerV6 => self.sock.v6_server_l4() == l4::TCP,
            _ => false,
        }
    }

    pub(crate) fn is_udp(&self) -> bool {
        match self.kind {
            Kind::V4 => self.sock.v4_l4() == l4::UDP,
            Kind::V6 => self.sock.v6_l4() == l4::UDP,
            Kind::ServerV4 => self.sock.v4_server_l4() == l4::UDP,
            Kind::ServerV6 => self.sock.v6_server_l4() == l4::UDP,
            _ => false,
        }
    }

    /// Fills in the address that a connection does not show.
    pub(crate) fn complete(&mut self, interfaces: &Interfaces) {
        match self.kind {
            Kind::V4 => interfaces.complete_v4(&mut self.sock),
            Kind::V6 => interfaces.complete_v6(&mut self.sock),
            _ => {}
        }
    }

    /// Makes the name say the addresses.
    pub(crate) fn name_after_addresses(&mut self) {
        self.name.clear();
        let (v4, v6) = (self.sock.tuple::<4>(), self.sock.tuple::<16>());
        match self.kind {
            Kind::V4 => write_v4_tuple(&mut self.name, &v4),
            Kind::V6 => write_v6_tuple(&mut self.name, &v6),
            Kind::ServerV4 => {
                write_v4_server(
                    &mut self.name,
                    self.sock.v4_source(),
                    self.sock.v4_server_port(),
                );
            }
            Kind::ServerV6 => {
                write_v6_server(
                    &mut self.name,
                    self.sock.v6_source(),
                    self.sock.v6_server_port(),
                );
            }
            Kind::Unix => write_unix(
                &mut self.name,
                self.sock.unix_source(),
                self.sock.unix_destination(),
            ),
            _ => {}
        }
    }
}

/// Descriptors below this number stand in an array; others, which are rare, in a map.
const DENSE_FDS: i64 = 1024;

/// Most descriptors of one process. Linux allows 1,048,576 by default, but nobody looks at so many; beyond the bound new
/// ones are not kept and counted, as Falco does (at 4,096).
pub(crate) const MAX_FDS: usize = 32_768;

/// Closed descriptors whose memory is kept for the next ones, so that opening and closing does not allocate.
const MAX_SPARE: usize = 256;

/// Memory of closed descriptors, kept for the next ones.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<Arc<Fd>>);

impl Spare {
    /// A descriptor in its default state.
    pub(crate) fn take(&mut self) -> Arc<Fd> {
        while let Some(mut fd) = self.0.pop() {
            if let Some(inner) = Arc::get_mut(&mut fd) {
                inner.reset();
                return fd;
            }
        }
        Arc::new(Fd::default())
    }

    /// Keeps the memory of `fd` when nobody else holds it.
    pub(crate) fn give(&mut self, mut fd: Arc<Fd>) {
        if self.0.len() < MAX_SPARE && Arc::get_mut(&mut fd).is_some() {
            self.0.push(fd);
        }
    }
}

/// The descriptors of a process. Entries are shared with the tables of forked children until one of them changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct FdTable {
    dense: Vec<Option<Arc<Fd>>>,
    sparse: FxHashMap<i64, Arc<Fd>>,
    len: usize,
}

impl FdTable {
    /// Number of open descriptors.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The descriptor with this number.
    #[inline]
    pub(crate) fn get(&self, fd: i64) -> Option<&Fd> {
        if (0..DENSE_FDS).contains(&fd) {
            self.dense.get(fd as usize)?.as_deref()
        } else {
            self.sparse.get(&fd).map(|fd| &**fd)
        }
    }

    /// The shared entry, for a copy under another number.
    pub(crate) fn shared(&self, fd: i64) -> Option<Arc<Fd>> {
        if (0..DENSE_FDS).contains(&fd) {
            self.dense.get(fd as usize)?.clone()
        } else {
            self.sparse.get(&fd).cloned()
        }
    }

    /// The descriptor, to be changed.
    pub(crate) fn get_mut(&mut self, fd: i64) -> Option<&mut Fd> {
        if (0..DENSE_FDS).contains(&fd) {
            self.dense.get_mut(fd as usize)?.as_mut().map(Arc::make_mut)
        } else {
            self.sparse.get_mut(&fd).map(Arc::make_mut)
        }
    }

    /// Puts `entry` under `fd`. False, and nothing done, when the table is full.
    pub(crate) fn insert(&mut self, fd: i64, entry: Arc<Fd>, spare: &mut Spare) -> bool {
        if self.len >= MAX_FDS && self.get(fd).is_none() {
            spare.give(entry);
            return false;
        }
        let old = if (0..DENSE_FDS).contains(&fd) {
            let index = fd as usize;
            if self.dense.len() <= index {
                self.dense.resize(index + 1, None);
            }
            self.dense[index].replace(entry)
        } else {
            self.sparse.insert(fd, entry)
        };
        match old {
            Some(old) => spare.give(old),
            None => self.len += 1,
        }
        true
    }

    /// Takes the descriptor out.
    pub(crate) fn remove(&mut self, fd: i64, spare: &mut Spare) {
        let old = if (0..DENSE_FDS).contains(&fd) {
            self.dense.get_mut(fd as usize).and_then(Option::take)
        } else {
            self.sparse.remove(&fd)
        };
        if let Some(old) = old {
            self.len -= 1;
            spare.give(old);
        }
    }

    /// Takes every descriptor out.
    pub(crate) fn clear(&mut self, spare: &mut Spare) {
        for fd in self.dense.drain(..).flatten() {
            spare.give(fd);
        }
        for (_, fd) in self.sparse.drain() {
            spare.give(fd);
        }
        self.len = 0;
    }

    /// Makes this table share every entry of `other`.
    pub(crate) fn copy_from(&mut self, other: &Self, spare: &mut Spare) {
        self.clear(spare);
        self.dense.clone_from(&other.dense);
        self.sparse.clone_from(&other.sparse);
        self.len = other.len;
    }

    /// Every descriptor by number; those in the map come last, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Fd)> {
        self.dense
            .iter()
            .enumerate()
            .filter_map(|(fd, entry)| Some((fd as i64, &**entry.as_ref()?)))
            .chain(self.sparse.iter().map(|(fd, entry)| (*fd, &**entry)))
    }

    /// Marks what stands from `first` to `last` to be closed by the next exec.
    pub(crate) fn mark_close_on_exec(&mut self, first: i64, last: i64) {
        let dense = self.dense.iter_mut().enumerate();
        let dense = dense.filter_map(|(fd, entry)| Some((fd as i64, entry.as_mut()?)));
        let sparse = self.sparse.iter_mut().map(|(fd, entry)| (*fd, entry));
        for (fd, entry) in dense.chain(sparse) {
            if (first..=last).contains(&fd) && !entry.close_on_exec {
                Arc::make_mut(entry).close_on_exec = true;
            }
        }
    }

    /// Takes out what `keep` refuses.
    pub(crate) fn retain(&mut self, spare: &mut Spare, mut keep: impl FnMut(i64, &Fd) -> bool) {
        for (fd, slot) in self.dense.iter_mut().enumerate() {
            if slot.as_ref().is_some_and(|entry| !keep(fd as i64, entry))
                && let Some(old) = slot.take()
            {
                self.len -= 1;
                spare.give(old);
            }
        }
        let before = self.sparse.len();
        self.sparse.retain(|fd, entry| keep(*fd, entry));
        self.len -= before - self.sparse.len();
    }
}
