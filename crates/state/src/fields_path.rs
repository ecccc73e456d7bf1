//! Paths that an event works on: `fs.path.*`.

use vedette_event::{EventFlags, Extracted, Values};

use crate::apply::text as param_text;
use crate::fields::FilePath;
use crate::kinds as k;
use crate::path::{append, append_under};
use crate::view::{View, text, written};

/// Where an event has its paths.
enum Paths {
    /// One path, in this parameter.
    One(usize),
    /// Where something comes from and where it goes.
    Two { source: usize, target: usize },
    /// The path of the event's descriptor.
    Descriptor,
}

fn paths(kind: u16) -> Option<Paths> {
    use Paths::{Descriptor, One, Two};
    Some(match kind {
        k::MKDIR_2_X | k::RMDIR_2_X | k::UNLINK_2_X | k::CHMOD_X | k::CHOWN_X | k::LCHOWN_X => {
            One(1)
        }
        k::OPEN_X | k::UMOUNT_X | k::UMOUNT_1_X | k::UMOUNT2_X | k::QUOTACTL_X => One(1),
        k::MKDIRAT_X
        | k::UNLINKAT_2_X
        | k::OPENAT_2_X
        | k::OPENAT2_X
        | k::FCHMODAT_X
        | k::FCHOWNAT_X => One(2),
        k::FCHMOD_X | k::FCHOWN_X => Descriptor,
        k::RENAME_X | k::MOUNT_X => Two {
            source: 1,
            target: 2,
        },
        k::RENAMEAT_X | k::RENAMEAT2_X => Two {
            source: 2,
            target: 4,
        },
        // What is made is the source of the new name, what it leads to the target.
        k::LINK_2_X | k::SYMLINK_X => Two {
            source: 2,
            target: 1,
        },
        k::LINKAT_2_X => Two {
            source: 4,
            target: 2,
        },
        k::SYMLINKAT_X => Two {
            source: 3,
            target: 1,
        },
        _ => return None,
    })
}

impl View<'_> {
    pub(crate) fn file_path<'s>(&'s self, which: FilePath, room: &'s mut Values) -> Extracted<'s> {
        let kind = self.event.kind.0;
        let Some(paths) = paths(kind) else {
            return Extracted::Missing;
        };
        // As Falco: an open counts unless its result is -1 (which is EPERM), everything else only when it worked.
        let first = self.event.signed(0);
        let counts = match kind {
            k::OPEN_X | k::OPENAT_2_X | k::OPENAT2_X => first.is_some_and(|fd| fd != -1),
            _ => first == Some(0),
        };
        if !counts {
            return Extracted::Missing;
        }
        let path = match (paths, which) {
            (Paths::One(index), FilePath::FsPathName | FilePath::FsPathNameraw) => {
                param_text(&self.event, index)
            }
            (Paths::Descriptor, FilePath::FsPathName | FilePath::FsPathNameraw) => {
                match self.fd() {
                    Some(fd) => &fd.name,
                    None => return Extracted::Missing,
                }
            }
            (Paths::Two { source, .. }, FilePath::FsPathSource | FilePath::FsPathSourceraw) => {
                param_text(&self.event, source)
            }
            (Paths::Two { target, .. }, FilePath::FsPathTarget | FilePath::FsPathTargetraw) => {
                param_text(&self.event, target)
            }
            _ => return Extracted::Missing,
        };
        let raw = matches!(
            which,
            FilePath::FsPathNameraw | FilePath::FsPathSourceraw | FilePath::FsPathTargetraw
        );
        if raw {
            return text(path);
        }
        let Some(slot) = self.thread else {
            return Extracted::Missing;
        };
        let uses_fd =
            (self.event.kind.info()).is_some_and(|info| info.flags.has(EventFlags::USES_FD));
        written(room, |out| match kind {
            k::OPENAT_2_X | k::OPENAT2_X => self.write_creator_name(out),
            _ if path.first() == Some(&b'/') => append(out, b"", path),
            // An event that works on a descriptor starts from that; Falco does not take `AT_FDCWD` for the working
            // directory here.
            _ if uses_fd => match self.fd() {
                Some(fd) => append_under(out, &fd.name, path),
                None => append(out, b"<UNKNOWN>", path),
            },
            _ => append(out, self.state.cwd_bytes(slot), path),
        })
    }
}
