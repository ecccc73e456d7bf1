//! `vedette lab`: a real attack on a throw-away node of this machine, watched by the sensor.

mod attack;
mod down;
mod exec;
mod judge;
mod prevention;
mod run;
mod soak;
mod steps;
mod watch;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use vedette_lab::{Control, Node, Profile, Settings};
use vedette_range::Steps;
use vedette_sensor::{Sensor, Tier};

use super::exit;

/// The attack lab: ten steps against real containers on a throw-away node of this machine
#[derive(clap::Subcommand)]
pub(crate) enum Lab {
    Run(run::Args),
    Steps(steps::Args),
    Exec(exec::Args),
    Soak(soak::Args),
    Judge(judge::Args),
    Down(down::Args),
}

/// Runs the subcommand.
pub(crate) fn run(command: &Lab) -> anyhow::Result<ExitCode> {
    match command {
        Lab::Run(args) => run::run(args),
        Lab::Steps(args) => steps::run(args),
        Lab::Exec(args) => exec::run(args),
        Lab::Soak(args) => soak::run(args),
        Lab::Judge(args) => judge::run(args),
        Lab::Down(args) => down::run(args),
    }
}

/// The shipped steps.
fn shipped() -> anyhow::Result<Steps> {
    let (steps, problems) = Steps::parse(vedette_range::STEPS);
    match problems.first() {
        None => Ok(steps),
        Some(problem) => anyhow::bail!("the shipped steps: {problem}"),
    }
}

fn profile(name: &str) -> Result<Profile, String> {
    Profile::by_name(name).ok_or_else(|| {
        let known: Vec<&str> = Profile::ALL.iter().map(|profile| profile.name()).collect();
        format!("known are {}", known.join(", "))
    })
}

/// Says why the lab cannot run here, if so.
fn cannot(control: Option<Control>) -> anyhow::Result<Option<ExitCode>> {
    let mut missing: Vec<String> = vedette_lab::missing_for(control)
        .into_iter()
        .map(|missing| missing.what)
        .collect();
    if missing.is_empty() && Sensor::probe().tier == Tier::Nothing {
        missing.push("this kernel does not take the sensor; `vedette doctor` says why".to_owned());
    }
    for what in &missing {
        writeln!(std::io::stderr(), "vedette: {what}")?;
    }
    Ok((!missing.is_empty()).then_some(ExitCode::from(exit::CANNOT)))
}

/// Asks for the namespace's name, so that nobody starts an attack by accident.
fn confirm(yes: bool, profile: Profile) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    let namespace = profile.namespace();
    let mut err = std::io::stderr();
    if !std::io::stdin().is_terminal() {
        writeln!(
            err,
            "vedette: this attacks a throw-away node on this machine; say --yes to go on"
        )?;
        return Ok(false);
    }
    write!(
        err,
        "This starts a throw-away node on this machine and attacks it.\nType the namespace, {namespace}, to go on: "
    )?;
    err.flush()?;
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("reading the answer")?;
    let agreed = line.trim() == namespace;
    if !agreed {
        writeln!(err, "That was not it; nothing was done.")?;
    }
    Ok(agreed)
}

fn start(setup: impl Into<run::Setup>, steps: &Steps) -> anyhow::Result<Node> {
    let run::Setup { profile, control } = setup.into();
    let settings = Settings {
        profile,
        control,
        marks: vedette_range::marks(steps),
    };
    Node::start(&settings).context("starting the lab")
}

/// A line about what goes on, for a person who waits.
fn progress(text: &str) -> std::io::Result<()> {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        writeln!(err, "{text}")
    } else {
        Ok(())
    }
}
