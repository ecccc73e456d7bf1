//! `vedette netpol lint`: policies that do not do what their author thinks.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use serde_json::json;
use vedette_netpol::lint::{CHECKS, Finding, Level, lint};

use super::{Assume, Files, code, json, out, visible};

/// Arguments.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    files: Files,
    /// Form of the findings
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Leave out findings below this level
    #[arg(long, value_enum, default_value_t = Lowest::Info)]
    level: Lowest,
    #[command(flatten)]
    assume: Assume,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// Words
    Text,
    /// A list of objects
    Json,
    /// SARIF 2.1.0, for code hosts
    Sarif,
}

#[derive(Clone, Copy, ValueEnum)]
enum Lowest {
    Info,
    Warning,
    Error,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let input = args.files.read()?;
    let lowest = match args.level {
        Lowest::Info => Level::Info,
        Lowest::Warning => Level::Warning,
        Lowest::Error => Level::Error,
    };
    let mut found = lint(&input.world, &args.assume.enforced());
    found.retain(|f| f.level >= lowest);
    match args.output {
        Output::Text => {
            let mut out = out();
            for f in &found {
                let text = format!(
                    "{}: {} [{}] {}\n    {}\n    do: {}",
                    f.place, f.level, f.check, f.object, f.message, f.advice
                );
                writeln!(out, "{}", visible(&text))?;
            }
            writeln!(out, "{} findings", found.len())?;
            out.flush()?;
        }
        Output::Json => json(&found.iter().map(row).collect::<Vec<_>>())?,
        Output::Sarif => json(&sarif(&found))?,
    }
    let findings = found.iter().any(|f| f.level > Level::Info);
    Ok(code(findings, input.has_errors()))
}

fn row(f: &Finding) -> serde_json::Value {
    json!({
        "check": f.check,
        "level": f.level,
        "object": f.object,
        "file": &*f.place.source,
        "line": f.place.line,
        "column": f.place.column,
        "message": f.message,
        "advice": f.advice,
    })
}

fn sarif(found: &[Finding]) -> serde_json::Value {
    let rules: Vec<_> = CHECKS
        .iter()
        .map(|c| json!({"id": c.id, "shortDescription": {"text": c.summary}}))
        .collect();
    let results: Vec<_> = found
        .iter()
        .map(|f| {
            let level = match f.level {
                Level::Info => "note",
                Level::Warning => "warning",
                Level::Error => "error",
            };
            json!({
                "ruleId": f.check,
                "level": level,
                "message": {"text": format!("{}: {}. {}", f.object, f.message, f.advice)},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": &*f.place.source},
                    "region": {"startLine": f.place.line.max(1), "startColumn": f.place.column.max(1)},
                }}],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "vedette netpol lint", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    })
}
