//! What the kernel side of prevention and user space exchange: bytes on one side, values on the other.
//!
//! Mirrors `bpf/include/verdict.h` and `origin.h`; a test compares both through the object's type information.

/// Where a file comes from, as the kernel's own structures tell: bits of [`Origin`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin(pub u32);

impl Origin {
    /// Lower layer of an overlay.
    pub const LOWER: u32 = 1;
    /// Upper layer of an overlay.
    pub const UPPER: u32 = 2;
    /// Copied up for its metadata only.
    pub const META: u32 = 4;
    /// A file system in memory.
    pub const MEMORY: u32 = 8;
    /// Made by memfd_create.
    pub const MEMFD: u32 = 16;
    /// Any other file system.
    pub const OTHER: u32 = 32;
    /// No name is left.
    pub const DELETED: u32 = 64;
    /// A regular file.
    pub const REGULAR: u32 = 128;
}

/// What a process was about to do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Execute it.
    Exec,
    /// Map it as code.
    Map,
    /// Interpret it.
    Script,
    /// Change another process' memory, or its own through /proc; without a file where the call has none.
    Inject,
}

/// Number of hooks.
pub const HOOKS: usize = 4;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Reported only.
    Audit,
    /// Refused with EPERM by a security hook.
    Denied,
    /// The process was killed before it got back to user space.
    Killed,
}

/// What holds for one container. Masks are of [`Origin`] bits, one mask for each [`Hook`] in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Number that events carry.
    pub id: u32,
    /// Device of the container's root file system, as `stat(2)` gives it.
    pub root_dev: u64,
    /// What is refused.
    pub refuse: [u32; HOOKS],
    /// What is only reported.
    pub report: [u32; HOOKS],
}

/// Bytes of `struct scope`.
pub(super) const SCOPE_BYTES: usize = 8 + 8 * HOOKS;

impl Scope {
    pub(super) fn encode(&self) -> [u8; SCOPE_BYTES] {
        let mut out = [0; SCOPE_BYTES];
        let words = [self.id, kernel_dev(self.root_dev)]
            .into_iter()
            .chain(self.refuse)
            .chain(self.report);
        for (slot, word) in out.chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_ne_bytes());
        }
        out
    }
}

/// The C library's 64-bit device number as the kernel encodes it for user space in 32 bits.
pub fn kernel_dev(dev: u64) -> u32 {
    let major = (dev >> 8 & 0xfff) | (dev >> 32 & !0xfff);
    let minor = (dev & 0xff) | (dev >> 12 & !0xff);
    (minor & 0xff | (major & 0xfff) << 8 | (minor & !0xff) << 12) as u32
}

/// An attempt that the kernel side decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Nanoseconds since boot.
    pub time: u64,
    /// [`Scope::id`].
    pub scope: u32,
    /// Process and thread, in the host's namespace.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// The parent process.
    pub parent: u32,
    /// User, in the host's namespace.
    pub uid: u32,
    /// Name of the thread.
    pub comm: Vec<u8>,
    /// What it was about to do.
    pub hook: Hook,
    /// What came of it.
    pub verdict: Verdict,
    /// Where the file comes from.
    pub origin: Origin,
    /// Inode number; 0 without a file.
    pub ino: u64,
    /// Path as the container sees it; a long one keeps its end. Empty without a file.
    pub path: Vec<u8>,
}

const PATH_ROOM: usize = 512;
const COMM_AT: usize = 48;
const COMM: usize = 16;
const PATH_AT: usize = COMM_AT + COMM;
/// Bytes of `struct guard_event`: the path has room for one name more behind its end.
const EVENT_BYTES: usize = PATH_AT + PATH_ROOM + 256;

impl Attempt {
    /// Reads a record of the ring. `None` when it is none of ours.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < EVENT_BYTES {
            return None;
        }
        let word = |at: usize| {
            bytes
                .get(at..at + 4)
                .and_then(|b| b.try_into().ok())
                .map(u32::from_ne_bytes)
        };
        let long = |at: usize| {
            bytes
                .get(at..at + 8)
                .and_then(|b| b.try_into().ok())
                .map(u64::from_ne_bytes)
        };
        let path_at = u16::from_ne_bytes(bytes.get(46..48)?.try_into().ok()?) as usize;
        let comm = bytes.get(COMM_AT..PATH_AT)?;
        Some(Self {
            time: long(0)?,
            ino: long(8)?,
            scope: word(16)?,
            pid: word(20)?,
            tid: word(24)?,
            parent: word(28)?,
            uid: word(32)?,
            origin: Origin(word(40)?),
            hook: match bytes.get(44)? {
                0 => Hook::Exec,
                1 => Hook::Map,
                2 => Hook::Script,
                3 => Hook::Inject,
                _ => return None,
            },
            verdict: match bytes.get(45)? {
                1 => Verdict::Audit,
                2 => Verdict::Denied,
                3 => Verdict::Killed,
                _ => return None,
            },
            comm: comm.split(|&b| b == 0).next().unwrap_or_default().to_vec(),
            path: bytes
                .get(PATH_AT + path_at.min(PATH_ROOM)..PATH_AT + PATH_ROOM)?
                .to_vec(),
        })
    }
}

