//! Doing what policies say when something was found.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;
use vedette_detect::policy::respond::{Governor, Permission, Target};
use vedette_detect::policy::scope::{Workload, for_workload};
use vedette_detect::policy::{ActionKind, Policy};
use vedette_event::{Action, Alert, Finding, Outcome};
use vedette_guard::act::{self, ContainerGroups};
use vedette_guard::start_ticks;

use super::board::Board;
use crate::agent::capture::NOT_TAKEN;
use crate::agent::config;
use crate::agent::log::Log;

/// How long a container that is asked to stop has for it; Kubernetes' own default is 30 seconds.
const GRACE: Duration = Duration::from_secs(10);

/// Policies about rules, and what was done lately.
pub(super) struct Answers {
    policies: Arc<[Arc<Policy>]>,
    governor: Governor,
    host: Arc<str>,
    cluster: String,
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() as i64)
}

impl Answers {
    pub(super) fn new(
        policies: Arc<[Arc<Policy>]>,
        host: Arc<str>,
        settings: &config::Guard,
    ) -> Self {
        Self {
            policies,
            governor: Governor::default(),
            host,
            cluster: settings.cluster.clone(),
        }
    }

    pub(super) fn swap(&mut self, policies: Arc<[Arc<Policy>]>) {
        self.policies = policies;
    }

    fn selects(policy: &Policy, alert: &Alert) -> bool {
        policy.enabled
            && policy
                .rules
                .selects(&alert.rule, &alert.tags, alert.priority)
    }

    /// Whether any policy is about this alert's rule: the cheap question first.
    pub(super) fn concerns(&self, alert: &Alert) -> bool {
        self.policies
            .iter()
            .any(|policy| !policy.actions.is_empty() && Self::selects(policy, alert))
    }

    /// Answers an alert. Everything that was done, withheld or would have been done comes back.
    pub(super) fn answer(
        &mut self,
        alert: &Alert,
        workload: &Workload,
        pid: u32,
        exe: String,
        board: &Board,
        log: &Log,
    ) -> Vec<Action> {
        let holding = self.holding(workload);
        let target = target(pid, exe, &workload.id);
        let mut out = Vec::new();
        for policy in holding.iter().filter(|p| Self::selects(p, alert)) {
            self.act(policy, &target, &mut out);
        }
        tell(&out, &alert.rule, &target, board, log);
        out
    }

    /// Answers a miner that was found by its behaviour. The first policy that looks for miners there is named in the
    /// finding.
    pub(super) fn miner(
        &mut self,
        finding: &mut Finding,
        workload: &Workload,
        board: &Board,
        log: &Log,
    ) {
        let pid = finding.fields.get("proc.pid").and_then(Json::as_u64);
        let pid = pid
            .and_then(|pid| u32::try_from(pid).ok())
            .unwrap_or_default();
        let target = target(pid, String::new(), &workload.id);
        let mut out = Vec::new();
        for policy in self.holding(workload) {
            if policy.enabled && policy.detectors.miner {
                finding.policy.get_or_insert_with(|| policy.name.clone());
                self.act(&policy, &target, &mut out);
            }
        }
        tell(&out, &finding.rule, &target, board, log);
        finding.actions.append(&mut out);
    }

    fn holding(&self, workload: &Workload) -> Vec<Arc<Policy>> {
        let workload = Workload {
            cluster: self.cluster.clone(),
            host: self.host.to_string(),
            ..workload.clone()
        };
        for_workload(&self.policies, &workload, now())
    }

    /// Does what a policy says besides denying and notifying.
    pub(super) fn act(&mut self, policy: &Policy, target: &Target, out: &mut Vec<Action>) {
        for kind in &policy.actions {
            if matches!(kind, ActionKind::Notify | ActionKind::Deny) {
                continue;
            }
            let (outcome, detail) = match self.governor.ask(*kind, policy, target, now()) {
                Permission::Withhold(why) => (Outcome::Withheld, why),
                Permission::DryRun => (
                    Outcome::DryRun,
                    format!("policy {} is a dry run", policy.name),
                ),
                Permission::Do => perform(*kind, target),
            };
            out.push(Action {
                kind: kind.word().to_owned(),
                outcome,
                detail,
            });
        }
    }
}

/// The process that an action is aimed at.
pub(super) fn target(pid: u32, exe: String, container: &str) -> Target {
    Target {
        pid,
        started: start_ticks(pid).unwrap_or_default(),
        exe,
        container: container.to_owned(),
        is_self: pid == std::process::id(),
    }
}

/// Counts and logs what was done.
pub(super) fn tell(actions: &[Action], about: &str, target: &Target, board: &Board, log: &Log) {
    for action in actions {
        let outcome = match action.outcome {
            Outcome::Done => "done",
            Outcome::DryRun => "dry_run",
            Outcome::Failed => "failed",
            Outcome::Withheld => "withheld",
        };
        board.count_action(&action.kind, outcome);
        log.info(
            "answer",
            &[
                ("kind", &action.kind),
                ("outcome", &outcome),
                ("detail", &action.detail),
                ("about", &about),
                ("pid", &target.pid),
                ("container", &target.container),
            ],
        );
    }
}

fn perform(kind: ActionKind, target: &Target) -> (Outcome, String) {
    let failed = |error: std::io::Error| (Outcome::Failed, error.to_string());
    if kind == ActionKind::KillProcess {
        if target.started == 0 {
            return (Outcome::Done, "the process had ended".to_owned());
        }
        return match act::kill(target.pid, Some(target.started)) {
            Ok(true) => (Outcome::Done, "pidfd".to_owned()),
            Ok(false) => (Outcome::Done, "the process had ended".to_owned()),
            Err(error) => failed(error),
        };
    }
    if kind == ActionKind::Capture {
        // the captures' own stage comes after this one and takes it, where there is one
        return (Outcome::Withheld, NOT_TAKEN.to_owned());
    }
    let Some(groups) = ContainerGroups::of_or_find(target.pid, &target.container) else {
        return (
            Outcome::Failed,
            "no control group is this container's alone, or the container has ended".to_owned(),
        );
    };
    if groups.has(std::process::id()) {
        return (
            Outcome::Withheld,
            "it is this agent's own container".to_owned(),
        );
    }
    // these wait for processes to end, which the caller must not
    let spawned = std::thread::Builder::new()
        .name("answer".into())
        .spawn(move || match kind {
            ActionKind::KillContainer => groups.kill().map(drop),
            ActionKind::StopContainer => groups.stop(GRACE).map(drop),
            _ => groups.pause(true),
        });
    match spawned {
        Ok(thread) if kind == ActionKind::PauseContainer => match thread.join() {
            Ok(Ok(())) => (Outcome::Done, "cgroup freezer".to_owned()),
            Ok(Err(error)) => failed(error),
            Err(_) => (Outcome::Failed, "the thread ended early".to_owned()),
        },
        Ok(_) => (Outcome::Done, "begun, by control group".to_owned()),
        Err(error) => failed(error),
    }
}
