//! `vedette lab down`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

/// End every lab on this machine and remove what is left of it
///
/// A run takes its node down by itself, after a signal too. This is for what a run that was killed leaves behind, such as
/// empty control groups.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs the subcommand.
pub(crate) fn run(_: &Args) -> anyhow::Result<ExitCode> {
    let done = vedette_lab::sweep().context("looking for labs")?;
    let mut out = std::io::stdout().lock();
    for line in &done {
        writeln!(out, "{line}")?;
    }
    if done.is_empty() {
        writeln!(out, "nothing was left")?;
    }
    Ok(ExitCode::SUCCESS)
}
