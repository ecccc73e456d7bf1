//! Notifications: findings that match a channel's filter, grouped and throttled, sent to a webhook, Slack, PagerDuty or by
//! e-mail.
//!
//! One thread follows the findings by sequence number and remembers how far it is, so that a restart neither forgets nor
//! repeats. A group (rule and workload) is told at once when it is new to a channel, then at most once in the channel's
//! throttle time, with how many came meanwhile.

pub(crate) mod channel;
pub(crate) mod endpoints;
pub(crate) mod mail;
pub(crate) mod target;
pub(crate) mod template;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use vedette_history::{Change, Filter, StoredFinding, Subject};

use crate::app::App;
use crate::clock;
use crate::settings::SETTINGS;
use channel::Channel;
use target::Targets;
use template::Message;

/// Findings that are looked at a time.
const PIECE: usize = 500;
/// How long the thread waits for news before it looks at the stop flag.
const PATIENCE: Duration = Duration::from_millis(500);
/// Groups that a channel remembers at most; when there are more, those that were told longest ago are forgotten.
const MAX_GROUPS: usize = 10_000;
/// Messages of one channel that are sent for one piece of findings; the rest is told as one sum.
const MAX_MESSAGES: usize = 20;
/// Tries of one delivery.
const TRIES: u32 = 3;
/// Pause before the second try; doubled before each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a channel whose delivery failed is left alone.
const REST: Duration = Duration::from_secs(30);
/// How old a finding may be to be told: after a long stop, or an import, nobody wants last month's.
const MAX_AGE: u64 = 24 * 3600 * clock::SECOND;

/// What is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notifications {
    #[serde(default)]
    pub(crate) channels: Vec<Channel>,
}

/// How far notifications are.
#[derive(Serialize, Deserialize)]
struct Progress {
    sequence: u64,
}

#[derive(Debug)]
struct Group {
    told: Instant,
    since: u64,
    latest: Option<Message>,
}

#[derive(Debug, Default)]
struct Memory {
    groups: HashMap<String, Group>,
    rests_until: Option<Instant>,
    last_failure: Option<(u64, String)>,
}

/// What is remembered of channels, by id.
#[derive(Debug)]
pub(crate) struct Notifier {
    targets: Targets,
    channels: Mutex<HashMap<String, Memory>>,
}

impl Notifier {
    pub(crate) fn new(targets: Targets) -> Self {
        Self {
            targets,
            channels: Mutex::default(),
        }
    }

    pub(crate) fn targets(&self) -> &Targets {
        &self.targets
    }

    /// When and why a channel failed last.
    pub(crate) fn last_failure(&self, id: &str) -> Option<(u64, String)> {
        self.channels.lock().ok()?.get(id)?.last_failure.clone()
    }
}

/// What is set now; nothing when it cannot be read.
pub(crate) fn settings(app: &App) -> Result<Notifications, vedette_history::Error> {
    match app.state.get(SETTINGS, "notifications")? {
        Some(document) => document.read(),
        None => Ok(Notifications::default()),
    }
}

/// Follows the findings until `stop` is set.
pub(crate) fn work(app: &App, stop: &AtomicBool) {
    let mut last = match app
        .state
        .get(SETTINGS, "notified")
        .map(|found| found.map(|d| d.read::<Progress>()))
    {
        Ok(Some(Ok(progress))) => progress.sequence.min(app.history.sequence()),
        _ => app.history.sequence(),
    };
    while !stop.load(Relaxed) {
        let newest = app.history.wait(last, PATIENCE);
        let done = if newest > last {
            piece(app, last)
        } else {
            Ok(last)
        };
        match done {
            Ok(reached) => last = reached,
            Err(error) => {
                app.log
                    .say("error", "notify", json!({"cause": crate::chain(&error)}));
                thread::sleep(PATIENCE);
            }
        }
        if let Err(error) = flush(app) {
            app.log
                .say("error", "notify", json!({"cause": crate::chain(&error)}));
        }
    }
}

/// Looks at one piece of findings and gives the number that was reached.
fn piece(app: &App, last: u64) -> Result<u64, vedette_history::Error> {
    let settings = settings(app)?;
    let tail = app.history.since(last, &Filter::all(), PIECE)?;
    let reached = tail.last.max(last);
    let oldest = clock::now().saturating_sub(MAX_AGE);
    for channel in settings.channels.iter().filter(|channel| channel.enabled) {
        let Ok(filter) = Filter::parse(&channel.filter) else {
            continue;
        };
        let matching: Vec<&StoredFinding> = tail
            .items
            .iter()
            .filter(|stored| stored.finding.time >= oldest)
            .filter(|stored| {
                filter.matches(&Subject::Finding(&stored.finding, stored.triage.status))
            })
            .collect();
        note(app, channel, &matching);
    }
    let now = clock::now();
    app.state.apply(vec![Change::put(
        SETTINGS,
        "notified",
        &Progress { sequence: reached },
        now,
    )?])?;
    Ok(reached)
}

