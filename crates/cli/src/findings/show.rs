//! How findings are written: a table for people, our own JSON, and the shapes of others.

use std::collections::HashMap;
use std::io::Write;

use serde_json::Value;
use vedette_audit::findings::{Finding, Origin};
use vedette_audit::format::{OcsfVersion, asff, guardduty, label, ocsf, own, wire};
use vedette_audit::time::to_rfc3339_millis;

use crate::table::{Table, visible};

/// Findings that are named as related to one, at most.
const MAX_RELATED: usize = 20;

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Shape {
    /// Columns for people
    #[default]
    Table,
    /// Everything that is known, as one JSON array
    Json,
    /// The same, one object a line
    Ndjson,
    /// GuardDuty's finding JSON
    Guardduty,
    /// AWS Security Finding Format
    Asff,
    /// OCSF Detection Finding
    Ocsf,
    /// The records that Vedette's server takes, one a line
    Records,
}

/// Which version of OCSF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Ocsf {
    /// 1.1.0, which Security Lake takes
    #[value(name = "1.1")]
    V1_1,
    /// 1.6.0
    #[value(name = "1.6")]
    V1_6,
    /// 1.8.0
    #[default]
    #[value(name = "1.8")]
    V1_8,
}

/// How to show findings.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Show {
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
    /// Version of the OCSF schema
    #[arg(long, value_enum, default_value_t, value_name = "VERSION")]
    ocsf_version: Ocsf,
}

impl Show {
    fn ocsf(self) -> OcsfVersion {
        match self.ocsf_version {
            Ocsf::V1_1 => OcsfVersion::V1_1,
            Ocsf::V1_6 => OcsfVersion::V1_6,
            Ocsf::V1_8 => OcsfVersion::V1_8,
        }
    }

    /// Writes findings as one document, or line by line.
    pub(crate) fn write(
        self,
        findings: &[&Finding],
        origin: &Origin,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        match self.output {
            Shape::Table => out.write_all(table(findings).as_bytes())?,
            Shape::Ndjson | Shape::Records => {
                let related = related(findings);
                for finding in findings {
                    let related = related.get(finding.id.as_str());
                    let value = one(self, finding, origin, related.map_or(&[], Vec::as_slice));
                    writeln!(out, "{value}")?;
                }
            }
            Shape::Json | Shape::Guardduty | Shape::Asff | Shape::Ocsf => {
                let related = related(findings);
                let all: Vec<Value> = findings
                    .iter()
                    .map(|finding| {
                        let related = related.get(finding.id.as_str());
                        one(self, finding, origin, related.map_or(&[], Vec::as_slice))
                    })
                    .collect();
                serde_json::to_writer_pretty(&mut *out, &all)?;
                writeln!(out)?;
            }
        }
        Ok(())
    }

    /// One finding as one line.
    pub(crate) fn line(self, finding: &Finding, origin: &Origin) -> String {
        match self.output {
            Shape::Table => format!(
                "{}  {:8}  {}  {}  x{}{}",
                to_rfc3339_millis(finding.last),
                label(finding.hit.severity),
                visible(&finding.hit.kind),
                visible(&finding.title()),
                finding.count,
                aside(finding)
            ),
            _ => one(self, finding, origin, &[]).to_string(),
        }
    }
}

/// One finding in a JSON shape.
fn one(show: Show, finding: &Finding, origin: &Origin, related: &[&str]) -> Value {
    match show.output {
        Shape::Guardduty => guardduty(finding, origin),
        Shape::Asff => asff(finding, origin),
        Shape::Ocsf => ocsf(finding, origin, show.ocsf()),
        Shape::Records => {
            let record = vedette_event::Record::Finding(wire(finding, origin));
            serde_json::to_value(record).unwrap_or_default()
        }
        Shape::Table | Shape::Json | Shape::Ndjson => own(finding, origin, related),
    }
}

fn aside(finding: &Finding) -> String {
    match &finding.suppressed_by {
        Some(rule) => format!("  (put aside by {})", visible(rule)),
        None => String::new(),
    }
}

fn table(findings: &[&Finding]) -> String {
    let mut table = Table::new(&[
        "SEVERITY", "TYPE", "SUBJECT", "ACTOR", "COUNT", "FIRST", "LAST", "",
    ]);
    for finding in findings {
        table.row([
            label(finding.hit.severity).to_owned(),
            finding.hit.kind.clone(),
            finding.hit.subject.clone(),
            finding.hit.actor.clone(),
            finding.count.to_string(),
            to_rfc3339_millis(finding.first),
            to_rfc3339_millis(finding.last),
            aside(finding).trim().to_owned(),
        ]);
    }
    table.render()
}

/// Ids of the findings that share an actor or a subject with each, by id.
fn related<'f>(findings: &[&'f Finding]) -> HashMap<&'f str, Vec<&'f str>> {
    let mut by_name: HashMap<&str, Vec<&str>> = HashMap::new();
    // Everybody without credentials has one name, which joins nothing.
    let names = |finding: &'f Finding| {
        [finding.hit.actor.as_str(), finding.hit.subject.as_str()]
            .into_iter()
            .filter(|name| !name.is_empty() && *name != "system:anonymous")
    };
    for finding in findings {
        for name in names(finding) {
            by_name.entry(name).or_default().push(&finding.id);
        }
    }
    findings
        .iter()
        .map(|finding| {
            let mut ids: Vec<&str> = Vec::new();
            for name in names(finding) {
                for id in by_name.get(name).into_iter().flatten() {
                    if ids.len() < MAX_RELATED && *id != finding.id && !ids.contains(id) {
                        ids.push(id);
                    }
                }
            }
            (finding.id.as_str(), ids)
        })
        .collect()
}
