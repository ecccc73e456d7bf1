//! Process trees: a lineage upwards from the record, children downwards from activity, findings beside each process.

use std::collections::{HashSet, VecDeque};

use serde_json::{Value as Json, json};
use vedette_event::{ActivityKind, Process};
use vedette_history::{Filter, StoredActivity, StoredFinding, Subject, TimeRange};

use crate::clock::{self, SECOND, rfc3339};
use crate::findings::{detail, view};
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{Gives, Route, VIEWER};
use crate::problem::Problem;

/// Processes of one tree at most; a fork bomb is cut and says so.
const MAX_PROCESSES: usize = 400;
/// Generations below the process that was asked for.
const MAX_DEPTH: usize = 8;
/// Records that are looked at for one process.
const MAX_RECORDS: usize = 500;
/// Findings that are named beside a process; all are counted.
const MAX_FINDINGS: usize = 20;
/// How far before and after children and findings are looked for: processes of a session live for hours, not weeks.
const WITHIN: u64 = 24 * 3600 * SECOND;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/findings/{id}/tree",
        VIEWER,
        "The process tree around a finding",
        Gives::Json("ProcessTree"),
        of_finding,
    ),
    Route::get(
        "/processes/tree",
        VIEWER,
        "A process with what it started",
        Gives::Json("ProcessTree"),
        of_process,
    )
    .query(&[
        ("node", "host"),
        ("pid", "process id in the host's namespace"),
        ("started", "start time, RFC 3339, as records give it"),
    ]),
];

struct Builder<'c> {
    call: &'c Call,
    zone: Filter,
    node: String,
    range: TimeRange,
    seen: HashSet<(i64, u64)>,
    cut: bool,
}

struct Branch {
    process: Process,
    focal: bool,
    children: Vec<Self>,
}

fn around(time: u64) -> TimeRange {
    TimeRange {
        from: time.saturating_sub(WITHIN),
        to: time.saturating_add(WITHIN),
    }
}

fn of_finding(call: &Call) -> Outcome {
    let stored = detail::find(call)?;
    let zone = call
        .zone()?
        .ok_or_else(|| Problem::missing("such finding"))?;
    let finding = &stored.finding;
    let mut builder = Builder {
        call,
        zone,
        node: finding.node.clone(),
        range: around(finding.time),
        seen: finding.lineage.iter().map(|p| (p.pid, p.started)).collect(),
        cut: false,
    };
    let mut tree: Option<Branch> = None;
    // From the process of the event up: each ancestor takes what is below it as a child.
    for (index, process) in finding.lineage.iter().enumerate() {
        // Siblings are told for the two nearest generations: further up everything of the host would come.
        let mut children = if index < 2 {
            builder.below(process, if index == 0 { MAX_DEPTH } else { 1 })?
        } else {
            Vec::new()
        };
        children.extend(tree.take());
        children.sort_by_key(|child| (child.process.started, child.process.pid));
        tree = Some(Branch {
            process: process.clone(),
            focal: index == 0,
            children,
        });
    }
    answer(&builder, tree, finding.lost)
}

fn of_process(call: &Call) -> Outcome {
    let node = call
        .query("node")
        .ok_or_else(|| Problem::bad("parameter `node` is missing"))?;
    let pid = call.query("pid").and_then(|pid| pid.parse::<i64>().ok());
    let pid = pid.ok_or_else(|| Problem::bad("parameter `pid`: expected a number"))?;
    let now = clock::now();
    let started = match call.query("started") {
        None => 0,
        Some(text) => clock::parse(text, now)
            .ok_or_else(|| Problem::bad("parameter `started`: expected a time"))?,
    };
    let missing = || Problem::missing("record of this process, or your teams may not see it");
    let mut builder = Builder {
        call,
        zone: call.zone()?.ok_or_else(missing)?,
        node: node.to_owned(),
        range: if started > 0 {
            around(started)
        } else {
            around(now)
        },
        seen: HashSet::new(),
        cut: false,
    };
    let process = builder.known(pid, started)?.ok_or_else(missing)?;
    builder.seen.insert((process.pid, process.started));
    let children = builder.below(&process, MAX_DEPTH)?;
    let tree = Branch {
        process,
        focal: true,
        children,
    };
    answer(&builder, Some(tree), 0)
}

fn answer(builder: &Builder<'_>, tree: Option<Branch>, lost: u64) -> Outcome {
    let tree = tree.map(|tree| builder.show(&tree)).transpose()?;
    Reply::json(&json!({"node": builder.node, "tree": tree, "cut": builder.cut, "lost": lost}))
}

