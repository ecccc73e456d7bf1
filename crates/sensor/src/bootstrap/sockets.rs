//! Sockets by inode, from the tables that each network namespace shows below `/proc/PID/net`.

use std::collections::HashMap;
use std::path::Path;

use vedette_event::boot::{FdDetail, FdEntry};

use super::{link, read};

/// Most sockets of one namespace that are kept.
const MAX_SOCKETS: usize = 1 << 18;
/// Most namespaces whose tables are kept at once; the oldest goes first.
const MAX_NAMESPACES: usize = 64;

const L4_TCP: u8 = 2;
const L4_UDP: u8 = 3;
const L4_RAW: u8 = 5;

/// `TCP_LISTEN`; a UDP socket without a peer counts as a server too, whatever its state.
const LISTEN: u8 = 0x0a;

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    V4 {
        local: ([u8; 4], u16),
        remote: ([u8; 4], u16),
        l4proto: u8,
        server: bool,
    },
    V6 {
        local: ([u8; 16], u16),
        remote: ([u8; 16], u16),
        l4proto: u8,
        server: bool,
    },
    Unix {
        pointer: u64,
        name: Vec<u8>,
    },
}

impl Socket {
    /// As a capture carries it.
    pub(super) fn borrowed(&self, fd: i64, ino: u64) -> FdEntry<'_> {
        let (kind, detail) = match self {
            Self::V4 {
                local,
                l4proto,
                server: true,
                ..
            } => (
                5,
                FdDetail::Ipv4Server {
                    ip: local.0,
                    port: local.1,
                    l4proto: *l4proto,
                },
            ),
            Self::V4 {
                local,
                remote,
                l4proto,
                ..
            } => (
                3,
                FdDetail::Ipv4 {
                    sip: local.0,
                    dip: remote.0,
                    sport: local.1,
                    dport: remote.1,
                    l4proto: *l4proto,
                },
            ),
            Self::V6 {
                local,
                l4proto,
                server: true,
                ..
            } => (
                6,
                FdDetail::Ipv6Server {
                    ip: local.0,
                    port: local.1,
                    l4proto: *l4proto,
                },
            ),
            Self::V6 {
                local,
                remote,
                l4proto,
                ..
            } => (
                4,
                FdDetail::Ipv6 {
                    sip: local.0,
                    dip: remote.0,
                    sport: local.1,
                    dport: remote.1,
                    l4proto: *l4proto,
                },
            ),
            Self::Unix { pointer, name } => (
                8,
                FdDetail::Unix {
                    source: *pointer,
                    destination: 0,
                    name,
                },
            ),
        };
        FdEntry {
            fd,
            ino,
            kind,
            detail,
        }
    }
}

/// What a look-up gives.
pub(super) enum Found<'a> {
    Known(&'a Socket),
    Netlink,
    Unknown,
}

#[derive(Debug, Default)]
struct Namespace {
    sockets: HashMap<u64, Socket>,
    netlink: Vec<u64>,
}

/// The tables of the namespaces seen so far.
#[derive(Debug, Default)]
pub(super) struct Tables {
    by_namespace: Vec<(Vec<u8>, Namespace)>,
}

impl Tables {
    /// The socket with this inode in the namespace of the process in `dir`.
    pub(super) fn find(&mut self, dir: &Path, ino: u64) -> Found<'_> {
        let id = link(&dir.join("ns/net")).unwrap_or_default();
        let known = self.by_namespace.iter().position(|(known, _)| *known == id);
        let at = if let Some(at) = known {
            at
        } else {
            if self.by_namespace.len() >= MAX_NAMESPACES {
                self.by_namespace.remove(0);
            }
            let tables = Namespace::read(&dir.join("net"));
            self.by_namespace.push((id, tables));
            self.by_namespace.len() - 1
        };
        let namespace = &self.by_namespace[at].1;
        match namespace.sockets.get(&ino) {
            Some(socket) => Found::Known(socket),
            None if namespace.netlink.contains(&ino) => Found::Netlink,
            None => Found::Unknown,
        }
    }
}

impl Namespace {
    fn read(net: &Path) -> Self {
        let mut out = Self::default();
        for (file, l4proto) in [
            ("tcp", L4_TCP),
            ("udp", L4_UDP),
            ("raw", L4_RAW),
            ("tcp6", L4_TCP),
            ("udp6", L4_UDP),
            ("raw6", L4_RAW),
        ] {
            let text = read(&net.join(file)).unwrap_or_default();
            for line in lines(&text) {
                out.add(inet(line, l4proto));
            }
        }
        let text = read(&net.join("unix")).unwrap_or_default();
        for line in lines(&text) {
            out.add(unix(line));
        }
        let text = read(&net.join("netlink")).unwrap_or_default();
        out.netlink = lines(&text)
            .filter_map(|line| line.split_ascii_whitespace().nth(9)?.parse().ok())
            .take(MAX_SOCKETS)
            .collect();
        out
    }

