//! `vedette netpol diff`: flows newly allowed or denied.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use serde_json::json;
use vedette_netpol::diff::{Difference, diff};
use vedette_netpol::list::{self, connectivity};

use super::{code, csv_field, json, out, read, visible};

/// Arguments.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// File or directory before the change
    old: PathBuf,
    /// File or directory after the change
    new: PathBuf,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Exit with 1 when there is a difference
    #[arg(long)]
    exit_code: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// One line for each pair
    #[value(alias = "txt")]
    Text,
    /// Columns diff-type, source, destination, ref1, ref2, workloads-diff-info
    Csv,
    /// A list of objects
    Json,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let old = read(std::slice::from_ref(&args.old))?;
    let new = read(std::slice::from_ref(&args.new))?;
    let assumptions = list::assumptions();
    let found = diff(
        &connectivity(&old.world, &assumptions),
        &connectivity(&new.world, &assumptions),
    );
    match args.output {
        Output::Json => json(&found.iter().map(row).collect::<Vec<_>>())?,
        Output::Csv => {
            let mut out = out();
            writeln!(
                out,
                "diff-type,source,destination,ref1,ref2,workloads-diff-info"
            )?;
            for d in &found {
                let fields = [
                    d.change.word().to_owned(),
                    d.from.to_string(),
                    d.to.to_string(),
                    d.before.to_string(),
                    d.after.to_string(),
                    d.info.clone(),
                ];
                let fields: Vec<String> = fields.iter().map(|f| csv_field(f)).collect();
                writeln!(out, "{}", fields.join(","))?;
            }
            out.flush()?;
        }
        Output::Text => {
            let mut out = out();
            if found.is_empty() {
                writeln!(out, "No flow differs.")?;
            }
            for d in &found {
                writeln!(out, "{}", visible(&line(d)))?;
            }
            out.flush()?;
        }
    }
    let broken = old.has_errors() || new.has_errors();
    Ok(code(args.exit_code && !found.is_empty(), broken))
}

fn row(d: &Difference) -> serde_json::Value {
    json!({
        "change": d.change.word(),
        "src": d.from.to_string(),
        "dst": d.to.to_string(),
        "before": d.before.to_string(),
        "after": d.after.to_string(),
        "newly_allowed": d.after.minus(&d.before).to_string(),
        "newly_denied": d.before.minus(&d.after).to_string(),
        "info": d.info,
    })
}

fn line(d: &Difference) -> String {
    let more = d.after.minus(&d.before);
    let less = d.before.minus(&d.after);
    let mut out = format!("{}: {} => {} :", d.change.word(), d.from, d.to);
    if !more.is_empty() {
        out += &format!(" newly allowed {more}");
    }
    if !less.is_empty() {
        let comma = if more.is_empty() { "" } else { ";" };
        out += &format!("{comma} newly denied {less}");
    }
    if !d.info.is_empty() {
        out += &format!(" ({})", d.info);
    }
    out
}
