//! `vedette rules check`: everything that is wrong with rule files, with the place and what was expected.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;
use vedette_rules::diagnostic::Files;
use vedette_rules::{Options, load};

use crate::commands::{Listing, exit};
use crate::rulefiles;

/// Check rule files, as one set in the order given
///
/// Exit code 1 when there is an error (with --strict, also when there is a warning).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rule files and directories; the shipped rules when none is given
    files: Vec<PathBuf>,
    /// Output format; JSON carries Falco's result codes
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
    /// Count warnings as failure
    #[arg(long)]
    strict: bool,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let files = rulefiles::read(&args.files)?;
    let loaded = load(&files, &Options::default());
    let mut out = std::io::stdout().lock();
    let errors = loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .count();
    let warnings = loaded.diagnostics.len() - errors;
    match args.output {
        Listing::Json => {
            let names = Files(&files);
            let all: Vec<_> = loaded
                .diagnostics
                .iter()
                .map(|diagnostic| diagnostic.to_json(&names))
                .collect();
            let summary = json!({
                "files": files.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                "rules": loaded.rules.len(),
                "macros": loaded.macros.len(),
                "lists": loaded.lists.len(),
                "errors": errors,
                "warnings": warnings,
                "diagnostics": all,
            });
            writeln!(out, "{}", serde_json::to_string_pretty(&summary)?)?;
        }
        Listing::Table => {
            rulefiles::complain(&loaded.diagnostics, &files, true)?;
            writeln!(
                out,
                "{} files: {} rules, {} macros, {} lists; {errors} errors, {warnings} warnings",
                files.len(),
                loaded.rules.len(),
                loaded.macros.len(),
                loaded.lists.len(),
            )?;
        }
    }
    let failed = errors > 0 || (args.strict && warnings > 0);
    Ok(if failed {
        ExitCode::from(exit::FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}
