//! Policies at work in the agent: prevention in containers, and answers to rules.
//!
//! The event loop only tells a thread of its own ([`keeper`]) which containers there are and what fired, and takes the
//! findings that come back. Prevention itself waits for neither: it happens in the kernel's hooks and in the gate's
//! thread.

mod answers;
mod board;
mod keeper;
mod kernel;
mod report;
mod told;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::Context;
use rustix::thread::CapabilitySet;
use vedette_container::locate;
use vedette_detect::RuleSet;
use vedette_detect::policy::Policy;
use vedette_detect::policy::scope::Workload;
use vedette_event::{
    Action, Alert, EventType, Extract, Extracted, FieldRef, Finding, RawEvent, Value, Values,
};
use vedette_sensor::bootstrap::Fact;
use vedette_state::View;

use super::bundle;
use super::config::{self, Config};
use super::emit::Emit;
use super::log::Log;
use super::metrics::{Metric, Page, Type};
use super::stage::{Prevention, Stage};
use super::workload;
use crate::policyfiles;
use answers::Answers;
use keeper::{Command, Keeper, Loaded, Parts};

/// Messages that may wait for the keeper; a start of a node brings some hundred containers.
const COMMANDS: usize = 4096;
/// Findings that may wait for the event loop.
const FINDINGS: usize = 4096;
/// Descriptions of containers that are kept.
const MAX_WORKLOADS: usize = 8192;
/// Position of the control groups in the events of the exec and clone families.
const CGROUPS: usize = 14;

macro_rules! metrics {
    ($($id:ident $kind:ident $name:literal $help:literal;)*) => {
        $(const $id: Metric = Metric { name: $name, kind: Type::$kind, help: $help };)*
        /// All of them.
        #[cfg(test)]
        pub(crate) const ALL: &[Metric] = &[$($id),*];
    };
}

metrics! {
    TIER Gauge "vedette_guard_tier_info" "1, with the mechanism that prevents as a label: bpf_lsm, fanotify, kill or none.";
    PROVED Gauge "vedette_guard_proved" "1 when the last canary was stopped, else 0.";
    PROVED_AT Gauge "vedette_guard_proved_timestamp_seconds" "When the last canary was let loose, seconds since the Unix epoch.";
    GUARDED Gauge "vedette_guard_containers" "Containers for which a policy prevents or audits.";
    ASKED Counter "vedette_guard_questions_total" "Starts and opens that the kernel held for an answer.";
    REFUSED Counter "vedette_guard_refused_total" "Attempts that were refused or killed, by mechanism.";
    AUDITED Counter "vedette_guard_audited_total" "Attempts that were reported and let through.";
    EXPIRED Counter "vedette_guard_expired_total" "Answers that the watchdog gave, since nobody had decided in time.";
    LOST Counter "vedette_guard_lost_total" "Attempts that were decided and could not be reported.";
    SLOWEST Gauge "vedette_guard_slowest_answer_seconds" "Longest time that an answer took.";
    ACTIONS Counter "vedette_guard_actions_total" "Answers to findings, by kind and outcome.";
}

/// The stage.
pub(crate) struct Policies {
    commands: SyncSender<Command>,
    findings: Receiver<Finding>,
    status: Arc<board::Board>,
    answers: Answers,
    workloads: HashMap<String, Workload>,
    introduction: EventType,
    process: [EventType; 6],
    identity: [FieldRef; 3],
    log: Log,
    /// A policy prevented something when the agent began, and what that takes was kept.
    prevents: bool,
}

