//! Event blocks of every kind, sections, compression, byte order and ways of being damaged, from files written by hand.

mod support {
    pub(crate) mod blocks;
}

use std::io::Write;

use support::blocks::{Blocks, read};
use vedette_event::EventType;
use vedette_scap::{ErrorKind, Item, Options, Reader};

fn kind(symbol: &str) -> u16 {
    EventType::by_symbol(symbol).expect("a known symbol").0
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
    b.block(0x220, |b| {
        for _ in 0..3 {
            b.sized(true, |b| {
                b.u8(1).u32(3).text("adm");
            });
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
