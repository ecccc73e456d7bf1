//! `vedette rules list`: the rules of a set, one a line.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;
use vedette_event::Priority;
use vedette_rules::{Options, load};

use crate::commands::Listing;
use crate::rulefiles;
use crate::table::Table;

/// List rules
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rule files and directories; the shipped rules when none is given
    files: Vec<PathBuf>,
    /// Only rules of this event source
    #[arg(long)]
    source: Option<String>,
    /// Only rules with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only rules at least as urgent as this
    #[arg(long, value_name = "PRIORITY")]
    priority: Option<Priority>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let files = rulefiles::read(&args.files)?;
    let loaded = load(&files, &Options::default());
    rulefiles::complain(&loaded.diagnostics, &files, false)?;
    let mut table = Table::new(&["RULE", "PRIORITY", "SOURCE", "ENABLED", "TAGS"]);
    let mut list = Vec::new();
    for rule in &loaded.rules {
        let typed = &rule.rule;
        let wanted = args
            .source
            .as_ref()
            .is_none_or(|source| *source == typed.source)
            && args.tag.as_ref().is_none_or(|tag| typed.tags.contains(tag))
            && args.priority.is_none_or(|least| typed.priority <= least);
        if !wanted {
            continue;
        }
        let tags = typed.tags.iter().cloned().collect::<Vec<_>>();
        table.row([
            typed.name.clone(),
            typed.priority.to_string(),
            typed.source.clone(),
            if rule.enabled { "yes" } else { "no" }.to_owned(),
            tags.join(","),
        ]);
        list.push(json!({
            "name": typed.name,
            "description": typed.desc,
            "priority": typed.priority.name(),
            "source": typed.source,
            "enabled": rule.enabled,
            "tags": tags,
        }));
    }
    let mut out = std::io::stdout().lock();
    match args.output {
        Listing::Table => out.write_all(table.render().as_bytes())?,
        Listing::Json => writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?,
    }
    Ok(ExitCode::SUCCESS)
}
