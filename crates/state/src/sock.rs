//! Socket addresses of a descriptor, their texts, and the machine's own addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vedette_event::boot::{Interface, InterfaceAddress};

use crate::number::push_u64;
use crate::wire::family;

/// Most interface addresses that are kept: no machine has more, and a capture cannot make us keep more.
const MAX_INTERFACES: usize = 4096;

/// The addresses of a socket in one block of bytes, where the shapes overlap exactly as they do in Falco: a bound
/// socket that is later used as a connection shows there what was left of the first shape, and rules can see it.
///
/// Connection: source address, destination address, source port, destination port, protocol. Server: address, port,
/// protocol. Unix: source and destination kernel addresses. Numbers are little-endian, addresses in network order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sock([u8; 40]);

impl Default for Sock {
    fn default() -> Self {
        Self([0; 40])
    }
}

macro_rules! u16_at {
    ($get:ident, $at:literal) => {
        pub(crate) fn $get(&self) -> u16 {
            u16::from_le_bytes([self.0[$at], self.0[$at + 1]])
        }
    };
    ($get:ident, $set:ident, $at:literal) => {
        u16_at!($get, $at);
        pub(crate) fn $set(&mut self, value: u16) {
            self.0[$at..$at + 2].copy_from_slice(&value.to_le_bytes());
        }
    };
}

macro_rules! bytes_at {
    ($get:ident, $set:ident, $at:literal, $len:literal) => {
        pub(crate) fn $get(&self) -> [u8; $len] {
            self.0[$at..$at + $len]
                .try_into()
                .expect("the range has this length")
        }
        pub(crate) fn $set(&mut self, value: [u8; $len]) {
            self.0[$at..$at + $len].copy_from_slice(&value);
        }
    };
}

macro_rules! u8_at {
    ($get:ident, $set:ident, $at:literal) => {
        pub(crate) fn $get(&self) -> u8 {
            self.0[$at]
        }
        pub(crate) fn $set(&mut self, value: u8) {
            self.0[$at] = value;
        }
    };
}

impl Sock {
    bytes_at!(v4_source, set_v4_source, 0, 4);
    bytes_at!(v4_destination, set_v4_destination, 4, 4);
    u16_at!(v4_source_port, 8);
    u16_at!(v4_destination_port, 10);
    u8_at!(v4_l4, set_v4_l4, 12);
    bytes_at!(v6_source, set_v6_source, 0, 16);
    bytes_at!(v6_destination, set_v6_destination, 16, 16);
    u16_at!(v6_source_port, 32);
    u16_at!(v6_destination_port, 34);
    u8_at!(v6_l4, set_v6_l4, 36);
    u16_at!(v4_server_port, set_v4_server_port, 4);
    u8_at!(v4_server_l4, set_v4_server_l4, 6);
    u16_at!(v6_server_port, set_v6_server_port, 16);
    u8_at!(v6_server_l4, set_v6_server_l4, 18);
    bytes_at!(unix_source, set_unix_source, 0, 8);
    bytes_at!(unix_destination, set_unix_destination, 8, 8);

    /// The connection, with addresses of `N` bytes.
    pub(crate) fn tuple<const N: usize>(&self) -> Connection<N> {
        let port = |at: usize| u16::from_le_bytes([self.0[at], self.0[at + 1]]);
        let mut out = Connection {
            source: [0; N],
            destination: [0; N],
            source_port: port(2 * N),
            destination_port: port(2 * N + 2),
        };
        out.source.copy_from_slice(&self.0[..N]);
        out.destination.copy_from_slice(&self.0[N..2 * N]);
        out
    }

    /// Sets the connection and leaves the protocol.
    pub(crate) fn set_tuple<const N: usize>(&mut self, tuple: &Connection<N>) {
        self.0[..N].copy_from_slice(&tuple.source);
        self.0[N..2 * N].copy_from_slice(&tuple.destination);
        self.0[2 * N..2 * N + 2].copy_from_slice(&tuple.source_port.to_le_bytes());
        self.0[2 * N + 2..2 * N + 4].copy_from_slice(&tuple.destination_port.to_le_bytes());
    }

