//! `vedette posture check`: runs checks, and says which controls of a benchmark fail and where.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use vedette_posture::check::{Check, Severity};
use vedette_posture::exception::{self, Exception};
use vedette_posture::input::{Input, Settings};
use vedette_posture::output::{html, junit, policy_report, sarif, table};
use vedette_posture::result::{Difference, Plan, Report, difference, evaluate};
use vedette_posture::{benchmark, checks};

use super::{clean, complain, load, print};
use crate::commands::exit;

/// Arguments of `posture check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Benchmark to report on, such as cis-eks-1.8; `posture list --benchmarks` names them.
    #[arg(long, short)]
    benchmark: Option<String>,
    /// Runs only these checks.
    #[arg(long = "check", value_name = "ID")]
    only: Vec<String>,
    /// Leaves out failures below this severity.
    #[arg(long, default_value = "low", value_parser = ["low", "medium", "high", "critical"])]
    severity: String,
    /// File with exceptions.
    #[arg(long, value_name = "FILE")]
    exceptions: Option<PathBuf>,
    /// The day that expiries are compared with, YYYY-MM-DD; today when not given.
    #[arg(long, value_name = "DATE")]
    today: Option<String>,
    /// Registries that images may come from.
    #[arg(long = "registry", value_name = "PREFIX")]
    registries: Vec<String>,
    /// Earlier result (json); the exit code then speaks of new failures only.
    #[arg(long, value_name = "FILE")]
    diff: Option<PathBuf>,
    /// User checks (CEL) to run as well.
    #[arg(long = "user-checks", value_name = "FILE")]
    user: Vec<PathBuf>,
    /// Output.
    #[arg(long, short, default_value = "table", value_parser = ["table", "json", "sarif", "junit", "html", "policyreport"])]
    output: String,
    /// Files, directories, or - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Exit code 0 when nothing fails, 1 when something does, 2 when an input could not be read.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let loaded = load(&args.files)?;
    let exceptions = exceptions(args)?;
    let today = args.today.clone().unwrap_or_else(today);
    let plan = Plan {
        checks: chosen(&args.only, args.benchmark.as_deref())?,
        benchmark: match &args.benchmark {
            Some(id) => Some(known_benchmark(id)?),
            None => None,
        },
        exceptions: &exceptions,
        today: &today,
        least: severity(&args.severity),
    };
    let settings = Settings {
        registries: args.registries.clone(),
        ..Settings::default()
    };
    let input = Input::new(&loaded.objects, settings);
    let report = evaluate(&input, &plan);
    let user_failed = super::user::run_over(&args.user, &loaded.objects, args.output == "table")?;
    let text = match args.output.as_str() {
        "json" => serde_json::to_string_pretty(&report)? + "\n",
        "sarif" => sarif::render(&report, env!("CARGO_PKG_VERSION")),
        "junit" => junit::render(&report),
        "html" => html::render(&report, "Vedette posture report"),
        "policyreport" => policy_report::render(&report),
        _ => table::render(&report),
    };
    print(&text)?;
    let failed = match &args.diff {
        Some(path) => {
            let earlier = std::fs::read_to_string(path)
                .with_context(|| format!("reading {}", path.display()))?;
            let found = difference(&report, &earlier)
                .with_context(|| format!("{} is not a result in JSON", path.display()))?;
            tell(&found)?;
            !found.new.is_empty()
        }
        None => fails(&report),
    };
    Ok(if failed || user_failed {
        ExitCode::from(exit::FINDINGS)
    } else if loaded.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::USAGE)
    })
}

fn fails(report: &Report) -> bool {
    report.failures.iter().any(|f| f.exception.is_none())
}

fn tell(found: &Difference) -> anyhow::Result<()> {
    complain(&format!(
        "{} new, {} gone, {} as before",
        found.new.len(),
        found.gone.len(),
        found.same
    ))?;
    for (sign, list) in [("+", &found.new), ("-", &found.gone)] {
        for fingerprint in list {
            complain(&format!("{sign} {}", clean(fingerprint)))?;
        }
    }
    Ok(())
}

fn exceptions(args: &Args) -> anyhow::Result<Vec<Exception>> {
    let Some(path) = &args.exceptions else {
        return Ok(Vec::new());
    };
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let (found, mistakes) = exception::parse(&text);
    for mistake in &mistakes {
        complain(&format!("{}: {mistake}", path.display()))?;
    }
    // A misread exception would let a failure through or hide one; either way the run is not to be trusted.
    anyhow::ensure!(
        mistakes.is_empty(),
        "{} has {} mistakes",
        path.display(),
        mistakes.len()
    );
    Ok(found)
}

/// The checks named, or those of the benchmark, or all.
pub(super) fn chosen(
    only: &[String],
    benchmark: Option<&str>,
) -> anyhow::Result<Vec<&'static Check>> {
    if only.is_empty() {
        return Ok(checks::ALL
            .iter()
            .filter(|check| {
                benchmark.is_none_or(|id| {
                    check
                        .maps
                        .iter()
                        .any(|map| map.split_once(':').is_some_and(|(b, _)| b == id))
                })
            })
            .collect());
    }
    only.iter()
        .map(|id| {
            checks::by_id(id).with_context(|| {
                format!("no check {id:?}; `vedette posture list` names the checks")
            })
        })
        .collect()
}

fn known_benchmark(id: &str) -> anyhow::Result<benchmark::Benchmark> {
    benchmark::by_id(id).with_context(|| {
        let known: Vec<&str> = benchmark::ids().collect();
        format!("no benchmark {id:?}; there are {}", known.join(", "))
    })
}

fn severity(text: &str) -> Severity {
    match text {
        "critical" => Severity::Critical,
        "high" => Severity::High,
        "medium" => Severity::Medium,
        _ => Severity::Low,
    }
}

/// Today in UTC as `YYYY-MM-DD`.
fn today() -> String {
    let now = jiff::Timestamp::now();
    jiff::tz::Offset::UTC.to_datetime(now).date().to_string()
}
