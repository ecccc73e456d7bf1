//! Captures of system calls.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use vedette_detect::{ActivityLog, Describer, Detector};
use vedette_scap::{Item, Reader};
use vedette_state::{Boot, Settings, State};

use super::{Emit, Emitted, Outcome, Plan};

/// Reads a capture, keeps the state, evaluates the rules.
pub(super) fn replay(plan: &Plan, path: &Path, input: impl Read, emit: Emit<'_>) -> Outcome {
    let mut reader = Reader::new(input);
    let mut state = fresh(&plan.hostname);
    let mut detector = plan
        .rules
        .of(vedette_rules::catalogue::SYSCALL)
        .map(|rules| Detector::new(Arc::clone(rules)));
    let mut describer = plan.records.then(Describer::default);
    let mut activities = plan
        .records
        .then(|| ActivityLog::new(Arc::clone(&plan.hostname)));
    let mut go_on = true;
    let mut outcome = Outcome::default();
    while go_on {
        let item = match reader.next() {
            Ok(Some(item)) => item,
            Ok(None) => break,
            Err(error) => {
                outcome.damage = Some(format!("{}: {error}", path.display()));
                break;
            }
        };
        let event = match item {
            Item::Event(event) => event,
            // It tells what was known already: the tables take it in, the rules do not see it.
            Item::State(event) => {
                state.apply(&event);
                continue;
            }
            // What is known of processes does not outlive a section.
            Item::Section(_) if outcome.events > 0 => {
                state = fresh(&plan.hostname);
                continue;
            }
            other => {
                if let Some(boot) = boot(&other) {
                    state.boot(&boot);
                }
                continue;
            }
        };
        outcome.events += 1;
        state.apply(&event);
        let view = state.view(&event);
        if let Some(detector) = &mut detector {
            super::observe(detector, describer.as_mut(), &view, |emitted| {
                go_on &= emit(emitted);
            });
        }
        if let Some(activity) = activities.as_mut().and_then(|log| log.observe(&view)) {
            go_on &= emit(Emitted::Activity(Box::new(activity)));
        }
    }
    let (read, tables) = (reader.stats(), state.stats());
    outcome.figures = vec![
        ("events_in_file", read.events),
        ("events_converted", read.converted),
        ("events_unconvertible", read.unconvertible),
        ("events_unknown", read.unknown_events),
        ("events_malformed", read.malformed_events),
        ("blocks_unknown", read.unknown_blocks),
        ("threads", tables.threads),
        ("containers", tables.containers),
    ];
    outcome.counts = detector
        .map(|detector| detector.counts())
        .unwrap_or_default();
    outcome
}

/// A state that knows nothing but this machine's accounts.
fn fresh(hostname: &str) -> State {
    let mut state = State::new(settings(hostname));
    crate::accounts::tell(&mut state);
    state
}

/// What an item says of the time before the first event.
pub(crate) fn boot<'a>(item: &Item<'a>) -> Option<Boot<'a>> {
    Some(match *item {
        Item::Machine(machine) => Boot::Machine(machine),
        Item::Interface(interface) => Boot::Interface(interface),
        Item::User(user) => Boot::User(user),
        Item::Group(group) => Boot::Group(group),
        Item::Process(process) => Boot::Process(process),
        Item::Fd { tid, entry } => Boot::Fd { tid, entry },
        _ => return None,
    })
}

/// What fields need that no event tells: this host's name, and local time by the `TZ` variable or the system's zone.
pub(crate) fn settings(hostname: &str) -> Settings {
    let zone = jiff::tz::TimeZone::system();
    Settings {
        hostname: hostname.to_owned(),
        utc_offset: Box::new(move |seconds| {
            jiff::Timestamp::from_second(seconds).map_or(0, |at| zone.to_offset(at).seconds())
        }),
    }
}
