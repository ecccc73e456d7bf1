//! One module per subcommand. Adding one is a file here and a row in [`Command`].

mod netpol;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit codes, the same for every subcommand (documented in the README).
pub(crate) mod exit {
    /// Findings were made, or a policy or an expectation failed.
    pub(crate) const FINDINGS: u8 = 1;
    /// The command line or an input was wrong.
    pub(crate) const USAGE: u8 = 2;
}

#[derive(Parser)]
#[command(
    name = "vedette",
    version,
    about = "Runtime security for Kubernetes in one binary"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Network policies: who may talk to whom, and which clause decided.
    Netpol(netpol::Args),
    /// Prints the version.
    Version,
}

/// Runs the command line and turns the outcome into an exit code.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { 0 });
        }
    };
    let outcome: anyhow::Result<ExitCode> = match cli.command {
        Command::Netpol(args) => netpol::run(&args),
        Command::Version => Ok(ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| report(&error))
}

/// Prints an error as one chain. A closed pipe on our output is not an error: the reader had enough.
#[allow(
    clippy::print_stderr,
    reason = "this is where the binary reports errors"
)]
fn report(error: &anyhow::Error) -> ExitCode {
    let closed = error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe);
    if closed {
        return ExitCode::SUCCESS;
    }
    eprintln!("vedette: {error:#}");
    ExitCode::from(exit::USAGE)
}
