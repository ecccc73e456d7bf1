//! Operations through io_uring: the same events as the system calls, from the same thread, marked by their origin.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU32, Ordering};

use vedette_event::Via;
use vedette_sensor::{Interest, Origin};

use crate::calls::{Scratch, text};
use crate::watch::{Seen, Watch, call};

/// The smallest ring that works: one request at a time.
struct Ring {
    fd: i64,
    sq: *mut u8,
    cq: *mut u8,
    sqes: *mut u8,
    params: [u32; 30],
}

const ENTRIES: usize = 8;
const SQE: usize = 64;

impl Ring {
    fn new() -> Option<Self> {
        let mut params = [0u32; 30];
        let fd = call(
            libc::SYS_io_uring_setup,
            &[ENTRIES as i64, params.as_mut_ptr() as i64],
        );
        if fd < 0 {
            println!("skipped: io_uring_setup gives {fd}");
            return None;
        }
        let map = |offset: i64| {
            // SAFETY: fresh shared mappings of the ring's own descriptor.
            let at = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    8192,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_SHARED | libc::MAP_POPULATE,
                    fd as i32,
                    offset,
                )
            };
            assert_ne!(at, libc::MAP_FAILED);
            at.cast::<u8>()
        };
        Some(Self {
            fd,
            sq: map(0),
            cq: map(0x800_0000),
            sqes: map(0x1000_0000),
            params,
        })
    }

    fn word(base: *mut u8, at: u32) -> &'static AtomicU32 {
        // SAFETY: offsets that the kernel gave, inside the mapping, which lives to the end of the process.
        unsafe { &*base.add(at as usize).cast::<AtomicU32>() }
    }

    /// Submits one request and waits for its result.
    fn run(&self, opcode: u8, fd: i32, off: u64, addr: u64, len: u32, op_flags: u32) -> i32 {
        // struct io_uring_params: eight words, then sq_off {head, tail, mask, entries, flags, dropped, array, …}, then
        // cq_off {head, tail, mask, entries, overflow, cqes, …}
        let sq_off = &self.params[10..];
        let cq_off = &self.params[20..];
        let tail = Self::word(self.sq, sq_off[1]);
        let mask = Self::word(self.sq, sq_off[2]).load(Ordering::Relaxed);
        let at = tail.load(Ordering::Relaxed);
        let index = at & mask;
        let mut sqe = [0u8; SQE];
        sqe[0] = opcode;
        sqe[4..8].copy_from_slice(&fd.to_le_bytes());
        sqe[8..16].copy_from_slice(&off.to_le_bytes());
        sqe[16..24].copy_from_slice(&addr.to_le_bytes());
        sqe[24..28].copy_from_slice(&len.to_le_bytes());
        sqe[28..32].copy_from_slice(&op_flags.to_le_bytes());
        // SAFETY: the slot belongs to us until the tail moves past it.
        unsafe {
            std::ptr::copy_nonoverlapping(sqe.as_ptr(), self.sqes.add(index as usize * SQE), SQE);
        }
        Self::word(self.sq, sq_off[6] + 4 * index).store(index, Ordering::Relaxed);
        tail.store(at.wrapping_add(1), Ordering::Release);
        assert_eq!(call(libc::SYS_io_uring_enter, &[self.fd, 1, 1, 1, 0, 0]), 1);
        let head = Self::word(self.cq, cq_off[0]);
        let at = head.load(Ordering::Relaxed);
        assert_ne!(at, Self::word(self.cq, cq_off[1]).load(Ordering::Acquire));
        let mask = Self::word(self.cq, cq_off[2]).load(Ordering::Relaxed);
        let res = Self::word(self.cq, cq_off[5] + 16 * (at & mask) + 8).load(Ordering::Relaxed);
        head.store(at.wrapping_add(1), Ordering::Release);
        res as i32
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        call(libc::SYS_close, &[self.fd]);
    }
}

fn via_uring(watch: &mut Watch, symbol: &str) -> Seen {
    let seen = watch.own(symbol);
    assert_eq!(seen.origin, Origin::IoUring, "{symbol}");
    assert_eq!(seen.via, Via::IoUring, "{symbol}");
    seen
}

const CWD: i32 = libc::AT_FDCWD;