impl Policies {
    /// Reads the policies and starts what they need. `None` when no policy is configured.
    pub(crate) fn new(
        config: &Config,
        hostname: &Arc<str>,
        log: &Log,
    ) -> anyhow::Result<Option<Self>> {
        let Some(settings) = &config.guard else {
            return Ok(None);
        };
        let loaded = load(settings, log)?;
        // those that a configuration names may become others; what prevention takes is not given up for them
        let prevents =
            !settings.policies.is_empty() || loaded.policies.iter().any(|policy| policy.detects());
        let (commands, received) = sync_channel(COMMANDS);
        let (send, findings) = sync_channel(FINDINGS);
        let status = Arc::new(board::Board::default());
        let answers = Answers::new(Arc::clone(&loaded.policies), Arc::clone(hostname), settings);
        let parts = Parts {
            config: config.clone(),
            settings: settings.clone(),
            loaded,
            host: Arc::clone(hostname),
            findings: send,
            board: Arc::clone(&status),
            log: log.clone(),
        };
        Keeper::start(parts, received)?;
        let kind = |symbol| EventType::by_symbol(symbol).expect("it is in the event table");
        let field = |name| FieldRef::parse(name).expect("it is in the catalogue");
        Ok(Some(Self {
            commands,
            findings,
            status,
            answers,
            workloads: HashMap::new(),
            introduction: kind("ASYNCEVENT_E"),
            process: [
                "SYSCALL_EXECVE_19_X",
                "SYSCALL_EXECVEAT_X",
                "SYSCALL_CLONE_20_X",
                "SYSCALL_CLONE3_X",
                "SYSCALL_FORK_20_X",
                "SYSCALL_VFORK_20_X",
            ]
            .map(kind),
            identity: [
                field("proc.pid"),
                field("container.full_id"),
                field("proc.exepath"),
            ],
            log: log.clone(),
            prevents,
        }))
    }

    /// A process of a container: the keeper is told once, again when the runtime has described it, and again when it had
    /// lost sight of it.
    fn seen(&mut self, cgroups: &[u8], pid: i64) {
        let Some(located) = locate(cgroups) else {
            return;
        };
        let known = self.workloads.get(&located.id);
        if self.status.is_told(&located.id, known.is_some()) {
            return;
        }
        let described = known.is_some();
        let workload = known.cloned().unwrap_or_else(|| Workload {
            id: located.id.clone(),
            ..Workload::default()
        });
        let Ok(pid) = u32::try_from(pid) else { return };
        let command = Command::Seen {
            groups: vedette_guard::listed_groups(cgroups, &located.id),
            workload,
            pid,
        };
        // told before it is sent: the keeper may lose sight of it at once
        self.status.told(&located.id, described);
        if self.commands.try_send(command).is_err() {
            // told again with the next process of this container
            self.status.forget(&located.id);
        }
    }
}

/// What prevention and answers need while they run: marks; signals to anybody; root, executable and memory of anybody in
/// /proc; the tables of kernels before 6.1.
fn needs() -> CapabilitySet {
    CapabilitySet::SYS_ADMIN
        | CapabilitySet::KILL
        | CapabilitySet::SYS_PTRACE
        | CapabilitySet::DAC_READ_SEARCH
        | CapabilitySet::BPF
}

/// Reads policies and lists. Errors of single policies are logged; the others hold.
fn load(settings: &config::Guard, log: &Log) -> anyhow::Result<Loaded> {
    let (mut policies, mut problems) =
        policyfiles::read(&settings.policies).context("reading policies")?;
    // a damaged bundle is told of by whoever reads its rules
    let server = settings.server.as_deref().map(bundle::read);
    if let Some(Ok(Some(found))) = server {
        for policy in found.policies {
            let name = format!("server/{}", policy.name);
            let (found, told) = vedette_detect::policy::read_all(&[(&name, &policy.text)], false);
            policies.extend(found);
            problems.extend(told);
        }
    }
    for problem in &problems {
        if problem.fatal {
            log.error("a policy is left out", &[("problem", problem)]);
        } else {
            log.warn("a policy looks wrong", &[("problem", problem)]);
        }
    }
    let (feed, told) = policyfiles::feeds(&settings.feeds).context("reading known-bad files")?;
    for problem in &told {
        log.warn("a line of a list is left out", &[("problem", problem)]);
    }
    let policies: Vec<Arc<Policy>> = policies.into_iter().filter(|p| p.enabled).collect();
    Ok(Loaded {
        policies: policies.into(),
        feed: Arc::new(feed),
    })
}

impl Stage for Policies {
    fn needs(&self) -> CapabilitySet {
        if self.prevents {
            needs()
        } else {
            crate::agent::respond::needs()
        }
    }

    fn is_guard(&self) -> bool {
        self.prevents
    }

