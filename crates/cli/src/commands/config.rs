//! `vedette config`: the agent's configuration, shown and checked.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::exit;
use crate::agent::config::{self, Values};
use crate::agent::reload;

/// Show and check configurations of the agent
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the configuration that a file amounts to, every key with its meaning; without a file, the defaults
    Show {
        /// Configuration file
        file: Option<PathBuf>,
        /// Print the keys as a Markdown table instead
        #[arg(long)]
        markdown: bool,
    },
    /// Check configuration files; exit code 1 when one has a fault
    Check {
        /// Configuration files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match &args.command {
        Command::Show { markdown: true, .. } => {
            out.write_all(config::reference().as_bytes())?;
        }
        Command::Show { file, .. } => {
            let values = match file {
                None => Values::default(),
                Some(file) => reload::read_file(file)?,
            };
            out.write_all(config::show(&values).as_bytes())?;
        }
        Command::Check { files } => {
            let mut failed = false;
            for file in files {
                match reload::read_file(file) {
                    Ok(_) => writeln!(out, "{}: ok", file.display())?,
                    Err(error) => {
                        failed = true;
                        writeln!(std::io::stderr(), "{error:#}")?;
                    }
                }
            }
            if failed {
                return Ok(ExitCode::from(exit::FINDINGS));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
