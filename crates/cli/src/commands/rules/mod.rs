//! `vedette rules`: check, lay out, list, show and test rule files.

mod check;
mod fmt;
mod list;
mod show;
mod test;

use std::process::ExitCode;

/// Work with rule files
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Check(check::Args),
    Fmt(fmt::Args),
    List(list::Args),
    Show(show::Args),
    Test(test::Args),
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::Check(args) => check::run(args),
        Verb::Fmt(args) => fmt::run(args),
        Verb::List(args) => list::run(args),
        Verb::Show(args) => show::run(args),
        Verb::Test(args) => test::run(args),
    }
}
