//! `vedette findings …`: what log records mean, under GuardDuty's types and under names of your own rules.

mod pulls;
mod scan;
mod types;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, Subcommand};

/// Findings in Kubernetes audit logs, cloud trails and other logs
///
/// `vedette findings FILE…` reads recorded logs once; `watch` takes records in as they are made.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    scan: scan::Scan,
}

#[derive(Subcommand)]
enum Command {
    /// Takes records in as they are made: webhook, followed files, pulls from AWS
    Watch(Box<watch::Watch>),
    /// Makes sample findings, clearly marked, to try what is connected
    Sample(types::Sample),
    /// Lists every finding type and how it is covered
    Types(types::Types),
    /// Says what a finding type means, why it matters, and what to do
    Explain(types::Explain),
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Some(Command::Watch(args)) => watch::run(args),
        Some(Command::Sample(args)) => types::sample(args),
        Some(Command::Types(args)) => types::list(args),
        Some(Command::Explain(args)) => types::explain(args),
        None if args.scan.inputs.is_empty() => {
            anyhow::bail!(
                "nothing to read: name log files, `-` for standard input, or one of the subcommands ({})",
                names()
            )
        }
        None => scan::run(&args.scan),
    }
}

fn names() -> String {
    super::Cli::command()
        .find_subcommand("findings")
        .into_iter()
        .flat_map(clap::Command::get_subcommands)
        .map(|command| command.get_name().to_owned())
        .collect::<Vec<_>>()
        .join(", ")
}
