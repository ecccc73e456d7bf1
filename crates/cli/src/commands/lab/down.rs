//! `vedette lab down`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

/// Remove what is left of labs whose run was killed
///
/// A run takes its node down by itself, after a signal too, and the kernel ends the node of a run that was killed. What is
/// left then are empty control groups and a directory of images.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// End labs that are being run, too
    #[arg(long)]
    all: bool,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let done = vedette_lab::sweep(args.all).context("looking for labs")?;
    let mut out = std::io::stdout().lock();
    for line in &done {
        writeln!(out, "{line}")?;
    }
    if done.is_empty() {
        writeln!(out, "nothing was left")?;
    }
    Ok(ExitCode::SUCCESS)
}
