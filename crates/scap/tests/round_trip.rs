//! What is written is what was read: over the conformance captures, and over made-up items.

mod support;

use proptest::prelude::*;
use vedette_event::{EventBuf, EventType};
use vedette_scap::{
    Compression, FdDetail, FdEntry, Group, Interface, InterfaceAddress, Item, MachineInfo, Options,
    ProcessEntry, Reader, User, Writer,
};

/// Items as text. Sections say which form the file has, and numbers which events it lacks, so both are left out.
fn items(bytes: &[u8], options: Options) -> Vec<String> {
    let mut reader = Reader::with_options(bytes, options);
    let mut items = Vec::new();
    while let Some(item) = reader.next().expect("a sound capture") {
        items.push(describe(&item));
    }
    items
}

fn describe(item: &Item<'_>) -> String {
    let (shown, event) = match item {
        Item::Section(_) => return "section".into(),
        Item::Event(event) => (true, event),
        Item::State(event) => (false, event),
        other => return format!("{other:?}"),
    };
    let params: Vec<_> = event.params().collect();
    let (ts, tid, cpu, kind) = (event.ts, event.tid, event.cpu, event.kind);
    let via = event.via;
    format!("{shown} {ts} {tid} {cpu} {kind:?} {via:?} {params:?}")
}

fn rewrite(bytes: &[u8], options: Options, compression: Option<Compression>) -> Vec<u8> {
    let mut reader = Reader::with_options(bytes, options);
    let mut writer = Writer::new(Vec::new(), compression);
    while let Some(item) = reader.next().expect("a sound capture") {
        writer.write(&item).expect("what was read can be written");
    }
    writer.finish().expect("memory does not fail")
}

#[test]
fn captures_survive() {
    let mut cases = 0;
    let mut compared = 0;
    for (name, bytes) in support::captures() {
        for convert in [true, false] {
            let options = Options { convert };
            let want = items(&bytes, options);
            for compression in [None, Some(Compression::fast())] {
                let copy = rewrite(&bytes, options, compression);
                assert_eq!(items(&copy, options), want, "{name}");
                compared += want.len();
            }
        }
        cases += 1;
    }
    println!("{cases} captures, {compared} items compared");
}

/// An item that owns its texts.
#[derive(Clone, Debug)]
enum Made {
    Process(i64, Vec<u8>, Vec<u8>, u32, bool),
    Fd(i64, i64, u8, Vec<u8>),
    User(u32, Vec<u8>),
    Group(u32, Vec<u8>),
    Interface(Vec<u8>, bool, u64),
    Machine(u32, Vec<u8>),
    Event(u64, i64, u16, bool, Vec<Vec<u8>>),
}

fn made() -> impl Strategy<Value = Made> {
    let text = || proptest::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        (any::<i64>(), text(), text(), any::<u32>(), any::<bool>())
            .prop_map(|(tid, comm, args, tty, memfd)| Made::Process(tid, comm, args, tty, memfd)),
        (0..3i64, any::<i64>(), 0..24u8, text())
            .prop_map(|(tid, fd, kind, name)| Made::Fd(tid, fd, kind, name)),
        (any::<u32>(), text()).prop_map(|(uid, name)| Made::User(uid, name)),
        (any::<u32>(), text()).prop_map(|(gid, name)| Made::Group(gid, name)),
        (text(), any::<bool>(), any::<u64>())
            .prop_map(|(name, v6, speed)| Made::Interface(name, v6, speed)),
        (any::<u32>(), "[a-z]{0,100}").prop_map(|(cpus, name)| Made::Machine(cpus, name.into())),
        (
            any::<u64>(),
            any::<i64>(),
            prop_oneof![
                Just(191u16),
                Just(5),
                Just(3),
                Just(322),
                Just(324),
                Just(402)
            ],
            any::<bool>(),
            proptest::collection::vec(text(), 0..5)
        )
            .prop_map(|(ts, tid, kind, shown, params)| Made::Event(ts, tid, kind, shown, params)),
    ]
}

