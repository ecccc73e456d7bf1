//! The thread that keeps prevention in step with the containers there are: admits new ones, follows their mounts, tells
//! what was refused, and proves every minute that a refusal still works.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vedette_detect::policy::Policy;
use vedette_detect::policy::drift::Effective;
use vedette_detect::policy::feed::Feed;
use vedette_detect::policy::scope::{Workload, for_workload};
use vedette_event::Finding;
use vedette_guard::{Container, Error as GateError, Gate, Refusal, Settings, live_process};
use vedette_sensor::guard::Mechanism;

use super::answers::Answers;
use super::board::Board;
use super::kernel::{Facts, Kernel};
use crate::agent::config::{self, Config};
use crate::agent::log::Log;
use crate::agent::privileges;

/// How long the keeper waits for a message when nothing else is to be done.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// How long while a container is not ready yet.
const IMPATIENCE: Duration = Duration::from_millis(3);
/// How long a new container may take to leave the host's root file system.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked whether containers are still there.
const SWEEP: Duration = Duration::from_secs(1);
/// How often prevention is proved.
const PROVE: Duration = Duration::from_secs(60);
/// Containers that are guarded at one time; the kernel's table has as many rows.
const MAX_CONTAINERS: usize = 4096;
/// Refusals that may wait.
const REFUSALS: usize = 4096;

/// Policies and lists, read.
pub(crate) struct Loaded {
    pub(crate) policies: Arc<[Arc<Policy>]>,
    pub(crate) feed: Arc<Feed>,
}

/// What the keeper is told.
pub(crate) enum Command {
    /// A process of a container that is new, or is described better now.
    Seen {
        workload: Workload,
        pid: u32,
        /// Directories of its control groups.
        groups: Vec<PathBuf>,
    },
    /// Other policies hold from now on.
    Policies(Loaded),
    /// Tell what is left, and end.
    End,
}

/// A container, whether a policy is about it or not: one may be from tomorrow on.
pub(super) struct Kept {
    pub(super) workload: Workload,
    pub(super) effective: Arc<Effective>,
    pid: u32,
    groups: Vec<PathBuf>,
    /// Its mount table, which can be polled for changes; `None` until it is admitted.
    mounts: Option<File>,
    since: Instant,
}

impl Kept {
    /// Whether a policy is about it and nothing holds yet.
    fn is_waiting(&self) -> bool {
        self.mounts.is_none() && !self.effective.is_idle()
    }
}

/// What the thread is made of.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) settings: config::Guard,
    pub(super) loaded: Loaded,
    pub(super) host: Arc<str>,
    pub(super) findings: SyncSender<Finding>,
    pub(super) board: Arc<Board>,
    pub(super) log: Log,
}

/// The thread's own.
pub(crate) struct Keeper {
    pub(super) settings: config::Guard,
    pub(super) loaded: Loaded,
    pub(super) host: Arc<str>,
    pub(super) kernel: Option<Kernel>,
    pub(super) gate: Option<Gate>,
    pub(super) refusals: Receiver<Refusal>,
    pub(super) findings: SyncSender<Finding>,
    pub(super) board: Arc<Board>,
    pub(super) answers: Answers,
    pub(super) containers: HashMap<Arc<str>, Kept>,
    pub(super) untold: u64,
    pub(super) log: Log,
}

/// Seconds since the Unix epoch.
pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() as i64)
}

