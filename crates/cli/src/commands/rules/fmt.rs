//! `vedette rules fmt`: one layout for rule files, comments kept.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::commands::exit;
use crate::rulefiles;

/// Lay rule files out in one way, keeping comments
///
/// Files are changed in place. With --check nothing is changed, and the exit code is 1 when a file would be.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rule files and directories
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only say which files would change
    #[arg(long)]
    check: bool,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let mut changed = 0;
    for (name, text) in rulefiles::read(&args.files)? {
        let laid_out = vedette_rules::fmt::format(&text)
            .with_context(|| format!("{name} is not YAML; `vedette rules check` says where"))?;
        if laid_out == text {
            continue;
        }
        changed += 1;
        writeln!(out, "{name}")?;
        if !args.check {
            // The old text stays whole until the new one is on disk.
            let next = format!("{name}.next");
            fs::write(&next, &laid_out)
                .and_then(|()| fs::rename(&next, &name))
                .with_context(|| format!("writing {name}"))?;
        }
    }
    let failed = args.check && changed > 0;
    Ok(if failed {
        ExitCode::from(exit::FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}