fn with_item<T>(made: &Made, buf: &mut EventBuf, then: impl FnOnce(&Item<'_>) -> T) -> T {
    match made {
        Made::Process(tid, comm, args, tty, memfd) => then(&Item::Process(ProcessEntry {
            tid: *tid,
            comm,
            args,
            env: args,
            tty: *tty,
            exe_from_memfd: *memfd,
            pgid: tid.wrapping_add(1),
            ..ProcessEntry::default()
        })),
        Made::Fd(tid, fd, kind, name) => {
            let detail = match kind {
                3 => FdDetail::Ipv4 {
                    sip: [1, 2, 3, 4],
                    dip: [5, 6, 7, 8],
                    sport: 1,
                    dport: *fd as u16,
                    l4proto: 2,
                },
                4 => FdDetail::Ipv6 {
                    sip: [1; 16],
                    dip: [2; 16],
                    sport: *fd as u16,
                    dport: 3,
                    l4proto: 2,
                },
                5 => FdDetail::Ipv4Server {
                    ip: [1, 2, 3, 4],
                    port: *fd as u16,
                    l4proto: 1,
                },
                6 => FdDetail::Ipv6Server {
                    ip: [9; 16],
                    port: *fd as u16,
                    l4proto: 1,
                },
                8 => FdDetail::Unix {
                    source: *fd as u64,
                    destination: 7,
                    name,
                },
                16 => FdDetail::File {
                    flags: *fd as u32,
                    name,
                    dev: 5,
                },
                0 | 22.. => FdDetail::Other,
                _ => FdDetail::Name(name),
            };
            then(&Item::Fd {
                tid: *tid,
                entry: FdEntry {
                    fd: *fd,
                    ino: 1,
                    kind: *kind,
                    detail,
                },
            })
        }
        Made::User(uid, name) => then(&Item::User(User {
            uid: *uid,
            gid: 1,
            name,
            home: name,
            shell: b"",
        })),
        Made::Group(gid, name) => then(&Item::Group(Group { gid: *gid, name })),
        Made::Interface(name, v6, linkspeed) => then(&Item::Interface(Interface {
            name,
            address: if *v6 {
                InterfaceAddress::V6 {
                    address: [1; 16],
                    netmask: [2; 16],
                    broadcast: [3; 16],
                }
            } else {
                InterfaceAddress::V4 {
                    address: [1; 4],
                    netmask: [2; 4],
                    broadcast: [3; 4],
                }
            },
            linkspeed: *linkspeed,
        })),
        Made::Machine(cpus, hostname) => then(&Item::Machine(MachineInfo {
            cpus: *cpus,
            memory: 1,
            max_pid: 2,
            hostname,
            boot_ts: 3,
            flags: 4,
        })),
        Made::Event(ts, tid, kind, shown, params) => {
            buf.start(EventType(*kind));
            for param in params {
                buf.push(param);
            }
            let event = buf.event(0, *ts, *tid, 1);
            then(&if *shown {
                Item::Event(event)
            } else {
                Item::State(event)
            })
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn items_survive(made in proptest::collection::vec(made(), 0..40), gzip in any::<bool>()) {
        let mut buf = EventBuf::default();
        let mut writer = Writer::new(Vec::new(), gzip.then(Compression::fast));
        let mut want = vec![String::from("section")];
        // An event that is no container, user or group: after it the two kinds of events stay apart.
        buf.start(EventType(5));
        let first = Item::Event(buf.event(0, 0, 0, 0));
        writer.write(&first).expect("memory does not fail");
        want.push(describe(&first));
        for one in &made {
            with_item(one, &mut buf, |item| {
                writer.write(item).expect("a sound item");
                want.push(describe(item));
            });
        }
        let file = writer.finish().expect("memory does not fail");
        prop_assert_eq!(items(&file, Options { convert: false }), want);
    }
}

#[test]
fn long_lists_go_into_several_blocks() {
    let args = vec![b'a'; 4096];
    let mut writer = Writer::new(Vec::new(), None);
    for tid in 0..1000 {
        let entry = ProcessEntry {
            tid,
            args: &args,
            ..ProcessEntry::default()
        };
        writer
            .write(&Item::Process(entry))
            .expect("memory does not fail");
    }
    let file = writer.finish().expect("memory does not fail");
    let mut reader = Reader::new(file.as_slice());
    let mut tids = 0..1000;
    while let Some(item) = reader.next().expect("a sound capture") {
        if let Item::Process(entry) = item {
            assert_eq!(Some(entry.tid), tids.next());
        }
    }
    assert_eq!(tids.next(), None);
    assert!(reader.memory() < 2 * 1024 * 1024);
}

#[test]
fn what_readers_would_refuse_is_an_error() {
    let mut buf = EventBuf::default();
    buf.start(EventType(7));
    buf.push(&vec![0; 60_000]).push(&vec![0; 60_000]);
    let mut writer = Writer::new(Vec::new(), None);
    let error = writer
        .write(&Item::Event(buf.event(1, 2, 3, 4)))
        .expect_err("too long");
    assert!(error.to_string().contains("read event of 120"), "{error}");
    let entry = FdEntry {
        fd: 3,
        ino: 0,
        kind: 8,
        detail: FdDetail::Name(b"x"),
    };
    let error = writer
        .write(&Item::Fd { tid: 1, entry })
        .expect_err("contradiction");
    assert!(error.to_string().contains("descriptor 3 of type 8"));
    let file = writer.finish().expect("memory does not fail");
    assert_eq!(items(&file, Options::default()), ["section"]);
}