impl Keeper {
    /// Starts the thread, and waits until it has loaded what it needs privileges for.
    pub(super) fn start(parts: Parts, commands: Receiver<Command>) -> anyhow::Result<()> {
        let (ready, begun) = sync_channel::<()>(1);
        std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || {
                let mut keeper = Self::new(parts);
                let _ = ready.send(());
                keeper.run(&commands);
            })
            .context("starting the thread of the policies")?;
        begun
            .recv()
            .context("the thread of the policies ended early")
    }

    fn new(parts: Parts) -> Self {
        let Parts {
            config,
            settings,
            loaded,
            host,
            findings,
            board,
            log,
        } = parts;
        let prevents = loaded.policies.iter().any(|policy| policy.detects());
        let mut kernel = None;
        if prevents {
            match Kernel::start() {
                Ok(started) => kernel = Some(started),
                Err(error) => log.error(
                    "nothing can be prevented on this machine",
                    &[("error", &error)],
                ),
            }
        }
        if let Some(kernel) = &mut kernel {
            if let Err(error) = kernel.watch_calls() {
                log.error("libraries and memory are not watched", &[("error", &error)]);
            }
            if settings.keep_on_death
                && let Err(error) = keep(kernel)
            {
                log.error("the hooks will end with the agent", &[("error", &error)]);
            }
        }
        // the gate's threads inherit what is left
        let needs = if settings.policies.is_empty() && !prevents {
            crate::agent::respond::needs()
        } else {
            super::needs()
        };
        if config.drop_privileges
            && let Err(error) = privileges::drop_to(&config, needs)
        {
            let error = format!("{error:#}");
            log.warn("privileges are kept", &[("error", &error)]);
        }
        let (sink, refusals) = sync_channel(REFUSALS);
        let gate = kernel
            .as_ref()
            .and_then(|kernel| open(kernel, &settings, &loaded, sink, &log));
        if let Some(kernel) = &mut kernel {
            kernel.set_gate_in_front(gate.is_some());
        }
        let tier = match (&kernel, &gate) {
            (Some(kernel), _) if kernel.mechanism() == Mechanism::Refuse => "bpf_lsm",
            (Some(_), Some(_)) => "fanotify",
            (Some(_), None) => "kill",
            (None, _) => "none",
        };
        board.lock().tier = tier;
        log.info(
            "policies are at work",
            &[("policies", &loaded.policies.len()), ("tier", &tier)],
        );
        let answers = Answers::new(Arc::clone(&loaded.policies), Arc::clone(&host), &settings);
        let mut keeper = Self {
            settings,
            loaded,
            host,
            kernel,
            gate,
            refusals,
            findings,
            board,
            answers,
            containers: HashMap::new(),
            untold: 0,
            log,
        };
        keeper.prove();
        keeper
    }

    fn run(&mut self, commands: &Receiver<Command>) {
        let (mut swept, mut proved) = (Instant::now(), Instant::now());
        loop {
            let waiting = self.containers.values().any(Kept::is_waiting);
            let patience = if waiting { IMPATIENCE } else { PATIENCE };
            match commands.recv_timeout(patience) {
                Ok(Command::Seen {
                    workload,
                    pid,
                    groups,
                }) => self.seen(workload, pid, groups),
                Ok(Command::Policies(loaded)) => self.swap(loaded),
                Ok(Command::End) | Err(RecvTimeoutError::Disconnected) => {
                    self.tell();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.follow();
            self.tell();
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                self.sweep();
                self.publish();
            }
            if proved.elapsed() >= PROVE {
                proved = Instant::now();
                self.prove();
                // exceptions end
                self.again();
            }
        }
    }

    fn seen(&mut self, mut workload: Workload, pid: u32, groups: Vec<PathBuf>) {
        workload.host = self.host.to_string();
        workload.cluster.clone_from(&self.settings.cluster);
        let id: Arc<str> = workload.id.as_str().into();
        if self.containers.len() >= MAX_CONTAINERS && !self.containers.contains_key(&id) {
            self.log.error(
                "a container is not guarded: there are too many",
                &[("container", &id)],
            );
            return;
        }
        let kept = Kept {
            effective: Arc::new(self.effective(&workload)),
            workload,
            pid,
            groups,
            mounts: None,
            since: Instant::now(),
        };
        if kept.effective.is_idle() {
            self.release(&id);
        }
        self.containers.insert(Arc::clone(&id), kept);
        self.admit(&id);
    }

    fn effective(&self, workload: &Workload) -> Effective {
        Effective::new(
            for_workload(&self.loaded.policies, workload, now()),
            Arc::clone(&self.loaded.feed),
        )
    }

    fn admit(&mut self, id: &Arc<str>) {
        let Some(kept) = self.containers.get_mut(id) else {
            return;
        };
        if kept.effective.is_idle() {
            return;
        }
        let Some(pid) = live_process(kept.pid, id, &kept.groups) else {
            return;
        };
        kept.pid = pid;
        let Ok(mounts) = File::open(format!("/proc/{pid}/mountinfo")) else {
            return;
        };
        if let Some(gate) = &self.gate {
            let container = Container {
                id: Arc::clone(id),
                pid,
                effective: Arc::clone(&kept.effective),
            };
            match gate.admit(&container) {
                Ok(failed) => {
                    for error in failed {
                        let error = format!("{:#}", anyhow::Error::from(error));
                        self.log.warn(
                            "part of a container is not guarded",
                            &[("container", id), ("error", &error)],
                        );
                    }
                }
                Err(GateError::NotYet(_)) => return,
                Err(error) => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    self.log
                        .debug("not guarded yet", &[("container", id), ("error", &error)]);
                    return;
                }
            }
        }
        if let Some(kernel) = &mut self.kernel
            && let Err(error) = kernel.bind(id, pid, &kept.effective, now())
        {
            self.log.error(
                "a container is not guarded by the kernel's hooks",
                &[("container", id), ("error", &error)],
            );
        }
        if kept.mounts.is_none() {
            self.log.debug(
                "guarded",
                &[
                    ("container", id),
                    ("after_ms", &kept.since.elapsed().as_millis()),
                ],
            );
        }
        kept.mounts = Some(mounts);
    }

    /// Admits what was not ready, and what has mounted something since.
    fn follow(&mut self) {
        let mut due: Vec<Arc<str>> = self
            .containers
            .iter()
            .filter(|(_, kept)| kept.is_waiting())
            .map(|(id, _)| Arc::clone(id))
            .collect();
        let watched: Vec<(&Arc<str>, &File)> = self
            .containers
            .iter()
            .filter_map(|(id, kept)| Some((id, kept.mounts.as_ref()?)))
            .collect();
        let mut fds: Vec<PollFd<'_>> = watched
            .iter()
            .map(|(_, file)| PollFd::new(*file, PollFlags::PRI))
            .collect();
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        if matches!(poll(&mut fds, Some(&at_once)), Ok(1..)) {
            for (fd, (id, _)) in fds.iter().zip(&watched) {
                if fd.revents().intersects(PollFlags::PRI | PollFlags::ERR) {
                    due.push(Arc::clone(id));
                }
            }
        }
        for id in due {
            self.admit(&id);
        }
    }

    /// Forgets containers that have ended, or never became one.
    fn sweep(&mut self) {
        let is_gone = |id: &str, kept: &Kept| {
            live_process(kept.pid, id, &kept.groups).is_none()
                || kept.is_waiting() && kept.since.elapsed() > READY_WITHIN
        };
        let candidates: Vec<Arc<str>> = self
            .containers
            .iter()
            .filter(|(id, kept)| is_gone(id, kept))
            .map(|(id, _)| Arc::clone(id))
            .collect();
        for id in candidates {
            // A process that came in between was taken for told: after this line none is, so the second look is the last.
            self.board.forget(&id);
            if self
                .containers
                .get(&id)
                .is_some_and(|kept| is_gone(&id, kept))
            {
                self.log
                    .debug("not guarded any more", &[("container", &id)]);
                self.release(&id);
                self.containers.remove(&id);
            }
        }
    }

    /// Takes what holds for a container out of the gate and the kernel.
    fn release(&mut self, id: &str) {
        if let Some(gate) = &self.gate {
            gate.dismiss(id);
        }
        if let Some(kernel) = &mut self.kernel {
            kernel.release(id);
        }
    }

    fn swap(&mut self, loaded: Loaded) {
        self.answers.swap(Arc::clone(&loaded.policies));
        self.loaded = loaded;
        if self.kernel.is_none() && self.loaded.policies.iter().any(|policy| policy.detects()) {
            self.log.error(
                "policies that prevent need a restart: the agent began without any and has given up the privileges",
                &[],
            );
        }
        self.again();
        self.log.info(
            "policies read again",
            &[("policies", &self.loaded.policies.len())],
        );
    }

    /// Decides anew what holds for every container.
    fn again(&mut self) {
        let ids: Vec<Arc<str>> = self.containers.keys().cloned().collect();
        for id in ids {
            let Some(kept) = self.containers.get(&id) else {
                continue;
            };
            let effective = Arc::new(self.effective(&kept.workload));
            let same = effective.policies() == kept.effective.policies();
            let expires = kept
                .effective
                .policies()
                .iter()
                .any(|p| p.exceptions.iter().any(|e| e.expires.is_some()));
            let ended = effective.is_idle();
            if let Some(kept) = self.containers.get_mut(&id) {
                kept.effective = effective;
                if ended && kept.mounts.take().is_some() {
                    self.release(&id);
                }
            }
            if !same || expires {
                self.admit(&id);
            }
        }
    }

    fn prove(&mut self) {
        let mut outcome = Ok(());
        if let Some(gate) = &self.gate {
            outcome = gate.prove().map_err(|error| error.to_string());
        }
        if let (Ok(()), Some(kernel)) = (&outcome, &mut self.kernel) {
            outcome = kernel.prove();
        }
        if self.kernel.is_none() {
            outcome = Err("nothing prevents".to_owned());
        } else if let Err(error) = &outcome {
            self.log
                .error("prevention is not proved", &[("error", error)]);
        } else {
            self.log.debug("prevention is proved", &[]);
        }
        let mut status = self.board.lock();
        status.proved = outcome;
        status.proved_at = now().unsigned_abs();
    }

    fn publish(&self) {
        let gate = self.gate.as_ref().map(Gate::stats).unwrap_or_default();
        let lost = self.kernel.as_ref().map_or(0, Kernel::lost);
        let mut status = self.board.lock();
        status.containers = self
            .containers
            .values()
            .filter(|kept| kept.mounts.is_some())
            .count();
        status.asked = gate.asked;
        status.expired = gate.expired;
        status.lost = lost + gate.lost + self.untold;
        status.slowest = Duration::from_nanos(gate.slowest_ns);
    }
}

