//! Carrying out what a person ordered about a finding: by the means of policies' answers, under the same rules.
//!
//! An order is aimed anew when it arrives: the number of a process counts only with its start, whose container it is in is
//! looked up and not believed, and what keeps the host running is left alone.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::thread::CapabilitySet;
use vedette_detect::policy::respond::{Governor, Permission, Target};
use vedette_detect::policy::{ActionKind, Policy};
use vedette_event::Outcome;
use vedette_guard::act::{self, ContainerGroups};
use vedette_guard::start_ticks;
use vedette_server::{Account, Aim, Deed, Order, Touched};

/// How far the start that a finding tells may be from the one that /proc tells: what was there before the agent is known
/// by the second, and clocks are set.
const START_DIFFERS: Duration = Duration::from_secs(2);
/// Clock ticks of /proc in a second; Linux has shown this number to programs on every architecture for decades.
const TICKS_PER_SECOND: u64 = 100;
/// How long a container that is asked to stop has for it.
const GRACE: Duration = Duration::from_secs(10);
/// How long a killed process is waited for.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// Orders whose outcome is remembered: some hundred times what a server hands out within the life of an order.
const REMEMBERED: usize = 1024;
/// Processes that an answer names.
const NAMED: usize = 20;

/// What responding takes: signals to anybody, and a look at anybody's executable.
pub(crate) fn needs() -> CapabilitySet {
    CapabilitySet::KILL | CapabilitySet::SYS_PTRACE
}

