//! The thread that keeps prevention in step with the containers there are: admits new ones, follows their mounts, tells
//! what was refused, and proves every minute that a refusal still works.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vedette_detect::policy::Policy;
use vedette_detect::policy::drift::{Attempt, Effective, Operation, Reaction};
use vedette_detect::policy::feed::Feed;
use vedette_detect::policy::scope::{Workload, for_workload};
use vedette_event::Finding;
use vedette_guard::{Container, Error as GateError, Gate, Refusal, Settings, live_process};
use vedette_sensor::guard::{Mechanism, Verdict};

use super::answers::{Answers, target, tell};
use super::kernel::{self, Facts, Kernel};
use super::report::{self, Seen};
use crate::agent::config;
use crate::agent::log::Log;

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
    Seen { workload: Workload, pid: u32 },
    /// Other policies hold from now on.
    Policies(Loaded),
    /// Tell what is left, and end.
    End,
}

/// What the metrics say.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    /// `bpf_lsm`, `fanotify`, `kill` or `none`.
    pub(crate) tier: &'static str,
    /// The last proof.
    pub(crate) proved: Result<(), String>,
    /// When, in seconds since the Unix epoch.
    pub(crate) proved_at: u64,
    pub(crate) containers: usize,
    pub(crate) asked: u64,
    pub(crate) audited: u64,
    pub(crate) expired: u64,
    pub(crate) lost: u64,
    pub(crate) slowest: Duration,
    pub(crate) refused: BTreeMap<&'static str, u64>,
    pub(crate) actions: BTreeMap<(String, &'static str), u64>,
}

/// The status, shared with the event loop.
#[derive(Debug)]
pub(crate) struct Board {
    status: Mutex<Status>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            status: Mutex::new(Status {
                tier: "none",
                proved: Err("not tried yet".to_owned()),
                proved_at: 0,
                containers: 0,
                asked: 0,
                audited: 0,
                expired: 0,
                lost: 0,
                slowest: Duration::ZERO,
                refused: BTreeMap::new(),
                actions: BTreeMap::new(),
            }),
        }
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Status> {
        // every change is one assignment: sound even when its writer panicked
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read(&self) -> Status {
        self.lock().clone()
    }

    pub(crate) fn count_action(&self, kind: &str, outcome: &'static str) {
        *self
            .lock()
            .actions
            .entry((kind.to_owned(), outcome))
            .or_default() += 1;
    }
}

/// A container that some policy is about.
struct Kept {
    workload: Workload,
    effective: Arc<Effective>,
    pid: u32,
    groups: Vec<std::path::PathBuf>,
    /// Its mount table, which can be polled for changes; `None` until it is admitted.
    mounts: Option<File>,
    since: Instant,
}

/// The thread's own.
pub(crate) struct Keeper {
    settings: config::Guard,
    loaded: Loaded,
    host: Arc<str>,
    kernel: Option<Kernel>,
    gate: Option<Gate>,
    refusals: Receiver<Refusal>,
    findings: SyncSender<Finding>,
    board: Arc<Board>,
    answers: Answers,
    containers: HashMap<Arc<str>, Kept>,
    untold: u64,
    log: Log,
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() as i64)
}

