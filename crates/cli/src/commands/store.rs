//! `vedette store`: back-up, restore, integrity check and figures of a server's data directory.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;
use vedette_history::{History, TableStats};
use vedette_store::{Store, backup};

use super::{Listing, exit};
use crate::table::{Table, visible};

/// Back up, restore and check the data directory of a server
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Copy a data directory as of one moment, while a server uses it
    Backup {
        /// Data directory of the server
        #[arg(value_name = "DATA")]
        from: PathBuf,
        /// Directory to make; must not exist or be empty
        #[arg(value_name = "BACKUP")]
        to: PathBuf,
    },
    /// Check a back-up and make a data directory of it
    Restore {
        /// Directory that `vedette store backup` made
        #[arg(value_name = "BACKUP")]
        from: PathBuf,
        /// Data directory to make; must not exist or be empty
        #[arg(value_name = "DATA")]
        to: PathBuf,
    },
    /// Read everything in a data directory or back-up and say what is damaged
    Check {
        /// Data directory or back-up
        #[arg(value_name = "DATA")]
        dir: PathBuf,
    },
    /// Show what a data directory holds and what it takes; no server may be using it
    Stats {
        /// Data directory
        #[arg(value_name = "DATA")]
        dir: PathBuf,
        /// How to print it
        #[arg(short, long, value_enum, default_value_t)]
        output: Listing,
    },
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match &args.verb {
        Verb::Backup { from, to } => {
            let report = backup::backup(from, to)?;
            copied(&mut out, &report, to)?;
        }
        Verb::Restore { from, to } => {
            let report = backup::restore(from, to)?;
            copied(&mut out, &report, to)?;
        }
        Verb::Check { dir } => {
            let report = backup::check(dir)?;
            for problem in &report.problems {
                writeln!(out, "{}", visible(problem))?;
            }
            writeln!(
                out,
                "{} segments with {} records in {} bytes: {}",
                report.segments,
                report.rows,
                report.bytes,
                match report.problems.len() {
                    0 => "sound".to_owned(),
                    count => format!("{count} problems"),
                }
            )?;
            if !report.problems.is_empty() {
                return Ok(ExitCode::from(exit::FINDINGS));
            }
        }
        Verb::Stats { dir, output } => stats(&mut out, dir, *output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn copied(out: &mut impl Write, report: &backup::Report, to: &Path) -> io::Result<()> {
    writeln!(
        out,
        "{}: the database and {} segments with {} records in {} bytes",
        to.display(),
        report.segments,
        report.rows,
        report.bytes
    )
}

fn stats(out: &mut impl Write, dir: &Path, output: Listing) -> anyhow::Result<()> {
    // Opening would make a store of any directory.
    if !dir.join("vedette.db").exists() {
        anyhow::bail!("there is no store in {}", dir.display());
    }
    let store = Store::open(dir)?;
    let stats = store.stats()?;
    match output {
        Listing::Json => writeln!(out, "{}", json!(stats))?,
        Listing::Table => {
            let mut table = Table::new(&[
                "RECORDS OF",
                "COUNT",
                "SEGMENTS",
                "BYTES",
                "OLDEST",
                "NEWEST",
            ]);
            for (name, it) in [("findings", stats.findings), ("activity", stats.activity)] {
                table.row(row(name, it));
            }
            write!(out, "{}", table.render())?;
            writeln!(out, "database: {} bytes", stats.database_bytes)?;
        }
    }
    for problem in store.damaged() {
        writeln!(out, "{}", visible(problem))?;
    }
    Ok(())
}

fn row(name: &str, stats: TableStats) -> [String; 6] {
    let time = |nanoseconds: u64| {
        if stats.rows == 0 {
            return "-".to_owned();
        }
        jiff::Timestamp::from_nanosecond(nanoseconds.into())
            .map_or_else(|_| nanoseconds.to_string(), |time| format!("{time:.0}"))
    };
    [
        name.to_owned(),
        stats.rows.to_string(),
        stats.segments.to_string(),
        stats.bytes.to_string(),
        time(stats.oldest),
        time(stats.newest),
    ]
}
