//! `vedette event-types`: the event types and their parameters, searched.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use serde_json::json;
use vedette_event::{EventFlags, EventInfo, EventType};

use crate::commands::Listing;
use crate::table::Table;

/// List the event types that rules can ask for.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only events whose name or parameters contain this text
    pattern: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let pattern = args.pattern.as_deref().unwrap_or_default();
    let mut events: BTreeMap<&str, &EventInfo> = BTreeMap::new();
    for kind in EventType::all() {
        let Some(info) = kind.info() else { continue };
        let past = info.flags.has(EventFlags::OLD_VERSION) || info.flags.has(EventFlags::UNUSED);
        let matches = info.name.contains(pattern)
            || info.params.iter().any(|param| param.name.contains(pattern));
        if !past && matches {
            // Of several versions the newest stands last in the table.
            events.insert(info.name, info);
        }
    }
    let mut table = Table::new(&["EVENT", "PARAMETERS"]);
    let mut list = Vec::new();
    for (name, info) in &events {
        let params: Vec<_> = info
            .params
            .iter()
            .map(|param| format!("{}:{:?}", param.name, param.ty))
            .collect();
        table.row([(*name).to_owned(), params.join(" ")]);
        list.push(json!({
            "name": name,
            "parameters": info.params.iter()
                .map(|param| json!({"name": param.name, "type": format!("{:?}", param.ty)}))
                .collect::<Vec<_>>(),
            "keeps_state": info.flags.has(EventFlags::MODIFIES_STATE),
        }));
    }
    let mut out = std::io::stdout().lock();
    match args.output {
        Listing::Table => out.write_all(table.render().as_bytes())?,
        Listing::Json => writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?,
    }
    Ok(if events.is_empty() {
        ExitCode::from(crate::commands::exit::FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}
