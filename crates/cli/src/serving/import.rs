//! Recordings that are fed into a store: captures and logs through the engines, records as they are.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use vedette_detect::{Mode, Redactor, Settings, TimeStyle};
use vedette_event::{Priority, Record};
use vedette_history::History;
use vedette_rules::Options;
use vedette_store::Store;

use crate::input::Progress;
use crate::replay::{Plan, Rules};
use crate::{hostname, input, replay, rulefiles};

/// Records that are handed to the store at a time.
const BATCH: usize = 2_000;
/// Longest line of a file of records, in bytes.
const MAX_LINE: u64 = 4 * 1024 * 1024;

/// Takes all files in and says how much came of each.
pub(crate) fn all(store: &Store, files: &[PathBuf], as_now: bool) -> anyhow::Result<()> {
    for file in files {
        // Times are known when everything is read; recordings that are moved are small enough to be held.
        let shift = if as_now { Some(shift_of(file)?) } else { None };
        let mut sink = Sink {
            store,
            waiting: Vec::new(),
            shift: shift.unwrap_or(0),
            redactor: Redactor::default(),
            accepted: 0,
            duplicate: 0,
            refused: 0,
        };
        each(file, &mut |record| sink.take(record))?;
        sink.flush()?;
        writeln!(
            std::io::stderr(),
            "vedette: {}: {} records taken in, {} known already, {} refused",
            file.display(),
            sink.accepted,
            sink.duplicate,
            sink.refused
        )?;
    }
    Ok(())
}

/// How far records of a file must be moved for the last one to be now.
fn shift_of(file: &Path) -> anyhow::Result<i128> {
    let mut last = 0;
    each(file, &mut |record| {
        last = last.max(match &record {
            Record::Finding(finding) => finding.time,
            Record::Activity(activity) => activity.time,
        });
        Ok(())
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    Ok(i128::try_from(now)? - i128::from(last))
}

/// Gives every record of a file.
fn each(file: &Path, emit: &mut dyn FnMut(Record) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let progress = Arc::new(Progress::default());
    let mut lines = BufReader::new(input::open(file, &progress, false)?);
    let head = lines
        .fill_buf()
        .with_context(|| format!("reading {}", file.display()))?;
    if head.starts_with(b"{\"record\":") {
        return of_records(file, lines, emit);
    }
    drop(lines);
    let files = rulefiles::read(&[])?;
    let loaded = vedette_rules::load(&files, &Options::default());
    rulefiles::complain(&loaded.diagnostics, &files, false)?;
    let hostname: Arc<str> = hostname::current().into();
    let settings = Settings {
        mode: Mode::First,
        least: Priority::Debug,
        hostname: Arc::clone(&hostname),
        time: TimeStyle::Clock,
    };
    let plan = Plan {
        inputs: vec![file.to_owned()],
        passes: 1,
        threads: 1,
        source: None,
        rules: Rules::compile(&loaded, &settings),
        hostname,
        progress: Arc::new(Progress::default()),
        records: true,
    };
    let (_, damages) = replay::records(&plan, emit)?;
    for damage in damages {
        writeln!(std::io::stderr(), "vedette: {damage}")?;
    }
    Ok(())
}

fn of_records(
    file: &Path,
    mut lines: impl BufRead,
    emit: &mut dyn FnMut(Record) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut number, mut line) = (0, Vec::new());
    loop {
        line.clear();
        number += 1;
        let read = std::io::Read::take(&mut lines, MAX_LINE)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("reading {}", file.display()))?;
        if read == 0 {
            return Ok(());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(record) => emit(record)?,
            Err(error) => writeln!(
                std::io::stderr(),
                "vedette: {}:{number}: this is no record: {error}",
                file.display()
            )?,
        }
    }
}

struct Sink<'s> {
    store: &'s Store,
    waiting: Vec<Record>,
    shift: i128,
    /// Recordings were made before any agent could hide secrets in them.
    redactor: Redactor,
    accepted: u64,
    duplicate: u64,
    refused: usize,
}

impl Sink<'_> {
    fn take(&mut self, mut record: Record) -> anyhow::Result<()> {
        let moved = |time: u64| u64::try_from(i128::from(time) + self.shift).unwrap_or(0);
        let process = |process: &mut vedette_event::Process| {
            if process.started > 0 {
                process.started = moved(process.started);
            }
        };
        match &mut record {
            Record::Finding(finding) => {
                self.redactor.finding(finding);
                finding.time = moved(finding.time);
                finding.lineage.iter_mut().for_each(process);
            }
            Record::Activity(activity) => {
                self.redactor.activity(activity);
                activity.time = moved(activity.time);
                process(&mut activity.process);
                process(&mut activity.parent);
            }
        }
        self.waiting.push(record);
        if self.waiting.len() >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let records = std::mem::take(&mut self.waiting);
        let appended = self
            .store
            .append(records)
            .context("keeping imported records")?;
        self.accepted += appended.accepted;
        self.duplicate += appended.duplicate;
        self.refused += appended.refused.len();
        Ok(())
    }
}