impl Keeper {
    /// Starts the thread, and waits until it has loaded what it needs privileges for.
    pub(super) fn start(
        settings: config::Guard,
        loaded: Loaded,
        host: Arc<str>,
        commands: Receiver<Command>,
        findings: SyncSender<Finding>,
        board: Arc<Board>,
        log: Log,
    ) -> anyhow::Result<()> {
        let (ready, begun) = sync_channel::<()>(1);
        std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || {
                let mut keeper = Self::new(settings, loaded, host, findings, board, log);
                let _ = ready.send(());
                keeper.run(&commands);
            })
            .context("starting the thread of the policies")?;
        begun
            .recv()
            .context("the thread of the policies ended early")
    }

    fn new(
        settings: config::Guard,
        loaded: Loaded,
        host: Arc<str>,
        findings: SyncSender<Finding>,
        board: Arc<Board>,
        log: Log,
    ) -> Self {
        let prevents = loaded.policies.iter().any(|policy| policy.detects());
        let kernel = if prevents {
            Kernel::start()
        } else {
            Err(vedette_sensor::guard::Error::Object(
                "policy that asks for it",
            ))
        };
        let mut kernel = match kernel {
            Ok(kernel) => Some(kernel),
            Err(error) => {
                if prevents {
                    log.error(
                        "nothing can be prevented on this machine",
                        &[("error", &error)],
                    );
                }
                None
            }
        };
        let (sink, refusals) = sync_channel(REFUSALS);
        let gate = kernel
            .as_ref()
            .and_then(|kernel| open(kernel, &settings, &loaded, sink, &log));
        if let Some(kernel) = &mut kernel {
            kernel.set_gate_in_front(gate.is_some());
            if let Err(error) = kernel.watch_calls() {
                log.error("libraries and memory are not watched", &[("error", &error)]);
            }
            if settings.keep_on_death {
                let dir = std::path::Path::new("/sys/fs/bpf/vedette-guard");
                let _ = std::fs::remove_dir_all(dir);
                if let Err(error) = std::fs::create_dir_all(dir)
                    .map_err(|e| e.to_string())
                    .and_then(|()| kernel.outlive(dir).map_err(|e| e.to_string()))
                {
                    log.error("the hooks will end with the agent", &[("error", &error)]);
                }
            }
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
            let waiting = self.containers.values().any(|kept| kept.mounts.is_none());
            let patience = if waiting { IMPATIENCE } else { PATIENCE };
            match commands.recv_timeout(patience) {
                Ok(Command::Seen { workload, pid }) => self.seen(workload, pid),
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

    fn seen(&mut self, mut workload: Workload, pid: u32) {
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
            groups: vedette_guard::control_groups(pid),
            mounts: None,
            since: Instant::now(),
        };
        if kept.effective.is_idle() {
            self.dismiss(&id);
            return;
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
        let Some(pid) = live_process(kept.pid, &kept.groups) else {
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
            .filter(|(_, kept)| kept.mounts.is_none())
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
        let gone: Vec<Arc<str>> = self
            .containers
            .iter()
            .filter(|(_, kept)| {
                live_process(kept.pid, &kept.groups).is_none()
                    || kept.mounts.is_none() && kept.since.elapsed() > READY_WITHIN
            })
            .map(|(id, _)| Arc::clone(id))
            .collect();
        for id in gone {
            self.dismiss(&id);
        }
    }

    fn dismiss(&mut self, id: &str) {
        self.containers.remove(id);
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
            if let Some(kept) = self.containers.get_mut(&id) {
                kept.effective = effective;
            }
            if !same || expires {
                self.admit(&id);
            }
        }
    }

    /// Turns what was decided since the last call into findings.
    fn tell(&mut self) {
        while let Ok(refusal) = self.refusals.try_recv() {
            self.refusal(&refusal);
        }
        let mut attempts = Vec::new();
        if let Some(kernel) = &mut self.kernel {
            kernel.poll(|id, attempt| attempts.push((id, attempt)));
        }
        for (id, attempt) in attempts {
            self.attempt(&id, &attempt);
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        let Some(kept) = self.containers.get(&refusal.container) else {
            return;
        };
        let comm = std::fs::read_to_string(format!("/proc/{}/comm", refusal.pid));
        let workload = kept.workload.clone();
        let comm = comm.unwrap_or_default();
        self.found(&Seen {
            time: refusal.time,
            pid: refusal.pid,
            parent: 0,
            comm: comm.trim_end(),
            operation: refusal.operation,
            source: refusal.source,
            path: &refusal.path,
            process: &refusal.process,
            decision: &refusal.decision,
            mechanism: "fanotify",
            stopped: refusal.refused,
            workload: &workload,
        });
    }

    fn attempt(&mut self, id: &Arc<str>, attempt: &vedette_sensor::guard::Attempt) {
        let Some(kept) = self.containers.get(id) else {
            return;
        };
        let operation = kernel::operation(attempt.hook);
        let source = if operation == Operation::Inject {
            vedette_detect::policy::drift::Source::Image
        } else {
            // the kernel side has settled whose root file system it is on: what it tells is drift
            match kernel::source(attempt.origin) {
                vedette_detect::policy::drift::Source::Image => {
                    vedette_detect::policy::drift::Source::Volume
                }
                found => found,
            }
        };
        let path = String::from_utf8_lossy(&attempt.path).into_owned();
        let process = std::fs::read_link(format!("/proc/{}/exe", attempt.pid))
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mut decision = kept.effective.decide(
            &Attempt {
                operation,
                source,
                deleted: attempt.origin.0 & vedette_sensor::guard::Origin::DELETED != 0,
                path: &path,
                process: &process,
                sha256: None,
            },
            now(),
        );
        if decision.reaction == Reaction::Allow {
            if attempt.verdict == Verdict::Audit {
                return;
            }
            // the policy changed in between: what was done is told all the same
            decision.detector = "drift";
            decision.reason = format!("{path} did not come with the image");
        }
        let (mechanism, stopped) = match attempt.verdict {
            Verdict::Denied => ("bpf_lsm", true),
            Verdict::Killed => ("kill", true),
            Verdict::Audit => ("kernel", false),
        };
        let workload = kept.workload.clone();
        let comm = String::from_utf8_lossy(&attempt.comm).into_owned();
        self.found(&Seen {
            time: wall_clock(attempt.time),
            pid: attempt.pid,
            parent: attempt.parent,
            comm: &comm,
            operation,
            source,
            path: &path,
            process: &process,
            decision: &decision,
            mechanism,
            stopped,
            workload: &workload,
        });
    }

    fn found(&mut self, seen: &Seen<'_>) {
        let mut actions: Vec<_> = report::own_action(seen).into_iter().collect();
        if let Some(policy) = seen.decision.policy.clone() {
            let target = target(seen.pid, seen.process.to_owned(), &seen.workload.id);
            let from = actions.len();
            self.answers.act(&policy, &target, &mut actions);
            tell(&actions[from..], "drift", &target, &self.board, &self.log);
        }
        {
            let mut status = self.board.lock();
            if seen.stopped {
                *status.refused.entry(seen.mechanism).or_default() += 1;
            } else {
                status.audited += 1;
            }
        }
        let finding = report::finding(seen, &self.host, actions);
        if self.findings.try_send(finding).is_err() {
            self.untold += 1;
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
        status.containers = self.containers.len();
        status.asked = gate.asked;
        status.expired = gate.expired;
        status.lost = lost + gate.lost + self.untold;
        status.slowest = Duration::from_nanos(gate.slowest_ns);
    }
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

/// Nanoseconds since boot as nanoseconds since the Unix epoch.
fn wall_clock(since_boot: u64) -> u64 {
    let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let boot = boot.tv_sec.unsigned_abs() * 1_000_000_000 + boot.tv_nsec.unsigned_abs();
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos() as u64);
    wall.saturating_sub(boot.saturating_sub(since_boot))
}
