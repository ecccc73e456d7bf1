//! `vedette event`: one finding with everything known of it.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use crate::remote::show::{self, Format};
use crate::remote::{Remote, encode};
use crate::table::{Table, visible};

/// Show a finding: what happened, why the rule fired, what would have stopped it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its id, as `vedette events` shows it
    id: String,
    /// Say where it stands: open, acknowledged or closed
    #[arg(long)]
    status: Option<String>,
    /// Add a note
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let server = args.remote.connect()?;
    let path = format!("/findings/{}", encode(&args.id));
    let finding = if args.status.is_some() || args.note.is_some() {
        let mut change = json!({});
        if let Some(status) = &args.status {
            change["status"] = json!(status);
        }
        if let Some(note) = &args.note {
            change["note"] = json!(note);
        }
        server.send("PATCH", &path, &change)?
    } else {
        server.get(&path, &[])?
    };
    let mut out = std::io::stdout().lock();
    match args.remote.output {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&finding)?)?,
        Format::Yaml => write!(out, "{}", show::yaml(&finding))?,
        Format::Table | Format::Wide => write!(
            out,
            "{}",
            page(&finding, args.remote.output == Format::Wide)
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

fn page(finding: &Json, wide: bool) -> String {
    let text = |path: &str| visible(&show::text(finding, path));
    let mut out = format!("{}\n{}\n\n", text("/rule"), text("/message"));
    let mut table = Table::new(&["", ""]);
    for (name, value) in [
        ("time", text("/time")),
        (
            "severity",
            format!("{} ({})", text("/severity"), text("/priority")),
        ),
        ("status", text("/status")),
        ("where", show::place(finding)),
        ("node", text("/node")),
        ("source", text("/source")),
        ("policy", text("/policy")),
        ("id", text("/id")),
    ] {
        if !value.is_empty() {
            table.row([format!("  {name}"), value]);
        }
    }
    out.push_str(table.render().trim_start_matches('\n'));
    let items = |name: &str| finding[name].as_array().cloned().unwrap_or_default();
    if finding["lost"].as_u64().unwrap_or(0) > 0 {
        out.push_str(
            "\n  events of this node were lost before this one: the tree below may have gaps\n",
        );
    }
    let lineage = items("lineage");
    if !lineage.is_empty() {
        out.push_str("\nprocesses\n");
        for (depth, process) in lineage.iter().rev().enumerate() {
            let part = |path: &str| visible(&show::text(process, path));
            let shown = if part("/cmdline").is_empty() {
                part("/name")
            } else {
                part("/cmdline")
            };
            out.push_str(&format!(
                "{}{} [{}]\n",
                "  ".repeat(depth + 1),
                shown,
                part("/pid")
            ));
        }
    }
    if finding["why"].is_object() {
        out.push_str("\nwhy\n");
        clause(&finding["why"], 1, &mut out);
    }
    let stops = items("stops");
    if !stops.is_empty() {
        out.push_str("\nwhat would have stopped it\n");
        for stop in &stops {
            let part = |path: &str| visible(&show::text(stop, path));
            out.push_str(&format!(
                "  {}: {} ({})\n",
                part("/control"),
                part("/verdict"),
                part("/clause")
            ));
        }
    }
    let actions = items("actions");
    if !actions.is_empty() {
        out.push_str("\nwhat was done\n");
        for action in &actions {
            let part = |path: &str| visible(&show::text(action, path));
            out.push_str(&format!(
                "  {} {} {}\n",
                part("/kind"),
                part("/outcome"),
                part("/detail")
            ));
        }
    }
    let notes = items("notes");
    if !notes.is_empty() {
        out.push_str("\nnotes\n");
        for note in &notes {
            let part = |path: &str| visible(&show::text(note, path));
            out.push_str(&format!(
                "  {} {}: {}\n",
                part("/at"),
                part("/by"),
                part("/text")
            ));
        }
    }
    if let Some(fields) = finding["fields"].as_object().filter(|_| wide) {
        out.push_str("\nfields\n");
        let mut table = Table::new(&["", ""]);
        for (name, value) in fields {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            table.row([format!("  {name}"), value]);
        }
        out.push_str(table.render().trim_start_matches('\n'));
    }
    out
}

/// A clause with what it saw; deeper ones below it.
fn clause(from: &Json, depth: usize, out: &mut String) {
    let mark = if from["holds"] == true { "✓" } else { "✗" };
    let text = visible(&show::text(from, "/text"));
    out.push_str(&format!("{}{mark} {text}", "  ".repeat(depth)));
    if let Some(seen) = from["seen"].as_str() {
        out.push_str(&format!("   saw {}", visible(seen)));
    }
    out.push('\n');
    for inner in from["clauses"].as_array().into_iter().flatten() {
        clause(inner, depth + 1, out);
    }
}
