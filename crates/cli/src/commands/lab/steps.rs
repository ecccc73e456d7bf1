//! `vedette lab steps`.

use std::io::Write;
use std::process::ExitCode;

use vedette_range::Request;

use super::shipped;
use crate::commands::Listing;
use crate::table::Table;

/// List the steps: what is sent, what it needs, what is expected in each profile
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let steps = shipped()?;
    let mut out = std::io::stdout().lock();
    if args.output == Listing::Json {
        serde_json::to_writer(&mut out, &steps)?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut titles = vec!["STEP", "WHAT", "ATT&CK"];
    titles.extend(steps.profiles.iter().map(|profile| profile.name.as_str()));
    let mut table = Table::new(&titles);
    for step in &steps.steps {
        let mut cells = vec![
            step.id.to_string(),
            step.title.clone(),
            step.attack.join(" "),
        ];
        for profile in &steps.profiles {
            cells.push(
                step.expected
                    .get(&profile.name)
                    .map_or_else(String::new, ToString::to_string),
            );
        }
        table.row(cells);
    }
    out.write_all(table.render().as_bytes())?;
    for step in &steps.steps {
        writeln!(out, "\n{}. {}", step.id, step.title)?;
        for request in &step.requests {
            match request {
                Request::Get(path) => writeln!(out, "   GET {path}")?,
                Request::Post { path, content } => {
                    writeln!(out, "   POST {path} content={content}")?;
                }
                Request::Exec(command) => writeln!(out, "   POST /exec command={command}")?,
            }
        }
        for clue in &step.evidence {
            writeln!(out, "   done when {}", clue.shows)?;
        }
        for stop in &step.blocked {
            writeln!(out, "   can be refused by {}", stop.by)?;
        }
        writeln!(out, "   detected by {}", step.detections.join(", "))?;
    }
    Ok(ExitCode::SUCCESS)
}
