//! From attempts to findings, whichever mechanism saw them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use vedette_detect::policy::drift::{Attempt, Operation, Reaction, Source};
use vedette_guard::Refusal;
use vedette_sensor::guard::{Origin, Verdict};

use super::answers::{target, tell};
use super::keeper::{Keeper, now};
use super::kernel;
use super::report::{self, Seen};

impl Keeper {
    /// Turns what was decided since the last call into findings.
    pub(super) fn tell(&mut self) {
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
        let workload = kept.workload.clone();
        let comm = refusal
            .lineage
            .first()
            .map_or("", |process| process.name.as_str());
        self.found(&Seen {
            time: refusal.time,
            pid: refusal.pid,
            parent: 0,
            comm,
            operation: refusal.operation,
            source: refusal.source,
            path: &refusal.path,
            process: &refusal.process,
            lineage: &refusal.lineage,
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
            Source::Image
        } else {
            // the kernel side has settled whose root file system it is on: what it tells is drift
            match kernel::source(attempt.origin) {
                Source::Image => Source::Volume,
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
                deleted: attempt.origin.0 & Origin::DELETED != 0,
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
            lineage: &[],
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
