//! The gate: reads permission events, decides, answers, and never lets a process wait for long. [`crew`] says on which
//! threads.

mod crew;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::fanotify::{FanotifyEvent, MaskFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vedette_detect::policy::drift::{Attempt, Operation, Reaction, Source};
use vedette_detect::policy::script;

use crate::hash::Hashes;
use crate::lineage::Ancestor;
use crate::marks::Group;
use crate::table::{Entry, Table};
use crate::{Container, Error, Inspect, Otherwise, Refusal, Settings, process};

/// How often threads look whether they are to end.
const PATIENCE: Duration = Duration::from_millis(200);

/// What the gate did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Containers that are guarded.
    pub containers: usize,
    /// Questions of the kernel.
    pub asked: u64,
    /// Answers that refused.
    pub refused: u64,
    /// Attempts that were let through and reported.
    pub audited: u64,
    /// Files that the kernel passes without asking again.
    pub remembered: u64,
    /// Answers that the watchdog gave.
    pub expired: u64,
    /// Files of which the kernel would not say where they come from.
    pub unknown: u64,
    /// Refusals that nobody took.
    pub lost: u64,
    /// Longest time from reading an event to its answer, in nanoseconds.
    pub slowest_ns: u64,
    /// Sum of these times.
    pub total_ns: u64,
    /// Threads that answer.
    pub threads: u32,
}

#[derive(Debug, Default)]
struct Counters {
    asked: AtomicU64,
    refused: AtomicU64,
    audited: AtomicU64,
    remembered: AtomicU64,
    expired: AtomicU64,
    unknown: AtomicU64,
    lost: AtomicU64,
    slowest: AtomicU64,
    total: AtomicU64,
}

struct Waiting {
    event: FanotifyEvent,
    since: Instant,
    answered: AtomicBool,
}

struct Shared {
    group: Group,
    settings: Settings,
    inspect: Arc<dyn Inspect>,
    sink: SyncSender<Refusal>,
    table: RwLock<Table>,
    waiting: Mutex<VecDeque<Arc<Waiting>>>,
    hashes: Mutex<Hashes>,
    canary: Mutex<Option<(u64, u64)>>,
    counters: Counters,
    threads: AtomicU32,
    stop: AtomicBool,
}

/// A lock whose holder panicked still guards sound data: every change is a single insertion or removal.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds the start of programs in containers until it has decided. Dropping it lets everything through.
pub struct Gate {
    shared: Arc<Shared>,
    watchdog: Option<JoinHandle<()>>,
    pub(crate) canary_dir: PathBuf,
}

