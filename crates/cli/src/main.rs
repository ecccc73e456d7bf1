//! The `vedette` binary: parses the command line, hands over to one module per subcommand, sets the exit code.

mod accounts;
mod agent;
mod commands;
mod findings;
mod hostname;
mod input;
mod live;
mod policyfiles;
mod remote;
mod replay;
mod rulefiles;
mod serving;
mod sources;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::main()
}
