//! `vedette lab judge`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use serde_json::json;
use vedette_detect::{Describer, Detector};
use vedette_lab::Profile;
use vedette_range::{Judge, Outcome, Steps};
use vedette_scap::{Item, Reader};
use vedette_state::State;

use super::run::{as_expected, text};
use super::watch::Rules;
use super::{profile, shipped};
use crate::commands::{Listing, exit};
use crate::{hostname, input, replay};

/// Judge a recording of the lab again: the same verdicts as the run's, from the same events
///
/// Exit code 0 when every verdict is the one that is expected of the profile and no detection was missed, 1 when not.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Capture that `vedette lab run --record` wrote
    recording: PathBuf,
    /// Profile that was run
    #[arg(short, long, value_name = "PROFILE", value_parser = profile, default_value = "playground")]
    profile: Profile,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let steps = shipped()?;
    let outcomes = judged(args, &steps)?;
    let mut out = std::io::stdout().lock();
    match args.output {
        Listing::Json => {
            serde_json::to_writer(&mut out, &json!({ "steps": outcomes }))?;
            writeln!(out)?;
        }
        Listing::Table => {
            let names = [args.profile.name().to_owned()];
            out.write_all(text(&steps, &names, &outcomes).as_bytes())?;
        }
    }
    Ok(if as_expected(&steps, &outcomes) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::FINDINGS)
    })
}

fn judged(args: &Args, steps: &Steps) -> anyhow::Result<Vec<Outcome>> {
    let rules = Rules::new(steps)?;
    let progress = Arc::new(input::Progress::default());
    let mut reader = Reader::new(input::open(&args.recording, &progress, false)?);
    let mut state = State::new(replay::settings(&hostname::current()));
    let mut clues = Detector::new(Arc::clone(&rules.clues));
    let mut alerts = Detector::new(Arc::clone(&rules.shipped));
    let mut describer = Describer::default();
    let mut judge = Judge::new(steps);
    let name = args.recording.display();
    while let Some(item) = reader.next().with_context(|| format!("reading {name}"))? {
        let event = match item {
            Item::Event(event) => event,
            Item::State(event) => {
                state.apply(&event);
                continue;
            }
            other => {
                if let Some(boot) = replay::boot(&other) {
                    state.boot(&boot);
                }
                continue;
            }
        };
        state.apply(&event);
        let view = state.view(&event);
        clues.observe(&view, |alert| {
            judge.observe(&alert.rule, alert.time, alert.message());
        });
        let mut fired = Vec::new();
        alerts.observe(&view, |alert| fired.push(alert));
        for alert in fired {
            let condition = rules.shipped.condition(&alert.rule);
            judge.finding(describer.finding(&alert, condition, &view, 0));
        }
    }
    Ok(judge.finish(args.profile.name(), 0))
}
