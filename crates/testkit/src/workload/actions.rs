//! What the processes do.

use super::Machine;
use super::encode::{Fill, Kind, address, tuple};
use super::processes::Process;

/// Directory descriptor that stands for the working directory.
const AT_FDCWD: i64 = -100;
const ENOENT: i64 = -2;
const READ_ONLY: u32 = 1;
const WRITE_ONLY: u32 = 2;
const CLOSE_ON_EXEC: u32 = 1 << 12;
/// What recorders keep of data that is read or written.
const SNAPLEN: usize = 80;

/// Programs that forked children execute.
const PROGRAMS: &[(&str, &str)] = &[
    ("true", "/usr/bin/true"),
    ("date", "/usr/bin/date"),
    ("cc1", "/usr/lib/gcc/x86_64-linux-gnu/14/cc1"),
    ("as", "/usr/bin/as"),
    ("sort", "/usr/bin/sort"),
    ("gzip", "/usr/bin/gzip"),
];

/// What every program opens when it starts.
const LIBRARIES: &[&str] = &[
    "/etc/ld.so.cache",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/x86_64-linux-gnu/libm.so.6",
];

const CONTENT: &[u8; 97] =
    b"the quick brown fox jumps over the lazy dog while 0123456789 clerks count what is left of the day";

impl<E> Machine<'_, E> {
    /// Opens a file, reads or writes it, closes it.
    pub(super) fn files(&mut self, process: &Process) {
        let tid = process.pid;
        let path = &self.pick(&process.files)[..];
        // One path in four is relative to the working directory.
        let name = match self.below(4) {
            0 => path.strip_prefix(&process.cwd[..]).unwrap_or(path),
            _ => path,
        };
        if self.below(8) == 0 {
            self.open(tid, ENOENT, name, READ_ONLY);
            return;
        }
        let fd = 3 + self.below(20) as i64;
        let writes = self.below(3) == 0;
        self.open(
            tid,
            fd,
            name,
            if writes {
                WRITE_ONLY
            } else {
                READ_ONLY | CLOSE_ON_EXEC
            },
        );
        if self.below(2) == 0 {
            Fill::new(&mut self.buf, Kind::Fstat).i64(0).i64(fd);
            self.send(tid);
        }
        for _ in 0..=self.below(3) {
            let (kind, size) = (
                if writes { Kind::Write } else { Kind::Read },
                1 + self.below(4096),
            );
            self.transfer(tid, kind, fd, size);
        }
        if self.below(4) == 0 {
            Fill::new(&mut self.buf, Kind::Lseek)
                .i64(0)
                .i64(fd)
                .u64(0)
                .u8(0);
            self.send(tid);
        }
        self.close(tid, fd);
    }

    /// Asks for files without opening them.
    pub(super) fn look(&mut self, process: &Process) {
        let tid = process.pid;
        let path = &self.pick(&process.files)[..];
        let found = if self.below(3) == 0 { ENOENT } else { 0 };
        match self.below(3) {
            0 => Fill::new(&mut self.buf, Kind::Stat).i64(found).text(path),
            1 => Fill::new(&mut self.buf, Kind::Access)
                .i64(found)
                .text(path)
                .u32(4),
            _ => Fill::new(&mut self.buf, Kind::NewFstatAt)
                .i64(found)
                .i64(AT_FDCWD)
                .text(path)
                .u32(0),
        };
        self.send(tid);
    }

    /// Forks; two children in three execute a program. The child works a little and ends.
    pub(super) fn fork(&mut self, process: &Process) {
        let child = self.pid();
        // Either side may be seen first.
        let child_first = self.below(3) == 0;
        for side in [child_first, !child_first] {
            let (tid, result) = if side {
                (child, 0)
            } else {
                (process.pid, child)
            };
            self.clone(process, tid, result, child);
        }
        if self.below(3) > 0 {
            self.execute(process, child);
        }
        let path = &self.pick(&process.files)[..];
        self.open(child, 3, path, READ_ONLY);
        self.transfer(child, Kind::Read, 3, 512);
        self.close(child, 3);
        Fill::new(&mut self.buf, Kind::Exit)
            .i64(0)
            .i64(0)
            .u8(0)
            .u8(0)
            .i64(0);
        self.send(child);
    }

    fn clone(&mut self, process: &Process, tid: i64, result: i64, child: i64) {
        let (own, parent) = if result == 0 {
            (child, process.pid)
        } else {
            (process.pid, 1)
        };
        Fill::new(&mut self.buf, Kind::Clone)
            .i64(result)
            .text(&process.exe)
            .bytes(&process.args)
            .i64(own)
            .i64(own)
            .i64(parent)
            .text(b"")
            .i64(1024)
            .u64(0)
            .u64(120)
            .u32(9000)
            .u32(3000)
            .u32(0)
            .text(&process.comm)
            .bytes(&process.cgroups)
            .u32(0)
            .u32(process.uid)
            .u32(process.uid)
            .i64(own)
            .i64(own)
            .u64(0);
        self.send(tid);
    }

    fn execute(&mut self, process: &Process, child: i64) {
        let (comm, exe) = *self.pick(PROGRAMS);
        let inode = 100 + self.below(50);
        Fill::new(&mut self.buf, Kind::Execve)
            .i64(0)
            .text(exe.as_bytes())
            .bytes(b"-q\0input.data\0")
            .i64(child)
            .i64(child)
            .i64(process.pid)
            .text(b"")
            .u64(1024)
            .u64(0)
            .u64(60)
            .u32(8000)
            .u32(2000)
            .u32(0)
            .text(comm.as_bytes())
            .bytes(&process.cgroups)
            .bytes(&process.env)
            .u32(0)
            .i64(1)
            .u32(u32::MAX)
            .u32(0)
            .u64(0)
            .u64(0)
            .u64(0)
            .u64(inode)
            .u64(1_700_000_000_000_000_000)
            .u64(1_700_000_000_000_000_000)
            .u32(process.uid)
            .text(exe.as_bytes())
            .i64(1)
            .u32(process.uid)
            .text(exe.as_bytes());
        self.send(child);
        for library in LIBRARIES {
            self.open(child, 3, library.as_bytes(), READ_ONLY | CLOSE_ON_EXEC);
            self.transfer(child, Kind::Read, 3, 832);
            Fill::new(&mut self.buf, Kind::Mmap)
                .i64(0x7f00_0000_0000)
                .u32(8000)
                .u32(2000)
                .u32(0)
                .u64(0)
                .u64(0x1d_0000)
                .u32(1)
                .u32(2)
                .i64(3)
                .u64(0);
            self.send(child);
            Fill::new(&mut self.buf, Kind::Mprotect)
                .i64(0)
                .u64(0x7f00_0000_0000)
                .u64(0x4000)
                .u32(1);
            self.send(child);
            self.close(child, 3);
        }
    }

    /// Connects to a service, asks, and reads the answer.
    pub(super) fn connect(&mut self, process: &Process) {
        let tid = process.pid;
        let fd = 30 + self.below(8) as i64;
        let port = *self.pick(&[5432, 8080, 9000, 9100]);
        let to = ([10, 20, 0, 5 + self.below(8) as u8], port);
        let from = ([10, 20, 0, 4], self.port());
        Fill::new(&mut self.buf, Kind::Socket)
            .i64(fd)
            .u32(2)
            .u32(1)
            .u32(0)
            .u32(0);
        self.send(tid);
        Fill::new(&mut self.buf, Kind::Connect)
            .i64(0)
            .bytes(&tuple(from, to))
            .i64(fd)
            .bytes(&address(to));
        self.send(tid);
        self.talk(tid, fd, true);
    }

    /// Takes a connection, reads the question, and answers.
    pub(super) fn serve(&mut self, process: &Process) {
        let tid = process.pid;
        let fd = 40 + self.below(8) as i64;
        let from = ([10, 20, 0, 5 + self.below(8) as u8], self.port());
        let to = ([10, 20, 0, 4], 8080);
        Fill::new(&mut self.buf, Kind::Accept)
            .i64(fd)
            .bytes(&tuple(from, to))
            .u8(0)
            .u32(0)
            .u32(128)
            .u32(0);
        self.send(tid);
        self.talk(tid, fd, false);
    }

    fn talk(&mut self, tid: i64, fd: i64, asks: bool) {
        for sends in [asks, !asks] {
            let (size, seen) = self.content();
            if sends {
                Fill::new(&mut self.buf, Kind::Send)
                    .i64(size)
                    .bytes(seen)
                    .i64(fd)
                    .u32(size as u32)
                    .bytes(b"");
            } else {
                Fill::new(&mut self.buf, Kind::Receive)
                    .i64(size)
                    .bytes(seen)
                    .bytes(b"")
                    .i64(fd)
                    .u32(4096);
            }
            self.send(tid);
        }
        if asks {
            Fill::new(&mut self.buf, Kind::Shutdown)
                .i64(0)
                .i64(fd)
                .u8(2);
            self.send(tid);
        }
        self.close(tid, fd);
    }

    fn open(&mut self, tid: i64, result: i64, name: &[u8], flags: u32) {
        let inode = 1000 + self.below(5000);
        Fill::new(&mut self.buf, Kind::OpenAt)
            .i64(result)
            .i64(AT_FDCWD)
            .text(name)
            .u32(flags)
            .u32(0)
            .u32(0x801)
            .u64(inode);
        self.send(tid);
    }

    fn close(&mut self, tid: i64, fd: i64) {
        Fill::new(&mut self.buf, Kind::Close).i64(0).i64(fd);
        self.send(tid);
    }

    fn transfer(&mut self, tid: i64, kind: Kind, fd: i64, size: u64) {
        let from = self.below(16) as usize;
        let seen = &CONTENT[from..from + (size as usize).min(SNAPLEN)];
        Fill::new(&mut self.buf, kind)
            .i64(size as i64)
            .bytes(seen)
            .i64(fd)
            .u32(size as u32);
        self.send(tid);
    }

    /// How much was sent, and what a recorder keeps of it.
    fn content(&mut self) -> (i64, &'static [u8]) {
        let size = 16 + self.below(1000) as usize;
        let from = self.below(16) as usize;
        (size as i64, &CONTENT[from..from + size.min(SNAPLEN)])
    }
}
