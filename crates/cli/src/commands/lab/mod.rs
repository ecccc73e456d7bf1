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
use vedette_lab::{Control, Node, Profile, Runtime, Settings};
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

/// What makes the pods.
#[derive(clap::Args)]
struct Pods {
    /// What makes the pods: containerd, or runc alone; where none is given, containerd if it comes up here
    #[arg(long, value_name = "RUNTIME", value_parser = runtime)]
    runtime: Option<Runtime>,
}

fn runtime(name: &str) -> Result<Runtime, String> {
    Runtime::by_name(name).ok_or_else(|| {
        let known = Runtime::ALL.map(Runtime::name);
        format!("known are {}", known.join(", "))
    })
}

/// Says why the lab cannot run here, if so.
fn cannot(control: Option<Control>, pods: &Pods) -> anyhow::Result<Option<ExitCode>> {
    let mut missing: Vec<String> = vedette_lab::missing_for(control)
        .into_iter()
        .map(|missing| missing.what)
        .chain(pods.runtime.and_then(Runtime::missing))
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

/// Starts the lab. Where nothing is said about the runtime and containerd does not come up, the pods are runc's, and one line
/// says so. `chosen` is what it was, from then on.
fn start(
    setup: impl Into<run::Setup>,
    steps: &Steps,
    chosen: &mut Option<Runtime>,
) -> anyhow::Result<Node> {
    let run::Setup { profile, control } = setup.into();
    let with = |runtime| {
        Node::start(&Settings {
            profile,
            control,
            runtime,
            marks: vedette_range::marks(steps),
        })
    };
    let node = match *chosen {
        Some(runtime) => with(runtime),
        None => match Runtime::Containerd.missing() {
            Some(missing) => Err(missing),
            None => with(Runtime::Containerd).map_err(|error| {
                let text = error.to_string();
                // programs say last why they end
                let last = text.lines().last().unwrap_or_default();
                format!("containerd did not come up: {last}")
            }),
        }
        .or_else(|why| {
            let _ = writeln!(
                std::io::stderr(),
                "vedette: the lab's pods are made by runc alone: {why}"
            );
            with(Runtime::Runc)
        }),
    };
    let node = node.context("starting the lab")?;
    *chosen = Some(node.runtime());
    Ok(node)
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
