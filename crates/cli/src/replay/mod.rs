//! Replays inputs through the engines: which are read at the same time, and in which order their alerts come out.

mod capture;
mod logs;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use vedette_detect::{Describer, Detector, RuleSet, Settings};
use vedette_event::{Activity, Alert, Extract, Finding, Record};
use vedette_rules::Loaded;

use crate::input::Progress;

pub(crate) use capture::{boot, settings};
pub(crate) use logs::zone;

/// Alerts of an input that wait until the inputs before it are done.
const WAITING: usize = 4096;

/// What to replay.
pub(crate) struct Plan {
    /// Inputs in order; `-` is standard input.
    pub(crate) inputs: Vec<PathBuf>,
    /// How many times each is read.
    pub(crate) passes: usize,
    /// Most threads that evaluate.
    pub(crate) threads: usize,
    /// Event source; `None` to guess by the content.
    pub(crate) source: Option<String>,
    /// Rules of every source.
    pub(crate) rules: Rules,
    /// Host name that fields report.
    pub(crate) hostname: Arc<str>,
    /// How far reading is.
    pub(crate) progress: Arc<Progress>,
    /// Make findings and activity records instead of alerts.
    pub(crate) records: bool,
}

/// What a replay brings out: alerts, or records where the plan asks for them.
enum Emitted {
    Alert(Alert),
    Finding(Box<Finding>),
    Activity(Box<Activity>),
}

/// Takes what was found; answers whether to go on.
type Emit<'a> = &'a mut dyn FnMut(Emitted) -> bool;

/// Lets the rules see an event and emits what they find, as the plan asks for it.
fn observe<E: Extract>(
    detector: &mut Detector,
    describer: Option<&mut Describer>,
    event: &E,
    mut emit: impl FnMut(Emitted),
) {
    let Some(describer) = describer else {
        detector.observe(event, |alert| emit(Emitted::Alert(alert)));
        return;
    };
    let rules = Arc::clone(detector.rules());
    detector.observe(event, |alert| {
        let finding = describer.finding(&alert, rules.condition(&alert.rule), event, 0);
        emit(Emitted::Finding(Box::new(finding)));
    });
}

/// The compiled rules of each source.
pub(crate) struct Rules(pub(crate) Vec<(String, Arc<RuleSet>)>);

impl Rules {
    /// Compiles the rules of every source that there are rules for.
    pub(crate) fn compile(loaded: &Loaded, settings: &Settings) -> Self {
        let mut sources: Vec<&str> = loaded
            .rules
            .iter()
            .map(|rule| rule.rule.source.as_str())
            .collect();
        sources.sort_unstable();
        sources.dedup();
        let set = |source: &str| RuleSet::compile(&loaded.rules, source, settings.clone());
        Self(
            sources
                .into_iter()
                .map(|source| (source.to_owned(), Arc::new(set(source))))
                .collect(),
        )
    }

    /// The rule set of a source.
    pub(crate) fn of(&self, source: &str) -> Option<&Arc<RuleSet>> {
        self.0
            .iter()
            .find(|(name, _)| name == source)
            .map(|(_, rules)| rules)
    }
}

/// What one pass over one input gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Events that rules saw.
    pub(crate) events: u64,
    /// Other figures by name, for `--stats`.
    pub(crate) figures: Vec<(&'static str, u64)>,
    /// Rules with their alert counts.
    pub(crate) counts: Vec<vedette_detect::Count>,
    /// What was damaged, in words that name the input.
    pub(crate) damage: Option<String>,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        for (name, value) in other.figures {
            match self.figures.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += value,
                None => self.figures.push((name, value)),
            }
        }
        for count in other.counts {
            match self
                .counts
                .iter_mut()
                .find(|known| known.rule == count.rule)
            {
                Some(known) => known.alerts += count.alerts,
                None => self.counts.push(count),
            }
        }
    }
}

enum Message {
    Emitted(Box<Emitted>),
    Done(Box<anyhow::Result<Outcome>>),
}

