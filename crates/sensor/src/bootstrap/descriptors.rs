//! The descriptors of one process, from `/proc/PID/fd` and `/proc/PID/fdinfo`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use vedette_event::boot::{FdDetail, FdEntry};

use super::sockets::{Found, Tables};
use super::{Fact, MAX_FDS, Report, link, numbers, read};

const FILE: u8 = 1;
const DIRECTORY: u8 = 2;
const PIPE: u8 = 7;
const EVENTFD: u8 = 9;
const UNSUPPORTED: u8 = 10;
const SIGNALFD: u8 = 11;
const EPOLL: u8 = 12;
const INOTIFY: u8 = 13;
const TIMERFD: u8 = 14;
const NETLINK: u8 = 15;
const FILE_WITH_FLAGS: u8 = 16;
const BPF: u8 = 17;
const USERFAULTFD: u8 = 18;
const IO_URING: u8 = 19;
const MEMFD: u8 = 20;
const PIDFD: u8 = 21;

const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;

/// Tells the descriptors of a process.
pub(super) fn tell(
    dir: &Path,
    pid: i64,
    sockets: &mut Tables,
    sink: &mut dyn FnMut(Fact<'_>),
    report: &mut Report,
) {
    for (index, fd) in numbers(&dir.join("fd")).into_iter().enumerate() {
        if index >= MAX_FDS {
            report.skipped += 1;
            continue;
        }
        let path = dir.join("fd").join(fd.to_string());
        let Some(target) = link(&path) else { continue };
        report.descriptors += 1;
        if let Some(ino) = bracketed(&target, b"socket:[") {
            match sockets.find(dir, ino) {
                Found::Known(entry) => sink(Fact::Descriptor(pid, entry.borrowed(fd, ino))),
                Found::Netlink => sink(Fact::Descriptor(pid, named(fd, ino, NETLINK, b""))),
                Found::Unknown => sink(Fact::Descriptor(pid, named(fd, ino, UNSUPPORTED, b""))),
            }
            continue;
        }
        if let Some(ino) = bracketed(&target, b"pipe:[") {
            sink(Fact::Descriptor(pid, named(fd, ino, PIPE, b"")));
            continue;
        }
        if let Some(name) = target.strip_prefix(b"anon_inode:") {
            sink(Fact::Descriptor(pid, named(fd, 0, anonymous(name), name)));
            continue;
        }
        let meta = fs::metadata(&path).ok();
        let ino = meta.as_ref().map_or(0, MetadataExt::ino);
        if let Some(name) = target.strip_prefix(b"/memfd:") {
            let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
            sink(Fact::Descriptor(pid, named(fd, ino, MEMFD, name)));
        } else if meta.as_ref().is_some_and(|m| m.mode() & S_IFMT == S_IFDIR) {
            sink(Fact::Descriptor(pid, named(fd, ino, DIRECTORY, &target)));
        } else if let Some(info) = read(&dir.join("fdinfo").join(fd.to_string())) {
            let detail = FdDetail::File {
                flags: open_flags(&info),
                name: &target,
                dev: meta.as_ref().map_or(0, |m| device(m.dev())),
            };
            sink(Fact::Descriptor(
                pid,
                FdEntry {
                    fd,
                    ino,
                    kind: FILE_WITH_FLAGS,
                    detail,
                },
            ));
        } else {
            sink(Fact::Descriptor(pid, named(fd, ino, FILE, &target)));
        }
    }
}

fn named(fd: i64, ino: u64, kind: u8, name: &[u8]) -> FdEntry<'_> {
    FdEntry {
        fd,
        ino,
        kind,
        detail: FdDetail::Name(name),
    }
}

/// The number in `prefix[NUMBER]`.
fn bracketed(target: &[u8], prefix: &[u8]) -> Option<u64> {
    let number = target.strip_prefix(prefix)?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn anonymous(name: &[u8]) -> u8 {
    match name {
        b"[eventfd]" => EVENTFD,
        b"[signalfd]" => SIGNALFD,
        b"[eventpoll]" => EPOLL,
        b"inotify" => INOTIFY,
        b"[timerfd]" => TIMERFD,
        b"[userfaultfd]" => USERFAULTFD,
        b"[io_uring]" => IO_URING,
        b"[pidfd]" => PIDFD,
        _ if name.starts_with(b"bpf") || name.starts_with(b"[bpf") => BPF,
        _ => UNSUPPORTED,
    }
}

/// A device number of stat(2) in the kernel's own encoding, which captures use.
fn device(dev: u64) -> u32 {
    let major = (dev >> 8 & 0xfff) as u32;
    let minor = (dev & 0xff) as u32 | (dev >> 12 & 0xff_ff00) as u32;
    (minor & 0xff) | major << 8 | (minor & !0xff) << 12
}

/// The octal `flags:` line of fdinfo, in the format's numbering.
fn open_flags(info: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(info);
    let flags = text
        .lines()
        .find_map(|l| l.strip_prefix("flags:"))
        .and_then(|v| u64::from_str_radix(v.trim(), 8).ok())
        .unwrap_or(0);
    crate::tables::open_flags(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        assert_eq!(bracketed(b"socket:[123]", b"socket:["), Some(123));
        assert_eq!(bracketed(b"socket:[x]", b"socket:["), None);
        assert_eq!(anonymous(b"[eventpoll]"), EPOLL);
        assert_eq!(anonymous(b"bpf-map"), BPF);
        assert_eq!(anonymous(b"sync_file"), UNSUPPORTED);
    }

    #[test]
    fn flags_and_devices() {
        // O_WRONLY | O_CREAT | O_CLOEXEC
        assert_eq!(
            open_flags(b"pos:\t0\nflags:\t02000101\n"),
            2 | 1 << 2 | 1 << 12
        );
        assert_eq!(open_flags(b""), 1);
        assert_eq!(device(0xfe00), 0xfe00);
    }
}
