//! The lists before the events, in every version and both byte orders, from files written by hand.

mod support {
    pub(crate) mod blocks;
}

use support::blocks::{Blocks, read};
use vedette_scap::{FdDetail, InterfaceAddress, Item, ProcessEntry, Reader};

/// A process entry as a list of version `version` has it.
fn process(b: &mut Blocks, version: u8, tail: usize) {
    b.i64(100).i64(100).i64(1);
    if version >= 6 {
        b.i64(50);
    }
    if version >= 8 {
        b.i64(60);
    }
    b.text("comm").text("./exe");
    if version >= 7 {
        b.text("/bin/exe");
    }
    b.text("a\0b\0")
        .text("/cwd")
        .i64(1024)
        .u32(7)
        .u32(1000)
        .u32(1001);
    if version >= 2 {
        b.u32(1).u32(2).u32(3).u64(4).u64(5);
    }
    if version >= 3 {
        b.text("A=1\0");
    }
    if version >= 4 {
        b.i64(9).i64(8).text("cpu=/\0");
    }
    if version >= 5 {
        b.text("/root");
    }
    if version >= 9 {
        let mut t = Blocks {
            big: b.big,
            out: Vec::new(),
        };
        if tail > 29 {
            t.u64(11).u32(12);
        }
        t.u32(13).u8(1).u64(14).u64(15).u64(16);
        t.u8(1).u64(17).u64(18).u64(19).u8(1).u8(1).i64(20);
        b.raw(&t.out[..tail]);
    }
}

fn expected(version: u8, tail: usize) -> ProcessEntry<'static> {
    let mut e = ProcessEntry {
        tid: 100,
        pid: 100,
        ptid: 1,
        comm: b"comm",
        exe: b"./exe",
        args: b"a\0b\0",
        cwd: b"/cwd",
        fdlimit: 1024,
        flags: 7,
        uid: 1000,
        gid: 1001,
        ..ProcessEntry::default()
    };
    if version >= 2 {
        (e.vmsize_kb, e.vmrss_kb, e.vmswap_kb) = (1, 2, 3);
        (e.pfmajor, e.pfminor) = (4, 5);
    }
    if version >= 3 {
        e.env = b"A=1\0";
    }
    if version >= 4 {
        (e.vtid, e.vpid, e.cgroups) = (9, 8, b"cpu=/\0");
    }
    if version >= 5 {
        e.root = b"/root";
    }
    if version >= 6 {
        e.sid = 50;
    }
    if version >= 7 {
        e.exepath = b"/bin/exe";
    }
    if version >= 8 {
        e.vpgid = 60;
    }
    if tail > 29 {
        (e.pidns_init_start_ts, e.tty) = (11, 12);
    }
    if tail >= 4 {
        e.loginuid = 13;
    }
    if tail >= 29 {
        e.exe_writable = true;
        (e.cap_inheritable, e.cap_permitted, e.cap_effective) = (14, 15, 16);
    }
    if tail >= 41 + 27 {
        e.exe_upper_layer = true;
        (e.exe_ino, e.exe_ino_ctime, e.exe_ino_mtime) = (17, 18, 19);
        (e.exe_from_memfd, e.exe_lower_layer) = (true, true);
    }
    if tail >= 41 + 35 {
        e.pgid = 20;
    }
    e
}

#[test]
fn process_lists_of_every_version() {
    let ids = [
        (0x202, 1),
        (0x8000_ABCD, 1),
        (0x207, 2),
        (0x8013_ABCD, 2),
        (0x209, 3),
        (0x8014_ABCD, 3),
        (0x210, 4),
        (0x211, 5),
        (0x212, 6),
        (0x213, 7),
        (0x214, 8),
    ];
    for big in [false, true] {
        for (id, version) in ids {
            let mut b = Blocks::new(big);
            b.block(id, |b| {
                process(b, version, 0);
                process(b, version, 0);
            });
            let (items, error) = read(&b.out);
            let want = format!("{:?}", Item::Process(expected(version, 0)));
            assert!(error.is_none(), "{error:?}");
            assert_eq!(items[1..], [want.clone(), want], "version {version}");
        }
        // Nothing appended; before libs 0.10 (login, all); 0.10; the newest; one that appends more than is known.
        for tail in [0, 4, 29, 41 + 27, 41 + 35] {
            for unknown in [0, 5] {
                if unknown > 0 && tail != 41 + 35 {
                    continue;
                }
                let mut b = Blocks::new(big);
                b.block(0x215, |b| {
                    b.sized(true, |b| {
                        process(b, 9, tail);
                        b.raw(&vec![0xee; unknown]);
                    });
                });
                let (items, error) = read(&b.out);
                let want = format!("{:?}", Item::Process(expected(9, tail)));
                assert!(error.is_none(), "{error:?}");
                assert_eq!(items[1..], [want], "tail of {tail} bytes");
            }
        }
    }
}