    fn add(&mut self, found: Option<(u64, Socket)>) {
        if let Some((ino, socket)) = found
            && self.sockets.len() < MAX_SOCKETS
        {
            self.sockets.insert(ino, socket);
        }
    }
}

/// Lines after the heading; lines that are not text are passed over.
fn lines(text: &[u8]) -> impl Iterator<Item = &str> {
    text.split(|&b| b == b'\n')
        .skip(1)
        .filter_map(|line| std::str::from_utf8(line).ok())
}

/// `SL LOCAL:PORT REMOTE:PORT STATE … INODE …`, addresses as words in the machine's order.
fn inet(line: &str, l4proto: u8) -> Option<(u64, Socket)> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let remote = fields.next()?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let ino: u64 = fields.nth(5)?.parse().ok()?;
    let (local_ip, local_port) = local.split_once(':')?;
    let (remote_ip, remote_port) = remote.split_once(':')?;
    let local_port = u16::from_str_radix(local_port, 16).ok()?;
    let remote_port = u16::from_str_radix(remote_port, 16).ok()?;
    let server = state == LISTEN || remote_port == 0;
    let socket = if local_ip.len() == 8 {
        Socket::V4 {
            local: (words(local_ip)?, local_port),
            remote: (words(remote_ip)?, remote_port),
            l4proto,
            server,
        }
    } else {
        Socket::V6 {
            local: (words(local_ip)?, local_port),
            remote: (words(remote_ip)?, remote_port),
            l4proto,
            server,
        }
    };
    Some((ino, socket))
}

/// Hexadecimal words of 32 bits, each printed in the machine's order, as bytes in network order.
fn words<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    let mut out = [0; N];
    for (word, bytes) in out.chunks_exact_mut(4).enumerate() {
        let value = u32::from_str_radix(text.get(word * 8..word * 8 + 8)?, 16).ok()?;
        bytes.copy_from_slice(&value.to_ne_bytes());
    }
    Some(out)
}

/// `POINTER: REFS PROTOCOL FLAGS TYPE STATE INODE [PATH]`
fn unix(line: &str) -> Option<(u64, Socket)> {
    let mut fields = line.split_ascii_whitespace();
    let pointer = u64::from_str_radix(fields.next()?.strip_suffix(':')?, 16).ok()?;
    let ino = fields.nth(5)?.parse().ok()?;
    let name = fields.next().unwrap_or_default().as_bytes().to_vec();
    Some((ino, Socket::Unix { pointer, name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_servers() {
        let line = "   1: 0100007F:1F90 0200007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 4242 1";
        let (ino, socket) = inet(line, L4_TCP).unwrap();
        assert_eq!(ino, 4242);
        assert_eq!(
            socket,
            Socket::V4 {
                local: ([127, 0, 0, 1], 8080),
                remote: ([127, 0, 0, 2], 49152),
                l4proto: L4_TCP,
                server: false,
            }
        );
        let line = "   0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 7";
        let (_, socket) = inet(line, L4_TCP).unwrap();
        let entry = socket.borrowed(3, 7);
        let mut ip = [0; 16];
        ip[15] = 1;
        assert_eq!(entry.kind, 6);
        assert_eq!(
            entry.detail,
            FdDetail::Ipv6Server {
                ip,
                port: 22,
                l4proto: L4_TCP
            }
        );
        for bad in [
            "",
            "x",
            "1: zz:1 zz:2 01 a b c d e 5",
            "1: 00:1 00:2 01 a b c d e 5",
        ] {
            assert!(inet(bad, L4_TCP).is_none(), "{bad}");
        }
    }

    #[test]
    fn unix_sockets() {
        let line = "ffff888000000000: 00000002 00000000 00010000 0001 01 99 /run/x.sock";
        let (ino, socket) = unix(line).unwrap();
        assert_eq!(ino, 99);
        assert_eq!(
            socket,
            Socket::Unix {
                pointer: 0xffff_8880_0000_0000,
                name: b"/run/x.sock".to_vec()
            }
        );
        assert!(unix("").is_none());
    }
}
