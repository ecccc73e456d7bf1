//! Sockets: addresses, tuples, messages, options, over the loopback only.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};

use vedette_sensor::Interest;

use crate::calls::Scratch;
use crate::watch::{Watch, call};

fn addr(a: SocketAddr) -> Vec<u8> {
    let mut out = Vec::new();
    match a {
        SocketAddr::V4(a) => {
            out.push(2);
            out.extend(a.ip().octets());
        }
        SocketAddr::V6(a) => {
            out.push(10);
            out.extend(a.ip().octets());
        }
    }
    out.extend(a.port().to_le_bytes());
    out
}

fn tuple(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut out = addr(from);
    out.extend(&addr(to)[1..]);
    out
}

fn connection(watch: &mut Watch, ip: std::net::IpAddr) {
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    let bound = watch.own("SOCKET_BIND_X");
    assert_eq!(bound.number("res"), 0);
    assert_eq!(bound.param("addr"), addr(SocketAddr::new(ip, 0)));
    assert_eq!(bound.number("fd"), i64::from(listener.as_raw_fd()));
    let listening = watch.own("SOCKET_LISTEN_X");
    assert_eq!(listening.number("fd"), i64::from(listener.as_raw_fd()));

    let stream = TcpStream::connect(server).unwrap();
    let client = stream.local_addr().unwrap();
    let connected = watch.own("SOCKET_CONNECT_X");
    assert_eq!(connected.number("res"), 0);
    assert_eq!(connected.param("tuple"), tuple(client, server));
    assert_eq!(connected.param("addr"), addr(server));
    assert_eq!(connected.number("fd"), i64::from(stream.as_raw_fd()));

    let (peer, _) = listener.accept().unwrap();
    let accepted = watch.own("SOCKET_ACCEPT4_6_X");
    assert_eq!(accepted.number("fd"), i64::from(peer.as_raw_fd()));
    assert_eq!(accepted.param("tuple"), tuple(client, server));
    assert_eq!(accepted.number("flags"), 1 << 12);

    let data = b"over the wire";
    let fd = i64::from(stream.as_raw_fd());
    let sent = call(
        libc::SYS_sendto,
        &[fd, data.as_ptr() as i64, data.len() as i64, 0, 0, 0],
    );
    assert_eq!(sent, data.len() as i64);
    let seen = watch.own("SOCKET_SENDTO_X");
    assert_eq!((seen.number("res"), seen.number("size")), (sent, sent));
    assert_eq!(seen.param("data"), data);
    assert_eq!(seen.param("tuple"), tuple(client, server));

    let mut buf = [0u8; 64];
    let fd = i64::from(peer.as_raw_fd());
    let got = call(
        libc::SYS_recvfrom,
        &[fd, buf.as_mut_ptr() as i64, 64, 0, 0, 0],
    );
    assert_eq!(got, sent);
    let seen = watch.own("SOCKET_RECVFROM_X");
    assert_eq!((seen.number("res"), seen.number("size")), (sent, 64));
    assert_eq!(seen.param("data"), data);
    assert_eq!(seen.param("tuple"), tuple(client, server));
    assert_eq!(call(libc::SYS_shutdown, &[fd, 2]), 0);
    assert_eq!(watch.own("SOCKET_SHUTDOWN_X").number("how"), 2);
}

