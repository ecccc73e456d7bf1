//! Plain system calls, one row each: what is called, which event must come, every parameter of it.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use vedette_event::EventType;
use vedette_sensor::{Interest, Origin};

use crate::watch::{Watch, call, tid};

/// What a parameter must be.
#[derive(Clone, Debug)]
pub(crate) enum P {
    I64(i64),
    U32(u32),
    U16(u16),
    U8(u8),
    Text(String),
    Bytes(Vec<u8>),
    Empty,
    /// Eight bytes that are not all zero.
    Some64,
    Any,
}
use P::{Bytes, Empty, I64, Some64, Text, U8, U16, U32};

impl P {
    fn check(&self, bytes: &[u8]) -> bool {
        match self {
            I64(v) => bytes == v.to_le_bytes(),
            U32(v) => bytes == v.to_le_bytes(),
            U16(v) => bytes == v.to_le_bytes(),
            U8(v) => bytes == [*v],
            Text(v) => bytes.strip_suffix(b"\0") == Some(v.as_bytes()),
            Bytes(v) => bytes == v,
            Empty => bytes.is_empty(),
            Some64 => bytes.len() == 8 && bytes.iter().any(|b| *b != 0),
            Self::Any => true,
        }
    }
}

pub(crate) struct Table {
    pub(crate) watch: Watch,
    pub(crate) checked: usize,
}

impl Table {
    /// Performs a call and compares its event. Returns what the call returned.
    pub(crate) fn row(
        &mut self,
        symbol: &str,
        nr: libc::c_long,
        args: &[i64],
        want: impl FnOnce(i64) -> Vec<P>,
    ) -> i64 {
        let ret = call(nr, args);
        let kind = EventType::by_symbol(symbol).expect(symbol);
        let tid = tid();
        let seen = self.watch.take(symbol, |seen| {
            // the allocator makes memory calls of its own, at other addresses
            let elsewhere = matches!(seen.kind.name(), "mprotect" | "munmap" | "mmap")
                && args.first().is_some_and(|at| seen.number("addr") != *at);
            seen.kind == kind && seen.tid == tid && !elsewhere
        });
        let want = want(ret);
        let info = seen.kind.info().unwrap();
        assert_eq!(
            seen.params.len(),
            info.params.len(),
            "{symbol}: {seen:02x?}"
        );
        assert_eq!(
            want.len(),
            info.params.len(),
            "{symbol}: the row is too short or too long"
        );
        for ((param, bytes), want) in info.params.iter().zip(&seen.params).zip(&want) {
            assert!(
                want.check(bytes),
                "{symbol} ({ret}): {} is {bytes:02x?}, should be {want:02x?}",
                param.name
            );
        }
        assert_eq!(seen.origin, Origin::Native);
        self.checked += 1;
        ret
    }
}

/// A directory that goes away with the test.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("vedette-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A NUL-terminated text that lives to the end of the test process, so that its address can be passed as a number.
pub(crate) fn text(s: &str) -> i64 {
    CString::new(s).unwrap().into_raw() as i64
}

fn dev_of(path: &Path) -> u32 {
    let dev = fs::metadata(path).unwrap().dev();
    // the C library's encoding and the kernel's agree below 4096 majors and 1 Mi minors
    libc::major(dev) << 8 | libc::minor(dev) & 0xff | (libc::minor(dev) & !0xff) << 12
}

const CWD: i64 = libc::AT_FDCWD as i64;
const ENOENT: i64 = -2;
pub(crate) const EBADF: i64 = -9;
pub(crate) const EINVAL: i64 = -22;

