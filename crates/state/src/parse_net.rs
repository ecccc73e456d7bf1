//! Events that make, bind, connect or use sockets.

use std::sync::Arc;

use vedette_event::RawEvent;

use crate::apply::{has, result};
use crate::fd::{Fd, Kind};
use crate::kinds as k;
use crate::sock::{Address, Tuple, is_mapped, last4};
use crate::state::State;
use crate::wire::{EINPROGRESS, family, l4, open};

const SOCK_STREAM: u64 = 1;
const SOCK_DGRAM: u64 = 2;
const SOCK_RAW: u64 = 3;
const IPPROTO_IP: u64 = 0;
const IPPROTO_ICMP: u64 = 1;
const IPPROTO_TCP: u64 = 6;
const IPPROTO_UDP: u64 = 17;
const IPPROTO_RAW: u64 = 255;

impl State {
    /// socket.
    pub(crate) fn parse_socket(&mut self, event: &RawEvent<'_>) {
        if let (Some(slot), Some(number @ 0..)) = (self.context.thread, result(event)) {
            let parameter = |index| event.unsigned(index).unwrap_or(0);
            self.add_socket(slot, number, parameter(1), parameter(2), parameter(3));
            if parameter(4) & u64::from(open::CLOEXEC) != 0
                && let Some(fd) = self.context_fd_mut(slot)
            {
                fd.close_on_exec = true;
            }
        }
    }

    fn add_socket(&mut self, slot: u32, number: i64, domain: u64, kind: u64, protocol: u64) {
        let raw_or = |other| if kind == SOCK_RAW { l4::RAW } else { other };
        let l4proto = match protocol {
            IPPROTO_TCP => raw_or(l4::TCP),
            IPPROTO_UDP => raw_or(l4::UDP),
            // The low byte is the type proper, above it stand flags.
            IPPROTO_IP => match kind & 0xff {
                SOCK_STREAM => l4::TCP,
                SOCK_DGRAM => l4::UDP,
                _ => l4::UNKNOWN,
            },
            IPPROTO_ICMP => raw_or(l4::ICMP),
            IPPROTO_RAW => l4::RAW,
            _ => l4::UNKNOWN,
        };
        let fd_kind = match u8::try_from(domain) {
            Ok(family::UNIX) => Kind::Unix,
            Ok(family::INET) => Kind::V4,
            Ok(family::INET6) => Kind::V6,
            Ok(family::NETLINK) => Kind::Netlink,
            _ => Kind::Unknown,
        };
        let entry = self.new_fd(fd_kind, |fd| match fd_kind {
            Kind::V4 => fd.sock.set_v4_l4(l4proto),
            Kind::V6 => fd.sock.set_v6_l4(l4proto),
            _ => {}
        });
        self.add_fd(slot, number, entry);
    }

    /// Changes the event's descriptor and notes whether its name became another.
    fn change_fd(&mut self, slot: u32, change: impl FnOnce(&mut Fd)) {
        let mut old = std::mem::take(&mut self.scratch);
        old.clear();
        let mut changed = false;
        if let Some(fd) = self.context_fd_mut(slot) {
            old.extend_from_slice(&fd.name);
            change(fd);
            changed = fd.name != old;
        }
        self.scratch = old;
        self.context.name_changed |= changed;
    }

