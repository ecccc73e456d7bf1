//! The kernel side of prevention, loaded: security hooks that refuse, tracepoints that kill, and the question where a
//! file comes from.
//!
//! What is to be prevented where is decided elsewhere and written into tables here, one [`Scope`] for each container.
//! Everything is gone when [`Guard`] is dropped, so a machine whose agent died goes on as if there had been none, unless
//! [`Guard::outlive`] pinned the hooks.

mod layout;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::{fs, io};

use libbpf_rs::{Link, MapCore, MapFlags, MapHandle, Object, ObjectBuilder};
use thiserror::Error;

use crate::ring::Ring;
pub use layout::{
    Attempt, EXCEPTION_PATH, HOOKS, Hook, Origin, Scope, Subject, Verdict, kernel_dev,
};

/// Compiled by `build.rs`.
static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guard.bpf.o"));

/// Bytes of the events' ring, as `guard.bpf.c` makes it.
const RING_BYTES: usize = 1 << 18;
/// Bytes of `struct inspection`.
const INSPECTION_BYTES: usize = 24;

/// How the kernel side prevents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Security hooks refuse with EPERM.
    Refuse,
    /// Tracepoints kill the process before it gets back to user space.
    Kill,
    /// Nothing is prevented here; files can be inspected.
    Inspect,
}

const REFUSE: &[&str] = &[
    "refuse_exec",
    "refuse_map",
    "refuse_protect",
    "refuse_open",
    "refuse_ptrace",
];
const KILL: &[&str] = &["kill_exec"];
/// Cost something on every system call: attached only where a scope asks for them.
const KILL_CALLS: &[&str] = &["kill_map", "kill_open"];

/// Names of interpreters up to their first digit, and how they take their scripts.
const INTERPRETERS: &[(&str, u32)] = &[
    ("sh", SHELL),
    ("ash", SHELL),
    ("bash", SHELL),
    ("dash", SHELL),
    ("zsh", SHELL),
    ("ksh", SHELL),
    ("mksh", SHELL),
    ("fish", SHELL),
    ("csh", SHELL),
    ("tcsh", SHELL),
    ("busybox", MULTICALL),
    ("toybox", MULTICALL),
    ("python", LANGUAGE),
    ("pypy", LANGUAGE),
    ("perl", LANGUAGE),
    ("ruby", LANGUAGE),
    ("node", LANGUAGE),
    ("nodejs", LANGUAGE),
    ("deno", LANGUAGE),
    ("bun", LANGUAGE),
    ("php", LANGUAGE),
    ("php-cli", LANGUAGE),
    ("lua", LANGUAGE),
    ("luajit", LANGUAGE),
    ("tclsh", LANGUAGE),
    ("guile", LANGUAGE),
    ("Rscript", LANGUAGE),
    ("awk", LANGUAGE),
    ("gawk", LANGUAGE),
    ("mawk", LANGUAGE),
];
const SHELL: u32 = 1;
const LANGUAGE: u32 = 2;
const MULTICALL: u32 = 3;

/// Endings of file names that are scripts.
const ENDINGS: &[&str] = &[
    "sh", "bash", "py", "pl", "pm", "rb", "js", "mjs", "cjs", "php", "lua", "tcl",
];

