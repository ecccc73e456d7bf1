//! `vedette tree`: the process tree around a finding.

use std::io::Write;
use std::process::ExitCode;

use serde_json::Value as Json;

use crate::remote::show::{self, Format};
use crate::remote::{Remote, encode};
use crate::table::visible;

/// Show the process tree around a finding, with the findings of each process
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Id of the finding
    id: String,
    #[command(flatten)]
    remote: Remote,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let server = args.remote.connect()?;
    let answer = server.get(&format!("/findings/{}/tree", encode(&args.id)), &[])?;
    let mut out = std::io::stdout().lock();
    match args.remote.output {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?,
        Format::Yaml => write!(out, "{}", show::yaml(&answer))?,
        Format::Table | Format::Wide => {
            let mut text = String::new();
            branch(&answer["tree"], "", "", &mut text);
            write!(out, "{text}")?;
            if answer["cut"] == true {
                writeln!(out, "(there are more processes than are shown)")?;
            }
            if answer["lost"].as_u64().unwrap_or(0) > 0 {
                writeln!(
                    out,
                    "(events of this node were lost: the tree may have gaps)"
                )?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn branch(node: &Json, lead: &str, below: &str, out: &mut String) {
    let text = |path: &str| visible(&show::text(node, path));
    let command = text("/process/cmdline");
    let shown = if command.is_empty() {
        text("/process/name")
    } else {
        command
    };
    let focal = if node["focal"] == true { " ◀" } else { "" };
    let badges: Vec<String> = ["critical", "high", "medium", "low", "info"]
        .iter()
        .filter_map(|name| {
            Some((
                name,
                node["counts"][name].as_u64().filter(|count| *count > 0)?,
            ))
        })
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let badges = if badges.is_empty() {
        String::new()
    } else {
        format!("  ({})", badges.join(", "))
    };
    out.push_str(&format!(
        "{lead}{shown} [{}]{badges}{focal}\n",
        text("/process/pid")
    ));
    let children = node["children"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (index, child) in children.iter().enumerate() {
        let is_last = index + 1 == children.len();
        let (lead, more) = if is_last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        branch(
            child,
            &format!("{below}{lead}"),
            &format!("{below}{more}"),
            out,
        );
    }
}
