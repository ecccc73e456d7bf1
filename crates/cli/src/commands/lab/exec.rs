//! `vedette lab exec`.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Context;
use vedette_lab::Profile;

use super::watch::{Rules, Watch};
use super::{Pods, cannot, confirm, profile, shipped, start};
use crate::commands::exit;
use crate::live::Until;

/// The longest that a command may take.
const LONGEST: Duration = Duration::from_secs(90);
/// Pause after the answer, in which the last events arrive.
const SETTLE: Duration = Duration::from_millis(500);

/// Have the vulnerable service of a fresh lab run a command of your own, and show what is found
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Profile to run
    #[arg(short, long, value_name = "PROFILE", value_parser = profile, default_value = "playground")]
    profile: Profile,
    #[command(flatten)]
    pods: Pods,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// The command, as a shell reads it
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(code) = cannot(None, &args.pods)? {
        return Ok(code);
    }
    if !confirm(args.yes, args.profile)? {
        return Ok(ExitCode::from(exit::USAGE));
    }
    let steps = shipped()?;
    let rules = Rules::new(&steps)?;
    let until = Until::signalled(Some(LONGEST))?;
    let mut runtime = args.pods.runtime;
    let node = start(args.profile, &steps, &mut runtime)?;
    let mut watch = Watch::new(&node, &steps, &rules, None)?;
    let (ready, gate) = (AtomicBool::new(false), node.gate());
    let answer = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            while !ready.load(Relaxed) && !until.reached() {
                std::thread::sleep(Duration::from_millis(10));
            }
            let answer = gate.exec(&args.command.join(" "));
            std::thread::sleep(SETTLE);
            until.stop();
            answer
        });
        let watched = watch.run(&until, &ready);
        until.stop();
        let answer = sender
            .join()
            .map_err(|_| anyhow::anyhow!("the sender's thread ended by itself"))?;
        watched?;
        answer.context("sending the command")
    });
    drop(node);
    let mut out = std::io::stdout().lock();
    out.write_all(answer?.as_bytes())?;
    let mut err = std::io::stderr();
    for finding in &watch.findings {
        writeln!(
            err,
            "{} {}: {}",
            finding.priority, finding.rule, finding.message
        )?;
    }
    writeln!(
        err,
        "{} events in the lab, {} findings, {} events lost",
        watch.events,
        watch.findings.len(),
        watch.lost
    )?;
    Ok(ExitCode::SUCCESS)
}
