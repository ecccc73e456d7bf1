//! Policies: what holds where, what is done about it, and what is left alone.
//!
//! A policy names a scope (which workloads), detectors or rules (what is looked for) and actions (what is done). Drift
//! and malware can be prevented, not only reported: [`drift::Effective::decide`] is the one place that decides, for every
//! mechanism. `docs/policies.md` is the reference of the YAML.

mod date;
pub mod drift;
pub mod feed;
mod read;
pub mod respond;
pub mod scope;
pub mod script;
mod selector;

use std::sync::Arc;

use vedette_event::Priority;

use drift::{Attempt, Operation, Reaction, Source};
pub use read::{MAX_POLICIES, PolicyProblem, read};
use scope::Scope;

/// What a policy does beyond reporting, in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActionKind {
    /// A finding to every output. Always done.
    Notify,
    /// Refuse the operation. Only prevention detectors can.
    Deny,
    /// Kill the process behind the event.
    KillProcess,
    /// Kill every process of the container.
    KillContainer,
    /// Ask the container to stop, then kill it.
    StopContainer,
    /// Freeze the container.
    PauseContainer,
    /// Keep the events around.
    Capture,
}

impl ActionKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Notify,
        Self::Deny,
        Self::KillProcess,
        Self::KillContainer,
        Self::StopContainer,
        Self::PauseContainer,
        Self::Capture,
    ];

    /// The word of policies and findings.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Deny => "deny",
            Self::KillProcess => "kill_process",
            Self::KillContainer => "kill_container",
            Self::StopContainer => "stop_container",
            Self::PauseContainer => "pause_container",
            Self::Capture => "capture",
        }
    }
}

/// A path, or with a star at its end everything that begins so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern {
    /// The text before the star.
    pub path: String,
    /// Whether there is one.
    pub prefix: bool,
}

impl PathPattern {
    /// Whether it stands for this path.
    pub fn matches(&self, path: &str) -> bool {
        if self.prefix {
            path.starts_with(&self.path)
        } else {
            path == self.path
        }
    }
}

/// Something that a policy leaves alone. All that is given must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The file.
    pub path: Option<PathPattern>,
    /// The program that does it.
    pub process: Option<PathPattern>,
    /// The container's image, with `*` and `?`.
    pub image: Option<String>,
    /// Why.
    pub reason: String,
    /// Seconds since the Unix epoch from which on it does not hold any more.
    pub expires: Option<i64>,
}

impl Exception {
    /// Whether it still holds.
    pub fn holds(&self, now: i64) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}

/// What a policy detects besides rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detectors {
    /// Reaction to each operation on drifted files, in the order of [`Operation::ALL`].
    pub drift: [Reaction; 4],
    /// Sources that count as drift.
    pub sources: Vec<Source>,
    /// Known-bad files.
    pub malware: Reaction,
    /// Miners, by behaviour.
    pub miner: bool,
}

impl Default for Detectors {
    fn default() -> Self {
        Self {
            drift: [Reaction::Allow; 4],
            sources: Source::DRIFT.to_vec(),
            malware: Reaction::Allow,
            miner: false,
        }
    }
}

/// Which rules a policy is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSelection {
    /// Names, with `*` and `?`.
    pub names: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// At least this urgent.
    pub priority: Option<Priority>,
}

impl RuleSelection {
    /// Whether a rule belongs to it. Without names and tags every rule that is urgent enough does.
    pub fn selects(&self, name: &str, tags: &[String], priority: Priority) -> bool {
        if self.priority.is_some_and(|least| priority > least) {
            return false;
        }
        if self.names.is_empty() && self.tags.is_empty() {
            return self.priority.is_some();
        }
        self.names.iter().any(|pattern| scope::like(pattern, name))
            || tags.iter().any(|tag| self.tags.contains(tag))
    }
}

/// Whether prevention prevents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Everything goes on and is reported.
    #[default]
    Audit,
    /// What the detectors are set to refuse is refused.
    Deny,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name, which findings carry.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether it is on.
    pub enabled: bool,
    /// Priority of its own detectors' findings.
    pub severity: Priority,
    /// Whether prevention prevents.
    pub mode: Mode,
    /// Actions are only told, not done; nothing is refused.
    pub dry_run: bool,
    /// Which workloads.
    pub scope: Scope,
    /// Prevention and behaviour.
    pub detectors: Detectors,
    /// Rules.
    pub rules: RuleSelection,
    /// What is done.
    pub actions: Vec<ActionKind>,
    /// Whether actions may be aimed at the host's critical processes.
    pub critical_processes: bool,
    /// What is left alone.
    pub exceptions: Vec<Exception>,
    /// Shipped with the program.
    pub managed: bool,
    /// File and line, for messages.
    pub origin: String,
}

impl Policy {
    /// No stronger than mode and dry run allow.
    fn capped(&self, reaction: Reaction) -> Reaction {
        if self.mode == Mode::Audit || self.dry_run {
            reaction.min(Reaction::Audit)
        } else {
            reaction
        }
    }

    /// The reaction to an operation on drifted files.
    pub fn reaction_to(&self, operation: Operation) -> Reaction {
        let index = Operation::ALL
            .iter()
            .position(|o| *o == operation)
            .unwrap_or_default();
        self.capped(self.detectors.drift[index])
    }

    /// Whether an exception that holds covers the attempt. Exceptions for images are settled before, see
    /// [`scope::for_workload`].
    pub fn excepts(&self, attempt: &Attempt<'_>, now: i64) -> bool {
        self.exceptions.iter().any(|exception| {
            (exception.path.is_some() || exception.process.is_some())
                && exception.holds(now)
                && exception
                    .path
                    .as_ref()
                    .is_none_or(|path| !attempt.path.is_empty() && path.matches(attempt.path))
                && exception
                    .process
                    .as_ref()
                    .is_none_or(|process| process.matches(attempt.process))
        })
    }

    /// Whether it prevents or watches for anything by itself.
    pub fn detects(&self) -> bool {
        self.detectors.miner
            || self.detectors.malware > Reaction::Allow
            || self.detectors.drift.iter().any(|r| *r > Reaction::Allow)
    }
}

/// The policies that are shipped, as their files' names and texts; the binary embeds them.
pub type PolicyFile<'a> = (&'a str, &'a str);

/// Reads several files; problems carry the file's name.
pub fn read_all(files: &[PolicyFile<'_>], managed: bool) -> (Vec<Arc<Policy>>, Vec<PolicyProblem>) {
    let (mut policies, mut problems) = (Vec::<Arc<Policy>>::new(), Vec::new());
    for (name, text) in files {
        let (found, complaints) = read(text, name);
        problems.extend(complaints);
        for mut policy in found {
            policy.managed = managed;
            policies.push(Arc::new(policy));
        }
    }
    (policies, problems)
}

#[cfg(test)]
mod tests;
