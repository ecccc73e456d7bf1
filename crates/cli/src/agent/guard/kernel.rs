//! The kernel's own mechanisms, set up for the containers that policies are about.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use vedette_detect::policy::drift::{Effective, Operation, Reaction, Source};
use vedette_guard::{FileFacts, Inspect, control_groups, mount_namespace, runtime_namespace};
use vedette_sensor::guard::{
    Attempt, Error, Guard, Hook, Inspector, Mechanism, Origin, Scope, Subject,
};

/// Where a file comes from, in the words of decisions. Deleted and regular come beside it.
pub(super) fn source(origin: Origin) -> Source {
    let bits = origin.0;
    if bits & (Origin::LOWER | Origin::META) != 0 {
        Source::Image
    } else if bits & Origin::UPPER != 0 {
        Source::Written
    } else if bits & Origin::MEMFD != 0 {
        Source::Memfd
    } else if bits & Origin::MEMORY != 0 {
        Source::Memory
    } else {
        Source::Volume
    }
}

fn origins(source: Source) -> u32 {
    match source {
        Source::Written => Origin::UPPER,
        Source::Memory => Origin::MEMORY,
        Source::Memfd => Origin::MEMFD,
        Source::Volume => Origin::OTHER,
        Source::Image | Source::Unlayered => 0,
    }
}

/// The gate's question, answered by the kernel.
pub(super) struct Facts(pub(super) Inspector);

impl Inspect for Facts {
    fn inspect(&self, file: BorrowedFd<'_>) -> io::Result<FileFacts> {
        let seen = self.0.inspect(file)?;
        let origin = seen.origin;
        Ok(FileFacts {
            source: source(origin),
            device: seen.device(),
            deleted: origin.0 & Origin::DELETED != 0,
            regular: origin.0 & Origin::REGULAR != 0,
        })
    }
}

/// What a hook means for decisions.
pub(super) fn operation(hook: Hook) -> Operation {
    match hook {
        Hook::Exec => Operation::Execute,
        Hook::Map => Operation::Map,
        Hook::Script => Operation::Interpret,
        Hook::Inject => Operation::Inject,
    }
}

/// A container as the kernel's tables know it.
#[derive(Debug)]
struct Bound {
    namespace: Option<u32>,
    group: Option<u64>,
    number: u32,
    exceptions: Vec<(Subject, Vec<u8>, bool)>,
}

/// The kernel side and what was written into it.
#[derive(Debug)]
pub(super) struct Kernel {
    guard: Guard,
    bound: HashMap<Arc<str>, Bound>,
    next: u32,
    /// fanotify sees executions and scripts before the kernel's hooks do, and reports them.
    gate_in_front: bool,
}

/// The number of the canary's scope.
const CANARY: u32 = 0;

impl Kernel {
    /// The best mechanism that this kernel takes; in order: refuse, kill.
    pub(super) fn start() -> Result<Self, Error> {
        let guard = Guard::start(Mechanism::Refuse).or_else(|_| Guard::start(Mechanism::Kill))?;
        Ok(Self {
            guard,
            bound: HashMap::new(),
            next: CANARY + 1,
            gate_in_front: false,
        })
    }

    pub(super) fn mechanism(&self) -> Mechanism {
        self.guard.mechanism()
    }

    pub(super) fn inspector(&self) -> Result<Inspector, Error> {
        self.guard.inspector()
    }

    pub(super) fn set_gate_in_front(&mut self, there: bool) {
        self.gate_in_front = there;
    }

    /// Attaches what costs something on every system call, while privileges allow it.
    pub(super) fn watch_calls(&mut self) -> Result<(), Error> {
        self.guard.watch_calls()
    }

    /// Keeps the hooks when this process ends.
    pub(super) fn keep(&mut self) -> Result<(), String> {
        let dir = std::path::Path::new("/sys/fs/bpf/vedette-guard");
        // of an agent that went before: its containers are bound anew
        let _ = std::fs::remove_dir_all(dir);
        std::fs::create_dir_all(dir).map_err(|error| error.to_string())?;
        self.guard.outlive(dir).map_err(|error| error.to_string())
    }

    fn masks(&self, effective: &Effective) -> ([u32; 4], [u32; 4]) {
        let (mut refuse, mut report) = ([0; 4], [0; 4]);
        for (index, operation) in Operation::ALL.into_iter().enumerate() {
            for policy in effective.policies() {
                let mut mask = policy
                    .detectors
                    .sources
                    .iter()
                    .fold(0, |all, source| all | origins(*source));
                if operation == Operation::Inject {
                    mask = Origin::OTHER;
                }
                match policy.reaction_to(operation) {
                    Reaction::Deny => refuse[index] |= mask,
                    Reaction::Audit => report[index] |= mask,
                    Reaction::Allow => {}
                }
            }
            if self.gate_in_front {
                report[index] &= match operation {
                    // a file without a name is in no file system that could be marked
                    Operation::Execute => Origin::MEMFD,
                    Operation::Interpret => 0,
                    Operation::Map | Operation::Inject => u32::MAX,
                };
            }
        }
        (refuse, report)
    }