/// Whether this process can respond, or what it lacks.
pub(crate) fn able() -> Result<(), String> {
    let have =
        rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    for (one, name) in [
        (CapabilitySet::KILL, "CAP_KILL"),
        (CapabilitySet::SYS_PTRACE, "CAP_SYS_PTRACE"),
    ] {
        if !have.contains(one) {
            return Err(format!("it lacks {name}"));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Memory {
    governor: Governor,
    /// Order → its outcome, or nothing while it is at work.
    known: HashMap<String, Option<Account>>,
    oldest: VecDeque<String>,
}

/// Carries orders out, each once.
#[derive(Default)]
pub(crate) struct Responder(Mutex<Memory>);

fn account(outcome: Outcome, detail: impl Into<String>) -> Account {
    Account {
        outcome,
        detail: detail.into(),
        processes: Vec::new(),
        total: 0,
    }
}

/// Not tried, and why.
pub(crate) fn withheld(why: impl Into<String>) -> Account {
    account(Outcome::Withheld, why)
}

/// What an order comes to, once it is known whom it would hit.
struct Aimed {
    target: Target,
    groups: Option<ContainerGroups>,
    processes: Vec<u32>,
}

impl Responder {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an order is being carried out now.
    pub(crate) fn is_at_work(&self, id: &str) -> bool {
        matches!(self.memory().known.get(id), Some(None))
    }

    /// Carries an order out. `None` while the same order is at work already.
    pub(crate) fn carry_out(&self, order: &Order) -> Option<Account> {
        {
            let mut memory = self.memory();
            if let Some(known) = memory.known.get(&order.id) {
                return known.clone();
            }
            if memory.oldest.len() >= REMEMBERED
                && let Some(oldest) = memory.oldest.pop_front()
            {
                memory.known.remove(&oldest);
            }
            memory.oldest.push_back(order.id.clone());
            memory.known.insert(order.id.clone(), None);
        }
        let account = self.decide(order);
        self.memory()
            .known
            .insert(order.id.clone(), Some(account.clone()));
        Some(account)
    }

    fn decide(&self, order: &Order) -> Account {
        let aimed = match aim(order.deed, &order.aim) {
            Ok(aimed) => aimed,
            Err(account) => return account,
        };
        let mut account = match self.permission(order, &aimed.target) {
            Permission::Withhold(why) => withheld(why),
            Permission::DryRun => account(Outcome::DryRun, would(order.deed, &aimed)),
            Permission::Do => perform(order.deed, &aimed),
        };
        account.total = aimed.processes.len() as u64;
        account.processes = aimed
            .processes
            .iter()
            .take(NAMED)
            .copied()
            .map(touched)
            .collect();
        account
    }

    fn permission(&self, order: &Order, target: &Target) -> Permission {
        let kind = match order.deed {
            Deed::KillProcess => ActionKind::KillProcess,
            Deed::KillContainer => ActionKind::KillContainer,
            Deed::StopContainer => ActionKind::StopContainer,
            Deed::PauseContainer => ActionKind::PauseContainer,
            // undoes what was granted before, and harms nobody
            Deed::ResumeContainer if order.dry_run => return Permission::DryRun,
            Deed::ResumeContainer => return Permission::Do,
        };
        let person = Policy {
            dry_run: order.dry_run,
            ..by_hand()
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |passed| passed.as_secs() as i64);
        self.memory().governor.ask(kind, &person, target, now)
    }
}

/// A person's order as the policy that the governor is asked for: it may do anything, except to what keeps the host running.
fn by_hand() -> Policy {
    let text = "- name: by hand\n  detectors: [drift]\n";
    let (mut policies, _) = vedette_detect::policy::read(text, "by hand");
    policies.pop().expect("a constant text is a policy")
}

/// Finds whom an order would hit, or why it can hit nobody.
fn aim(deed: Deed, aim: &Aim) -> Result<Aimed, Account> {
    if deed.is_for_container() {
        let none = || withheld("no container with this id runs on this node any more");
        let groups = ContainerGroups::find(&aim.container).ok_or_else(none)?;
        if groups.has(std::process::id()) {
            return Err(withheld("it is this agent's own container"));
        }
        let processes = groups.processes();
        if processes.iter().all(|pid| act::is_dead(*pid)) {
            return Err(none());
        }
        let target = Target {
            pid: processes.first().copied().unwrap_or_default(),
            container: aim.container.clone(),
            ..Target::default()
        };
        return Ok(Aimed {
            target,
            groups: Some(groups),
            processes,
        });
    }
    let pid = aim.pid;
    let ended = || withheld(format!("process {pid} has ended"));
    let started = start_ticks(pid).map_err(|_| ended())?;
    if act::is_dead(pid) {
        return Err(ended());
    }
    if wall_clock(started).abs_diff(aim.started) > START_DIFFERS.as_nanos() as u64 {
        return Err(withheld(format!(
            "process {pid} has ended, and its number belongs to another process now"
        )));
    }
    let Ok(exe) = std::fs::read_link(format!("/proc/{pid}/exe")) else {
        return Err(withheld(format!(
            "what process {pid} runs cannot be seen, so it cannot be told from one that the host needs"
        )));
    };
    // what the finding says of a container spares it the host's protection only when it is true
    let container = match ContainerGroups::of(pid, &aim.container) {
        Some(_) => aim.container.clone(),
        None => String::new(),
    };
    Ok(Aimed {
        target: Target {
            pid,
            started,
            exe: exe.to_string_lossy().into_owned(),
            container,
            is_self: pid == std::process::id(),
        },
        groups: None,
        processes: vec![pid],
    })
}

/// A start in ticks since boot as nanoseconds since the Unix epoch.
fn wall_clock(ticks: u64) -> u64 {
    let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let boot = boot.tv_sec.unsigned_abs() * 1_000_000_000 + boot.tv_nsec.unsigned_abs();
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_nanos() as u64);
    wall.saturating_sub(boot)
        .saturating_add(ticks.saturating_mul(1_000_000_000 / TICKS_PER_SECOND))
}

fn touched(pid: u32) -> Touched {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let exe = std::fs::read_link(format!("/proc/{pid}/exe"));
    Touched {
        pid,
        name: name.trim_end().to_owned(),
        exe: exe.map_or_else(
            |_| String::new(),
            |path| path.to_string_lossy().into_owned(),
        ),
    }
}

fn would(deed: Deed, aimed: &Aimed) -> String {
    let count = aimed.processes.len();
    let container = aimed
        .target
        .container
        .get(..12)
        .unwrap_or(&aimed.target.container);
    let processes = if count == 1 { "process" } else { "processes" };
    match deed {
        Deed::KillProcess => format!("kills process {} ({})", aimed.target.pid, aimed.target.exe),
        Deed::PauseContainer => {
            format!("freezes the {count} {processes} of container {container}; resuming undoes it")
        }
        Deed::ResumeContainer => {
            format!("lets the {count} {processes} of container {container} go on")
        }
        Deed::StopContainer => format!(
            "asks container {container} to end and kills what is left of its {count} {processes} after {} seconds",
            GRACE.as_secs()
        ),
        Deed::KillContainer => format!("kills the {count} {processes} of container {container}"),
    }
}

fn perform(deed: Deed, aimed: &Aimed) -> Account {
    let failed = |error: std::io::Error| account(Outcome::Failed, error.to_string());
    let done = |detail: &str| account(Outcome::Done, detail);
    let Some(groups) = &aimed.groups else {
        return match act::kill(aimed.target.pid, Some(aimed.target.started)) {
            Ok(true) => {
                let begun = Instant::now();
                while !act::is_dead(aimed.target.pid) && begun.elapsed() < GONE_WITHIN {
                    std::thread::sleep(Duration::from_millis(5));
                }
                if act::is_dead(aimed.target.pid) {
                    done("killed (pidfd)")
                } else {
                    done(
                        "the signal was sent (pidfd); the process is inside the kernel and ends when it comes out",
                    )
                }
            }
            Ok(false) => done("the process had ended"),
            Err(error) => failed(error),
        };
    };
    let (outcome, detail) = match deed {
        Deed::PauseContainer => (groups.pause(true), "frozen (control group)"),
        Deed::ResumeContainer => (groups.pause(false), "goes on (control group)"),
        Deed::StopContainer => {
            // a frozen container cannot hear that it is asked
            let _ = groups.pause(false);
            (groups.stop(GRACE).map(drop), "stopped (control group)")
        }
        Deed::KillContainer | Deed::KillProcess => {
            (groups.kill().map(drop), "killed (control group)")
        }
    };
    match outcome {
        Ok(()) => done(detail),
        Err(error) => failed(error),
    }
}

#[cfg(test)]
mod tests;
