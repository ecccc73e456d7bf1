//! `vedette lab run`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use vedette_lab::{Control, Profile, Runtime};
use vedette_range::{Outcome, Steps, Verdict};

use super::prevention::Prevention;
use super::watch::{Rules, Watch};
use super::{Pods, attack, cannot, confirm, profile, progress, shipped, start};
use crate::commands::{Listing, exit};
use crate::live::Until;
use crate::table::Table;

/// The longest that one profile may take; it takes about 15 seconds.
const LONGEST: Duration = Duration::from_mins(3);
/// How long after the last request its events may take on a machine that is busy.
const LATE: Duration = Duration::from_secs(10);

/// Take the ten steps in each profile and judge them by what the sensor saw
///
/// Needs root, runc, better containerd too, and a kernel with BTF. Everything runs on a node of namespaces that is removed afterwards. Exit code 0
/// when every verdict is the expected one and no detection was missed, 1 when not, 3 when the lab cannot run here. With
/// --control, no verdict is expected but one that says something: `vedette prove --against` holds them against the proof.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Profile to run; every one when none is given
    #[arg(short, long, value_name = "PROFILE", value_parser = profile)]
    profile: Vec<Profile>,
    /// Run the playground with this control and no other, once for each that is given; `all` stands for every one
    #[arg(long = "control", value_name = "CONTROL", value_delimiter = ',', value_parser = controls, conflicts_with = "profile")]
    controls: Vec<Controls>,
    #[command(flatten)]
    pods: Pods,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
    /// Write a capture and the API server's audit log for each profile into this directory
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

/// What `--control` takes.
#[derive(Clone, Copy, Debug)]
enum Controls {
    All,
    One(Control),
}

fn controls(name: &str) -> Result<Controls, String> {
    if name == "all" {
        return Ok(Controls::All);
    }
    Control::by_name(name).map(Controls::One).ok_or_else(|| {
        let known: Vec<&str> = Control::ALL.iter().map(|control| control.name()).collect();
        format!("known are all, {}", known.join(", "))
    })
}

/// One way to run the vulnerable workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) profile: Profile,
    pub(super) control: Option<Control>,
}

impl From<Profile> for Setup {
    fn from(profile: Profile) -> Self {
        Self {
            profile,
            control: None,
        }
    }
}

impl Setup {
    /// The name in tables and JSON: the profile's, and what was added to it.
    pub(super) fn name(self) -> String {
        match self.control {
            Some(control) => vedette_range::with_control(self.profile.name(), control.name()),
            None => self.profile.name().to_owned(),
        }
    }

    fn prevents_drift(self) -> bool {
        self.profile == Profile::RestrictedNodrift || self.control == Some(Control::DriftPrevention)
    }
}

fn setups(args: &Args) -> Vec<Setup> {
    let with = |control| Setup {
        profile: Profile::Playground,
        control: Some(control),
    };
    let controls = args.controls.iter().flat_map(|chosen| match chosen {
        Controls::All => Control::ALL.to_vec(),
        Controls::One(control) => vec![*control],
    });
    if !args.controls.is_empty() {
        return controls.map(with).collect();
    }
    let profiles = if args.profile.is_empty() {
        &Profile::ALL[..]
    } else {
        &args.profile
    };
    profiles.iter().copied().map(Setup::from).collect()
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let setups = setups(args);
    for setup in &setups {
        if let Some(code) = cannot(setup.control, &args.pods)? {
            return Ok(code);
        }
    }
    if !confirm(args.yes, setups[0].profile)? {
        return Ok(ExitCode::from(exit::USAGE));
    }
    if let Some(directory) = &args.record {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("making {}", directory.display()))?;
    }
    let steps = shipped()?;
    let rules = Rules::new(&steps)?;
    let mut outcomes = Vec::new();
    let mut lost = 0;
    let mut runtime = args.pods.runtime;
    for setup in &setups {
        progress(&format!("{}: starting the node", setup.name()))?;
        let ran = one(args, *setup, &mut runtime, &steps, &rules)?;
        outcomes.extend(ran.verdicts);
        lost += ran.lost;
        if !ran.finished {
            break;
        }
    }
    let mut out = std::io::stdout().lock();
    match args.output {
        Listing::Json => {
            serde_json::to_writer(
                &mut out,
                &json!({"steps": outcomes, "lost": lost, "runtime": runtime.map(Runtime::name)}),
            )?;
            writeln!(out)?;
        }
        Listing::Table => out.write_all(text(&steps, &names(&setups), &outcomes).as_bytes())?,
    }
    Ok(if as_expected(&steps, &outcomes) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::FINDINGS)
    })
}

fn names(setups: &[Setup]) -> Vec<String> {
    setups.iter().map(|setup| setup.name()).collect()
}

/// What became of one profile.
struct Ran {
    verdicts: Vec<Outcome>,
    lost: u64,
    /// Whether the attack came to its end; a signal or the time may have ended it.
    finished: bool,
}

