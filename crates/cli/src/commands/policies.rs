//! `vedette policies`: policies that a server keeps.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;

use crate::remote::show::{self, Column, Format};
use crate::remote::{Remote, answered, encode};

/// List policies that a server keeps, print one, or keep one from a file
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name of one policy, whose text is printed
    name: Option<String>,
    /// Keep this file as the policy
    #[arg(long, value_name = "FILE", requires = "name")]
    file: Option<PathBuf>,
    /// Why it is changed, for the history
    #[arg(long, requires = "file", default_value = "")]
    note: String,
    #[command(flatten)]
    remote: Remote,
}

const COLUMNS: &[Column] = &[
    ("NAME", false, |item| show::text(item, "/name")),
    ("VERSION", false, |item| show::text(item, "/version")),
    ("OWNER", false, |item| show::text(item, "/owner")),
    ("UPDATED", false, |item| show::time(item, "/updated")),
    ("BY", true, |item| show::text(item, "/by")),
    ("NOTE", true, |item| show::text(item, "/note")),
];

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let server = args.remote.connect()?;
    let Some(name) = &args.name else {
        let answer = server.get("/policies", &[])?;
        let items = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        show::list(args.remote.output, items, COLUMNS)?;
        return Ok(answered(items.len()));
    };
    let path = format!("/policies/{}", encode(name));
    let policy = if let Some(file) = &args.file {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        server.send("PUT", &path, &json!({"text": text, "note": args.note}))?
    } else {
        server.get(&path, &[])?
    };
    let mut out = std::io::stdout().lock();
    match args.remote.output {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&policy)?)?,
        Format::Yaml => write!(out, "{}", show::yaml(&policy))?,
        // As it is, so that it can be written to a file and sent back.
        Format::Table | Format::Wide => write!(out, "{}", show::text(&policy, "/text"))?,
    }
    Ok(ExitCode::SUCCESS)
}
