//! Every block type, version, byte order and way of being damaged, from files written by hand.

mod support {
    pub(crate) mod blocks;
}

use std::io::Write;

use support::blocks::Blocks;
use vedette_event::EventType;
use vedette_scap::{ErrorKind, FdDetail, InterfaceAddress, Item, Options, ProcessEntry, Reader};

/// Every item as text, then how reading ended.
fn read(bytes: &[u8]) -> (Vec<String>, Option<ErrorKind>) {
    let mut reader = Reader::new(bytes);
    let mut items = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(item)) => items.push(describe(&item)),
            Ok(None) => return (items, None),
            Err(error) => {
                assert!(reader.next().expect("an error comes once").is_none());
                return (items, Some(error.kind));
            }
        }
    }
}

/// The item without what says in which order the file was.
fn describe(item: &Item<'_>) -> String {
    match item {
        Item::Section(header) => format!("section {}.{}", header.major, header.minor),
        Item::Event(event) | Item::State(event) => {
            let shown = matches!(item, Item::Event(_));
            let params: Vec<_> = event.params().collect();
            format!(
                "event {} {} {} {} {} {shown} {params:?}",
                event.num,
                event.ts,
                event.tid,
                event.cpu,
                event.kind.name()
            )
        }
        other => format!("{other:?}"),
    }
}

fn kind(symbol: &str) -> u16 {
    EventType::by_symbol(symbol).expect("a known symbol").0
}

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

#[test]
fn event_blocks_of_every_kind_in_both_orders() {
    let mut outcomes = Vec::new();
    for big in [false, true] {
        let mut b = Blocks::new(big);
        b.block(0x201, |b| {
            b.u32(4)
                .u64(8)
                .u64(9)
                .raw(&[b'h'; 128])
                .u64(10)
                .u64(11)
                .u64(0)
                .u64(0);
        });
        let chdir = [b.num64(0), b"/tmp\0".to_vec()];
        for id in [0x204, 0x8010_ABCD, 0x216, 0x208, 0x217] {
            b.event(id, u64::from(id), kind("SYSCALL_CHDIR_X"), &chdir);
        }
        for id in [0x221, 0x222] {
            b.event(
                id,
                u64::from(id),
                kind("CONTAINER_JSON_2_E"),
                &[vec![b'x'; 70_000]],
            );
        }
        let tuple = if big {
            vec![2, 1, 2, 3, 4, 0, 80, 5, 6, 7, 8, 1, 0]
        } else {
            vec![2, 1, 2, 3, 4, 80, 0, 5, 6, 7, 8, 0, 1]
        };
        let connect = [b.num64(-115), tuple, b.num64(4), vec![]];
        b.event(0x216, 9, kind("SOCKET_CONNECT_X"), &connect);
        // A type of the future, and one whose lengths contradict each other.
        b.event(0x216, 10, 60_000, &[]);
        b.block(0x216, |b| {
            b.u16(0).u64(1).i64(1).u32(28).u16(3).u32(1).u16(500);
        });
        b.block(0x300, |b| {
            b.raw(&[0; 100]);
        });
        b.event(0x216, 11, kind("SYSCALL_CHDIR_X"), &chdir);
        let mut reader = Reader::new(b.out.as_slice());
        while reader.next().expect("sound").is_some() {}
        let stats = reader.stats();
        assert_eq!(
            (
                stats.events,
                stats.unknown_events,
                stats.malformed_events,
                stats.unknown_blocks
            ),
            (11, 1, 1, 1)
        );
        let (items, error) = read(&b.out);
        assert!(error.is_none());
        outcomes.push(items);
    }
    assert_eq!(outcomes[0], outcomes[1]);
    let shown = outcomes[0]
        .iter()
        .filter(|item| item.contains(" true "))
        .count();
    assert_eq!((outcomes[0].len(), shown), (2 + 9, 6));
    assert!(
        outcomes[0][9].contains("80, 0, 5, 6, 7, 8, 0, 1]"),
        "ports little-endian"
    );
}

#[test]
fn notifications_of_old_recorders_say_a_length_that_is_too_large() {
    let mut b = Blocks::new(false);
    b.block(0x204, |b| {
        b.u16(0).u64(1).i64(1).u32(22 + 4 + 4 + 3);
        b.u16(kind("NOTIFICATION_E"))
            .u16(2)
            .u16(2)
            .raw(b"a\0b\0")
            .raw(&[0; 3]);
    });
    let (items, error) = read(&b.out);
    assert!(error.is_none());
    assert!(items[1].contains("[[97, 0], [98, 0]]"), "{items:?}");
}

#[test]
fn gzip_in_one_or_several_members() {
    let mut b = Blocks::new(false);
    let plain = [b.num64(0), b"/tmp\0".to_vec()];
    for ts in 0..1000 {
        b.event(0x216, ts, kind("SYSCALL_CHDIR_X"), &plain);
    }
    let (want, _) = read(&b.out);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let (front, back) = b.out.split_at(b.out.len() / 3);
    for file in [gzip(&b.out), [gzip(front), gzip(back)].concat()] {
        let (items, error) = read(&file);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(items, want);
        // Cut: everything before is there, then one error.
        let (items, error) = read(&file[..file.len() - 40]);
        assert!(matches!(error, Some(ErrorKind::Cut { .. })), "{error:?}");
        assert_eq!(items, want[..items.len()]);
        assert!(items.len() > 100, "{}", items.len());
        // A damaged member.
        let mut bad = file.clone();
        let middle = bad.len() / 2;
        bad[middle..middle + 8].fill(0xff);
        let (items, error) = read(&bad);
        assert!(error.is_some());
        assert_eq!(items, want[..items.len()]);
    }
}