    /// Takes over a tuple unless the descriptor already has it, in either direction. The destination is only filled when
    /// it is still empty, or when `overwrite` says so. True when anything changed.
    pub(crate) fn update<const N: usize>(
        &mut self,
        is_connection: bool,
        tuple: &Connection<N>,
        overwrite: bool,
    ) -> bool {
        let mut now = self.tuple::<N>();
        if is_connection && (now == *tuple || now == tuple.reversed()) {
            return false;
        }
        let mut changed = now.source != tuple.source || now.source_port != tuple.source_port;
        now.source = tuple.source;
        now.source_port = tuple.source_port;
        if now.destination == [0; N] || overwrite && now.destination != tuple.destination {
            now.destination = tuple.destination;
            changed = true;
        }
        if now.destination_port == 0 || overwrite && now.destination_port != tuple.destination_port
        {
            now.destination_port = tuple.destination_port;
            changed = true;
        }
        self.set_tuple(&now);
        changed
    }

    /// Exchanges source and destination of a connection.
    pub(crate) fn swap(&mut self, v6: bool) {
        if v6 {
            self.set_tuple(&self.tuple::<16>().reversed());
        } else {
            self.set_tuple(&self.tuple::<4>().reversed());
        }
    }
}

/// A connection between addresses of `N` bytes: 4 of IPv4, 16 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection<const N: usize> {
    pub(crate) source: [u8; N],
    pub(crate) destination: [u8; N],
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
}

pub(crate) type TupleV4 = Connection<4>;
pub(crate) type TupleV6 = Connection<16>;

impl<const N: usize> Connection<N> {
    fn reversed(&self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
}

impl TupleV6 {
    /// The IPv4 tuple inside, when both addresses are mapped ones.
    pub(crate) fn mapped(&self) -> Option<TupleV4> {
        (is_mapped(&self.source) && is_mapped(&self.destination)).then(|| TupleV4 {
            source: last4(&self.source),
            destination: last4(&self.destination),
            source_port: self.source_port,
            destination_port: self.destination_port,
        })
    }
}

/// True for `::ffff:a.b.c.d`, and for the address of all zeros, which is taken as IPv4 too.
pub(crate) fn is_mapped(address: &[u8; 16]) -> bool {
    address[..10] == [0; 10] && (address[10..12] == [0xff, 0xff] || address[10..] == [0; 6])
}

/// The IPv4 address in the last four bytes of a mapped one.
pub(crate) fn last4(address: &[u8; 16]) -> [u8; 4] {
    [address[12], address[13], address[14], address[15]]
}

/// What a `SockTuple` parameter holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tuple<'a> {
    V4(TupleV4),
    V6(TupleV6),
    Unix {
        source: [u8; 8],
        destination: [u8; 8],
        path: &'a [u8],
    },
    /// IPv4 or IPv6 of a wrong length.
    Cut(u8),
    Other(u8),
}

impl<'a> Tuple<'a> {
    /// Reads a parameter; `None` when it is empty.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&family, rest) = bytes.split_first()?;
        Some(match family {
            family::INET => match rest {
                [s0, s1, s2, s3, sp0, sp1, d0, d1, d2, d3, dp0, dp1] => Self::V4(TupleV4 {
                    source: [*s0, *s1, *s2, *s3],
                    source_port: u16::from_le_bytes([*sp0, *sp1]),
                    destination: [*d0, *d1, *d2, *d3],
                    destination_port: u16::from_le_bytes([*dp0, *dp1]),
                }),
                _ => Self::Cut(family),
            },
            family::INET6 => {
                if rest.len() == 36 {
                    let (source, rest) = rest.split_at(18);
                    Self::V6(TupleV6 {
                        source: source[..16].try_into().expect("18 bytes were split off"),
                        source_port: u16::from_le_bytes([source[16], source[17]]),
                        destination: rest[..16].try_into().expect("18 bytes are left"),
                        destination_port: u16::from_le_bytes([rest[16], rest[17]]),
                    })
                } else {
                    Self::Cut(family)
                }
            }
            family::UNIX => {
                if rest.len() >= 16 {
                    Self::Unix {
                        source: rest[..8].try_into().expect("16 bytes are there"),
                        destination: rest[8..16].try_into().expect("16 bytes are there"),
                        path: text(&rest[16..]),
                    }
                } else {
                    Self::Cut(family)
                }
            }
            other => Self::Other(other),
        })
    }

    /// An IPv6 tuple of two mapped addresses as the IPv4 tuple that it stands for.
    pub(crate) fn unmapped(self) -> Self {
        match self {
            Self::V6(tuple) => tuple.mapped().map_or(self, Self::V4),
            other => other,
        }
    }

    /// Writes the tuple as text, without resolving anything.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self.unmapped() {
            Self::V4(t) => write_v4_tuple(out, &t),
            Self::V6(t) => write_v6_tuple(out, &t),
            Self::Unix {
                source,
                destination,
                path,
            } => {
                write_unix(out, source, destination);
                out.push(b' ');
                out.extend_from_slice(path);
            }
            Self::Cut(family::INET) => out.extend_from_slice(b"INVALID IPv4"),
            Self::Cut(_) => out.extend_from_slice(b"INVALID IPv6"),
            Self::Other(family) => {
                out.extend_from_slice(b"family ");
                push_u64(out, u64::from(family));
            }
        }
    }
}