    fn prevention(&self) -> Option<Prevention> {
        let status = self.status.read();
        (status.tier != "none").then_some(Prevention {
            tier: status.tier,
            proved: status.proved,
        })
    }

    fn before(&mut self, fact: &Fact<'_>) {
        if let Fact::Process(process) = fact {
            self.seen(process.cgroups, process.pid);
        }
    }

    fn event(&mut self, event: &RawEvent<'_>, _: &View<'_>, _: &mut Emit) {
        if event.kind == self.introduction {
            if let Some(workload) = workload::from_event(event) {
                if self.workloads.len() >= MAX_WORKLOADS {
                    self.workloads.clear();
                }
                self.workloads.insert(workload.id.clone(), workload);
            }
        } else if self.process.contains(&event.kind)
            && let Some(cgroups) = event.param(CGROUPS)
        {
            self.seen(cgroups, event.tid);
        }
    }

    fn alert(&mut self, alert: &Alert, _: &RuleSet, view: &View<'_>, actions: &mut Vec<Action>) {
        if !self.answers.concerns(alert) {
            return;
        }
        let mut room = Values::default();
        let mut text = |field: &FieldRef| match view.extract(field, &mut room) {
            Extracted::One(Value::Text(text)) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        };
        let mut container = text(&self.identity[1]);
        if container == "host" {
            container.clear();
        }
        let exe = text(&self.identity[2]);
        let mut room = Values::default();
        let pid = match view.extract(&self.identity[0], &mut room) {
            Extracted::One(Value::I64(pid)) => u32::try_from(pid).unwrap_or_default(),
            _ => 0,
        };
        let unknown = Workload {
            id: container.clone(),
            ..Workload::default()
        };
        let workload = self.workloads.get(&container).unwrap_or(&unknown);
        actions.extend(
            self.answers
                .answer(alert, workload, pid, exe, &self.status, &self.log),
        );
    }

    fn found(&mut self, finding: &mut Finding) {
        if finding.source != "miner" {
            return;
        }
        let container = finding.fields.get("container.full_id");
        let container = container.and_then(|id| id.as_str()).unwrap_or_default();
        let unknown = Workload {
            id: container.to_owned(),
            ..Workload::default()
        };
        let workload = self.workloads.get(container).unwrap_or(&unknown);
        self.answers
            .miner(finding, workload, &self.status, &self.log);
    }

    fn idle(&mut self, emit: &mut Emit) {
        while let Ok(finding) = self.findings.try_recv() {
            emit.propose(finding);
        }
    }

    fn reload(&mut self, config: &Config) {
        let Some(settings) = &config.guard else {
            return;
        };
        match load(settings, &self.log) {
            Ok(loaded) => {
                self.answers.swap(Arc::clone(&loaded.policies));
                if self.commands.send(Command::Policies(loaded)).is_err() {
                    self.log
                        .error("the policies at work stay: their thread has ended", &[]);
                }
            }
            Err(error) => {
                let error = format!("{error:#}");
                self.log
                    .error("the policies at work stay", &[("error", &error)]);
            }
        }
    }

    fn metrics(&self, page: &mut Page) {
        let status = self.status.read();
        page.sample(&TIER, &[("mechanism", status.tier)], 1);
        page.add(&PROVED, u8::from(status.proved.is_ok()));
        page.add(&PROVED_AT, status.proved_at);
        page.add(&GUARDED, status.containers);
        page.add(&ASKED, status.asked);
        for (mechanism, count) in &status.refused {
            page.sample(&REFUSED, &[("mechanism", mechanism)], count);
        }
        page.add(&AUDITED, status.audited);
        page.add(&EXPIRED, status.expired);
        page.add(&LOST, status.lost);
        page.add(&SLOWEST, status.slowest.as_secs_f64());
        for ((kind, outcome), count) in &status.actions {
            page.sample(&ACTIONS, &[("kind", kind), ("outcome", outcome)], count);
        }
    }

    fn finish(&mut self, emit: &mut Emit) {
        let _ = self.commands.send(Command::End);
        // what was decided until then is told
        while let Ok(finding) = self.findings.recv_timeout(keeper::PATIENCE) {
            emit.finding(finding);
        }
    }
}