#[test]
fn descriptors_of_every_type_and_version() {
    for big in [false, true] {
        for sized in [false, true] {
            let mut b = Blocks::new(big);
            let id = if sized { 0x218 } else { 0x203 };
            b.block(id, |b| {
                b.i64(42);
                let mut each = |fd: i64, kind: u8, body: &dyn Fn(&mut Blocks)| {
                    let entry = |b: &mut Blocks| {
                        b.i64(fd).u64(9).u8(kind);
                        body(b);
                    };
                    if sized {
                        b.sized(true, entry);
                    } else {
                        entry(b);
                    }
                };
                each(0, 3, &|b| {
                    b.raw(&[10, 0, 0, 1])
                        .raw(&[10, 0, 0, 2])
                        .u16(1234)
                        .u16(80)
                        .u8(1);
                });
                each(1, 4, &|b| {
                    b.raw(&[1; 16]).raw(&[2; 16]).u16(1234).u16(80).u8(2);
                });
                each(2, 5, &|b| {
                    b.raw(&[10, 0, 0, 1]).u16(80).u8(1);
                });
                each(3, 6, &|b| {
                    b.raw(&[1; 16]).u16(80).u8(1);
                });
                each(4, 8, &|b| {
                    b.u64(0xAA).u64(0xBB).text("/run/s");
                });
                each(5, 16, &|b| {
                    b.u32(1).text("/etc/passwd");
                    if sized {
                        b.u32(0xCA02);
                    }
                });
                each(6, 7, &|b| {
                    b.text("pipe:[1]");
                });
                if sized {
                    // A type of the future: its body is skipped.
                    each(7, 99, &|b| {
                        b.raw(&[1, 2, 3, 4, 5]);
                    });
                }
            });
            let mut reader = Reader::new(b.out.as_slice());
            let mut details = Vec::new();
            while let Some(item) = reader.next().expect("sound") {
                if let Item::Fd { tid, entry } = item {
                    assert_eq!((tid, entry.fd, entry.ino), (42, details.len() as i64, 9));
                    details.push(format!("{:?}", entry.detail));
                }
            }
            let mut want = vec![
                FdDetail::Ipv4 {
                    sip: [10, 0, 0, 1],
                    dip: [10, 0, 0, 2],
                    sport: 1234,
                    dport: 80,
                    l4proto: 1,
                },
                FdDetail::Ipv6 {
                    sip: [1; 16],
                    dip: [2; 16],
                    sport: 1234,
                    dport: 80,
                    l4proto: 2,
                },
                FdDetail::Ipv4Server {
                    ip: [10, 0, 0, 1],
                    port: 80,
                    l4proto: 1,
                },
                FdDetail::Ipv6Server {
                    ip: [1; 16],
                    port: 80,
                    l4proto: 1,
                },
                FdDetail::Unix {
                    source: 0xAA,
                    destination: 0xBB,
                    name: b"/run/s",
                },
                FdDetail::File {
                    flags: 1,
                    name: b"/etc/passwd",
                    dev: if sized { 0xCA02 } else { 0 },
                },
                FdDetail::Name(b"pipe:[1]"),
            ];
            if sized {
                want.push(FdDetail::Other);
            }
            let want: Vec<_> = want.iter().map(|detail| format!("{detail:?}")).collect();
            assert_eq!(details, want);
        }
    }
}

#[test]
fn users_and_interfaces_of_every_version() {
    for big in [false, true] {
        for sized in [false, true] {
            let mut b = Blocks::new(big);
            let entry = |b: &mut Blocks, itself, body: &dyn Fn(&mut Blocks)| {
                if sized {
                    b.sized(itself, |b| body(b));
                } else {
                    body(b);
                }
            };
            b.block(if sized { 0x220 } else { 0x206 }, |b| {
                entry(b, true, &|b| {
                    b.u8(0).u32(1).u32(2).text("bin").text("/bin").text("/sh");
                });
                entry(b, true, &|b| {
                    b.u8(1).u32(3).text("adm");
                });
            });
            b.block(if sized { 0x219 } else { 0x205 }, |b| {
                for (kind, size, speed) in
                    [(1, 4, true), (2, 16, true), (3, 4, false), (4, 16, false)]
                {
                    entry(b, false, &|b| {
                        b.u16(kind).u16(2);
                        for part in 1..=3u8 {
                            b.raw(&vec![part; size]);
                        }
                        if speed {
                            b.u64(1000);
                        }
                        b.raw(b"lo");
                    });
                }
            });
            let mut reader = Reader::new(b.out.as_slice());
            let mut names = Vec::new();
            while let Some(item) = reader.next().expect("sound") {
                match item {
                    Item::User(user) => {
                        assert_eq!((user.uid, user.gid), (1, 2));
                        names.push([user.name, user.home, user.shell].concat());
                    }
                    Item::Group(group) => names.push(group.name.to_vec()),
                    Item::Interface(interface) => {
                        assert_eq!(interface.name, b"lo");
                        let v6 = matches!(
                            interface.address,
                            InterfaceAddress::V6 { address, netmask, broadcast }
                                if (address, netmask, broadcast) == ([1; 16], [2; 16], [3; 16])
                        );
                        names.push(vec![u8::from(v6), interface.linkspeed.to_le_bytes()[1]]);
                    }
                    _ => {}
                }
            }
            let want: [&[u8]; 6] = [b"bin/bin/sh", b"adm", &[0, 3], &[1, 3], &[0, 0], &[1, 0]];
            assert_eq!(names, want);
        }
    }
}
