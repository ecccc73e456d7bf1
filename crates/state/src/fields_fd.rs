//! Fields of descriptors: `fd.*`.

use std::net::IpAddr;

use vedette_event::{EventFlags as F, Extracted, FieldArg, Value, Values};

use crate::apply::{has, text as param_text};
use crate::fd::{Fd, Kind};
use crate::fields::Descriptor as D;
use crate::kinds as k;
use crate::number::{push_i64, push_u64};
use crate::path::{append, append_under};
use crate::sock::{Tuple, ip4, ip6};
use crate::view::{View, boolean, signed, text, unsigned, written};
use crate::wire::{AT_FDCWD, l4};

/// One end of a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Client,
    Server,
    Local,
    Remote,
}

impl View<'_> {
    /// The thread, when the event is about a descriptor at all.
    fn fd_thread(&self) -> Option<u32> {
        let flags = self.event.kind.info()?.flags;
        (flags.has(F::CREATES_FD) || flags.has(F::USES_FD) || flags.has(F::DESTROYS_FD))
            .then_some(self.thread)
            .flatten()
    }

    /// The descriptor that fields speak of: the event's own, else the one its thread used last.
    pub(crate) fn fd(&self) -> Option<&Fd> {
        let slot = self.fd_thread()?;
        if let Some(fd) = self.own_fd() {
            return Some(fd);
        }
        let last = self.state.threads.at(slot).last_fd;
        (last >= 0).then(|| self.state.fd_at(slot, last)).flatten()
    }

    pub(crate) fn descriptor<'s>(
        &'s self,
        which: D,
        arg: &FieldArg,
        room: &'s mut Values,
    ) -> Extracted<'s> {
        let Some(slot) = self.fd_thread() else {
            return Extracted::Missing;
        };
        let thread = self.state.threads.at(slot);
        match which {
            D::FdNum => return signed(thread.last_fd),
            D::FdUid => {
                return written(room, |out| {
                    push_i64(out, thread.tid);
                    push_i64(out, thread.last_fd);
                });
            }
            D::FdTypes => return self.types(slot, arg, room),
            _ => {}
        }
        let Some(fd) = self.fd() else {
            return self.without_fd(which, room);
        };
        match which {
            D::FdName => text(&fd.name),
            D::FdContainername => written(room, |out| {
                out.extend_from_slice(&thread.container_id);
                out.push(b':');
                out.extend_from_slice(&fd.name);
            }),
            D::FdType => text(fd.kind.word().as_bytes()),
            D::FdTypechar => written(room, |out| out.push(fd.kind.letter())),
            D::FdDirectory => match directory(fd) {
                Some(directory) => text(directory),
                None => Extracted::Missing,
            },
            D::FdContainerdirectory => match directory(fd) {
                Some(directory) => written(room, |out| {
                    out.extend_from_slice(&thread.container_id);
                    out.push(b':');
                    out.extend_from_slice(directory);
                }),
                None => Extracted::Missing,
            },
            D::FdFilename => {
                if fd.kind.is_file() {
                    text(file_name(&fd.name))
                } else {
                    Extracted::Missing
                }
            }
            D::FdNameraw => raw_name(&fd.raw_name, room),
            D::FdIp | D::FdNet => both_addresses(fd, room),
            D::FdPort | D::FdProto => both_ports(fd, room),
            D::FdCip | D::FdCnet => self.address(fd, End::Client),
            D::FdSip | D::FdSnet => self.address(fd, End::Server),
            D::FdLip | D::FdLnet => self.address(fd, End::Local),
            D::FdRip | D::FdRnet => self.address(fd, End::Remote),
            D::FdCport => self.port_field(fd, End::Client),
            D::FdSport => self.port_field(fd, End::Server),
            D::FdLport => self.port_field(fd, End::Local),
            D::FdRport => self.port_field(fd, End::Remote),
            D::FdCproto => self.proto(fd, End::Client, room),
            D::FdSproto => self.proto(fd, End::Server, room),
            D::FdLproto => self.proto(fd, End::Local, room),
            D::FdRproto => self.proto(fd, End::Remote, room),
            D::FdL4proto => text(match fd.l4proto() {
                l4::TCP => b"tcp",
                l4::UDP => b"udp",
                l4::ICMP => b"icmp",
                l4::RAW => b"raw",
                _ => b"<NA>",
            }),
            D::FdSockfamily => {
                if fd.kind.is_ip() {
                    text(b"ip")
                } else if fd.kind == Kind::Unix {
                    text(b"unix")
                } else {
                    Extracted::Missing
                }
            }
            D::FdIsServer => boolean(match fd.kind {
                Kind::ServerV4 | Kind::ServerV6 => true,
                Kind::V4 => self.is_local(IpAddr::V4(fd.sock.v4_destination().into())),
                Kind::V6 => self.is_local(IpAddr::V6(fd.sock.v6_destination().into())),
                _ => false,
            }),
            D::FdConnected => boolean(fd.connected),
            D::FdNameChanged => boolean(self.state.context.name_changed),
            // Names of addresses would have to be asked for on the network.
            D::FdCipName | D::FdSipName | D::FdLipName | D::FdRipName => Extracted::Missing,
            D::FdDev => signed(i64::from(fd.dev as i32)),
            D::FdDevMajor => signed(i64::from((fd.dev & 0xf_ff00) >> 8)),
            D::FdDevMinor => signed(i64::from((fd.dev & 0xff) | (fd.dev >> 12 & 0xf_ff00))),
            D::FdIno => signed(fd.ino as i64),
            D::FdIsUpperLayer => boolean(fd.upper_layer),
            D::FdIsLowerLayer => boolean(fd.lower_layer),
            D::FdNum | D::FdUid | D::FdTypes => Extracted::Missing,
        }
    }

    /// Kinds of all descriptors, or of one.
    fn types<'s>(&'s self, slot: u32, arg: &FieldArg, room: &'s mut Values) -> Extracted<'s> {
        if let FieldArg::Index(number) = arg {
            return match i64::try_from(*number)
                .ok()
                .and_then(|number| self.state.fd_at(slot, number))
            {
                Some(fd) => text(fd.kind.word().as_bytes()),
                None => Extracted::Missing,
            };
        }
        room.clear();
        if let Some(owner) = self.state.threads.fd_owner(slot) {
            for (_, fd) in self.state.threads.at(owner).fds.iter() {
                let word = Value::Text(fd.kind.word().as_bytes());
                if !room.iter().any(|known| known == word) {
                    room.push(word);
                }
            }
        }
        Extracted::Many(room)
    }

    /// What can be said although there is no descriptor, because the system call failed or nobody told.
    fn without_fd<'s>(&'s self, which: D, room: &'s mut Values) -> Extracted<'s> {
        match which {
            D::FdName => written(room, |out| self.write_creator_name(out)),
            D::FdContainername => written(room, |out| {
                self.write_container(out);
                self.write_creator_name(out);
            }),
            D::FdDirectory | D::FdContainerdirectory => written(room, |out| {
                if which == D::FdContainerdirectory {
                    self.write_container(out);
                }
                let from = out.len();
                self.write_creator_name(out);
                match memchr::memrchr(b'/', &out[from..]) {
                    Some(0) | None => {
                        out.truncate(from);
                        out.push(b'/');
                    }
                    Some(at) if at + 1 < out.len() - from => out.truncate(from + at),
                    Some(_) => {}
                }
            }),
            D::FdTypechar => text(match self.event.kind.0 {
                // Not for open itself, as Falco has it.
                k::OPENAT_2_X | k::OPENAT2_X | k::CREAT_X => b"f",
                k::SOCKET_X | k::ACCEPT_5_X | k::ACCEPT4_6_X => b"4",
                k::PIPE_X | k::PIPE2_X => b"p",
                k::EVENTFD_X | k::EVENTFD2_X => b"e",
                k::SIGNALFD_X | k::SIGNALFD4_X => b"s",
                k::TIMERFD_CREATE_X => b"t",
                k::INOTIFY_INIT_X | k::INOTIFY_INIT1_X => b"i",
                _ => b"o",
            }),
            D::FdNameraw => match self.event.kind.0 {
                k::OPENAT_2_X | k::OPENAT2_X => raw_name(param_text(&self.event, 2), room),
                _ => written(room, |out| {
                    self.write_creator_name(out);
                    out.dedup_by(|a, b| *a == b'/' && *b == b'/');
                }),
            },
            _ => Extracted::Missing,
        }
    }

    fn write_container(&self, out: &mut Vec<u8>) {
        if let Some(slot) = self.thread {
            out.extend_from_slice(&self.state.threads.at(slot).container_id);
        }
        out.push(b':');
    }

    /// The name that the descriptor would have had.
    pub(crate) fn write_creator_name(&self, out: &mut Vec<u8>) {
        let Some(slot) = self.thread else {
            return;
        };
        match self.event.kind.0 {
            k::OPEN_X | k::CREAT_X => {
                let path = param_text(&self.event, 1);
                if path.first() == Some(&b'/') || path == crate::thread::NOT_KNOWN {
                    out.extend_from_slice(path);
                } else {
                    append(out, self.state.cwd_bytes(slot), path);
                }
            }
            k::ACCEPT_5_X | k::ACCEPT4_6_X | k::CONNECT_X => {
                match self.event.param(1).and_then(Tuple::parse) {
                    Some(tuple) => tuple.write(out),
                    None => out.extend_from_slice(b"NULL"),
                }
            }
            k::OPENAT_2_X | k::OPENAT2_X => {
                let path = param_text(&self.event, 2);
                if path.first() == Some(&b'/') {
                    append(out, b"", path);
                    return;
                }
                let dirfd = self.event.signed(1).unwrap_or(AT_FDCWD);
                if !has(&self.event, 1) || dirfd == AT_FDCWD {
                    append(out, self.state.cwd_bytes(slot), path);
                    return;
                }
                match (dirfd >= 0)
                    .then(|| self.state.fd_at(slot, dirfd))
                    .flatten()
                {
                    None => append(out, b"<UNKNOWN>", path),
                    Some(fd) => append_under(out, &fd.name, path),
                }
            }
            k::OPEN_BY_HANDLE_AT_X => out.extend_from_slice(param_text(&self.event, 3)),
            _ => {}
        }
    }

    /// True when the address is the machine's or the container's own.
    fn is_local(&self, address: IpAddr) -> bool {
        if let Some(slot) = self.thread
            && let id = &self.state.threads.at(slot).container_id
            && !id.is_empty()
        {
            let Some(info) = self.state.containers.get(id) else {
                return false;
            };
            // Nothing is known of the IPv6 addresses of containers.
            if address.is_ipv6() {
                return false;
            }
            if info.ip.parse::<IpAddr>().is_ok_and(|own| own == address) {
                return true;
            }
        }
        match address {
            IpAddr::V4(v4) => self.state.interfaces.is_local_v4(v4.octets()),
            IpAddr::V6(v6) => self.state.interfaces.is_local_v6(v6.octets()),
        }
    }

    /// Address and port of one end.
    fn end(&self, fd: &Fd, end: End) -> Option<(IpAddr, u16)> {
        let (source, destination) = match fd.kind {
            Kind::V4 => (
                (ip4(fd.sock.v4_source()), fd.sock.v4_source_port()),
                (ip4(fd.sock.v4_destination()), fd.sock.v4_destination_port()),
            ),
            Kind::V6 => (
                (ip6(fd.sock.v6_source()), fd.sock.v6_source_port()),
                (ip6(fd.sock.v6_destination()), fd.sock.v6_destination_port()),
            ),
            Kind::ServerV4 if end == End::Server => {
                return Some((ip4(fd.sock.v4_source()), fd.sock.v4_server_port()));
            }
            Kind::ServerV6 if end == End::Server => {
                return Some((ip6(fd.sock.v6_source()), fd.sock.v6_server_port()));
            }
            _ => return None,
        };
        if fd.has_no_role() {
            return None;
        }
        let source_is_asked = match end {
            End::Client => true,
            End::Server => false,
            End::Local => self.is_local(source.0),
            End::Remote => !self.is_local(source.0),
        };
        Some(if source_is_asked { source } else { destination })
    }

    fn address(&self, fd: &Fd, end: End) -> Extracted<'static> {
        // Unlike its port, a server's address is only told once it has a role.
        if end == End::Server && fd.has_no_role() {
            return Extracted::Missing;
        }
        self.end(fd, end)
            .map_or(Extracted::Missing, |(address, _)| {
                Extracted::One(Value::Ip(address))
            })
    }

    fn port_field(&self, fd: &Fd, end: End) -> Extracted<'static> {
        self.end(fd, end)
            .map_or(Extracted::Missing, |(_, port)| unsigned(u64::from(port)))
    }

    fn proto<'s>(&self, fd: &Fd, end: End, room: &'s mut Values) -> Extracted<'s> {
        match self.end(fd, end) {
            Some((_, port)) => written(room, |out| push_u64(out, u64::from(port))),
            None if matches!(end, End::Client) && !fd.has_no_role() => written(room, |_| {}),
            None => Extracted::Missing,
        }
    }
}