/// Counts findings into their groups; what is due is sent by [`flush`].
fn note(app: &App, channel: &Channel, findings: &[&StoredFinding]) {
    let Ok(mut channels) = app.notifier.channels.lock() else {
        return;
    };
    let memory = channels.entry(channel.id.clone()).or_default();
    for stored in findings {
        let message = template::message(stored, app.config.public_url.as_deref());
        if memory.groups.len() >= MAX_GROUPS
            && !memory.groups.contains_key(&message.group)
            && let Some(oldest) = memory
                .groups
                .iter()
                .min_by_key(|(_, group)| group.told)
                .map(|(key, _)| key.clone())
        {
            memory.groups.remove(&oldest);
        }
        let far = Duration::from_secs(channel.throttle_seconds.saturating_add(1));
        let group = memory
            .groups
            .entry(message.group.clone())
            .or_insert_with(|| Group {
                // Due at once.
                told: Instant::now().checked_sub(far).unwrap_or_else(Instant::now),
                since: 0,
                latest: None,
            });
        group.since += 1;
        group.latest = Some(message);
    }
}

/// Sends what is due, each channel on a thread of its own, so that a slow one delays nobody else.
fn flush(app: &App) -> Result<(), vedette_history::Error> {
    let waiting = app.notifier.channels.lock().is_ok_and(|channels| {
        channels
            .values()
            .any(|memory| memory.groups.values().any(|group| group.latest.is_some()))
    });
    if !waiting {
        return Ok(());
    }
    let settings = settings(app)?;
    let mut jobs = Vec::new();
    if let Ok(mut channels) = app.notifier.channels.lock() {
        channels.retain(|id, _| settings.channels.iter().any(|channel| channel.id == *id));
        let now = Instant::now();
        for channel in settings.channels.iter().filter(|channel| channel.enabled) {
            let Some(memory) = channels.get_mut(&channel.id) else {
                continue;
            };
            if memory.rests_until.is_some_and(|until| now < until) {
                continue;
            }
            let throttle = Duration::from_secs(channel.throttle_seconds);
            let mut due: Vec<Message> = Vec::new();
            for group in memory.groups.values_mut() {
                if group.latest.is_none() || now.saturating_duration_since(group.told) < throttle {
                    continue;
                }
                if let Some(mut message) = group.latest.take() {
                    message.count = group.since;
                    due.push(message);
                }
                group.told = now;
                group.since = 0;
            }
            due.sort_by(|a, b| {
                b.severity
                    .cmp(&a.severity)
                    .then_with(|| a.time.cmp(&b.time))
            });
            if due.len() > MAX_MESSAGES {
                let rest = due.split_off(MAX_MESSAGES - 1);
                app.metrics
                    .notify_withheld
                    .fetch_add(rest.len() as u64, Relaxed);
                due.extend(template::sum(&rest));
            }
            if !due.is_empty() {
                jobs.push((channel.clone(), due));
            }
        }
    }
    thread::scope(|scope| {
        for (channel, due) in &jobs {
            scope.spawn(move || {
                for message in due {
                    if !deliver(app, channel, message) {
                        break;
                    }
                }
            });
        }
    });
    Ok(())
}

/// Sends one message, with a few tries; false when the channel should be left alone for a while.
fn deliver(app: &App, channel: &Channel, message: &Message) -> bool {
    let mut pause = PAUSE;
    let mut failure = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            thread::sleep(pause);
            pause *= 2;
        }
        match channel.send(app.notifier.targets(), message) {
            Ok(()) => {
                app.metrics.notified.fetch_add(1, Relaxed);
                return true;
            }
            Err(why) => failure = why,
        }
    }
    app.metrics.notify_failed.fetch_add(1, Relaxed);
    app.log.say(
        "error",
        "notify",
        json!({"channel": channel.name, "cause": failure, "rule": message.rule, "finding": message.id}),
    );
    if let Ok(mut channels) = app.notifier.channels.lock()
        && let Some(memory) = channels.get_mut(&channel.id)
    {
        memory.rests_until = Some(Instant::now() + REST);
        memory.last_failure = Some((clock::now(), failure));
        // Nothing is forgotten: the group is due again when the channel has rested.
        if let Some(group) = memory.groups.get_mut(&message.group) {
            group.since += message.count;
            group.latest.get_or_insert_with(|| message.clone());
            group.told = Instant::now()
                .checked_sub(Duration::from_secs(
                    channel.throttle_seconds.saturating_add(1),
                ))
                .unwrap_or_else(Instant::now);
        }
    }
    false
}
