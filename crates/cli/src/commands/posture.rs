//! `vedette posture …`: checks, Pod Security answers, fixes and RBAC questions over manifests or cluster dumps.

mod pss;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use vedette_manifest::Loaded;

use crate::sources;

/// What to do with manifests.
#[derive(Subcommand)]
pub(crate) enum Posture {
    /// Says what the Pod Security admission plugin of the API server would answer.
    Pss(pss::Args),
}

/// Runs one of the subcommands.
pub(crate) fn run(command: Posture) -> anyhow::Result<ExitCode> {
    match command {
        Posture::Pss(args) => pss::run(&args),
    }
}

/// Reads objects from `paths`; what is not an object is told on standard error and costs only itself.
fn load(paths: &[PathBuf]) -> anyhow::Result<Loaded> {
    let loaded = vedette_manifest::load(&sources::read(paths)?);
    let mut err = std::io::stderr().lock();
    for problem in &loaded.problems {
        writeln!(err, "vedette: {}", clean(&problem.to_string())).context("writing diagnostics")?;
    }
    Ok(loaded)
}

/// Text from a manifest made fit for a terminal: control and direction characters are shown, not obeyed.
fn clean(text: &str) -> String {
    vedette_posture::output::visible(text)
}

/// Writes a whole document to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
