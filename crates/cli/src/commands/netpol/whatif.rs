//! `vedette netpol what-if`: what a change would do to recorded flows.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use serde_json::json;
use vedette_netpol::flow::{Flow, MAX_LINE, complete};
use vedette_netpol::load::from_sources;
use vedette_netpol::whatif::{Effect, enforce_staged, remove, what_if};

use super::{Assume, Files, code, json, lines, out, remark, visible};
use crate::sources;

/// Arguments.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Recorded flows, one JSON object per line; `-` reads standard input
    flows: PathBuf,
    #[command(flatten)]
    files: Files,
    /// File or directory with policies to add. A policy of the same name is replaced. May be given several times
    #[arg(long, value_name = "PATH")]
    add: Vec<PathBuf>,
    /// Policy to take away: `name`, `namespace/name` or `kind/namespace/name`. May be given several times
    #[arg(long, value_name = "POLICY")]
    remove: Vec<String>,
    /// Enforce the staged policies among the inputs
    #[arg(long)]
    staged: bool,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Exit with 1 when a flow is newly denied or newly allowed
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    assume: Assume,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// Flows that change, and counts
    Text,
    /// Every flow
    Json,
}

/// Reads flows; lines that are none are reported and passed over.
pub(super) fn read_flows(path: &std::path::Path) -> anyhow::Result<(Vec<Flow>, bool)> {
    let mut flows = Vec::new();
    let mut broken = false;
    lines(path, MAX_LINE, |number, text| {
        match Flow::parse(text) {
            Ok(flow) => flows.push(flow),
            Err(error) => {
                remark(&format!("error: {}:{number}: {error}", path.display()));
                broken = true;
            }
        }
        Ok(())
    })?;
    Ok((flows, broken))
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (flows, mut broken) = read_flows(&args.flows)?;
    let base = sources::read(&args.files.files)?;
    let mut before = from_sources(&base);
    super::report(&before);
    broken |= before.has_errors();
    let added = sources::read(&args.add)?;
    let alone = from_sources(&added);
    super::report(&alone);
    broken |= alone.has_errors();
    let mut both = base;
    both.extend(added);
    let mut after = from_sources(&both);
    for policy in &args.remove {
        if remove(&mut after.world, policy) == 0 {
            anyhow::bail!("--remove {policy}: no policy of this name");
        }
    }
    if args.staged {
        enforce_staged(&mut after.world);
    }
    complete(&mut before.world, &flows);
    complete(&mut after.world, &flows);
    let found = what_if(&before.world, &after.world, &args.assume.enforced(), &flows);
    let mut counts: BTreeMap<Effect, u64> = BTreeMap::new();
    let mut rows = Vec::new();
    let mut text = out();
    for (flow, outcome) in flows.iter().zip(&found) {
        let port = flow.port.map_or_else(String::new, |p| format!(" {p}"));
        let title = format!(
            "{} -> {} {}{port}",
            flow.source, flow.destination, flow.protocol
        );
        match outcome {
            Ok(outcome) => {
                *counts.entry(outcome.effect).or_default() += flow.count;
                let changes = !matches!(outcome.effect, Effect::Allowed | Effect::Denied);
                if changes && matches!(args.output, Output::Text) {
                    let line = format!("{}: {title}: {}", outcome.effect.word(), outcome.reason);
                    writeln!(text, "{}", visible(&line))?;
                }
                rows.push(json!({
                    "time": flow.time.as_deref(), "from": flow.source.to_string(), "to": flow.destination.to_string(),
                    "protocol": flow.protocol.to_string(), "port": flow.port, "count": flow.count,
                    "effect": outcome.effect, "by": outcome.by, "reason": outcome.reason,
                }));
            }
            Err(reason) => {
                broken = true;
                remark(&format!("error: {title}: {reason}"));
                rows.push(json!({
                    "time": flow.time.as_deref(), "from": flow.source.to_string(), "to": flow.destination.to_string(),
                    "protocol": flow.protocol.to_string(), "port": flow.port, "count": flow.count,
                    "effect": null, "reason": reason,
                }));
            }
        }
    }
    if matches!(args.output, Output::Text) {
        let counts: Vec<String> = counts
            .iter()
            .map(|(effect, count)| format!("{count} {}", effect.word()))
            .collect();
        writeln!(text, "{}", counts.join(", "))?;
    }
    text.flush()?;
    drop(text);
    if matches!(args.output, Output::Json) {
        json(&rows)?;
    }
    let changed = found
        .iter()
        .flatten()
        .any(|o| matches!(o.effect, Effect::NewlyAllowed | Effect::NewlyDenied));
    Ok(code(args.exit_code && changed, broken))
}