#[test]
fn operations_through_io_uring() {
    let Some(mut watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let Some(ring) = Ring::new() else { return };
    let dir = Scratch::new("uring");
    let (a, b) = (dir.path("a"), dir.path("b"));
    let at = |s: &str| text(s) as u64;
    let mut done = 0;

    let flags = (libc::O_WRONLY | libc::O_CREAT | libc::O_CLOEXEC) as u32;
    let fd = ring.run(18, CWD, 0, at(&a), 0o640, flags);
    assert!(fd >= 0);
    let seen = via_uring(&mut watch, "SYSCALL_OPENAT_2_X");
    assert_eq!(
        (seen.number("fd"), seen.text("name")),
        (fd.into(), a.clone())
    );
    assert_eq!(seen.number("flags"), 2 | 1 << 2 | 1 << 12 | 1 << 14);
    assert_eq!(seen.number("mode"), 0o640);
    assert_eq!(seen.number("ino"), fs::metadata(&a).unwrap().ino() as i64);
    done += 1;

    assert_eq!(
        ring.run(18, CWD, 0, at("/nonexistent/u"), 0, 0),
        -libc::ENOENT
    );
    let seen = via_uring(&mut watch, "SYSCALL_OPENAT_2_X");
    assert_eq!(
        (seen.number("fd"), seen.text("name")),
        (-2, "/nonexistent/u".into())
    );
    done += 1;

    let data = b"through the ring";
    assert_eq!(ring.run(23, fd, 0, data.as_ptr() as u64, 16, 0), 16);
    let seen = via_uring(&mut watch, "SYSCALL_WRITE_X");
    assert_eq!(
        (seen.number("res"), seen.number("fd"), seen.param("data")),
        (16, fd.into(), &data[..])
    );
    done += 1;

    assert_eq!(ring.run(19, fd, 0, 0, 0, 0), 0);
    let seen = via_uring(&mut watch, "SYSCALL_CLOSE_X");
    assert_eq!((seen.number("res"), seen.number("fd")), (0, fd.into()));
    done += 1;

    // renameat: the new name is the address's second half, its directory the length
    assert_eq!(ring.run(35, CWD, at(&b), at(&a), CWD as u32, 0), 0);
    let seen = via_uring(&mut watch, "SYSCALL_RENAMEAT2_X");
    assert_eq!(
        (
            seen.text("oldpath"),
            seen.text("newpath"),
            seen.number("res")
        ),
        (a.clone(), b.clone(), 0)
    );
    done += 1;

    assert_eq!(ring.run(38, CWD, at(&a), at("/etc/shadow"), 0, 0), 0);
    let seen = via_uring(&mut watch, "SYSCALL_SYMLINKAT_X");
    assert_eq!(
        (seen.text("target"), seen.text("linkpath")),
        ("/etc/shadow".into(), a.clone())
    );
    done += 1;

    assert_eq!(ring.run(36, CWD, 0, at(&b), 0, 0), 0);
    let seen = via_uring(&mut watch, "SYSCALL_UNLINKAT_2_X");
    assert_eq!((seen.text("name"), seen.number("res")), (b.clone(), 0));
    done += 1;

    assert_eq!(ring.run(37, CWD, 0, at(&b), 0o750, 0), 0);
    let seen = via_uring(&mut watch, "SYSCALL_MKDIRAT_X");
    assert_eq!((seen.text("path"), seen.number("mode")), (b.clone(), 0o750));
    done += 1;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    watch.settle(); // the listener is a socket too
    let socket = ring.run(45, 2, 1, 0, 0, 0);
    assert!(socket >= 0);
    let seen = via_uring(&mut watch, "SOCKET_SOCKET_X");
    assert_eq!(
        (
            seen.number("fd"),
            seen.number("domain"),
            seen.number("type")
        ),
        (socket.into(), 2, 1)
    );
    done += 1;

    let mut name = vec![2, 0];
    name.extend(port.to_be_bytes());
    name.extend([127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(ring.run(16, socket, 16, name.as_ptr() as u64, 0, 0), 0);
    let seen = via_uring(&mut watch, "SOCKET_CONNECT_X");
    assert_eq!((seen.number("res"), seen.number("fd")), (0, socket.into()));
    let mut want = vec![2, 127, 0, 0, 1];
    want.extend(port.to_le_bytes());
    assert_eq!(seen.param("addr"), want);
    assert_eq!(&seen.param("tuple")[7..], &want[1..]);
    done += 1;

    assert_eq!(ring.run(26, socket, 0, data.as_ptr() as u64, 16, 0), 16);
    let seen = via_uring(&mut watch, "SOCKET_SENDTO_X");
    assert_eq!((seen.number("res"), seen.param("data")), (16, &data[..]));
    done += 1;
    println!("{done} operations compared");
}