/// Runs the plan. Alerts come out in the order of inputs and events, however many threads are at work. The sum of all
/// passes is returned with what was damaged, input by input.
///
/// # Errors
/// When an input cannot be opened or `emit` fails.
pub(crate) fn run(
    plan: &Plan,
    mut emit: impl FnMut(Alert) -> anyhow::Result<()>,
) -> anyhow::Result<(Outcome, Vec<String>)> {
    run_all(plan, |emitted| match emitted {
        Emitted::Alert(alert) => emit(alert),
        Emitted::Finding(_) | Emitted::Activity(_) => Ok(()),
    })
}

/// As [`run`], for a plan that asks for records.
///
/// # Errors
/// As [`run`].
pub(crate) fn records(
    plan: &Plan,
    mut emit: impl FnMut(Record) -> anyhow::Result<()>,
) -> anyhow::Result<(Outcome, Vec<String>)> {
    run_all(plan, |emitted| match emitted {
        Emitted::Finding(finding) => emit(Record::Finding(*finding)),
        Emitted::Activity(activity) => emit(Record::Activity(*activity)),
        Emitted::Alert(_) => Ok(()),
    })
}

fn run_all(
    plan: &Plan,
    mut emit: impl FnMut(Emitted) -> anyhow::Result<()>,
) -> anyhow::Result<(Outcome, Vec<String>)> {
    let jobs: Vec<&PathBuf> = (0..plan.passes).flat_map(|_| &plan.inputs).collect();
    let threads = plan.threads.clamp(1, jobs.len().max(1));
    let mut total = Outcome::default();
    let mut damages = Vec::new();
    let mut finish = |outcome: Outcome, index: usize| {
        // Every pass meets the same damage; it is told once.
        if index < plan.inputs.len() {
            damages.extend(outcome.damage.clone());
        }
        total.add(outcome);
    };
    if threads == 1 {
        // Reading ahead on a second thread pays only where there is a second core.
        let ahead = plan.threads > 1;
        for (index, job) in jobs.iter().enumerate() {
            let mut failure = None;
            let outcome = replay(plan, job, ahead, &mut |emitted| {
                failure = emit(emitted).err();
                failure.is_none()
            })?;
            if let Some(failure) = failure {
                return Err(failure);
            }
            finish(outcome, index);
        }
        return Ok((total, damages));
    }
    let next = AtomicUsize::new(0);
    let (senders, receivers): (Vec<_>, Vec<_>) = jobs.iter().map(|_| sync_channel(WAITING)).unzip();
    let senders: Vec<SyncSender<Message>> = senders;
    thread::scope(|scope| {
        for _ in 0..threads {
            let (next, jobs, senders) = (&next, &jobs, &senders);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Relaxed);
                    let Some(job) = jobs.get(index) else { return };
                    let sender = &senders[index];
                    let outcome = replay(plan, job, false, &mut |emitted| {
                        sender.send(Message::Emitted(Box::new(emitted))).is_ok()
                    });
                    let _ = sender.send(Message::Done(Box::new(outcome)));
                }
            });
        }
        // Dropping the receivers at the first failure ends the threads: their next alert has nowhere to go.
        let mut drain = |receivers: Vec<Receiver<Message>>| {
            for (index, receiver) in receivers.into_iter().enumerate() {
                loop {
                    match receiver.recv() {
                        Ok(Message::Emitted(emitted)) => emit(*emitted)?,
                        Ok(Message::Done(outcome)) => {
                            finish((*outcome)?, index);
                            break;
                        }
                        Err(_) => anyhow::bail!("a replay thread ended without an answer"),
                    }
                }
            }
            Ok(())
        };
        drain(receivers).inspect_err(|_| next.store(usize::MAX / 2, Relaxed))
    })?;
    Ok((total, damages))
}

/// One pass over one input; `emit` answers whether to go on.
fn replay(plan: &Plan, path: &Path, ahead: bool, emit: Emit<'_>) -> anyhow::Result<Outcome> {
    let mut input = crate::input::open(path, &plan.progress, ahead)?;
    let source = plan.source.as_deref();
    let is_log = if let Some(source) = source {
        source != vedette_rules::catalogue::SYSCALL
    } else {
        let (is_log, whole) = logs::guess(input, path)?;
        input = whole;
        is_log
    };
    if is_log {
        logs::replay(plan, path, source, input, emit)
    } else {
        Ok(capture::replay(plan, path, input, emit))
    }
}