/// Why the kernel side of prevention cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel would not load the programs.
    #[error("the kernel refuses the programs for prevention{}{log}", if log.is_empty() { "" } else { ":\n" })]
    Load {
        /// Why.
        source: libbpf_rs::Error,
        /// The end of what libbpf said.
        log: String,
    },
    /// The kernel would not load or attach it.
    #[error("the kernel refuses {what}")]
    Refused {
        /// Which part.
        what: &'static str,
        /// Why.
        source: libbpf_rs::Error,
    },
    /// This build's object lacks a part. A fault of the build.
    #[error("the object for prevention has no `{0}`")]
    Object(&'static str),
    /// A path is longer than the kernel side's tables hold.
    #[error("the path of an exception is longer than {EXCEPTION_PATH} bytes")]
    LongPath,
    /// The system refused something else.
    #[error("{what}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

fn refused(what: &'static str) -> impl Fn(libbpf_rs::Error) -> Error {
    move |source| Error::Refused { what, source }
}

/// The kernel side of prevention at work.
pub struct Guard {
    mechanism: Mechanism,
    // Links go first, so that no program runs while the maps go.
    links: Vec<Link>,
    attached_calls: bool,
    maps: BTreeMap<String, MapHandle>,
    ring: Ring,
    object: Object,
}

impl Guard {
    /// Loads the programs of a mechanism and attaches those that cost nothing until a file is executed.
    pub fn start(mechanism: Mechanism) -> Result<Self, Error> {
        // what a refused attempt makes libbpf print is in the error
        crate::kernel::collecting(|| Self::load(mechanism))
    }

    fn load(mechanism: Mechanism) -> Result<Self, Error> {
        let what = "the programs for prevention";
        let mut open = ObjectBuilder::default()
            .open_memory(OBJECT)
            .map_err(refused(what))?;
        for mut map in open.maps_mut() {
            if map.name().to_string_lossy() == ".rodata.settings"
                && let Some(bytes) = map.initial_value_mut()
            {
                // `struct guard_settings`
                bytes[..4].copy_from_slice(&host_namespace()?.to_ne_bytes());
                bytes[4..8].copy_from_slice(&u32::from(cgroup_v1()).to_ne_bytes());
            }
        }
        for mut program in open.progs_mut() {
            let name = program.name().to_string_lossy().into_owned();
            let name = name.as_str();
            program.set_autoload(
                match mechanism {
                    Mechanism::Refuse => REFUSE.contains(&name),
                    Mechanism::Kill => KILL.contains(&name) || KILL_CALLS.contains(&name),
                    Mechanism::Inspect => false,
                } || name == "inspect",
            );
        }
        let object = open.load().map_err(|source| Error::Load {
            source,
            log: crate::kernel::collected(),
        })?;
        let mut maps = BTreeMap::new();
        for map in object.maps() {
            let name = map.name().to_string_lossy().into_owned();
            maps.insert(name, MapHandle::try_from(&map).map_err(refused("a table"))?);
        }
        let events = maps.get("events").ok_or(Error::Object("events"))?;
        let ring = Ring::map(events.as_fd(), RING_BYTES).map_err(|source| Error::System {
            what: "the ring of attempts cannot be mapped",
            source,
        })?;
        let mut guard = Self {
            mechanism,
            links: Vec::new(),
            attached_calls: false,
            maps,
            ring,
            object,
        };
        guard.fill_tables()?;
        guard.attach(match mechanism {
            Mechanism::Refuse => REFUSE,
            Mechanism::Kill => KILL,
            Mechanism::Inspect => &[],
        })?;
        Ok(guard)
    }

    fn map(&self, name: &'static str) -> Result<&MapHandle, Error> {
        self.maps.get(name).ok_or(Error::Object(name))
    }

    fn fill_tables(&self) -> Result<(), Error> {
        for (name, kind) in INTERPRETERS {
            let mut key = [0; 16];
            key[..name.len()].copy_from_slice(name.as_bytes());
            self.put("interpreters", &key, &kind.to_ne_bytes())?;
        }
        for ending in ENDINGS {
            let mut key = [0; 8];
            key[..ending.len()].copy_from_slice(ending.as_bytes());
            let key = u64::from_le_bytes(key).to_ne_bytes();
            self.put("endings", &key, &1u32.to_ne_bytes())?;
        }
        Ok(())
    }

    fn put(&self, map: &'static str, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.map(map)?
            .update(key, value, MapFlags::ANY)
            .map_err(refused("an entry of a table"))
    }

    /// Removes an entry. One that is not there is no error.
    fn remove(&self, map: &'static str, key: &[u8]) -> Result<(), Error> {
        match self.map(map)?.delete(key) {
            Err(error) if error.kind() != libbpf_rs::ErrorKind::NotFound => {
                Err(refused("an entry of a table")(error))
            }
            _ => Ok(()),
        }
    }

    fn attach(&mut self, names: &[&'static str]) -> Result<(), Error> {
        for name in names {
            let program = self
                .object
                .progs_mut()
                .find(|p| p.name() == *name)
                .ok_or(Error::Object(name))?;
            let link = program.attach().map_err(refused("a hook for prevention"))?;
            self.links.push(link);
        }
        Ok(())
    }

    /// The mechanism at work.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Attaches the tracepoints for libraries, scripts and memory, which cost something on every system call.
    /// [`Guard::bind`] does so when the first scope asks for it; a process that gives up privileges does it before.
    pub fn watch_calls(&mut self) -> Result<(), Error> {
        if self.mechanism == Mechanism::Kill && !self.attached_calls {
            self.attach(KILL_CALLS)?;
            self.attached_calls = true;
        }
        Ok(())
    }

    /// Says what holds in a mount namespace (its inode number), and in a control group (the inode number of its
    /// directory: in the unified hierarchy, or in the memory controller's where there is no unified one).
    pub fn bind(
        &mut self,
        namespace: Option<u32>,
        control_group: Option<u64>,
        scope: &Scope,
    ) -> Result<(), Error> {
        let wants_calls = scope.refuse[1..]
            .iter()
            .chain(&scope.report[1..])
            .any(|&m| m != 0);
        if wants_calls {
            self.watch_calls()?;
        }
        let value = scope.encode();
        if let Some(namespace) = namespace {
            self.put("namespaces", &namespace.to_ne_bytes(), &value)?;
        }
        if let Some(group) = control_group {
            self.put("control_groups", &group.to_ne_bytes(), &value)?;
        }
        Ok(())
    }

    /// Forgets a mount namespace and a control group.
    pub fn release(
        &mut self,
        namespace: Option<u32>,
        control_group: Option<u64>,
    ) -> Result<(), Error> {
        if let Some(namespace) = namespace {
            self.remove("namespaces", &namespace.to_ne_bytes())?;
        }
        if let Some(group) = control_group {
            self.remove("control_groups", &group.to_ne_bytes())?;
        }
        Ok(())
    }

    /// Adds an exception to a scope: for this path, or with `prefix` for everything that begins with it.
    pub fn except(
        &mut self,
        scope: u32,
        subject: Subject,
        path: &[u8],
        prefix: bool,
    ) -> Result<(), Error> {
        let key = layout::exception_key(scope, subject, path, prefix).ok_or(Error::LongPath)?;
        self.put("exceptions", &key, &1u32.to_ne_bytes())
    }

    /// Takes an exception back.
    pub fn unexcept(
        &mut self,
        scope: u32,
        subject: Subject,
        path: &[u8],
        prefix: bool,
    ) -> Result<(), Error> {
        let key = layout::exception_key(scope, subject, path, prefix).ok_or(Error::LongPath)?;
        self.remove("exceptions", &key)
    }

    /// Hands out the attempts since the last call, oldest first. The answer is their number.
    pub fn poll(&mut self, mut sink: impl FnMut(Attempt)) -> usize {
        let mut count = 0;
        while let Some(bytes) = self.ring.peek() {
            let (len, attempt) = (bytes.len(), Attempt::decode(bytes));
            self.ring.advance(len);
            if let Some(attempt) = attempt {
                count += 1;
                sink(attempt);
            }
        }
        self.ring.release();
        count
    }

    /// Attempts that were decided but not reported, since the ring was full.
    pub fn lost(&self) -> Result<u64, Error> {
        let value = self
            .map("lost")?
            .lookup(&0u32.to_ne_bytes(), MapFlags::ANY)
            .map_err(refused("a table"))?;
        Ok(value
            .and_then(|v| v.get(..8)?.try_into().ok())
            .map_or(0, u64::from_ne_bytes))
    }

    /// Keeps the hooks at work when this process ends (fail closed), as links in a directory of a BPF file system. They
    /// go on with the scopes they have until the files are removed.
    pub fn outlive(&mut self, dir: &Path) -> Result<(), Error> {
        for (index, link) in self.links.iter_mut().enumerate() {
            link.pin(dir.join(format!("hook{index}")))
                .map_err(refused("to keep a hook"))?;
        }
        Ok(())
    }

    /// A handle to ask where files come from, for other threads.
    pub fn inspector(&self) -> Result<Inspector, Error> {
        let program = self
            .object
            .progs()
            .find(|p| p.name() == "inspect")
            .ok_or(Error::Object("inspect"))?;
        let program = program
            .as_fd()
            .try_clone_to_owned()
            .map_err(|source| Error::System {
                what: "a descriptor cannot be copied",
                source,
            })?;
        Ok(Inspector { program })
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("mechanism", &self.mechanism)
            .field("links", &self.links.len())
            .finish_non_exhaustive()
    }
}

/// What the kernel knows of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Where it comes from.
    pub origin: Origin,
    /// Device of its file system in the kernel's 32-bit encoding, see [`kernel_dev`].
    pub dev: u32,
    /// Inode number.
    pub ino: u64,
}

impl Inspection {
    /// The device as the C library's `stat` gives it. Both encodings agree while the major number has 12 bits and the
    /// minor one 20, which is all that the kernel hands out.
    pub fn device(&self) -> u64 {
        u64::from(self.dev)
    }
}

/// Asks the kernel about open files. One call costs about a microsecond.
#[derive(Debug)]
pub struct Inspector {
    program: OwnedFd,
}

impl Inspector {
    /// Where the file behind a descriptor of this process comes from.
    pub fn inspect(&self, file: BorrowedFd<'_>) -> io::Result<Inspection> {
        let mut context = [0u8; INSPECTION_BYTES];
        context[..4].copy_from_slice(&file.as_raw_fd().to_ne_bytes());
        let mut opts = libbpf_sys::bpf_test_run_opts {
            sz: size_of::<libbpf_sys::bpf_test_run_opts>() as libbpf_sys::size_t,
            ctx_in: context.as_mut_ptr().cast(),
            ctx_size_in: INSPECTION_BYTES as u32,
            ..Default::default()
        };
        // SAFETY: the descriptor is a loaded program, and the context outlives the call, which reads and writes no more
        // than its length.
        let result =
            unsafe { libbpf_sys::bpf_prog_test_run_opts(self.program.as_raw_fd(), &raw mut opts) };
        if result != 0 {
            return Err(io::Error::from_raw_os_error(-result));
        }
        if opts.retval != 0 {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let word = |at: usize| {
            let bytes = context.get(at..at + 4).and_then(|b| b.try_into().ok());
            bytes.map_or(0, u32::from_ne_bytes)
        };
        Ok(Inspection {
            origin: Origin(word(4)),
            dev: word(8),
            ino: u64::from(word(16)) | u64::from(word(20)) << 32,
        })
    }
}

/// Number of the mount namespace of a process.
pub fn mount_namespace(pid: u32) -> io::Result<u32> {
    let link = fs::read_link(format!("/proc/{pid}/ns/mnt"))?;
    // mnt:[4026531840]
    link.to_str()
        .and_then(|text| text.strip_prefix("mnt:[")?.strip_suffix(']')?.parse().ok())
        .ok_or_else(|| io::Error::other("the mount namespace has no number"))
}

/// The host's mount namespace: that of pid 1 when it can be seen, otherwise our own.
fn host_namespace() -> Result<u32, Error> {
    mount_namespace(1)
        .or_else(|_| mount_namespace(std::process::id()))
        .map_err(|source| Error::System {
            what: "the host's mount namespace cannot be read",
            source,
        })
}

/// Whether control groups are only in per-controller hierarchies.
fn cgroup_v1() -> bool {
    let Ok(root) = fs::File::open("/sys/fs/cgroup") else {
        return false;
    };
    // SAFETY: a structure of plain numbers, filled by the call.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and the pointer is valid for the call.
    let result = unsafe { libc::fstatfs(root.as_raw_fd(), &raw mut found) };
    result == 0 && found.f_type != libc::CGROUP2_SUPER_MAGIC
}
