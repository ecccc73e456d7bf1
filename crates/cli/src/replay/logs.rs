//! Logs of records: Kubernetes audit, cloud trails and the like.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use vedette_audit::{Source, Splitter, Zone};
use vedette_detect::{Describer, Detector};
use vedette_rules::catalogue::SYSCALL;

use super::{Emit, Outcome, Plan};

/// Bytes that are looked at to tell what an input is.
const HEAD: usize = 64 * 1024;

/// Tells by the first bytes whether the input is a log, and gives it back whole.
pub(super) fn guess(
    mut input: Box<dyn Read + Send>,
    path: &Path,
) -> anyhow::Result<(bool, Box<dyn Read + Send>)> {
    let mut head = vec![0; HEAD];
    let mut size = 0;
    while size < HEAD {
        match input.read(&mut head[size..]) {
            Ok(0) => break,
            Ok(more) => size += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What was read so far may still be told apart; the reader will meet the error again or at its end.
            Err(_) if size > 0 => break,
            Err(error) => bail!("reading {}: {error}", path.display()),
        }
    }
    head.truncate(size);
    // A capture begins with a block type, never with a bracket or blank.
    let text = head.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_log = matches!(text, Some(b'{' | b'['));
    Ok((is_log, Box::new(io::Cursor::new(head).chain(input))))
}

/// Bytes read at a time.
const PIECE: usize = 256 * 1024;

/// Reads records and evaluates the rules of their source; without a source the first record that can be told decides.
pub(super) fn replay(
    plan: &Plan,
    path: &Path,
    source: Option<&str>,
    mut input: impl Read,
    emit: Emit<'_>,
) -> anyhow::Result<Outcome> {
    let source = match source {
        None => None,
        Some(name) => Some(Source::by_name(name).with_context(|| unknown(name))?),
    };
    let mut splitter = Splitter::new(source)
        .with_hostname(&*plan.hostname)
        .with_zone(zone());
    let mut detector: Option<(Source, Option<Detector>)> = None;
    let mut describer = plan.records.then(Describer::default);
    let mut go_on = true;
    let mut first_fault = None;
    let mut piece = vec![0; PIECE];
    let mut last = false;
    while go_on && !last {
        let size = match input.read(&mut piece) {
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                first_fault.get_or_insert(format!("{}: {error}", path.display()));
                0
            }
        };
        last = size == 0;
        splitter.feed(&piece[..size], last, &mut |found| match found {
            Ok(record) => {
                let kind = record.source();
                if detector.as_ref().is_none_or(|(known, _)| *known != kind) {
                    let rules = plan.rules.of(kind.name());
                    detector = Some((kind, rules.map(|rules| Detector::new(Arc::clone(rules)))));
                }
                if let Some((_, Some(detector))) = &mut detector {
                    super::observe(detector, describer.as_mut(), record, |emitted| {
                        go_on &= emit(emitted);
                    });
                }
            }
            Err(fault) => {
                first_fault.get_or_insert_with(|| format!("{}: {fault}", path.display()));
            }
        });
    }
    let faults = splitter.faults();
    Ok(Outcome {
        events: splitter.records(),
        figures: vec![("records_unreadable", faults)],
        counts: detector
            .and_then(|(_, detector)| detector)
            .map(|detector| detector.counts())
            .unwrap_or_default(),
        damage: first_fault.map(|first| match faults {
            0 | 1 => first,
            more => format!("{first} (the first of {more} places that could not be read)"),
        }),
    })
}

/// Local time by the `TZ` variable or the system's zone, as for system calls.
pub(crate) fn zone() -> Zone {
    Zone::new(super::capture::settings("").utc_offset)
}

fn unknown(name: &str) -> String {
    let names: Vec<_> = Source::ALL.iter().map(|source| source.name()).collect();
    format!(
        "`{name}` is no event source; expected {SYSCALL}, {}",
        names.join(", ")
    )
}