    /// bind.
    pub(crate) fn parse_bind(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0..)) = (self.context.thread, result(event)) else {
            return;
        };
        let Some(address) = event.param(1).and_then(Address::parse) else {
            return;
        };
        self.change_fd(slot, |fd| {
            match address {
                Address::V4 { ip, port } if port > 0 => {
                    fd.kind = Kind::ServerV4;
                    serve_v4(fd, ip, port, fd.sock.v4_l4());
                }
                Address::V6 { ip, port } if port > 0 => {
                    if is_mapped(&ip) {
                        fd.kind = Kind::ServerV4;
                        serve_v4(fd, last4(&ip), port, fd.sock.v6_l4());
                    } else {
                        fd.kind = Kind::ServerV6;
                        let protocol = fd.sock.v6_l4();
                        fd.sock.set_v6_server_port(port);
                        fd.sock.set_v6_source(ip);
                        fd.sock.set_v6_server_l4(protocol);
                        fd.set_server();
                    }
                }
                _ => {}
            }
            fd.name.clear();
            address.write(&mut fd.name);
        });
    }

    /// connect.
    pub(crate) fn parse_connect(&mut self, event: &RawEvent<'_>) {
        let Some(slot) = self.context.thread else {
            return;
        };
        if !matches!(result(event), Some(0.. | EINPROGRESS)) {
            return;
        }
        let tuple = event.param(1).and_then(Tuple::parse);
        self.change_fd(slot, |fd| {
            fd.connected = true;
            let Some(tuple) = tuple else {
                return;
            };
            let changed = match tuple.unmapped() {
                Tuple::V4(tuple) => {
                    fd.kind = Kind::V4;
                    fd.sock.update(true, &tuple, true)
                }
                Tuple::V6(tuple) => {
                    fd.kind = Kind::V6;
                    fd.sock.update(true, &tuple, true)
                }
                Tuple::Unix {
                    source,
                    destination,
                    ..
                } if fd.kind == Kind::Unix => {
                    fd.sock.set_unix_source(source);
                    fd.sock.set_unix_destination(destination);
                    fd.name.clear();
                    tuple.write(&mut fd.name);
                    if fd.has_no_role() {
                        fd.set_client();
                    }
                    return;
                }
                _ => return,
            };
            if changed && fd.server && fd.is_udp() {
                // A UDP server that connects: the peer is the client.
                fd.sock.swap(fd.kind == Kind::V6);
            }
            fd.name_after_addresses();
            if fd.has_no_role() {
                fd.set_client();
            }
        });
    }

    /// accept and accept4.
    pub(crate) fn parse_accept(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(number @ 0..)) = (self.context.thread, result(event)) else {
            return;
        };
        self.threads.at_mut(slot).last_fd = number;
        let Some(tuple) = event.param(1).and_then(Tuple::parse) else {
            return;
        };
        let kind = match tuple.unmapped() {
            Tuple::V4(_) => Kind::V4,
            Tuple::V6(_) => Kind::V6,
            Tuple::Unix { .. } => Kind::Unix,
            _ => return,
        };
        let close_on_exec = event.kind.0 == k::ACCEPT4_6_X
            && event.unsigned(5).unwrap_or(0) & u64::from(open::CLOEXEC) != 0;
        let entry = self.new_fd(kind, |fd| {
            match tuple.unmapped() {
                Tuple::V4(tuple) => {
                    fd.sock.update(false, &tuple, false);
                    fd.sock.set_v4_l4(l4::TCP);
                }
                Tuple::V6(tuple) => {
                    fd.sock.update(false, &tuple, false);
                    fd.sock.set_v6_l4(l4::TCP);
                }
                Tuple::Unix {
                    source,
                    destination,
                    ..
                } => {
                    fd.sock.set_unix_source(source);
                    fd.sock.set_unix_destination(destination);
                }
                _ => {}
            }
            tuple.write(&mut fd.name);
            fd.close_on_exec = close_on_exec;
            fd.set_server();
            fd.connected = true;
        });
        self.add_fd(slot, number, entry);
    }

    /// socketpair.
    pub(crate) fn parse_socketpair(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0..)) = (self.context.thread, result(event)) else {
            return;
        };
        let (Some(first), Some(second)) = (event.signed(1), event.signed(2)) else {
            return;
        };
        if first == second {
            self.context.fd = None;
            return;
        }
        let (source, peer) = (
            event.unsigned(3).unwrap_or(0),
            event.unsigned(4).unwrap_or(0),
        );
        let entry = self.new_fd(Kind::Unix, |fd| {
            fd.sock.set_unix_source(source.to_le_bytes());
            fd.sock.set_unix_destination(peer.to_le_bytes());
        });
        self.add_fd(slot, first, Arc::clone(&entry));
        let own = self.context.fd;
        self.add_fd(slot, second, entry);
        self.context.fd = own;
    }

    /// Receiving: a datagram socket learns who its peer is.
    pub(crate) fn parse_read(&mut self, event: &RawEvent<'_>) {
        let tuple = match event.kind.0 {
            k::RECVFROM_X => Some(2),
            k::RECVMSG_X => Some(3),
            k::RECVMMSG_X | k::RECV_X => Some(4),
            _ => None,
        };
        self.parse_transfer(event, tuple, true);
    }

    /// Sending.
    pub(crate) fn parse_write(&mut self, event: &RawEvent<'_>) {
        let kind = event.kind.0;
        if self.context.fd.is_none() && matches!(kind, k::SEND_X | k::SENDTO_X | k::SENDMSG_X) {
            self.guess_socket(event);
        }
        let tuple =
            matches!(kind, k::SEND_X | k::SENDTO_X | k::SENDMSG_X | k::SENDMMSG_X).then_some(4);
        self.parse_transfer(event, tuple, false);
    }

    /// A socket that nobody told about but that something is sent through is taken for a UDP one.
    fn guess_socket(&mut self, event: &RawEvent<'_>) {
        let (Some(slot), Some(0..), Some(number @ 0..)) =
            (self.context.thread, result(event), event.signed(2))
        else {
            return;
        };
        if let Some(&domain @ (family::INET | family::INET6)) =
            event.param(4).and_then(<[u8]>::first)
        {
            self.add_socket(slot, number, u64::from(domain), SOCK_DGRAM, IPPROTO_UDP);
        }
    }

    fn parse_transfer(&mut self, event: &RawEvent<'_>, tuple: Option<usize>, incoming: bool) {
        // Old captures have these two without any parameter.
        if matches!(event.kind.0, k::RECVMMSG_X | k::SENDMMSG_X) && !has(event, 0) {
            return;
        }
        let (Some(slot), Some(0..)) = (self.context.thread, result(event)) else {
            return;
        };
        let Some(fd) = self.context_fd(slot) else {
            return;
        };
        let learns = tuple.is_some_and(|_| fd.name.is_empty() || !fd.is_tcp());
        if fd.kind.is_connection()
            && !fd.connected
            && let Some(fd) = self.context_fd_mut(slot)
        {
            fd.connected = true;
        }
        if learns
            && let Some(tuple) = tuple
                .and_then(|index| event.param(index))
                .and_then(Tuple::parse)
        {
            self.learn_peer(slot, &tuple, incoming);
        }
    }

    fn learn_peer(&mut self, slot: u32, tuple: &Tuple<'_>, incoming: bool) {
        let interfaces = std::mem::take(&mut self.interfaces);
        let mut update = false;
        self.change_fd(slot, |fd| {
            let changed = match tuple.unmapped() {
                Tuple::V4(tuple) => {
                    if fd.kind == Kind::ServerV4 {
                        fd.sock.set_v4_l4(fd.sock.v4_server_l4());
                    }
                    fd.kind = Kind::V4;
                    fd.sock.update(true, &tuple, false)
                }
                Tuple::V6(tuple) => fd.sock.update(fd.kind == Kind::V6, &tuple, false),
                Tuple::Unix {
                    source,
                    destination,
                    ..
                } => {
                    fd.kind = Kind::Unix;
                    fd.sock.set_unix_source(source);
                    fd.sock.set_unix_destination(destination);
                    fd.name.clear();
                    tuple.write(&mut fd.name);
                    return;
                }
                _ => true,
            };
            if !changed {
                return;
            }
            if fd.kind == Kind::V4 && fd.sock.v4_l4() == l4::UNKNOWN {
                fd.sock.set_v4_l4(l4::UDP);
            } else if fd.kind == Kind::V6 && fd.sock.v6_l4() == l4::UNKNOWN {
                fd.sock.set_v6_l4(l4::UDP);
            }
            fd.complete(&interfaces);
            if fd.kind.is_connection() {
                update = true;
            } else {
                fd.name.clear();
                tuple.write(&mut fd.name);
            }
        });
        self.interfaces = interfaces;
        if !update {
            return;
        }
        let role = self.guess_role(slot, incoming);
        self.change_fd(slot, |fd| {
            if fd.has_no_role() {
                match role {
                    Role::Client => fd.set_client(),
                    Role::Server => fd.set_server(),
                }
            }
            // The one who starts is the source: us when we send as a client or receive as a server.
            if fd.client && incoming || fd.server && !incoming {
                fd.sock.swap(fd.kind == Kind::V6);
            }
            fd.name_after_addresses();
        });
    }

    /// Which end the event's socket is, by what else the process is bound to.
    fn guess_role(&self, slot: u32, incoming: bool) -> Role {
        let Some(owner) = self.threads.fd_owner(slot) else {
            return Role::Client;
        };
        let Some(fd) = self.context_fd(slot) else {
            return Role::Client;
        };
        let (source, destination) = (fd.sock.v4_source_port(), fd.sock.v4_destination_port());
        let fds = &self.threads.at(owner).fds;
        let bound = fds.iter().any(|(_, other)| match other.kind {
            Kind::V4 => other.sock.v4_destination_port() == destination,
            Kind::ServerV4 => other.sock.v4_server_port() == destination,
            _ => false,
        });
        let used = || {
            fds.iter()
                .any(|(_, other)| other.kind == Kind::V4 && other.sock.v4_source_port() == source)
        };
        if !bound {
            Role::Client
        } else if !used() || incoming {
            Role::Server
        } else {
            Role::Client
        }
    }
}

enum Role {
    Client,
    Server,
}

fn serve_v4(fd: &mut Fd, ip: [u8; 4], port: u16, protocol: u8) {
    fd.sock.set_v4_source(ip);
    fd.sock.set_v4_server_port(port);
    fd.sock.set_v4_server_l4(protocol);
    fd.set_server();
}
