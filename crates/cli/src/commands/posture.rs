//! `vedette posture …`: checks, Pod Security answers, fixes and RBAC questions over manifests or cluster dumps.

mod check;
mod fix;
mod list;
mod pss;
mod rbac;
mod user;

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
    /// Runs checks and reports the controls of a benchmark.
    Check(check::Args),
    /// Explains one check: what it ensures, why, and how to mend a failure.
    Explain(list::Explain),
    /// Writes checks as ValidatingAdmissionPolicies.
    Export(user::Export),
    /// Mends what checks find, each fix proved.
    Fix(fix::Args),
    /// Lists checks and benchmarks.
    List(list::Args),
    /// Answers who may do what.
    #[command(subcommand)]
    Rbac(rbac::Command),
    /// Runs the tests of checks of your own.
    Test(user::Test),
    /// Says what the Pod Security admission plugin of the API server would answer.
    Pss(pss::Args),
}

/// Runs one of the subcommands.
pub(crate) fn run(command: Posture) -> anyhow::Result<ExitCode> {
    match command {
        Posture::Check(args) => check::run(&args),
        Posture::Explain(args) => list::explain(&args),
        Posture::Export(args) => user::export(&args),
        Posture::Fix(args) => fix::run(&args),
        Posture::List(args) => list::run(&args),
        Posture::Pss(args) => pss::run(&args),
        Posture::Rbac(command) => rbac::run(&command),
        Posture::Test(args) => user::test(&args),
    }
}

/// Reads objects from `paths`; what is not an object is told on standard error and costs only itself.
fn load(paths: &[PathBuf]) -> anyhow::Result<Loaded> {
    let loaded = vedette_posture::input::load(&sources::read(paths)?);
    for problem in &loaded.problems {
        complain(&clean(&problem.to_string()))?;
    }
    Ok(loaded)
}

/// Writes a line to standard error.
fn complain(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stderr().lock(), "vedette: {text}").context("writing to standard error")
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