/// Keeps the hooks of the kernel when this process ends.
fn keep(kernel: &mut Kernel) -> Result<(), String> {
    let dir = std::path::Path::new("/sys/fs/bpf/vedette-guard");
    // of an agent that went before: its containers are bound anew
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir).map_err(|error| error.to_string())?;
    kernel.outlive(dir).map_err(|error| error.to_string())
}

/// The gate, where it is of use: with security hooks it has only known-bad files to look for.
fn open(
    kernel: &Kernel,
    settings: &config::Guard,
    loaded: &Loaded,
    sink: SyncSender<Refusal>,
    log: &Log,
) -> Option<Gate> {
    if kernel.mechanism() == Mechanism::Refuse && loaded.feed.is_empty() {
        return None;
    }
    let opened = kernel
        .inspector()
        .map_err(anyhow::Error::from)
        .and_then(|inspector| {
            let settings = Settings {
                deadline: settings.deadline,
                otherwise: settings.otherwise,
                // the kernel's hooks stand behind it
                kernel_cache: true,
            };
            Ok(Gate::open(settings, Arc::new(Facts(inspector)), sink)?)
        });
    opened
        .inspect_err(|error| {
            let error = format!("{error:#}");
            log.warn("fanotify cannot be used", &[("error", &error)]);
        })
        .ok()
}