impl Gate {
    /// Opens the gate. Refusals and audited attempts go to `sink`, which is never waited for.
    pub fn open(
        settings: Settings,
        inspect: Arc<dyn Inspect>,
        sink: SyncSender<Refusal>,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            group: Group::new()?,
            settings,
            inspect,
            sink,
            table: RwLock::new(Table::new()),
            waiting: Mutex::default(),
            hashes: Mutex::default(),
            canary: Mutex::default(),
            counters: Counters::default(),
            threads: AtomicU32::new(0),
            stop: AtomicBool::new(false),
        });
        let watchdog = crew::start(&shared)?;
        Ok(Self {
            shared,
            watchdog: Some(watchdog),
            canary_dir: std::env::temp_dir(),
        })
    }

    /// Guards a container, or guards it anew after its mounts or policies changed. The answer names the mounts that
    /// cannot be guarded.
    pub fn admit(&self, container: &Container) -> Result<Vec<Error>, Error> {
        let pid = container.pid;
        let process = |source| Error::Process { pid, source };
        let namespace = process::mount_namespace(pid).map_err(process)?;
        let root_dev = {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata(format!("/proc/{pid}/root"))
                .map_err(process)?
                .dev()
        };
        let host = self.table_mut().host_namespace;
        let runtime = process::runtime_namespace(pid, &container.id);
        if namespace == host || runtime == Some(namespace) || root_dev == host_root() {
            return Err(Error::NotYet(pid));
        }
        let opens = container.effective.watches(Operation::Interpret);
        // the table first: what the new marks ask about must be known
        self.table_mut().insert(Entry {
            id: Arc::clone(&container.id),
            effective: Arc::clone(&container.effective),
            namespace,
            runtime,
            root_dev,
        });
        // what was remembered may be decided otherwise now
        self.forget()?;
        self.shared.group.guard(pid, opens)
    }

    /// Forgets a container. Its marks go with its mounts.
    pub fn dismiss(&self, id: &str) {
        self.table_mut().remove(id);
    }

    fn table_mut(&self) -> std::sync::RwLockWriteGuard<'_, Table> {
        self.shared
            .table
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self) -> Result<(), Error> {
        self.shared.group.forget_files().map_err(Error::Fanotify)
    }

    pub(crate) fn set_canary(&self, file: Option<(u64, u64)>) {
        *lock(&self.shared.canary) = file;
    }

    pub(crate) fn guard_file(&self, path: &std::path::Path) -> std::io::Result<()> {
        self.shared.group.guard_file(path)
    }

    /// What it did so far.
    pub fn stats(&self) -> Stats {
        let c = &self.shared.counters;
        Stats {
            containers: self.table_mut().len(),
            asked: c.asked.load(Relaxed),
            refused: c.refused.load(Relaxed),
            audited: c.audited.load(Relaxed),
            remembered: c.remembered.load(Relaxed),
            expired: c.expired.load(Relaxed),
            unknown: c.unknown.load(Relaxed),
            lost: c.lost.load(Relaxed),
            slowest_ns: c.slowest.load(Relaxed),
            total_ns: c.total.load(Relaxed),
            threads: self.shared.threads.load(Relaxed),
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        if let Some(watchdog) = self.watchdog.take() {
            let _ = watchdog.join();
        }
        // The answering threads end by themselves; a stuck one must not hold us. What still waits is let through.
        let waiting: Vec<_> = lock(&self.shared.waiting).drain(..).collect();
        for waiting in waiting {
            self.shared.answer(&waiting, true);
        }
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

fn host_root() -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/").map_or(0, |m| m.dev())
}

impl Shared {
    fn serve(&self) {
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: PATIENCE.as_nanos() as i64,
        };
        while !self.stop.load(Relaxed) {
            let fd = self.group.fd();
            let mut fds = [PollFd::new(&fd, PollFlags::IN)];
            if !matches!(poll(&mut fds, Some(&timeout)), Ok(1..)) {
                continue;
            }
            // more than one thread may have been woken
            let Ok(events) = self.group.read() else {
                continue;
            };
            let since = Instant::now();
            let batch: Vec<Arc<Waiting>> = events
                .into_iter()
                .filter(|event| event.fd().is_some())
                .map(|event| {
                    Arc::new(Waiting {
                        event,
                        since,
                        answered: AtomicBool::new(false),
                    })
                })
                .collect();
            {
                let mut waiting = lock(&self.waiting);
                while waiting.front().is_some_and(|w| w.answered.load(Relaxed)) {
                    waiting.pop_front();
                }
                waiting.extend(batch.iter().cloned());
            }
            for waiting in &batch {
                self.counters.asked.fetch_add(1, Relaxed);
                self.consider(waiting);
            }
        }
    }

    /// Gives the answer, unless it was given. True when it was this one.
    fn answer(&self, waiting: &Waiting, allow: bool) -> bool {
        if waiting.answered.swap(true, Relaxed) {
            return false;
        }
        if let Some(file) = waiting.event.fd() {
            // fails only when the process was killed while it waited
            let _ = self.group.answer(file, allow);
        }
        let took = waiting.since.elapsed().as_nanos() as u64;
        self.counters.slowest.fetch_max(took, Relaxed);
        self.counters.total.fetch_add(took, Relaxed);
        true
    }

    fn consider(&self, waiting: &Waiting) {
        let pid = waiting.event.pid().unsigned_abs();
        let Some(file) = waiting.event.fd() else {
            return;
        };
        if pid == std::process::id() {
            self.answer(waiting, true);
            return;
        }
        let Ok(meta) = rustix::fs::fstat(file) else {
            self.unknown(waiting);
            return;
        };
        if *lock(&self.canary) == Some((meta.st_dev, meta.st_ino)) {
            self.counters.refused.fetch_add(1, Relaxed);
            self.answer(waiting, false);
            return;
        }
        let execute = waiting.event.mask().contains(MaskFlags::FAN_OPEN_EXEC_PERM);
        let facts = self.inspect.inspect(file);
        let entry = self
            .table
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .find(
                pid,
                facts.as_ref().map_or(meta.st_dev, |facts| facts.device),
            );
        let Some(entry) = entry else {
            self.answer(waiting, true);
            return;
        };
        let Ok(facts) = facts else {
            self.unknown(waiting);
            return;
        };
        let source = source(facts.source, facts.device == entry.root_dev);
        // nothing that comes with the image is ever refused to be read, nor to run but for lists of known-bad files
        if !source.is_drift() && (!execute || !entry.effective.looks_at_image())
            || !execute && !facts.regular
        {
            self.pass(waiting, &entry, source, facts.regular);
            return;
        }
        if !execute && meta.st_size == 0 {
            // An empty file is no program: it is about to be written. A shell that runs `cp` within itself is called as
            // before, and its last argument would name the file.
            self.answer(waiting, true);
            return;
        }
        let process = process::executable(pid);
        let mut path = std::fs::read_link(format!(
            "/proc/self/fd/{}",
            std::os::fd::AsRawFd::as_raw_fd(&file)
        ))
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default();
        if facts.deleted
            && let Some(name) = path.strip_suffix(" (deleted)")
        {
            path.truncate(name.len());
        }
        if !execute && !self.is_script(&process, &path, pid) {
            self.answer(waiting, true);
            return;
        }
        let sha256 = if execute && entry.effective.wants_hash() {
            lock(&self.hashes).of(file)
        } else {
            None
        };
        let attempt = Attempt {
            operation: if execute {
                Operation::Execute
            } else {
                Operation::Interpret
            },
            source,
            deleted: facts.deleted,
            path: &path,
            process: &process,
            sha256,
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let decision = entry.effective.decide(&attempt, now.as_secs() as i64);
        if decision.reaction == Reaction::Allow {
            self.pass(waiting, &entry, source, facts.regular);
            return;
        }
        let deny = decision.reaction == Reaction::Deny;
        // Once answered, it and those above it in its container may end at any moment. Those outside, a runtime's and the
        // host's own, do not hang on it, and it need not wait for them to be read.
        let (mut lineage, outside) = Ancestor::inside(pid);
        let in_time = self.answer(waiting, !deny);
        let counter = if deny {
            &self.counters.refused
        } else {
            &self.counters.audited
        };
        counter.fetch_add(1, Relaxed);
        lineage.extend(Ancestor::above(outside));
        let (operation, container) = (attempt.operation, Arc::clone(&entry.id));
        self.tell(Refusal {
            time: now.as_nanos() as u64,
            container,
            pid,
            operation,
            source,
            path,
            process,
            lineage,
            refused: deny && in_time,
            decision,
            took: waiting.since.elapsed(),
        });
    }

    /// Whether an interpreter reads its program.
    fn is_script(&self, process: &str, path: &str, pid: u32) -> bool {
        let Some(kind) = script::interpreter(process) else {
            return false;
        };
        script::has_ending(path) && kind != script::Interpreter::Multicall
            || script::is_operand(kind, &process::arguments(pid), path)
    }

    /// Lets it run, and has the kernel remember that where that is safe. The mark, for which the event's own descriptor
    /// stands, goes first: the start of a program asks as an execution and then as an opening, and what is remembered
    /// before the first answer spares the second question.
    fn pass(&self, waiting: &Waiting, entry: &Entry, source: Source, regular: bool) {
        let safe = self.settings.kernel_cache && source == Source::Image && regular;
        if safe
            && let Some(file) = waiting.event.fd()
            && self
                .group
                .remember(file, entry.effective.watches(Operation::Interpret))
                .is_ok()
        {
            self.counters.remembered.fetch_add(1, Relaxed);
        }
        self.answer(waiting, true);
    }

    fn unknown(&self, waiting: &Waiting) {
        self.counters.unknown.fetch_add(1, Relaxed);
        self.answer(waiting, self.settings.otherwise == Otherwise::Allow);
    }

    fn tell(&self, refusal: Refusal) {
        if self.sink.try_send(refusal).is_err() {
            self.counters.lost.fetch_add(1, Relaxed);
        }
    }
}

/// What a file's source means for a container: an image is only the image on the container's own root file system.
fn source(found: Source, on_root: bool) -> Source {
    match (found, on_root) {
        (Source::Image | Source::Written, true) => found,
        (_, true) => Source::Unlayered,
        // another overlay's lower layer can be anything
        (Source::Image | Source::Written, false) => Source::Volume,
        (other, false) => other,
    }
}