    /// Writes what holds for a container. Called again when its policies change.
    pub(super) fn bind(
        &mut self,
        id: &Arc<str>,
        pid: u32,
        effective: &Effective,
        now: i64,
    ) -> Result<(), Error> {
        self.release(id);
        let namespace = mount_namespace(pid).ok();
        let root_dev = std::fs::metadata(format!("/proc/{pid}/root")).map_or(0, |m| m.dev());
        let group = memory_group(pid).and_then(|dir| Some(std::fs::metadata(dir).ok()?.ino()));
        let number = self.next;
        // 2^31 containers is more than any node starts: the topmost bit tells the kind of exceptions
        self.next = (self.next + 1) & (u32::MAX >> 1);
        let mut exceptions = Vec::new();
        for policy in effective.policies() {
            for exception in policy.exceptions.iter().filter(|e| e.holds(now)) {
                // with both, the kernel's table can only have one: the file's, which says more
                let (subject, pattern) = match (&exception.path, &exception.process) {
                    (Some(path), _) => (Subject::Path, path),
                    (None, Some(process)) => (Subject::Process, process),
                    (None, None) => continue,
                };
                let path = pattern.path.as_bytes().to_vec();
                self.guard.except(number, subject, &path, pattern.prefix)?;
                exceptions.push((subject, path, pattern.prefix));
            }
        }
        let (refuse, report) = self.masks(effective);
        let scope = Scope {
            id: number,
            root_dev,
            refuse,
            report,
        };
        self.bound.insert(
            Arc::clone(id),
            Bound {
                namespace,
                group,
                number,
                exceptions,
            },
        );
        self.guard.bind(namespace, group, &scope)?;
        self.spare_runtime(id, pid)
    }

    /// Lets the runtime of a node that is a container itself work in the node's mount namespace, as runtimes do in the
    /// host's: its processes are in the control group of the container that they prepare. A namespace of a guarded
    /// container stays guarded.
    fn spare_runtime(&mut self, id: &str, pid: u32) -> Result<(), Error> {
        let Some(runtime) = runtime_namespace(pid, id) else {
            return Ok(());
        };
        let guarded = |bound: &Bound| bound.namespace == Some(runtime);
        if mount_namespace(1).ok() == Some(runtime) || self.bound.values().any(guarded) {
            return Ok(());
        }
        let nothing = Scope {
            id: CANARY,
            root_dev: 0,
            refuse: [0; 4],
            report: [0; 4],
        };
        self.guard.bind(Some(runtime), None, &nothing)
    }

    /// Forgets a container.
    pub(super) fn release(&mut self, id: &str) {
        let Some(bound) = self.bound.remove(id) else {
            return;
        };
        // what cannot be removed is replaced when the number is used again
        let _ = self.guard.release(bound.namespace, bound.group);
        for (subject, path, prefix) in bound.exceptions {
            let _ = self.guard.unexcept(bound.number, subject, &path, prefix);
        }
    }

    /// The attempts since the last call, with the container's id.
    pub(super) fn poll(&mut self, mut sink: impl FnMut(Arc<str>, Attempt)) {
        let bound = &self.bound;
        self.guard.poll(|attempt| {
            let id = bound
                .iter()
                .find(|(_, bound)| bound.number == attempt.scope)
                .map(|(id, _)| Arc::clone(id));
            if let Some(id) = id {
                sink(id, attempt);
            }
        });
    }

    pub(super) fn lost(&self) -> u64 {
        self.guard.lost().unwrap_or_default()
    }

    /// Lets a program of our own loose in a mount namespace where nothing may run, and says whether it was stopped.
    pub(super) fn prove(&mut self) -> Result<(), String> {
        use std::sync::mpsc::sync_channel;
        let (tell, told) = sync_channel::<u32>(1);
        let (go, gone) = sync_channel::<bool>(1);
        let tried = std::thread::spawn(move || {
            vedette_guard::in_namespace_of_its_own(move |namespace| {
                let _ = tell.send(namespace);
                if gone.recv() != Ok(true) {
                    return Err(io::Error::other("not bound"));
                }
                std::process::Command::new("/proc/self/exe")
                    .arg("--version")
                    .stdin(std::process::Stdio::null())
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::null())
                    .status()
            })
        });
        let namespace = told
            .recv()
            .map_err(|_| "a mount namespace for the canary cannot be made".to_owned())?;
        let everything = Origin::UPPER | Origin::MEMORY | Origin::MEMFD | Origin::OTHER;
        let scope = Scope {
            id: CANARY,
            // on no root file system: whatever it is, it is not of an image
            root_dev: 0,
            refuse: [everything, 0, 0, 0],
            report: [0; 4],
        };
        let bound = self.guard.bind(Some(namespace), None, &scope);
        let _ = go.send(bound.is_ok());
        let outcome = tried.join();
        let _ = self.guard.release(Some(namespace), None);
        bound.map_err(|error| error.to_string())?;
        match outcome {
            Ok(Ok(Err(error))) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Ok(Ok(Ok(status))) if !status.success() && status.code().is_none() => Ok(()),
            Ok(Ok(Ok(_))) => Err("the kernel's hooks let the canary run".to_owned()),
            Ok(Ok(Err(error)) | Err(error)) => {
                Err(format!("the canary could not be tried: {error}"))
            }
            Err(_) => Err("the canary's thread ended early".to_owned()),
        }
    }
}

/// The control group that the kernel side looks at: the unified one, or the memory controller's.
fn memory_group(pid: u32) -> Option<PathBuf> {
    let groups = control_groups(pid);
    let unified = |dir: &&PathBuf| {
        !dir.starts_with("/sys/fs/cgroup/memory") && dir.join("cgroup.controllers").exists()
    };
    groups
        .iter()
        .find(|dir| dir.starts_with("/sys/fs/cgroup/memory"))
        .or_else(|| groups.iter().find(unified))
        .cloned()
}