/// Runs one profile.
fn one(
    args: &Args,
    setup: Setup,
    runtime: &mut Option<Runtime>,
    steps: &Steps,
    rules: &Rules,
) -> anyhow::Result<Ran> {
    // From here on a signal ends the run in good order, so that the node is always taken down.
    let until = Until::signalled(Some(LONGEST))?;
    let mut node = start(setup, steps, runtime)?;
    let mut prevention = None;
    let mut absent = None;
    if setup.prevents_drift() {
        match Prevention::start(setup.profile, &node.gate())? {
            Ok(running) => prevention = Some(running),
            Err(why) => absent = Some(why),
        }
    }
    let recording = args
        .record
        .as_ref()
        .map(|directory| directory.join(format!("{}.scap.gz", setup.name())));
    let mut watch = Watch::new(&node, steps, rules, recording.as_deref())?;
    let (ready, gate) = (AtomicBool::new(false), node.gate());
    let watched = std::thread::scope(|scope| {
        let attacker = scope.spawn(|| {
            while !ready.load(Relaxed) && !until.reached() {
                std::thread::sleep(Duration::from_millis(10));
            }
            let done = attack::attack(&gate, steps, || !until.reached());
            // The watch ends when it sees the last mark; if that event was lost, it ends here.
            let deadline = Instant::now() + LATE;
            while done.is_ok() && !until.reached() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            until.stop();
            done
        });
        let watched = watch.run(&until, &ready);
        until.stop();
        if !watch.finished() {
            // whoever waits for an answer shall not wait for the attack's sake
            node.end();
            return watched;
        }
        let attacked = attacker
            .join()
            .map_err(|_| anyhow::anyhow!("the attack's thread ended by itself"));
        watched.and_then(|()| attacked?.context("sending the lab's requests"))
    });
    let audit = node.audit_log();
    drop(prevention);
    drop(node);
    watched?;
    let finished = watch.finished();
    if let Some(directory) = &args.record {
        let path = directory.join(format!("{}.audit.json", setup.name()));
        std::fs::write(&path, audit).with_context(|| format!("writing {}", path.display()))?;
    }
    let lost = watch.lost;
    let mut verdicts = watch.verdicts(&setup.name());
    if let Some(why) = absent {
        // what happened without the control says nothing about the profile
        for outcome in &mut verdicts {
            outcome.verdict = Verdict::Unknown;
            outcome.by = Some(why.clone());
        }
    }
    Ok(Ran {
        verdicts,
        lost,
        finished,
    })
}

/// Whether every verdict is the expected one, and every detection was made. Where none is expected, any that says
/// something will do.
pub(super) fn as_expected(steps: &Steps, outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| {
        let step = steps.step(outcome.step);
        let sound = match step.and_then(|step| step.expected.get(&outcome.profile)) {
            Some(expected) => *expected == outcome.verdict,
            None => {
                steps.profile(&outcome.profile).is_none() && outcome.verdict != Verdict::Unknown
            }
        };
        sound && outcome.missed.is_empty()
    })
}

/// The table of steps and profiles, and what is behind each cell.
pub(super) fn text(steps: &Steps, profiles: &[String], outcomes: &[Outcome]) -> String {
    let find = |step: u8, profile: &String| {
        outcomes
            .iter()
            .find(|outcome| outcome.step == step && outcome.profile == *profile)
    };
    let mut titles = vec!["STEP", "WHAT"];
    titles.extend(profiles.iter().map(String::as_str));
    let mut table = Table::new(&titles);
    for step in &steps.steps {
        let mut cells = vec![step.id.to_string(), step.title.clone()];
        for profile in profiles {
            cells.push(
                find(step.id, profile)
                    .map_or_else(String::new, |outcome| outcome.verdict.to_string()),
            );
        }
        table.row(cells);
    }
    let mut out = table.render();
    for profile in profiles {
        let mut table = Table::new(&["STEP", "VERDICT", "BECAUSE", "FINDINGS"]);
        for step in &steps.steps {
            let Some(outcome) = find(step.id, profile) else {
                continue;
            };
            let because = match (&outcome.by, outcome.verdict) {
                (Some(by), _) => by.clone(),
                (None, Verdict::Allowed) => format!(
                    "{} of {} events seen",
                    step.evidence.len(),
                    step.evidence.len()
                ),
                (None, _) => String::new(),
            };
            let rules: BTreeSet<&str> = outcome
                .findings
                .iter()
                .map(|finding| finding.rule.as_str())
                .collect();
            let mut findings = rules.into_iter().collect::<Vec<_>>().join("; ");
            if !outcome.missed.is_empty() {
                findings.push_str(&format!(" MISSED: {}", outcome.missed.join("; ")));
            }
            table.row([
                step.id.to_string(),
                outcome.verdict.to_string(),
                because,
                findings,
            ]);
        }
        out.push_str(&format!("\n{profile}\n{}", table.render()));
    }
    out
}
