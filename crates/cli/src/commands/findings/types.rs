//! `vedette findings types|explain|sample`: the finding types, what they mean, and what they look like.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::json;
use vedette_audit::findings::catalogue::{Coverage, FindingType, OWN, all, find};
use vedette_audit::findings::{Finding, Origin, texts};
use vedette_audit::format::label;

use super::super::Listing;
use crate::findings::Show;
use crate::table::Table;

/// Types that are named as related to one, at most.
const MAX_RELATED: usize = 8;

#[derive(clap::Args)]
pub(super) struct Types {
    /// Only types whose name contains this
    filter: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

#[derive(clap::Args)]
pub(super) struct Explain {
    /// Finding type, such as Execution:Kubernetes/ExecInKubeSystemPod
    kind: String,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

#[derive(clap::Args)]
pub(super) struct Sample {
    /// Finding type; one of every type that we raise when not given
    kind: Option<String>,
    #[command(flatten)]
    show: Show,
}

fn every() -> impl Iterator<Item = &'static FindingType> {
    all().iter().chain(OWN)
}

/// What the column says.
fn status(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Detector | Coverage::Sequence => "implemented",
        Coverage::Rule => "implemented by rules",
        Coverage::List => "needs a list",
        Coverage::Baseline => "needs a baseline",
        Coverage::Open => "not built",
        Coverage::Outside => "impossible outside AWS",
    }
}

/// What stands behind it.
fn detail(row: &FindingType) -> String {
    match row.coverage {
        Coverage::List => {
            let flag = match row.detail {
                "aws" => "aws-ranges".to_owned(),
                kind => format!("{kind}-list"),
            };
            format!("--{flag}")
        }
        Coverage::Baseline => "--anomalies".to_owned(),
        Coverage::Detector if row.detail.is_empty() => "detector".to_owned(),
        Coverage::Sequence if row.detail.is_empty() => "incident machine".to_owned(),
        _ => row.detail.to_owned(),
    }
}

/// `vedette findings types`
pub(super) fn list(args: &Types) -> anyhow::Result<ExitCode> {
    let wanted = args.filter.as_deref().unwrap_or_default().to_lowercase();
    let rows: Vec<&FindingType> = every()
        .filter(|row| row.name.to_lowercase().contains(&wanted))
        .collect();
    let mut out = io::stdout().lock();
    match args.output {
        Listing::Table => {
            let mut table = Table::new(&["TYPE", "SEVERITY", "STATUS", "BY OR WHY NOT"]);
            for row in rows {
                table.row([
                    row.name.to_owned(),
                    label(row.severity).to_owned(),
                    status(row.coverage).to_owned(),
                    detail(row),
                ]);
            }
            out.write_all(table.render().as_bytes())?;
        }
        Listing::Json => {
            let rows: Vec<_> = rows
                .into_iter()
                .map(|row| {
                    json!({
                        "type": row.name,
                        "severity": row.severity,
                        "severityLabel": label(row.severity),
                        "status": status(row.coverage),
                        "detail": detail(row),
                    })
                })
                .collect();
            serde_json::to_writer_pretty(&mut out, &rows)?;
            writeln!(out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The row of a type, or what else may have been meant.
fn row(kind: &str) -> anyhow::Result<&'static FindingType> {
    find(kind)
        .or_else(|| every().find(|row| row.name.eq_ignore_ascii_case(kind)))
        .with_context(|| {
            let word = kind
                .rsplit(['/', ':'])
                .next()
                .unwrap_or(kind)
                .to_lowercase();
            let near: Vec<&str> = every()
                .map(|row| row.name)
                .filter(|name| !word.is_empty() && name.to_lowercase().contains(&word))
                .take(3)
                .collect();
            if near.is_empty() {
                format!("`{kind}` is no finding type; `vedette findings types` lists them")
            } else {
                format!(
                    "`{kind}` is no finding type; was {} meant?",
                    near.join(" or ")
                )
            }
        })
}

/// Types that say the same of something else, or something else of the same.
fn related(row: &FindingType) -> Vec<&'static str> {
    let parts = |name: &'static str| {
        let (purpose, rest) = name.split_once(':').unwrap_or((name, ""));
        let (resource, family) = rest.split_once('/').unwrap_or((rest, ""));
        (purpose, resource, family)
    };
    let (purpose, resource, family) = parts(row.name);
    let near = |name: &'static str| {
        let other = parts(name);
        match (other.2 == family, other.1 == resource, other.0 == purpose) {
            (true, true, _) => 0,
            (true, false, _) => 1,
            (false, true, true) => 2,
            _ => 3,
        }
    };
    let mut others: Vec<&'static str> = every()
        .map(|other| other.name)
        .filter(|name| *name != row.name && near(name) < 3)
        .collect();
    others.sort_by_key(|name| near(name));
    others.truncate(MAX_RELATED);
    others
}

/// `vedette findings explain`
pub(super) fn explain(args: &Explain) -> anyhow::Result<ExitCode> {
    let row = row(&args.kind)?;
    let texts = texts(row.name);
    let what = texts
        .title
        .replace("{actor}", "Somebody")
        .replace("{subject}", "an object");
    let related = related(row);
    let mut out = io::stdout().lock();
    match args.output {
        Listing::Table => {
            writeln!(out, "{}", row.name)?;
            writeln!(
                out,
                "severity     {} ({})",
                label(row.severity),
                row.severity
            )?;
            writeln!(
                out,
                "status       {}: {}",
                status(row.coverage),
                detail(row)
            )?;
            writeln!(out, "what         {what}")?;
            writeln!(out, "why          {}", texts.why)?;
            writeln!(out, "remediation  {}", texts.remediation)?;
            for (at, name) in related.iter().enumerate() {
                let head = if at == 0 { "related" } else { "" };
                writeln!(out, "{head:12} {name}")?;
            }
        }
        Listing::Json => {
            let text = json!({
                "type": row.name,
                "severity": row.severity,
                "severityLabel": label(row.severity),
                "status": status(row.coverage),
                "detail": detail(row),
                "what": what,
                "why": texts.why,
                "remediation": texts.remediation,
                "related": related,
            });
            serde_json::to_writer_pretty(&mut out, &text)?;
            writeln!(out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `vedette findings sample`
pub(super) fn sample(args: &Sample) -> anyhow::Result<ExitCode> {
    let origin = Origin::default();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos() as u64);
    let kinds: Vec<&str> = match &args.kind {
        Some(kind) => vec![row(kind)?.name],
        None => every()
            .filter(|row| !matches!(row.coverage, Coverage::Open | Coverage::Outside))
            .map(|row| row.name)
            .collect(),
    };
    let samples: Vec<Finding> = kinds
        .into_iter()
        .map(|kind| Finding::sample(&origin, kind, now))
        .collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let samples: Vec<&Finding> = samples.iter().collect();
    args.show.write(&samples, &origin, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
