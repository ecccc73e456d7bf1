//! `vedette rules show`: one rule with its macros expanded and its lists resolved.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;
use vedette_rules::condition::Printer;
use vedette_rules::diagnostic::closest;
use vedette_rules::{Options, load};

use crate::commands::Listing;
use crate::rulefiles;
use crate::table::visible;

/// Show one rule: as written, and with macros expanded, lists resolved and exceptions folded in
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name of the rule
    name: String,
    /// Rule files and directories; the shipped rules when none is given
    files: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let files = rulefiles::read(&args.files)?;
    let loaded = load(&files, &Options::default());
    rulefiles::complain(&loaded.diagnostics, &files, false)?;
    let Some(rule) = loaded.rule(&args.name) else {
        let names = loaded.rules.iter().map(|rule| rule.rule.name.as_str());
        match closest(&args.name, names) {
            Some(near) => bail!("there is no rule `{}`; did you mean `{near}`?", args.name),
            None => bail!(
                "there is no rule `{}`; `vedette rules list` shows them",
                args.name
            ),
        }
    };
    let expanded = Printer::print(&rule.expanded);
    let mut events: Vec<_> = rule.rule.kinds.iter().map(|kind| kind.name()).collect();
    events.sort_unstable();
    events.dedup();
    let tags: Vec<_> = rule.rule.tags.iter().cloned().collect();
    let mut out = std::io::stdout().lock();
    match args.output {
        Listing::Json => {
            let value = json!({
                "name": rule.rule.name,
                "description": rule.rule.desc,
                "priority": rule.rule.priority.name(),
                "source": rule.rule.source,
                "enabled": rule.enabled,
                "tags": tags,
                "condition": rule.condition,
                "expanded": expanded,
                "output": rule.output,
                "macros": rule.macros,
                "lists": rule.lists,
                "events": events,
            });
            writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        }
        Listing::Table => {
            let mut row =
                |title: &str, text: &str| writeln!(out, "{title:<12} {}", visible(text.trim()));
            row("rule", &rule.rule.name)?;
            row("description", &rule.rule.desc)?;
            row("priority", rule.rule.priority.name())?;
            row("source", &rule.rule.source)?;
            row("enabled", if rule.enabled { "yes" } else { "no" })?;
            row("tags", &tags.join(", "))?;
            row("events", &events.join(", "))?;
            row("macros", &rule.macros.join(", "))?;
            row("lists", &rule.lists.join(", "))?;
            row("output", &rule.output)?;
            row(
                "condition",
                &rule
                    .condition
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" "),
            )?;
            row("expanded", &expanded)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
