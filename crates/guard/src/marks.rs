//! The fanotify group: what is marked, and how.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::AT_FDCWD;
use nix::sys::fanotify::{
    EventFFlags, Fanotify, FanotifyEvent, FanotifyResponse, InitFlags, MarkFlags, MaskFlags,
    Response,
};
use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::Error;
use crate::mounts::{self, Guarded, Reach};
use crate::process;

/// A fanotify group that answers permission events.
#[derive(Debug)]
pub(crate) struct Group {
    fanotify: Fanotify,
}

fn system(errno: nix::errno::Errno) -> io::Error {
    io::Error::from_raw_os_error(errno as i32)
}

/// Which events hold processes.
fn mask(opens: bool) -> MaskFlags {
    if opens {
        MaskFlags::FAN_OPEN_EXEC_PERM | MaskFlags::FAN_OPEN_PERM
    } else {
        MaskFlags::FAN_OPEN_EXEC_PERM
    }
}

impl Group {
    pub(crate) fn new() -> Result<Self, Error> {
        let flags = InitFlags::FAN_CLASS_CONTENT
            | InitFlags::FAN_CLOEXEC
            | InitFlags::FAN_NONBLOCK
            | InitFlags::FAN_UNLIMITED_QUEUE
            | InitFlags::FAN_UNLIMITED_MARKS;
        // without O_NONBLOCK a FIFO or a device could hold us
        let events = EventFFlags::O_RDONLY
            | EventFFlags::O_LARGEFILE
            | EventFFlags::O_CLOEXEC
            | EventFFlags::O_NONBLOCK;
        Fanotify::init(flags, events)
            .map(|fanotify| Self { fanotify })
            .map_err(|errno| Error::Fanotify(system(errno)))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fanotify.as_fd()
    }

    pub(crate) fn read(&self) -> io::Result<Vec<FanotifyEvent>> {
        self.fanotify.read_events().map_err(system)
    }

    pub(crate) fn answer(&self, file: BorrowedFd<'_>, allow: bool) -> io::Result<()> {
        let response = if allow {
            Response::FAN_ALLOW
        } else {
            Response::FAN_DENY
        };
        self.fanotify
            .write_response(FanotifyResponse::new(file, response))
            .map_err(system)
    }

    /// Guards what a process has mounted. Every mount that can be guarded is; the answer names the others.
    pub(crate) fn guard(&self, pid: u32, opens: bool) -> Result<Vec<Error>, Error> {
        let table = |pid: u32| {
            process::head(&format!("/proc/{pid}/mountinfo"), mounts::TABLE_BYTES)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(|source| Error::Process { pid, source })
        };
        let container = table(pid)?;
        let host = table(1).or_else(|_| table(std::process::id()))?;
        let root = rustix::fs::open(
            format!("/proc/{pid}/root"),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|errno| Error::Process {
            pid,
            source: errno.into(),
        })?;
        let mut failed = Vec::new();
        for guarded in mounts::plan(&container, &host) {
            if let Err(source) = self.mark(&root, &guarded, opens) {
                failed.push(Error::Mark {
                    mount: guarded.at,
                    source,
                });
            }
        }
        Ok(failed)
    }

    fn mark(&self, root: &OwnedFd, guarded: &Guarded, opens: bool) -> io::Result<()> {
        // The container's own names are resolved inside its root: a link in there cannot lead to the host's files.
        let at = rustix::fs::openat2(
            root,
            guarded.at.as_str(),
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )?;
        let found = rustix::fs::fstat(&at)?;
        let device = format!(
            "{}:{}",
            rustix::fs::major(found.st_dev),
            rustix::fs::minor(found.st_dev)
        );
        // btrfs gives each subvolume a device of its own: only where the table and the file agree on the rest
        if device != guarded.device && !guarded.device.starts_with("0:") {
            return Err(io::Error::other("something else is mounted over it"));
        }
        let reach = match guarded.reach {
            Reach::FileSystem => MarkFlags::FAN_MARK_FILESYSTEM,
            Reach::Mount => MarkFlags::FAN_MARK_MOUNT,
        };
        // fanotify takes no descriptor that was opened as a path only
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&at));
        self.fanotify
            .mark(
                MarkFlags::FAN_MARK_ADD | reach,
                mask(opens),
                AT_FDCWD,
                Some(Path::new(&path)),
            )
            .map_err(system)
    }

    /// Guards one file: the canary.
    pub(crate) fn guard_file(&self, path: &Path) -> io::Result<()> {
        self.fanotify
            .mark(MarkFlags::FAN_MARK_ADD, mask(false), AT_FDCWD, Some(path))
            .map_err(system)
    }

    /// Lets the kernel pass this file from now on without asking, until it is written or falls out of memory.
    pub(crate) fn remember(&self, file: BorrowedFd<'_>, opens: bool) -> io::Result<()> {
        let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_IGNORED_MASK;
        // evictable marks hold no memory of their own; kernels before 5.19 have none
        self.fanotify
            .mark::<_, Path>(
                flags | MarkFlags::FAN_MARK_EVICTABLE,
                mask(opens),
                file,
                None,
            )
            .or_else(|_| {
                self.fanotify
                    .mark::<_, Path>(flags, mask(opens), file, None)
            })
            .map_err(system)
    }

    /// Forgets every file that is passed without asking; the canary's mark goes, too.
    pub(crate) fn forget_files(&self) -> io::Result<()> {
        self.fanotify
            .mark(
                MarkFlags::FAN_MARK_FLUSH,
                MaskFlags::empty(),
                AT_FDCWD,
                Some(Path::new("/")),
            )
            .map_err(system)
    }
}