/// What a `SockAddr` parameter holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Address<'a> {
    V4 { ip: [u8; 4], port: u16 },
    V6 { ip: [u8; 16], port: u16 },
    Unix(&'a [u8]),
    Cut(u8),
    Other(u8),
}

impl<'a> Address<'a> {
    /// Reads a parameter; `None` when it is empty.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&family, rest) = bytes.split_first()?;
        Some(match family {
            family::INET => match rest {
                [a, b, c, d, p0, p1] => Self::V4 {
                    ip: [*a, *b, *c, *d],
                    port: u16::from_le_bytes([*p0, *p1]),
                },
                _ => Self::Cut(family),
            },
            family::INET6 if rest.len() == 18 => Self::V6 {
                ip: rest[..16].try_into().expect("18 bytes are there"),
                port: u16::from_le_bytes([rest[16], rest[17]]),
            },
            family::INET6 => Self::Cut(family),
            family::UNIX => Self::Unix(text(rest)),
            other => Self::Other(other),
        })
    }

    /// Writes the address as text.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::V4 { ip, port } => write_v4(out, ip, port),
            Self::V6 { ip, port } => write_v6(out, ip, port),
            Self::Unix(path) => out.extend_from_slice(path),
            Self::Cut(family::INET) => out.extend_from_slice(b"INVALID IPv4"),
            Self::Cut(_) => out.extend_from_slice(b"INVALID IPv6"),
            Self::Other(family) => {
                out.extend_from_slice(b"family ");
                push_u64(out, u64::from(family));
            }
        }
    }
}

fn text(bytes: &[u8]) -> &[u8] {
    memchr::memchr(0, bytes).map_or(bytes, |end| &bytes[..end])
}

/// Writes `a.b.c.d`.
pub(crate) fn write_ip4(out: &mut Vec<u8>, ip: [u8; 4]) {
    for (i, byte) in ip.into_iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        push_u64(out, u64::from(byte));
    }
}

/// Writes an IPv6 address in the short form that `inet_ntop` gives.
pub(crate) fn write_ip6(out: &mut Vec<u8>, ip: [u8; 16]) {
    use std::io::Write as _;
    let address = Ipv6Addr::from(ip);
    if ip[..12] == [0; 12] && ip[12..14] != [0, 0] {
        out.extend_from_slice(b"::");
        write_ip4(out, last4(&ip));
    } else {
        write!(out, "{address}").expect("writing to a vector cannot fail");
    }
}

fn write_v4(out: &mut Vec<u8>, ip: [u8; 4], port: u16) {
    write_ip4(out, ip);
    out.push(b':');
    push_u64(out, u64::from(port));
}

fn write_v6(out: &mut Vec<u8>, ip: [u8; 16], port: u16) {
    write_ip6(out, ip);
    out.push(b':');
    push_u64(out, u64::from(port));
}

/// Writes `source:port->destination:port`.
pub(crate) fn write_v4_tuple(out: &mut Vec<u8>, t: &TupleV4) {
    write_v4(out, t.source, t.source_port);
    out.extend_from_slice(b"->");
    write_v4(out, t.destination, t.destination_port);
}

/// Writes `source:port->destination:port`.
pub(crate) fn write_v6_tuple(out: &mut Vec<u8>, t: &TupleV6) {
    write_v6(out, t.source, t.source_port);
    out.extend_from_slice(b"->");
    write_v6(out, t.destination, t.destination_port);
}

/// Writes `source->destination` of a Unix socket in hexadecimal.
pub(crate) fn write_unix(out: &mut Vec<u8>, source: [u8; 8], destination: [u8; 8]) {
    use std::io::Write as _;
    let (source, destination) = (u64::from_le_bytes(source), u64::from_le_bytes(destination));
    write!(out, "{source:x}->{destination:x}").expect("writing to a vector cannot fail");
}