#[test]
fn connections() {
    let Some(mut watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    connection(&mut watch, Ipv4Addr::LOCALHOST.into());
    connection(&mut watch, Ipv6Addr::LOCALHOST.into());
}

#[test]
fn refusals() {
    let Some(mut watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    watch.settle();
    TcpStream::connect(closed).unwrap_err();
    let seen = watch.own("SOCKET_CONNECT_X");
    assert_eq!(seen.number("res"), -i64::from(libc::ECONNREFUSED));
    assert!(seen.param("tuple").is_empty());
    assert_eq!(seen.param("addr"), addr(closed));
    let seen = {
        assert_eq!(call(libc::SYS_accept, &[-1, 0, 0]), -9);
        watch.own("SOCKET_ACCEPT_5_X")
    };
    assert_eq!(seen.number("fd"), -9);
    assert!(seen.param("tuple").is_empty());
    let seen = {
        call(libc::SYS_socket, &[2, 0o2004001, 99]);
        watch.own("SOCKET_SOCKET_X")
    };
    assert!(seen.number("fd") < 0);
    assert_eq!((seen.number("domain"), seen.number("type")), (2, 0o2004001));
    assert_eq!(
        (seen.number("proto"), seen.number("flags")),
        (99, 1 << 12 | 1 << 6)
    );
}

#[test]
fn datagrams_and_messages() {
    let Some(mut watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let a = UdpSocket::bind("127.0.0.1:0").unwrap();
    let b = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (to_a, to_b) = (a.local_addr().unwrap(), b.local_addr().unwrap());
    // an unconnected send: the destination is only in the arguments
    a.send_to(b"datagram", to_b).unwrap();
    let seen = watch.own("SOCKET_SENDTO_X");
    assert_eq!(seen.param("tuple"), tuple(to_a, to_b));
    assert_eq!(seen.param("data"), b"datagram");
    let mut buf = [0; 32];
    b.recv_from(&mut buf).unwrap();
    let seen = watch.own("SOCKET_RECVFROM_X");
    assert_eq!(seen.param("tuple"), tuple(to_a, to_b));

    a.connect(to_b).unwrap();
    let parts = [*b"two ", *b"part"];
    let iov = [parts[0].as_ptr() as u64, 4, parts[1].as_ptr() as u64, 4];
    let message: [u64; 7] = [0, 0, iov.as_ptr() as u64, 2, 0, 0, 0];
    let fd = i64::from(a.as_raw_fd());
    assert_eq!(
        call(libc::SYS_sendmsg, &[fd, message.as_ptr() as i64, 0]),
        8
    );
    let seen = watch.own("SOCKET_SENDMSG_X");
    assert_eq!((seen.number("res"), seen.number("size")), (8, 8));
    assert_eq!(seen.param("data"), b"two part");
    assert_eq!(seen.param("tuple"), tuple(to_a, to_b));
    let mut into = [0u8; 32];
    let iov = [into.as_mut_ptr() as u64, 32];
    let mut message: [u64; 7] = [0, 0, iov.as_ptr() as u64, 1, 0, 0, 0];
    let fd_b = i64::from(b.as_raw_fd());
    assert_eq!(
        call(libc::SYS_recvmsg, &[fd_b, message.as_mut_ptr() as i64, 0]),
        8
    );
    let seen = watch.own("SOCKET_RECVMSG_X");
    assert_eq!((seen.number("res"), seen.number("size")), (8, 8));
    assert_eq!(seen.param("data"), b"two part");

    // several messages of one call are one event each
    let iov = [parts[0].as_ptr() as u64, 4, parts[1].as_ptr() as u64, 4];
    let one = |at: usize| [0u64, 0, iov[2 * at..].as_ptr() as u64, 1, 0, 0, 0, 0];
    let mut messages = [one(0), one(1)];
    assert_eq!(
        call(
            libc::SYS_sendmmsg,
            &[fd, messages.as_mut_ptr() as i64, 2, 0]
        ),
        2
    );
    for want in [b"two ", b"part"] {
        let seen = watch.own("SOCKET_SENDMMSG_X");
        assert_eq!((seen.number("res"), seen.param("data")), (4, &want[..]));
        assert_eq!(seen.param("tuple"), tuple(to_a, to_b));
    }
}

#[test]
fn unix_sockets() {
    let Some(mut watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let dir = Scratch::new("unix");
    let path = dir.path("s");
    let listener = UnixListener::bind(&path).unwrap();
    let mut want = vec![1];
    want.extend(path.as_bytes());
    want.push(0);
    assert_eq!(watch.own("SOCKET_BIND_X").param("addr"), want);
    let _stream = UnixStream::connect(&path).unwrap();
    let seen = watch.own("SOCKET_CONNECT_X");
    assert_eq!(seen.param("addr"), want);
    let named = seen.param("tuple");
    assert_eq!((named[0], &named[17..]), (1, &want[1..]));
    assert!(named[1..9].iter().any(|b| *b != 0) && named[9..17].iter().any(|b| *b != 0));
    let (_peer, _) = listener.accept().unwrap();
    let seen = watch.own("SOCKET_ACCEPT4_6_X");
    assert_eq!(&seen.param("tuple")[17..], &want[1..]);
    let mut fds = [0i32; 2];
    assert_eq!(
        call(libc::SYS_socketpair, &[1, 1, 0, fds.as_mut_ptr() as i64]),
        0
    );
    let seen = watch.own("SOCKET_SOCKETPAIR_X");
    assert_eq!(
        (seen.number("fd1"), seen.number("fd2")),
        (fds[0].into(), fds[1].into())
    );
    assert!(seen.number("source") != 0 && seen.number("peer") != 0);
}

#[test]
fn options() {
    let Some(mut watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let fd = i64::from(socket.as_raw_fd());
    let one = 1i32;
    let at = (&raw const one) as i64;
    assert_eq!(call(libc::SYS_setsockopt, &[fd, 1, 2, at, 4]), 0);
    let seen = watch.own("SOCKET_SETSOCKOPT_X");
    assert_eq!(
        (
            seen.number("level"),
            seen.number("optname"),
            seen.number("optlen")
        ),
        (1, 2, 4)
    );
    assert_eq!(seen.param("val"), [2, 1, 0, 0, 0]);
    let time = [3u64, 500_000];
    assert_eq!(
        call(libc::SYS_setsockopt, &[fd, 1, 20, time.as_ptr() as i64, 16]),
        0
    );
    let seen = watch.own("SOCKET_SETSOCKOPT_X");
    let mut want = vec![4];
    want.extend(3_500_000_000u64.to_le_bytes());
    assert_eq!(seen.param("val"), want);
    let (mut value, mut len) = (7i32, 4u32);
    assert_eq!(
        call(
            libc::SYS_getsockopt,
            &[fd, 1, 4, (&raw mut value) as i64, (&raw mut len) as i64]
        ),
        0
    );
    let seen = watch.own("SOCKET_GETSOCKOPT_X");
    assert_eq!((seen.number("optname"), seen.number("optlen")), (4, 4));
    assert_eq!(seen.param("val"), [1, 0, 0, 0, 0, 0, 0, 0, 0]);
}
