//! `vedette posture list` and `explain`: the checks, the benchmarks, and what they mean.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;
use vedette_posture::{benchmark, checks};

use super::print;

/// Arguments of `posture list`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Lists benchmarks with their requirements instead of checks.
    #[arg(long)]
    benchmarks: bool,
    /// Output: table or json.
    #[arg(long, short, default_value = "table", value_parser = ["table", "json"])]
    output: String,
}

/// Arguments of `posture explain`.
#[derive(clap::Args)]
pub(crate) struct Explain {
    /// Id of a check.
    id: String,
}

/// Lists checks or benchmarks.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = String::new();
    if args.benchmarks {
        for benchmark in benchmark::ids().filter_map(benchmark::by_id) {
            for requirement in &benchmark.requirements {
                let ids: Vec<&str> = benchmark::checks_for(benchmark.id, requirement.id)
                    .iter()
                    .map(|check| check.id)
                    .collect();
                if args.output == "json" {
                    let line = json!({"benchmark": benchmark.id, "id": requirement.id, "title": requirement.title, "checks": ids, "lacks": requirement.lacks});
                    out.push_str(&format!("{line}\n"));
                } else {
                    let by = if ids.is_empty() {
                        format!("not in the input: {}", requirement.lacks)
                    } else {
                        ids.join(", ")
                    };
                    out.push_str(&format!(
                        "{:<13} {:<8} {}\n{:23}{by}\n",
                        benchmark.id, requirement.id, requirement.title, ""
                    ));
                }
            }
        }
    } else {
        for check in checks::ALL {
            let docs = check.docs();
            if args.output == "json" {
                let line = json!({
                    "id": check.id, "title": docs.title, "severity": check.severity.as_str(),
                    "ensures": docs.ensures, "why": docs.why, "example": docs.example, "fix": docs.fix,
                    "maps": check.maps, "stops": check.stops, "needs": check.scope.needs(),
                });
                out.push_str(&format!("{line}\n"));
            } else {
                out.push_str(&format!(
                    "{:<36} {:<9} {}\n",
                    check.id,
                    check.severity.as_str(),
                    docs.title
                ));
            }
        }
    }
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// Explains one check.
pub(crate) fn explain(args: &Explain) -> anyhow::Result<ExitCode> {
    let check = checks::by_id(&args.id).with_context(|| {
        format!(
            "no check {:?}; `vedette posture list` names the checks",
            args.id
        )
    })?;
    let docs = check.docs();
    let steps: Vec<String> = check.stops.iter().map(u8::to_string).collect();
    print(&format!(
        "{} ({}, {})\n\nEnsures: {}\n\nWhy: {}\n\nFails:\n{}\n\nFix: {}\n\nJudges: {}\nLab steps it stops: {}\n",
        docs.title,
        check.id,
        check.severity.as_str(),
        docs.ensures,
        docs.why,
        docs.example,
        docs.fix,
        check.maps.join(", "),
        if steps.is_empty() {
            "none".to_owned()
        } else {
            steps.join(", ")
        },
    ))?;
    Ok(ExitCode::SUCCESS)
}