/// Writes an IPv4 server address.
pub(crate) fn write_v4_server(out: &mut Vec<u8>, ip: [u8; 4], port: u16) {
    write_v4(out, ip, port);
}

/// Writes an IPv6 server address.
pub(crate) fn write_v6_server(out: &mut Vec<u8>, ip: [u8; 16], port: u16) {
    write_v6(out, ip, port);
}

/// The machine's own addresses, which tell local from remote and fill in addresses that a socket does not show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interfaces {
    v4: Vec<([u8; 4], [u8; 4])>,
    v6: Vec<([u8; 16], [u8; 16])>,
}

impl Interfaces {
    /// Adds one; beyond the bound they are ignored.
    pub(crate) fn add(&mut self, interface: &Interface<'_>) {
        if self.v4.len() + self.v6.len() >= MAX_INTERFACES {
            return;
        }
        match interface.address {
            InterfaceAddress::V4 {
                address, netmask, ..
            } => self.v4.push((address, netmask)),
            InterfaceAddress::V6 {
                address, netmask, ..
            } => self.v6.push((address, netmask)),
        }
    }

    /// True when the address is that of one of our interfaces.
    pub(crate) fn is_local_v4(&self, ip: [u8; 4]) -> bool {
        self.v4.iter().any(|(address, _)| *address == ip)
    }

    /// True when the address is in the /64 network of one of our interfaces, as which Falco counts as local for IPv6.
    pub(crate) fn is_local_v6(&self, ip: [u8; 16]) -> bool {
        self.v6.iter().any(|(address, _)| address[..8] == ip[..8])
    }

    fn infer_v4(&self, other: [u8; 4]) -> [u8; 4] {
        let masked = |a: [u8; 4], m: [u8; 4]| u32::from_be_bytes(a) & u32::from_be_bytes(m);
        self.v4
            .iter()
            .find(|(address, _)| *address == other)
            .or_else(|| {
                self.v4
                    .iter()
                    .find(|(address, mask)| masked(*address, *mask) == masked(other, *mask))
            })
            .or_else(|| {
                self.v4
                    .iter()
                    .find(|(address, _)| *address != [127, 0, 0, 1])
            })
            .map_or([0; 4], |(address, _)| *address)
    }

    fn infer_v6(&self, other: [u8; 16]) -> [u8; 16] {
        let masked = |a: [u8; 16], m: [u8; 16]| u128::from_be_bytes(a) & u128::from_be_bytes(m);
        self.v6
            .iter()
            .find(|(address, _)| *address == other)
            .or_else(|| {
                self.v6
                    .iter()
                    .find(|(address, mask)| masked(*address, *mask) == masked(other, *mask))
            })
            .or_else(|| {
                self.v6
                    .iter()
                    .find(|(address, _)| !Ipv6Addr::from(*address).is_loopback())
            })
            .map_or([0; 16], |(address, _)| *address)
    }

    /// Fills in the address that a connection does not show.
    pub(crate) fn complete_v4(&self, sock: &mut Sock) {
        let (source, destination) = (sock.v4_source(), sock.v4_destination());
        if source != [0; 4] && destination != [0; 4] {
            return;
        }
        let same_ports = sock.v4_source_port() == sock.v4_destination_port();
        if source == [0; 4] {
            let inferred = self.infer_v4(destination);
            if inferred != destination || !same_ports {
                sock.set_v4_source(inferred);
            }
        } else {
            let inferred = self.infer_v4(source);
            if inferred != source || !same_ports {
                sock.set_v4_destination(inferred);
            }
        }
    }

    /// The same for IPv6.
    pub(crate) fn complete_v6(&self, sock: &mut Sock) {
        let (source, destination) = (sock.v6_source(), sock.v6_destination());
        if source != [0; 16] && destination != [0; 16] {
            return;
        }
        let same_ports = sock.v6_source_port() == sock.v6_destination_port();
        if source == [0; 16] {
            let inferred = self.infer_v6(destination);
            if inferred != destination || !same_ports {
                sock.set_v6_source(inferred);
            }
        } else {
            let inferred = self.infer_v6(source);
            if inferred != source || !same_ports {
                sock.set_v6_destination(inferred);
            }
        }
    }
}

/// An IPv4 address as a field value.
pub(crate) fn ip4(ip: [u8; 4]) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(ip))
}

/// An IPv6 address as a field value.
pub(crate) fn ip6(ip: [u8; 16]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(ip))
}