/// Directory part of a file's name, or a directory's own name.
fn directory(fd: &Fd) -> Option<&[u8]> {
    if fd.kind == Kind::Directory {
        return Some(&fd.name);
    }
    if !fd.kind.is_file() {
        return None;
    }
    Some(match memchr::memrchr(b'/', &fd.name) {
        None | Some(0) => b"/",
        Some(at) if at + 1 < fd.name.len() => &fd.name[..at],
        Some(_) => &fd.name,
    })
}

/// Last part of a file's name.
fn file_name(name: &[u8]) -> &[u8] {
    match memchr::memrchr(b'/', name) {
        None => b"/",
        Some(at) if at + 1 < name.len() => &name[at + 1..],
        Some(_) => name,
    }
}

/// A name as it was given, without doubled separators.
fn raw_name<'s>(name: &[u8], room: &'s mut Values) -> Extracted<'s> {
    written(room, |out| {
        for &byte in name {
            if byte != b'/' || out.last() != Some(&b'/') {
                out.push(byte);
            }
        }
    })
}

fn both_addresses<'s>(fd: &Fd, room: &'s mut Values) -> Extracted<'s> {
    room.clear();
    match fd.kind {
        Kind::V4 => {
            room.push(Value::Ip(ip4(fd.sock.v4_source())));
            room.push(Value::Ip(ip4(fd.sock.v4_destination())));
        }
        Kind::V6 => {
            room.push(Value::Ip(ip6(fd.sock.v6_source())));
            room.push(Value::Ip(ip6(fd.sock.v6_destination())));
        }
        Kind::ServerV4 => room.push(Value::Ip(ip4(fd.sock.v4_source()))),
        Kind::ServerV6 => room.push(Value::Ip(ip6(fd.sock.v6_source()))),
        _ => return Extracted::Missing,
    }
    Extracted::Many(room)
}

fn both_ports<'s>(fd: &Fd, room: &'s mut Values) -> Extracted<'s> {
    room.clear();
    let (source, destination) = match fd.kind {
        Kind::V4 => (fd.sock.v4_source_port(), fd.sock.v4_destination_port()),
        Kind::V6 => (fd.sock.v6_source_port(), fd.sock.v6_destination_port()),
        Kind::ServerV4 => (fd.sock.v4_server_port(), fd.sock.v4_server_port()),
        Kind::ServerV6 => (fd.sock.v6_server_port(), fd.sock.v6_server_port()),
        _ => return Extracted::Missing,
    };
    room.push(Value::U64(u64::from(source)));
    room.push(Value::U64(u64::from(destination)));
    Extracted::Many(room)
}
