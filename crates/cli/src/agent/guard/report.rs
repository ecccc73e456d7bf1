//! Findings of prevention: one for each attempt, with what it went by.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use vedette_detect::policy::drift::{Decision, Operation, Source};
use vedette_detect::policy::scope::Workload;
use vedette_event::{Action, Clause, Finding, Outcome, Priority, Process, record_id};
use vedette_guard::Ancestor;

/// Characters of a command line that are kept.
const CMDLINE: usize = 1024;

/// What happened, whichever mechanism saw it.
pub(super) struct Seen<'a> {
    pub(super) time: u64,
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) comm: &'a str,
    pub(super) operation: Operation,
    pub(super) source: Source,
    pub(super) path: &'a str,
    pub(super) process: &'a str,
    /// The process and those above it, where the mechanism has read them.
    pub(super) lineage: &'a [Ancestor],
    pub(super) decision: &'a Decision,
    /// `bpf_lsm`, `fanotify` or `kill`.
    pub(super) mechanism: &'static str,
    /// Whether it was stopped.
    pub(super) stopped: bool,
    pub(super) workload: &'a Workload,
}

/// Name and tags of the finding's type.
fn kind(seen: &Seen<'_>) -> (&'static str, &'static [&'static str]) {
    if seen.decision.detector == "malware" {
        return (
            "Known-bad file",
            &["malware", "mitre_execution", "TA0002", "T1204"],
        );
    }
    match (seen.operation, seen.source) {
        (Operation::Execute, Source::Memfd) => (
            "Drift: program from memory",
            &["drift", "mitre_defense_evasion", "TA0005", "T1620"],
        ),
        (Operation::Execute, _) => (
            "Drift: program not of the image",
            &["drift", "mitre_execution", "TA0002", "T1105"],
        ),
        (Operation::Map, _) => (
            "Drift: library not of the image",
            &["drift", "mitre_persistence", "TA0003", "T1574.006"],
        ),
        (Operation::Interpret, _) => (
            "Drift: script not of the image",
            &["drift", "mitre_execution", "TA0002", "T1059"],
        ),
        (Operation::Inject, _) => (
            "Drift: memory of a process changed",
            &["drift", "mitre_defense_evasion", "TA0005", "T1055"],
        ),
    }
}

/// The finding of an attempt.
pub(super) fn finding(seen: &Seen<'_>, node: &Arc<str>, actions: Vec<Action>) -> Finding {
    let (rule, tags) = kind(seen);
    let policy = seen.decision.policy.as_deref();
    let what = if seen.stopped { "stopped" } else { "went on" };
    let target = if seen.path.is_empty() {
        String::new()
    } else {
        format!(" {}", seen.path)
    };
    let message = format!(
        "{} to {}{target} by {} in container {}: {what} ({}; policy {})",
        if seen.stopped { "Attempt" } else { "Allowed" },
        seen.operation.verb(),
        if seen.process.is_empty() {
            seen.comm
        } else {
            seen.process
        },
        container_name(seen.workload),
        seen.decision.reason,
        policy.map_or("none", |p| p.name.as_str()),
    );
    let mut fields: BTreeMap<String, Json> = BTreeMap::new();
    let mut text = |name: &str, value: &str| {
        if !value.is_empty() {
            fields.insert(name.to_owned(), json!(value));
        }
    };
    let w = seen.workload;
    text("container.id", w.id.get(..12).unwrap_or(&w.id));
    text("container.full_id", &w.id);
    text("container.name", &w.container);
    text("container.image", &w.image);
    text("k8s.ns.name", &w.namespace);
    text("k8s.pod.name", &w.pod);
    text("proc.name", seen.comm);
    text("proc.exepath", seen.process);
    text("fs.path.name", seen.path);
    fields.insert("proc.pid".to_owned(), json!(seen.pid));
    Finding {
        id: record_id(&[
            node.as_bytes(),
            &seen.time.to_le_bytes(),
            &seen.pid.to_le_bytes(),
            rule.as_bytes(),
        ]),
        time: seen.time,
        source: seen.decision.detector.to_owned(),
        rule: rule.to_owned(),
        priority: policy.map_or(Priority::Warning, |p| p.severity),
        message,
        tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        node: node.to_string(),
        fields,
        lineage: lineage(seen),
        why: Some(why(seen)),
        policy: policy.map(|p| p.name.clone()),
        actions,
        lost: 0,
    }
}

/// What the decision went by, clause by clause.
fn why(seen: &Seen<'_>) -> Clause {
    let clause = |text: String, value: String| Clause {
        text,
        holds: true,
        seen: Some(value),
        clauses: Vec::new(),
    };
    let mut clauses = vec![clause(
        format!("operation = {}", seen.operation.verb()),
        seen.operation.verb().to_owned(),
    )];
    if seen.decision.detector == "malware" {
        clauses.push(clause(
            "file on a list of known-bad files".to_owned(),
            seen.decision.reason.clone(),
        ));
    } else if seen.operation != Operation::Inject {
        clauses.push(clause(
            "file.source in (written, memory, memfd, volume)".to_owned(),
            seen.source.word().to_owned(),
        ));
    }
    Clause {
        text: "and".to_owned(),
        holds: true,
        seen: None,
        clauses,
    }
}

fn container_name(workload: &Workload) -> String {
    let short = workload.id.get(..12).unwrap_or(&workload.id);
    match (workload.namespace.as_str(), workload.pod.as_str()) {
        ("", _) if workload.container.is_empty() => short.to_owned(),
        ("", _) => format!("{} ({short})", workload.container),
        (namespace, pod) => format!("{namespace}/{pod}/{}", workload.container),
    }
}

/// The action that prevention itself was.
pub(super) fn own_action(seen: &Seen<'_>) -> Option<Action> {
    let policy = seen.decision.policy.as_deref()?;
    let (outcome, detail) = if seen.stopped {
        (Outcome::Done, seen.mechanism.to_owned())
    } else if policy.dry_run {
        (Outcome::DryRun, "the policy is a dry run".to_owned())
    } else {
        return None;
    };
    let kind = if seen.mechanism == "kill" && seen.stopped {
        "kill_process"
    } else {
        "deny"
    };
    Some(Action {
        kind: kind.to_owned(),
        outcome,
        detail,
    })
}

/// The process, then its ancestors: as they were when it was answered, or as /proc has them now. A process that was killed
/// is told as it was seen.
fn lineage(seen: &Seen<'_>) -> Vec<Process> {
    let now = Ancestor::read(seen.pid);
    let parent = match (&now, seen.parent) {
        (Some((_, parent)), 0) => *parent,
        (_, parent) => parent,
    };
    let own = Process {
        pid: i64::from(seen.pid),
        name: seen.comm.to_owned(),
        exepath: seen.process.to_owned(),
        cmdline: now.map(|(own, _)| short(&own.cmdline)).unwrap_or_default(),
        ..Process::default()
    };
    if seen.lineage.is_empty() {
        let above = Ancestor::above(parent);
        return std::iter::once(own).chain(above.iter().map(told)).collect();
    }
    seen.lineage.iter().map(told).collect()
}

fn told(process: &Ancestor) -> Process {
    Process {
        pid: i64::from(process.pid),
        name: process.name.clone(),
        exepath: process.exe.clone(),
        cmdline: short(&process.cmdline),
        ..Process::default()
    }
}

fn short(cmdline: &str) -> String {
    cmdline.chars().take(CMDLINE).collect()
}