#[test]
fn several_sections_in_one_file() {
    let mut b = Blocks::new(false);
    let chdir = [b.num64(0), b"/tmp\0".to_vec()];
    b.event(0x216, 1, kind("SYSCALL_CHDIR_X"), &chdir);
    b.section(1, 0);
    b.event(0x216, 2, kind("CONTAINER_JSON_2_E"), &[]);
    b.event(0x216, 3, kind("SYSCALL_CHDIR_X"), &chdir);
    let mut other = Blocks::new(true);
    let chdir = [other.num64(0), b"/tmp\0".to_vec()];
    other.event(0x216, 4, kind("SYSCALL_CHDIR_X"), &chdir);
    b.raw(&other.out);
    let (items, error) = read(&b.out);
    assert!(error.is_none());
    let starts: Vec<_> = items.iter().map(|item| &item[..9]).collect();
    assert_eq!(
        starts,
        [
            "section 1",
            "event 1 1",
            "section 1",
            "event 2 2",
            "event 3 3",
            "section 1",
            "event 4 4"
        ]
    );
    assert!(
        items[3].contains("false"),
        "known when the second recording began"
    );
}

#[test]
fn a_file_cut_anywhere_gives_what_is_before_and_one_error() {
    let mut b = Blocks::new(false);
    b.block(0x215, |b| {
        for _ in 0..3 {
            b.sized(true, |b| process(b, 9, 76));
        }
    });
    let chdir = [b.num64(0), b"/tmp\0".to_vec()];
    b.event(0x216, 1, kind("SYSCALL_CHDIR_X"), &chdir);
    b.event(0x216, 2, kind("SYSCALL_CHDIR_X"), &chdir);
    let (whole, _) = read(&b.out);
    let mut sound = 0;
    for len in 0..b.out.len() {
        let (items, error) = read(&b.out[..len]);
        assert_eq!(items, whole[..items.len()], "cut at {len}");
        match error {
            None => sound += 1,
            Some(ErrorKind::NotACapture) => assert!(len < 8),
            Some(ErrorKind::Cut { .. }) => {}
            Some(other) => panic!("cut at {len}: {other}"),
        }
    }
    // Between blocks a file is whole: after the section, the list and the first event.
    assert_eq!(sound, 3);
}

#[test]
fn errors_say_what_and_where() {
    let error = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes);
        loop {
            match reader.next() {
                Ok(Some(_)) => {}
                Ok(None) => return String::from("none"),
                Err(error) => return error.to_string(),
            }
        }
    };
    assert!(error(b"").starts_with("not a capture file"));
    assert!(error(b"PK\x03\x04 and so on").starts_with("not a capture file"));
    let mut b = Blocks::new(false);
    b.section(2, 0);
    assert_eq!(
        error(&b.out),
        "capture format 2.0 is newer than 1.x, at byte 56"
    );
    let mut b = Blocks::new(false);
    b.u32(0x216).u32(0x7fff_fff0).raw(&[0; 64]);
    assert_eq!(
        error(&b.out),
        "block 0x216 is 2147483632 bytes long, at most 16777216 are read, at byte 28"
    );
    let mut b = Blocks::new(false);
    b.u32(0x216).u32(4).u32(4);
    assert_eq!(
        error(&b.out),
        "block 0x216 is 4 bytes long, it needs at least 12, at byte 28"
    );
    let mut b = Blocks::new(false);
    b.u32(0x216).u32(16).u32(0).u32(20);
    assert_eq!(
        error(&b.out),
        "block 0x216 starts with length 16 but ends with 20, at byte 28"
    );
    let mut b = Blocks::new(false);
    b.block(0x218, |b| {
        b.i64(1).u32(999).raw(&[0; 40]);
    });
    assert_eq!(error(&b.out), "damaged descriptor list entry, at byte 44");
    let mut b = Blocks::new(false);
    b.u32(0x0A0D_0D0A).u32(28).u32(0x1234_5678).raw(&[0; 16]);
    assert!(error(&b.out).contains("0x12345678"));
}

#[test]
fn comments_are_skipped() {
    let mut b = Blocks {
        big: false,
        out: Vec::new(),
    };
    b.block(0x0A0D_0D0A, |b| {
        b.u32(0x1A2B_3C4D).u16(1).u16(2).u64(u64::MAX);
        b.u16(1).u16(5).raw(b"hello\0\0\0").u16(0).u16(0);
    });
    let chdir = [b.num64(0), b"/tmp\0".to_vec()];
    b.block(0x216, |b| {
        b.u16(0)
            .u64(1)
            .i64(1)
            .u32(26 + 4 + 13)
            .u16(kind("SYSCALL_CHDIR_X"))
            .u32(2);
        b.u16(8).u16(5).raw(&chdir.concat());
        // Options after the event: a comment.
        b.u16(1).u16(2).raw(b"hi\0\0");
    });
    let (items, error) = read(&b.out);
    assert!(error.is_none());
    assert_eq!(items.len(), 2);
    assert!(items[1].ends_with("[[0, 0, 0, 0, 0, 0, 0, 0], [47, 116, 109, 112, 0]]"));
}

#[test]
fn without_conversion_every_event_comes_out_as_written() {
    let mut b = Blocks::new(false);
    let fd = [b.num64(3)];
    b.event(0x216, 1, kind("SYSCALL_CLOSE_E"), &fd);
    b.event(0x216, 2, kind("SYSCALL_CLOSE_X"), &[b.num64(0)]);
    let mut reader = Reader::with_options(b.out.as_slice(), Options { convert: false });
    let mut counts = Vec::new();
    while let Some(item) = reader.next().expect("sound") {
        if let Item::Event(event) = item {
            counts.push((event.num, event.kind.is_enter(), event.nparams()));
        }
    }
    assert_eq!(counts, [(1, true, 1), (2, false, 1)]);
}