#[test]
fn files() {
    let Some(watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let mut t = Table { watch, checked: 0 };
    let dir = Scratch::new("files");
    let (file, missing) = (dir.path("a"), dir.path("missing/x"));
    let created = |ret: i64, p: &str, flags: u32, mode: u32| {
        vec![
            I64(ret),
            Text(p.to_owned()),
            U32(flags),
            U32(mode),
            U32(dev_of(Path::new(p))),
            I64(fs::metadata(p).unwrap().ino() as i64),
        ]
    };

    // open: O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, and the bit that says the file is new
    let flags = i64::from(libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC);
    let fd = t.row(
        "SYSCALL_OPEN_X",
        libc::SYS_open,
        &[text(&file), flags, 0o640],
        |ret| created(ret, &file, 2 | 1 << 2 | 1 << 8 | 1 << 12 | 1 << 14, 0o640),
    );
    assert!(fd >= 0);
    t.row("SYSCALL_CLOSE_X", libc::SYS_close, &[fd], |_| {
        vec![I64(0), I64(fd)]
    });
    // never a number that was just closed: another test's thread may have got it
    t.row("SYSCALL_CLOSE_X", libc::SYS_close, &[60_000], |_| {
        vec![I64(EBADF), I64(60_000)]
    });
    t.row(
        "SYSCALL_OPEN_X",
        libc::SYS_open,
        &[text(&missing), 0, 0],
        |_| {
            vec![
                I64(ENOENT),
                Text(missing.clone()),
                U32(1),
                U32(0),
                U32(0),
                I64(0),
            ]
        },
    );
    t.row("SYSCALL_OPEN_X", libc::SYS_open, &[0, 0, 0], |_| {
        vec![I64(-14), Empty, U32(1), U32(0), U32(0), I64(0)]
    });
    let at = |ret: i64, p: &str, flags: u32| {
        let mut row = created(ret, p, flags, 0);
        row.insert(1, I64(CWD));
        row
    };
    let fd = t.row(
        "SYSCALL_OPENAT_2_X",
        libc::SYS_openat,
        &[CWD, text(&file), 2],
        |ret| at(ret, &file, 3),
    );
    let how: [u64; 3] = [libc::O_APPEND as u64, 0, 4];
    let fd2 = t.row(
        "SYSCALL_OPENAT2_X",
        libc::SYS_openat2,
        &[CWD, text(&file), how.as_ptr() as i64, 24],
        |ret| {
            let mut row = at(ret, &file, 1 | 1 << 3);
            row.insert(5, U32(8)); // RESOLVE_NO_SYMLINKS
            row
        },
    );
    t.row(
        "SYSCALL_CREAT_X",
        libc::SYS_creat,
        &[text(&dir.path("c")), 0o600],
        |ret| {
            let p = dir.path("c");
            let mut row = created(ret, &p, 0, 0o600);
            row.remove(2);
            row.push(U16(0));
            row
        },
    );
    // data: read, write and their relatives
    let buf = b"hello, sensor".to_vec();
    let (at_buf, len) = (buf.as_ptr() as i64, buf.len() as i64);
    t.row(
        "SYSCALL_WRITE_X",
        libc::SYS_write,
        &[fd, at_buf, len],
        |_| vec![I64(len), Bytes(buf.clone()), I64(fd), U32(len as u32)],
    );
    t.row(
        "SYSCALL_PWRITE_X",
        libc::SYS_pwrite64,
        &[fd, at_buf, 5, 7],
        |_| vec![I64(5), Bytes(b"hello".to_vec()), I64(fd), U32(5), I64(7)],
    );
    let mut into = [0u8; 200];
    let at_into = into.as_mut_ptr() as i64;
    t.row(
        "SYSCALL_PREAD_X",
        libc::SYS_pread64,
        &[fd, at_into, 200, 1],
        |_| {
            vec![
                I64(12),
                Bytes(b"ello, hellor".to_vec()),
                I64(fd),
                U32(200),
                I64(1),
            ]
        },
    );
    t.row("SYSCALL_LSEEK_X", libc::SYS_lseek, &[fd, 3, 0], |_| {
        vec![I64(3), I64(fd), I64(3), U8(0)]
    });
    t.row("SYSCALL_READ_X", libc::SYS_read, &[fd, at_into, 4], |_| {
        vec![I64(4), Bytes(b"lo, ".to_vec()), I64(fd), U32(4)]
    });
    t.row("SYSCALL_READ_X", libc::SYS_read, &[-1, at_into, 4], |_| {
        vec![I64(EBADF), Empty, I64(-1), U32(4)]
    });
    let iov = [at_buf, 3, at_buf + 7, 6];
    t.row(
        "SYSCALL_WRITEV_X",
        libc::SYS_writev,
        &[fd2, iov.as_ptr() as i64, 2],
        |_| vec![I64(EBADF), Bytes(b"helsensor".to_vec()), I64(fd2), U32(9)],
    );
    let iov = [at_into, 3, at_into + 7, 6];
    t.row(
        "SYSCALL_PREADV_X",
        libc::SYS_preadv,
        &[fd2, iov.as_ptr() as i64, 2, 2],
        |_| {
            vec![
                I64(9),
                U32(9),
                Bytes(b"llo, hell".to_vec()),
                I64(fd2),
                I64(2),
            ]
        },
    );
    let long = vec![b'x'; 500];
    t.row(
        "SYSCALL_WRITE_X",
        libc::SYS_write,
        &[fd, long.as_ptr() as i64, 500],
        |_| vec![I64(500), Bytes(vec![b'x'; 80]), I64(fd), U32(500)],
    );
    // names
    let (b, c) = (dir.path("b"), dir.path("l"));
    t.row(
        "SYSCALL_RENAME_X",
        libc::SYS_rename,
        &[text(&file), text(&b)],
        |_| vec![I64(0), Text(file.clone()), Text(b.clone())],
    );
    t.row(
        "SYSCALL_RENAMEAT_X",
        libc::SYS_renameat,
        &[CWD, text(&b), CWD, text(&file)],
        |_| {
            vec![
                I64(0),
                I64(CWD),
                Text(b.clone()),
                I64(CWD),
                Text(file.clone()),
            ]
        },
    );
    t.row(
        "SYSCALL_RENAMEAT2_X",
        libc::SYS_renameat2,
        &[CWD, text(&file), CWD, text(&b), 1],
        |_| {
            vec![
                I64(0),
                I64(CWD),
                Text(file.clone()),
                I64(CWD),
                Text(b.clone()),
                U32(1),
            ]
        },
    );
    t.row(
        "SYSCALL_LINK_2_X",
        libc::SYS_link,
        &[text(&b), text(&c)],
        |_| vec![I64(0), Text(b.clone()), Text(c.clone())],
    );
    t.row(
        "SYSCALL_LINKAT_2_X",
        libc::SYS_linkat,
        &[CWD, text(&missing), CWD, text(&c), 0x400],
        |_| {
            vec![
                I64(ENOENT),
                I64(CWD),
                Text(missing.clone()),
                I64(CWD),
                Text(c.clone()),
                U32(0x400),
            ]
        },
    );
    t.row(
        "SYSCALL_SYMLINK_X",
        libc::SYS_symlink,
        &[text("/etc/shadow"), text(&dir.path("s"))],
        |_| vec![I64(0), Text("/etc/shadow".into()), Text(dir.path("s"))],
    );
    t.row(
        "SYSCALL_SYMLINKAT_X",
        libc::SYS_symlinkat,
        &[text("x"), CWD, text(&dir.path("s2"))],
        |_| vec![I64(0), Text("x".into()), I64(CWD), Text(dir.path("s2"))],
    );
    t.row("SYSCALL_UNLINK_2_X", libc::SYS_unlink, &[text(&c)], |_| {
        vec![I64(0), Text(c.clone())]
    });
    t.row(
        "SYSCALL_UNLINKAT_2_X",
        libc::SYS_unlinkat,
        &[CWD, text(&missing), 0x200],
        |_| vec![I64(ENOENT), I64(CWD), Text(missing.clone()), U32(0x200)],
    );
    let sub = dir.path("d");
    t.row(
        "SYSCALL_MKDIR_2_X",
        libc::SYS_mkdir,
        &[text(&sub), 0o755],
        |_| vec![I64(0), Text(sub.clone()), U32(0o755)],
    );
    t.row(
        "SYSCALL_MKDIRAT_X",
        libc::SYS_mkdirat,
        &[CWD, text(&sub), 0o700],
        |_| vec![I64(-17), I64(CWD), Text(sub.clone()), U32(0o700)],
    );
    t.row("SYSCALL_RMDIR_2_X", libc::SYS_rmdir, &[text(&sub)], |_| {
        vec![I64(0), Text(sub.clone())]
    });
    // modes and owners
    t.row(
        "SYSCALL_CHMOD_X",
        libc::SYS_chmod,
        &[text(&b), 0o4755],
        |_| vec![I64(0), Text(b.clone()), U32(0o4755)],
    );
    t.row("SYSCALL_FCHMOD_X", libc::SYS_fchmod, &[fd, 0o600], |_| {
        vec![I64(0), I64(fd), U32(0o600)]
    });
    t.row(
        "SYSCALL_FCHMODAT_X",
        libc::SYS_fchmodat,
        &[CWD, text(&b), 0o777],
        |_| vec![I64(0), I64(CWD), Text(b.clone()), U32(0o777)],
    );
    t.row(
        "SYSCALL_FCHMODAT_X",
        452,
        &[CWD, text(&b), 0o711, 0],
        |ret| vec![I64(ret), I64(CWD), Text(b.clone()), U32(0o711)],
    );
    t.row(
        "SYSCALL_CHOWN_X",
        libc::SYS_chown,
        &[text(&b), 1, 2],
        |_| vec![I64(0), Text(b.clone()), U32(1), U32(2)],
    );
    t.row(
        "SYSCALL_LCHOWN_X",
        libc::SYS_lchown,
        &[text(&b), 0, 0],
        |_| vec![I64(0), Text(b.clone()), U32(0), U32(0)],
    );
    t.row("SYSCALL_FCHOWN_X", libc::SYS_fchown, &[fd, 0, -1], |_| {
        vec![I64(0), I64(fd), U32(0), U32(u32::MAX)]
    });
    t.row(
        "SYSCALL_FCHOWNAT_X",
        libc::SYS_fchownat,
        &[CWD, text(&b), 0, 0, 0x100],
        |_| {
            vec![
                I64(0),
                I64(CWD),
                Text(b.clone()),
                U32(0),
                U32(0),
                U32(0x100),
            ]
        },
    );
    // descriptors
    let dup = t.row("SYSCALL_DUP_1_X", libc::SYS_dup, &[fd], |ret| {
        vec![I64(ret), I64(fd)]
    });
    t.row("SYSCALL_DUP2_X", libc::SYS_dup2, &[fd, dup], |_| {
        vec![I64(dup), I64(fd), I64(dup)]
    });
    t.row(
        "SYSCALL_DUP3_X",
        libc::SYS_dup3,
        &[fd, dup, i64::from(libc::O_CLOEXEC)],
        |_| vec![I64(dup), I64(fd), I64(dup), U32(1 << 12)],
    );
    t.row(
        "SYSCALL_FCNTL_X",
        libc::SYS_fcntl,
        &[fd, 1030, 100],
        |ret| vec![I64(ret), I64(fd), U8(26), I64(100)],
    );
    t.row("SYSCALL_FCNTL_X", libc::SYS_fcntl, &[fd, 7777, 1], |_| {
        vec![I64(EINVAL), I64(fd), U8(0), I64(1)]
    });
    t.row(
        "SYSCALL_CLOSE_RANGE_X",
        libc::SYS_close_range,
        &[900, 901, 4],
        |_| vec![I64(0), U32(900), U32(901), U32(2)],
    );
    let mut fds = [0i32; 2];
    let at_fds = fds.as_mut_ptr() as i64;
    let seen = |ret: i64| {
        // SAFETY: the kernel wrote both before the call returned.
        let fds: [i32; 2] = unsafe { std::ptr::read_volatile(at_fds as *const [i32; 2]) };
        vec![I64(ret), I64(fds[0].into()), I64(fds[1].into()), Some64]
    };
    t.row("SYSCALL_PIPE_X", libc::SYS_pipe, &[at_fds], seen);
    t.row(
        "SYSCALL_PIPE2_X",
        libc::SYS_pipe2,
        &[at_fds, i64::from(libc::O_CLOEXEC | libc::O_NONBLOCK)],
        |ret| {
            let mut row = seen(ret);
            row.push(U32(1 << 12 | 1 << 6));
            row
        },
    );
    t.row(
        "SYSCALL_MEMFD_CREATE_X",
        libc::SYS_memfd_create,
        &[text("payload"), 1],
        |ret| vec![I64(ret), Text("payload".into()), U32(1)],
    );
    t.row(
        "SYSCALL_EVENTFD2_X",
        libc::SYS_eventfd2,
        &[7, 0o2000000],
        |ret| vec![I64(ret), U16(1 << 12), I64(7)],
    );
    t.row(
        "SYSCALL_TIMERFD_CREATE_X",
        libc::SYS_timerfd_create,
        &[0, 0],
        |ret| vec![I64(ret), U8(0), U8(0)],
    );
    t.row(
        "SYSCALL_INOTIFY_INIT1_X",
        libc::SYS_inotify_init1,
        &[0o4000],
        |ret| vec![I64(ret), U16(1 << 6)],
    );
    t.row(
        "SYSCALL_EPOLL_CREATE1_X",
        libc::SYS_epoll_create1,
        &[0o2000000],
        |ret| vec![I64(ret), U32(1)],
    );
    t.row(
        "SYSCALL_USERFAULTFD_X",
        libc::SYS_userfaultfd,
        &[0o2000000],
        |ret| vec![I64(ret), U32(1 << 12)],
    );
    t.row(
        "SYSCALL_PIDFD_OPEN_X",
        libc::SYS_pidfd_open,
        &[1, 0o4000],
        |ret| vec![I64(ret), I64(1), U32(1)],
    );
    t.row("SYSCALL_BPF_2_X", libc::SYS_bpf, &[0, 0, 0], |ret| {
        vec![I64(ret), U32(0)]
    });
    t.row(
        "SYSCALL_IO_URING_SETUP_X",
        libc::SYS_io_uring_setup,
        &[8, 0],
        |ret| {
            vec![
                I64(ret),
                U32(8),
                U32(0),
                U32(0),
                U32(0),
                U32(0),
                U32(0),
                U32(0),
            ]
        },
    );
    // places
    t.row(
        "SYSCALL_ACCESS_X",
        libc::SYS_access,
        &[text(&missing), 4],
        |_| vec![I64(ENOENT), Text(missing.clone()), U32(4)],
    );
    t.row(
        "SYSCALL_CHDIR_X",
        libc::SYS_chdir,
        &[text(&missing)],
        |_| vec![I64(ENOENT), Text(missing.clone())],
    );
    t.row("SYSCALL_FCHDIR_X", libc::SYS_fchdir, &[fd], |_| {
        vec![I64(-20), I64(fd)]
    });
    t.row(
        "SYSCALL_CHROOT_X",
        libc::SYS_chroot,
        &[text(&missing)],
        |_| vec![I64(ENOENT), Text(missing.clone())],
    );
    t.row(
        "SYSCALL_MOUNT_X",
        libc::SYS_mount,
        &[text("none"), text(&missing), 0, 0x44000, 0],
        |_| {
            vec![
                I64(ENOENT),
                Text("none".into()),
                Text(missing.clone()),
                Empty,
                U32(0x44000),
            ]
        },
    );
    t.row(
        "SYSCALL_UMOUNT2_X",
        libc::SYS_umount2,
        &[text(&missing), 2],
        |_| vec![I64(ENOENT), Text(missing.clone()), U32(2)],
    );
    t.row(
        "SYSCALL_MKNOD_X",
        libc::SYS_mknod,
        &[text(&missing), 0o20600, 0x103],
        |_| vec![I64(ENOENT), Text(missing.clone()), U32(0o20600), U32(0x103)],
    );
    println!("{} rows compared", t.checked);
    assert!(t.watch.sensor.stats().unwrap().malformed == 0);
}
