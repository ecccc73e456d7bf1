//! Captures around alerts: the last events before one and what follows, as a `.scap` file that `vedette replay` and
//! sysdig read.
//!
//! The event loop only copies events into a ring of memory; a thread of its own writes each file. A capture begins with
//! the processes of the moment it is taken, not of the moment of its first event: a process that ended in between is
//! known by its events only. One capture is taken at a time, and alerts that come meanwhile share and lengthen it, so that
//! a storm of alerts makes few files.

mod file;
mod ring;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rustix::thread::CapabilitySet;
use vedette_detect::RuleSet;
use vedette_detect::policy::ActionKind;
use vedette_event::{Action, Alert, Finding, Outcome, RawEvent};
use vedette_state::View;

use super::config::{self, Config};
use super::emit::Emit;
use super::log::Log;
use super::metrics::{Metric, Page, Type};
use super::stage::Stage;
use file::{Open, Written};
pub(crate) use ring::Piece;
use ring::Ring;

pub(crate) use file::item;

/// Captures by outcome.
pub(crate) const CAPTURES: Metric = Metric {
    name: "vedette_captures_total",
    kind: Type::Counter,
    help: "Captures around alerts, by outcome.",
};
/// Size of the ring.
pub(crate) const RING: Metric = Metric {
    name: "vedette_capture_ring_bytes",
    kind: Type::Gauge,
    help: "Memory that holds the events before an alert.",
};

/// Containers whose introductions are kept for captures; a node has some hundred.
const MAX_CONTAINERS: usize = 4096;
/// How many times its length a capture may be made longer by further alerts.
const MOST_LENGTHS: u64 = 6;

/// Time that the last file may take to be written when the agent ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// The capture that is being taken.
struct Active {
    open: Open,
    begun: u64,
    until: u64,
    most: u64,
}

/// What a policy's wish for a capture says until this stage has fulfilled it.
pub(crate) const NOT_TAKEN: &str = "no captures are taken here: capture.dir is not set";

/// Whether a policy wants a capture and has none yet.
fn is_asked(action: &Action) -> bool {
    action.kind == ActionKind::Capture.word()
        && action.outcome == Outcome::Withheld
        && action.detail == NOT_TAKEN
}

/// Takes captures.
pub(crate) struct Captures {
    config: config::Capture,
    log: Log,
    ring: Ring,
    containers: VecDeque<Arc<Piece>>,
    active: Option<Active>,
    send: Sender<Written>,
    done: Receiver<Written>,
    written: u64,
    failed: u64,
    /// Time of the last event.
    now: u64,
}

impl Captures {
    pub(crate) fn new(config: &config::Capture, log: &Log) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.dir)
            .with_context(|| format!("capture.dir {}", config.dir.display()))?;
        file::clean(&config.dir);
        let (send, done) = channel();
        Ok(Self {
            ring: Ring::new(config.ring_bytes, config.before.as_nanos() as u64),
            config: config.clone(),
            log: log.clone(),
            containers: VecDeque::new(),
            active: None,
            send,
            done,
            written: 0,
            failed: 0,
            now: 0,
        })
    }

    fn hand_over(&mut self, piece: Option<Arc<Piece>>) {
        if let (Some(active), Some(piece)) = (&self.active, piece)
            && !active.open.push(&piece)
        {
            // letting go ends the file
            self.active = None;
        }
    }

    /// Takes the event that was seen last, and what follows for `after` nanoseconds, into a capture. Its file comes back.
    fn take(&mut self, time: u64, rule: &str, after: u64) -> std::io::Result<std::path::PathBuf> {
        let until = time.saturating_add(after);
        if let Some(active) = &mut self.active {
            let most = active.begun.saturating_add(active.most.max(after));
            active.until = active.until.max(until.min(most));
            return Ok(active.open.path.clone());
        }
        self.ring.complete(time);
        let path = self.config.dir.join(file::name(time, rule));
        let open = Open::begin(
            path.clone(),
            self.containers.iter().cloned().collect(),
            self.config.file_bytes,
            self.config.files,
            self.send.clone(),
        )?;
        for piece in self.ring.pieces() {
            if !open.push(piece) {
                break;
            }
        }
        self.active = Some(Active {
            open,
            begun: time,
            until,
            most: after.saturating_mul(MOST_LENGTHS),
        });
        Ok(path)
    }

    fn begin(&mut self, time: u64, rule: &str, after: u64) -> Action {
        let (outcome, detail) = match self.take(time, rule, after) {
            Ok(path) => (Outcome::Done, path.display().to_string()),
            Err(error) => {
                self.failed += 1;
                (Outcome::Failed, error.to_string())
            }
        };
        Action {
            kind: ActionKind::Capture.word().to_owned(),
            outcome,
            detail,
        }
    }

    /// Does what a policy asked for, if one did.
    fn answer(&mut self, time: u64, rule: &str, actions: &mut [Action]) {
        let after = self.config.after.as_nanos() as u64;
        if let Some(asked) = actions.iter_mut().find(|action| is_asked(action)) {
            *asked = self.begin(time, rule, after);
        }
    }

    fn end_when_due(&mut self, now: u64) {
        if self
            .active
            .as_ref()
            .is_some_and(|active| now > active.until)
        {
            let last = self.ring.complete(now);
            self.hand_over(last);
            self.active = None;
        }
    }

    fn collect(&mut self) {
        while let Ok(done) = self.done.try_recv() {
            let path = done.path.display();
            match done.outcome {
                Ok(events) => {
                    self.written += 1;
                    self.log
                        .info("capture written", &[("file", &path), ("events", &events)]);
                }
                Err(error) => {
                    self.failed += 1;
                    let error = format!("{error:#}");
                    self.log
                        .error("no capture", &[("file", &path), ("error", &error)]);
                }
            }
        }
    }
}