/// What an exception names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The file that is started, mapped or read.
    Path,
    /// The program that does it.
    Process,
}

/// Longest path of an exception, in bytes.
pub const EXCEPTION_PATH: usize = 200;
const KEY_BYTES: usize = 8 + EXCEPTION_PATH;

/// Key of an exception: this path, or with `prefix` everything that begins with it. `None` when it is too long.
pub(super) fn exception_key(
    scope: u32,
    subject: Subject,
    path: &[u8],
    prefix: bool,
) -> Option<[u8; KEY_BYTES]> {
    // one file's path ends with its NUL
    let len = path.len() + usize::from(!prefix);
    if len > EXCEPTION_PATH {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    key[..4].copy_from_slice(&((4 + len as u32) * 8).to_ne_bytes());
    let kind = match subject {
        Subject::Path => 0,
        Subject::Process => 1,
    };
    key[4..8].copy_from_slice(&(scope << 1 | kind).to_ne_bytes());
    key[8..8 + path.len()].copy_from_slice(path);
    Some(key)
}

#[cfg(test)]
mod tests {
    use libbpf_rs::btf::types::{MemberAttr, Struct};
    use libbpf_rs::btf::{Btf, HasSize};

    use super::*;
    use crate::guard::OBJECT;

    #[test]
    fn layouts_agree_with_the_object() {
        let types = Btf::from_raw("guard", OBJECT).unwrap().unwrap();
        let of = |name: &str| types.type_by_name::<Struct<'_>>(name).unwrap();
        let offset = |of: &Struct<'_>, member: &str| {
            let found = of.iter().find(|m| m.name.is_some_and(|n| n == member));
            match found.unwrap().attr {
                MemberAttr::Normal { offset } | MemberAttr::BitField { offset, .. } => {
                    offset as usize / 8
                }
            }
        };
        let event = of("guard_event");
        assert_eq!(event.size(), EVENT_BYTES);
        for (member, at) in [
            ("time", 0),
            ("ino", 8),
            ("scope", 16),
            ("tgid", 20),
            ("tid", 24),
            ("parent", 28),
            ("uid", 32),
            ("origin", 40),
            ("hook", 44),
            ("verdict", 45),
            ("path_at", 46),
            ("comm", COMM_AT),
            ("path", PATH_AT),
        ] {
            assert_eq!(offset(&event, member), at, "guard_event.{member}");
        }
        assert_eq!(of("scope").size(), SCOPE_BYTES);
        assert_eq!(offset(&of("scope"), "report"), 8 + 4 * HOOKS);
        assert_eq!(of("exception_key").size(), KEY_BYTES);
        assert_eq!(offset(&of("exception_key"), "path"), 8);
        assert_eq!(of("inspection").size(), super::super::INSPECTION_BYTES);
        assert_eq!(of("guard_settings").size(), 8);
    }

    #[test]
    fn devices_are_encoded_as_the_kernel_does() {
        // major 8, minor 1; an anonymous device; minor beyond eight bits
        for (dev, kernel) in [(0x801, 0x801), (0x2f, 0x2f), (0x0010_0023, 0x0010_0023)] {
            assert_eq!(kernel_dev(dev), kernel);
        }
    }

    #[test]
    fn a_prefix_leaves_out_the_end_and_a_file_does_not() {
        let bits = |prefix| {
            let key = exception_key(7, Subject::Process, b"/opt/", prefix).unwrap();
            u32::from_ne_bytes(key[..4].try_into().unwrap())
        };
        assert_eq!((bits(true), bits(false)), (72, 80));
        let long = vec![b'a'; EXCEPTION_PATH];
        assert!(exception_key(1, Subject::Path, &long, false).is_none());
        assert!(exception_key(1, Subject::Path, &long, true).is_some());
    }
}
