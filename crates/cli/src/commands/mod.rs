//! One module per subcommand. Adding one is a file here and a row in [`Command`].

mod activity;
mod agent;
mod config;
mod doctor;
mod event;
mod event_types;
mod events;
mod falco;
mod fields;
mod findings;
mod lab;
mod miner;
mod netpol;
mod nodes;
mod policies;
mod policy;
mod posture;
mod prove;
mod record;
mod replay;
mod rules;
mod server;
mod store;
mod tree;
mod up;

use std::process::ExitCode;

pub(crate) use replay::report_losses;

use clap::{Parser, Subcommand};

/// Exit codes, the same for every subcommand (documented in the README).
pub(crate) mod exit {
    /// Findings were made, or a policy or an expectation failed.
    pub(crate) const FINDINGS: u8 = 1;
    /// The command line or an input was wrong.
    pub(crate) const USAGE: u8 = 2;
    /// What was asked for cannot run on this machine.
    pub(crate) const CANNOT: u8 = 3;
}

/// How listings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Listing {
    /// Columns for people
    #[default]
    Table,
    /// JSON for programs
    Json,
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
    Activity(activity::Args),
    Agent(Box<agent::Args>),
    Config(config::Args),
    Doctor(doctor::Args),
    Event(event::Args),
    EventTypes(event_types::Args),
    Events(events::Args),
    Falco(falco::Args),
    Fields(fields::Args),
    #[command(subcommand)]
    Lab(Box<lab::Lab>),
    #[command(subcommand)]
    Miner(miner::Miner),
    Findings(Box<findings::Args>),
    /// Network policies: who may talk to whom, and which clause decided
    Netpol(netpol::Args),
    Nodes(nodes::Args),
    Policies(policies::Args),
    Policy(policy::Args),
    /// Posture of manifests and cluster dumps: benchmarks, Pod Security Standards, verified fixes
    #[command(subcommand)]
    Posture(Box<posture::Posture>),
    Prove(prove::Args),
    Record(record::Args),
    Replay(Box<replay::Args>),
    Rules(rules::Args),
    Store(store::Args),
    Server(Box<server::Args>),
    Tree(tree::Args),
    Up(Box<up::Args>),
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
    let outcome = match cli.command {
        Command::Activity(args) => activity::run(&args),
        Command::Agent(args) => agent::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Event(args) => event::run(&args),
        Command::EventTypes(args) => event_types::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Falco(args) => falco::run(&args),
        Command::Fields(args) => fields::run(&args),
        Command::Lab(command) => lab::run(&command),
        Command::Miner(command) => miner::run(&command),
        Command::Findings(args) => findings::run(&args),
        Command::Netpol(args) => netpol::run(&args),
        Command::Nodes(args) => nodes::run(&args),
        Command::Policies(args) => policies::run(&args),
        Command::Policy(args) => policy::run(&args),
        Command::Posture(command) => posture::run(*command),
        Command::Prove(args) => prove::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Store(args) => store::run(&args),
        Command::Server(args) => server::run(&args),
        Command::Tree(args) => tree::run(&args),
        Command::Up(args) => up::run(&args),
    };
    outcome.unwrap_or_else(|error| report(&error))
}

/// Writes a line about the run to standard error; text from outside is made harmless.
pub(crate) fn say(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    writeln!(
        std::io::stderr().lock(),
        "vedette: {}",
        crate::table::visible(text)
    )
}

/// Prints an error as one chain. A closed pipe on our output is not an error: the reader had enough.
#[allow(
    clippy::print_stderr,
    reason = "this is where the binary reports errors"
)]
fn report(error: &anyhow::Error) -> ExitCode {
    let closed = error.chain().any(|cause| {
        let io = cause
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind);
        let json = cause
            .downcast_ref::<serde_json::Error>()
            .and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    });
    if closed {
        return ExitCode::SUCCESS;
    }
    eprintln!("vedette: {error:#}");
    ExitCode::from(exit::USAGE)
}