impl Builder<'_> {
    fn records(&self, pid: i64, started: u64) -> Result<Vec<StoredActivity>, Problem> {
        let history = &self.call.app.history;
        let found =
            history.activity_of_process(&self.node, pid, started, self.range, MAX_RECORDS)?;
        let seen = found
            .into_iter()
            .filter(|record| self.zone.matches(&Subject::Activity(&record.activity)));
        Ok(seen.collect())
    }

    fn findings(&self, process: &Process) -> Result<Vec<StoredFinding>, Problem> {
        let history = &self.call.app.history;
        let found = history.findings_of_process(
            &self.node,
            process.pid,
            process.started,
            self.range,
            MAX_RECORDS,
        )?;
        let seen = found.into_iter().filter(|stored| {
            self.zone
                .matches(&Subject::Finding(&stored.finding, stored.triage.status))
        });
        Ok(seen.collect())
    }

    /// A process as some record describes it.
    fn known(&self, pid: i64, started: u64) -> Result<Option<Process>, Problem> {
        let is = |process: &Process| process.pid == pid && process.started == started;
        for record in self.records(pid, started)? {
            for process in [record.activity.process, record.activity.parent] {
                if is(&process) {
                    return Ok(Some(process));
                }
            }
        }
        let asked = Process {
            pid,
            started,
            ..Process::default()
        };
        let found = self
            .findings(&asked)?
            .into_iter()
            .flat_map(|stored| stored.finding.lineage);
        Ok(found.into_iter().find(is))
    }

    /// What a process started, generation after generation.
    fn below(&mut self, process: &Process, depth: usize) -> Result<Vec<Branch>, Problem> {
        // Flat first, so that a deep chain needs no deep stack: (parent in the list, process).
        let mut flat: Vec<(Option<usize>, Process)> = Vec::new();
        let mut open: VecDeque<(Option<usize>, Process, usize)> =
            VecDeque::from([(None, process.clone(), depth)]);
        while let Some((at, parent, left)) = open.pop_front() {
            let records = self.records(parent.pid, parent.started)?;
            self.cut |= records.len() >= MAX_RECORDS;
            for record in records {
                let activity = record.activity;
                let is_child = activity.kind == ActivityKind::Command
                    && activity.parent.pid == parent.pid
                    && activity.parent.started == parent.started;
                let child = activity.process;
                if !is_child || !self.seen.insert((child.pid, child.started)) {
                    continue;
                }
                if self.seen.len() > MAX_PROCESSES {
                    self.cut = true;
                    break;
                }
                flat.push((at, child.clone()));
                if left > 1 {
                    open.push_back((Some(flat.len() - 1), child, left - 1));
                } else if depth > 1 {
                    self.cut = true;
                }
            }
        }
        let mut branches: Vec<(Option<usize>, Branch)> = flat
            .into_iter()
            .map(|(at, process)| {
                let branch = Branch {
                    process,
                    focal: false,
                    children: Vec::new(),
                };
                (at, branch)
            })
            .collect();
        let mut roots = Vec::new();
        // Children stand behind their parents, so the last one has none that is still to come.
        while let Some((at, mut branch)) = branches.pop() {
            branch.children.reverse();
            match at.and_then(|at| branches.get_mut(at)) {
                Some((_, parent)) => parent.children.push(branch),
                None => roots.push(branch),
            }
        }
        roots.reverse();
        Ok(roots)
    }

    fn show(&self, branch: &Branch) -> Result<Json, Problem> {
        let findings = self.findings(&branch.process)?;
        let mut counts = vedette_history::Counts::default();
        for stored in &findings {
            counts.add(stored.severity, 1);
        }
        let named: Vec<Json> = findings
            .iter()
            .take(MAX_FINDINGS)
            .map(|stored| {
                json!({
                    "id": stored.finding.id, "rule": stored.finding.rule, "severity": stored.severity,
                    "time": rfc3339(stored.finding.time), "message": stored.finding.message,
                })
            })
            .collect();
        let children: Vec<Json> = branch
            .children
            .iter()
            .map(|child| self.show(child))
            .collect::<Result<_, _>>()?;
        Ok(json!({
            "process": view::process(&branch.process),
            "focal": branch.focal,
            "counts": counts,
            "findings": named,
            "children": children,
        }))
    }
}
