//! `sysdig` reads what the writer wrote: events, names of processes and of descriptors.

#![allow(clippy::print_stdout, reason = "a test without the program says so")]

mod support;

use std::path::Path;
use std::process::Command;

use vedette_event::{EventBuf, EventType, Via};
use vedette_scap::{
    Compression, FdDetail, FdEntry, Group, Interface, InterfaceAddress, Item, MachineInfo,
    ProcessEntry, Reader, User, Writer,
};

/// What `sysdig` prints for a capture, or what it complains of. `None` when it is not installed.
fn sysdig(file: &[u8], name: &str, format: &str) -> Option<Result<String, String>> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, file).expect("a writable target folder");
    let out = Command::new("sysdig")
        .arg("-r")
        .arg(&path)
        .args(["-p", format])
        .output();
    std::fs::remove_file(&path).expect("the file that was just written");
    let Ok(out) = out else {
        println!("skipped: sysdig is not installed");
        return None;
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Some(if out.status.success() {
        Ok(text(&out.stdout))
    } else {
        Err(text(&out.stderr))
    })
}

fn kind(symbol: &str) -> EventType {
    EventType::by_symbol(symbol).expect("a known symbol")
}

/// A small machine on which `cat`, with a file and a connection open, reads and ends.
fn small_capture(compression: Option<Compression>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), compression);
    let mut put = |item: &Item<'_>| writer.write(item).expect("memory does not fail");
    put(&Item::Machine(MachineInfo {
        cpus: 2,
        memory: 1 << 30,
        max_pid: 4_194_304,
        hostname: b"testhost",
        boot_ts: 1_700_000_000_000_000_000,
        flags: 0,
    }));
    put(&Item::Interface(Interface {
        name: b"lo",
        address: InterfaceAddress::V4 {
            address: [127, 0, 0, 1],
            netmask: [255, 0, 0, 0],
            broadcast: [127, 0, 0, 1],
        },
        linkspeed: 0,
    }));
    put(&Item::User(User {
        uid: 1000,
        gid: 1000,
        name: b"alice",
        home: b"/home/alice",
        shell: b"/bin/sh",
    }));
    put(&Item::Group(Group {
        gid: 1000,
        name: b"alice",
    }));
    put(&Item::Process(ProcessEntry {
        tid: 77,
        pid: 77,
        ptid: 1,
        sid: 77,
        vpgid: 77,
        vtid: 77,
        vpid: 77,
        pgid: 77,
        comm: b"cat",
        exe: b"/bin/cat",
        exepath: b"/bin/cat",
        args: b"/etc/hosts\0",
        cwd: b"/home/alice/",
        root: b"/",
        cgroups: b"cpu=/\0",
        fdlimit: 1024,
        uid: 1000,
        gid: 1000,
        loginuid: 1000,
        ..ProcessEntry::default()
    }));
    for (fd, kind, detail) in [
        (
            3,
            16,
            FdDetail::File {
                flags: 1,
                name: b"/etc/hosts",
                dev: 5,
            },
        ),
        (
            4,
            3,
            FdDetail::Ipv4 {
                sip: [10, 0, 0, 1],
                dip: [10, 0, 0, 2],
                sport: 40_000,
                dport: 443,
                l4proto: 1,
            },
        ),
    ] {
        put(&Item::Fd {
            tid: 77,
            entry: FdEntry {
                fd,
                ino: 9,
                kind,
                detail,
            },
        });
    }
    let mut buf = EventBuf::default();
    for (ts, fd) in [(1, 3i64), (2, 4)] {
        // The tool knows calls as start and end, and takes the descriptor from the start.
        buf.start(kind("SYSCALL_READ_E"));
        buf.push(&fd.to_le_bytes()).push(&5u32.to_le_bytes());
        put(&Item::Event(buf.event(0, ts * 1000, 77, 1)));
        buf.start(kind("SYSCALL_READ_X"));
        buf.push(&5i64.to_le_bytes()).push(b"hello");
        // The second as a request to io_uring, which our own mark says.
        let via = if fd == 4 { Via::IoUring } else { Via::Call };
        put(&Item::Event(buf.event(0, ts * 1000 + 1, 77, 1).by(via)));
    }
    writer.finish().expect("memory does not fail")
}

#[test]
fn sysdig_reads_a_small_capture() {
    for compression in [None, Some(Compression::default())] {
        let file = small_capture(compression);
        let format = "%evt.num %evt.type %evt.dir %proc.name %user.name %fd.name %evt.cpu";
        let Some(text) = sysdig(&file, "small.scap", format) else {
            return;
        };
        let text = text.expect("a capture that sysdig reads");
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "1 read > cat alice /etc/hosts 1",
                "2 read < cat alice /etc/hosts 1",
                "3 read > cat alice 10.0.0.1:40000->10.0.0.2:443 1",
                "4 read < cat alice 10.0.0.1:40000->10.0.0.2:443 1",
            ]
        );
    }
}

#[test]
fn what_came_through_io_uring_is_told_from_calls_after_writing() {
    let file = small_capture(None);
    let mut reader =
        Reader::with_options(file.as_slice(), vedette_scap::Options { convert: false });
    let mut via = Vec::new();
    while let Some(item) = reader.next().expect("a sound capture") {
        if let Item::Event(event) = item {
            via.push(event.via);
        }
    }
    assert_eq!(via, [Via::Call, Via::Call, Via::Call, Via::IoUring]);
}

/// Every capture that `sysdig` reads in the original, it reads the same in our copy.
#[test]
fn sysdig_sees_no_difference_in_a_copy() {
    let format =
        "%evt.rawtime %evt.type %evt.dir %evt.cpu %thread.tid %proc.name %fd.name %evt.args";
    let (mut cases, mut newer, mut lines) = (0, 0, 0);
    for (name, bytes) in support::captures() {
        let mut reader =
            Reader::with_options(bytes.as_slice(), vedette_scap::Options { convert: false });
        let mut writer = Writer::new(Vec::new(), None);
        while let Some(item) = reader.next().expect("a sound capture") {
            writer.write(&item).expect("what was read can be written");
        }
        let copy = writer.finish().expect("memory does not fail");
        let Some(theirs) = sysdig(&bytes, &format!("{name}.orig.scap"), format) else {
            return;
        };
        // Some captures are newer than the tool: it knows neither their types of descriptors nor comments.
        let Ok(theirs) = theirs else {
            newer += 1;
            continue;
        };
        let ours = sysdig(&copy, &format!("{name}.copy.scap"), format);
        assert!(ours == Some(Ok(theirs.clone())), "{name} reads differently");
        cases += 1;
        lines += theirs.lines().count();
    }
    println!(
        "{cases} captures, {lines} lines of sysdig compared, {newer} captures newer than sysdig"
    );
}
