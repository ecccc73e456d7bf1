//! `vedette findings FILE…`: recorded logs, once.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use vedette_audit::findings::Finding;
use vedette_audit::format::label;
use vedette_audit::{Source, Splitter};
use vedette_event::Severity;

use super::super::{exit, say};
use crate::findings::{Engine, Judge, Show};
use crate::{hostname, input};

/// Bytes read at a time.
const PIECE: usize = 256 * 1024;

/// Endings of the files of a directory that are read.
const ENDINGS: [&str; 5] = [".log", ".json", ".jsonl", ".ndjson", ".gz"];

#[derive(clap::Args)]
pub(super) struct Scan {
    /// Logs, gzipped or not, or directories of them; `-` is standard input
    pub(super) inputs: Vec<PathBuf>,
    /// Source of the records, such as k8s_audit or aws_cloudtrail; told by the records when not given
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    show: Show,
    /// Save the habits that were learnt, for --habits
    #[arg(long, value_name = "FILE")]
    save_habits: Option<PathBuf>,
    /// Show findings that suppression rules put aside too
    #[arg(long)]
    archived: bool,
    /// Exit with 1 when a finding at least so severe was made (info, low, medium, high, critical)
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
    /// Print figures on standard error at the end
    #[arg(long)]
    stats: bool,
}

/// Reads everything, then shows what was found.
pub(super) fn run(args: &Scan) -> anyhow::Result<ExitCode> {
    let hostname: Arc<str> = hostname::current().into();
    let source = match &args.source {
        Some(name) => Some(by_name(name)?),
        None => None,
    };
    let Some(mut judge) = args.engine.judge(&hostname)? else {
        return Ok(ExitCode::from(exit::USAGE));
    };
    let mut sound = true;
    let (mut records, mut faults) = (0, 0);
    for path in files(&args.inputs)? {
        let mut input = input::open(&path, &Arc::default(), false)?;
        let mut splitter = Splitter::new(source)
            .with_hostname(&*hostname)
            .with_zone(crate::replay::zone());
        let damage = feed(&mut splitter, &mut input, &mut judge);
        records += splitter.records();
        faults += splitter.faults();
        if let Some(damage) = damage {
            sound = false;
            let more = match splitter.faults() {
                0 | 1 => String::new(),
                faults => format!(" (the first of {faults} places that could not be read)"),
            };
            say(&format!("{}: {damage}{more}", path.display()))?;
        }
    }
    judge.analysis.settle();
    let analysis = &judge.analysis;
    let mut findings = analysis.findings().sorted();
    let held = findings.len();
    findings.retain(|finding| args.archived || !finding.archived);
    let mut out = io::BufWriter::new(io::stdout().lock());
    args.show.write(&findings, analysis.origin(), &mut out)?;
    out.flush()?;
    for rule in analysis.suppressions() {
        let how = if rule.dry_run {
            "would put aside"
        } else {
            "put aside"
        };
        say(&format!(
            "suppression `{}` ({}) {how} {} occurrences",
            rule.name, rule.owner, rule.hits
        ))?;
    }
    if args.stats {
        let mut err = io::stderr().lock();
        writeln!(err, "records: {records}")?;
        writeln!(err, "records_repeated: {}", analysis.repeated())?;
        writeln!(err, "records_unreadable: {faults}")?;
        writeln!(err, "findings: {held}")?;
        writeln!(err, "findings_archived: {}", held - findings.len())?;
        for list in analysis.lists().iter() {
            writeln!(err, "list {}: {} hits", list.name, list.hits)?;
        }
    }
    if let Some(path) = &args.save_habits {
        let model = analysis
            .model()
            .context("--save-habits: there are none to save without --anomalies")?;
        let text = serde_json::to_vec(model)?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    let failed = args
        .fail_on
        .is_some_and(|least| findings.iter().any(|finding| severity(finding) >= least));
    Ok(match (failed, sound) {
        (true, _) => ExitCode::from(exit::FINDINGS),
        (false, false) => ExitCode::from(exit::USAGE),
        (false, true) => ExitCode::SUCCESS,
    })
}

/// GuardDuty's bands as our five steps.
fn severity(finding: &Finding) -> Severity {
    label(finding.hit.severity)
        .parse()
        .unwrap_or(Severity::Info)
}

/// The source with this name.
pub(super) fn by_name(name: &str) -> anyhow::Result<Source> {
    Source::by_name(name).with_context(|| {
        let names: Vec<_> = Source::ALL.iter().map(|source| source.name()).collect();
        format!(
            "`{name}` is no source of log records; expected one of {}",
            names.join(", ")
        )
    })
}

/// Reads an input to its end; gives what was wrong first.
fn feed(splitter: &mut Splitter, input: &mut impl Read, judge: &mut Judge) -> Option<String> {
    let mut piece = vec![0; PIECE];
    let mut damage = None;
    loop {
        let size = match input.read(&mut piece) {
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                damage.get_or_insert(error.to_string());
                0
            }
        };
        splitter.feed(&piece[..size], size == 0, &mut |found| match found {
            Ok(record) => judge.observe(record, &mut |_, _| {}),
            Err(fault) => {
                damage.get_or_insert_with(|| fault.to_string());
            }
        });
        if size == 0 {
            return damage;
        }
    }
}

/// Files, and the logs in directories and those below them, in byte order.
fn files(inputs: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for input in inputs {
        if input.is_dir() {
            let mut inside = Vec::new();
            walk(input, &mut inside)?;
            inside.sort();
            out.extend(inside);
        } else {
            out.push(input.clone());
        }
    }
    Ok(out)
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let shown = || format!("reading directory {}", dir.display());
    for entry in std::fs::read_dir(dir).with_context(shown)? {
        let entry = entry.with_context(shown)?;
        let kind = entry.file_type().with_context(shown)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_dir() {
            walk(&entry.path(), out)?;
        } else if ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            out.push(entry.path());
        }
    }
    Ok(())
}