impl Stage for Captures {
    fn needs(&self) -> CapabilitySet {
        CapabilitySet::SYS_PTRACE
    }

    fn event(&mut self, event: &RawEvent<'_>, _: &View<'_>, _: &mut Emit) {
        if file::introduces(event.kind) {
            if self.containers.len() == MAX_CONTAINERS {
                self.containers.pop_front();
            }
            self.containers.push_back(Arc::new(Piece::of(event)));
            // one that is introduced while a capture is taken must be in it too; those of before come first anyway
            if self.active.is_none() {
                return;
            }
        }
        self.now = event.ts.max(self.now);
        self.end_when_due(event.ts);
        let piece = self.ring.push(event);
        self.hand_over(piece);
    }

    fn alert(&mut self, alert: &Alert, rules: &RuleSet, _: &View<'_>, actions: &mut Vec<Action>) {
        let asked = rules.capture(&alert.rule);
        if asked.is_none() && !self.config.all {
            self.answer(alert.time, &alert.rule, actions);
            return;
        }
        let after = match asked {
            // milliseconds
            Some(own) if own > 0 => own.saturating_mul(1_000_000),
            _ => self.config.after.as_nanos() as u64,
        };
        let action = self.begin(alert.time, &alert.rule, after);
        match actions.iter_mut().find(|action| is_asked(action)) {
            Some(asked) => *asked = action,
            None => actions.push(action),
        }
    }

    fn found(&mut self, finding: &mut Finding) {
        self.answer(finding.time, &finding.rule, &mut finding.actions);
    }

    fn idle(&mut self, _: &mut Emit) {
        self.collect();
        // a quiet machine has no event that would end the capture
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as u64);
        self.end_when_due(now);
    }

    fn reload(&mut self, config: &Config) {
        // the ring and its bounds stay; what decides about a capture is taken over
        if let Some(next) = &config.capture {
            self.config.all = next.all;
            self.config.after = next.after;
            self.config.files = next.files;
            self.config.file_bytes = next.file_bytes;
        }
    }

    fn metrics(&self, page: &mut Page) {
        page.sample(&CAPTURES, &[("outcome", "written")], self.written);
        page.sample(&CAPTURES, &[("outcome", "failed")], self.failed);
        page.add(&RING, self.ring.size());
    }

    fn finish(&mut self, _: &mut Emit) {
        if self.active.is_some() {
            let last = self.ring.complete(self.now);
            self.hand_over(last);
            self.active = None;
            if let Ok(done) = self.done.recv_timeout(PATIENCE) {
                let _ = self.send.send(done);
            }
        }
        self.collect();
    }
}
