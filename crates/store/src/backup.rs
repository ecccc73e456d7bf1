//! Back-up, restore and integrity check of a store's directory. They work beside a server that uses it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::Backup;
use vedette_history::{Error, Result};

use crate::failure::Doing;
use crate::segment::Segment;
use crate::{recover, schema, writer};

/// Pages copied between two looks at whether the database has changed.
const PAGES_A_STEP: i32 = 4096;

/// How often a back-up begins anew because retention removed a segment meanwhile.
const MAX_ATTEMPTS: usize = 5;

/// What a back-up or a check saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments looked at or copied.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records in them.
    pub rows: u64,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
}

/// Copies a store that may be in use to a new directory: first the database as of one moment, then the segments that
/// it names.
///
/// # Errors
/// [`Error::Question`] when `to` is there already; else what disk or database say.
pub fn backup(from: &Path, to: &Path) -> Result<Report> {
    new_directory(to)?;
    for attempt in 1.. {
        copy_database(from, to)?;
        match copy_segments(from, to)? {
            Some(report) => {
                sync(to)?;
                return Ok(report);
            }
            None if attempt < MAX_ATTEMPTS => {}
            None => break,
        }
    }
    Err(Error::Corrupt(format!(
        "segments that the database in {} names are missing; run `vedette store check`",
        from.display()
    )))
}

/// Copies a back-up to a new directory and checks it.
///
/// # Errors
/// [`Error::Question`] when `to` is there already; [`Error::Corrupt`] when the back-up is not sound, and then nothing
/// is left at `to`.
pub fn restore(from: &Path, to: &Path) -> Result<Report> {
    let report = check(from)?;
    if let Some(problem) = report.problems.first() {
        return Err(Error::Corrupt(format!("{}: {problem}", from.display())));
    }
    backup(from, to)
}

/// Reads everything and says what is wrong.
///
/// # Errors
/// When the database cannot be read at all.
pub fn check(dir: &Path) -> Result<Report> {
    let checking = || "checking the database".to_owned();
    if !dir.join(schema::FILE).exists() {
        return Err(Error::Question(format!(
            "there is no store in {}",
            dir.display()
        )));
    }
    let connection = schema::open_reader(dir)?;
    let mut report = Report::default();
    let mut statement = connection
        .prepare("PRAGMA integrity_check")
        .doing(dir, checking)?;
    let said: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .and_then(Iterator::collect)
        .doing(dir, checking)?;
    report
        .problems
        .extend(said.into_iter().filter(|line| line != "ok"));
    // A server may remove segments while this goes on; the manifest is read again before one is called missing.
    for (number, table) in recover::manifest(&connection).doing(dir, checking)? {
        let path = writer::segment_path(dir, number);
        let outcome = Segment::open(&path, number, table).and_then(|segment| {
            segment.check()?;
            Ok(segment)
        });
        match outcome {
            Ok(segment) => {
                report.segments += 1;
                report.bytes += segment.bytes;
                report.rows += segment.rows() as u64;
            }
            Err(error) => {
                let now = recover::manifest(&connection).doing(dir, checking)?;
                if now.iter().any(|(known, _)| *known == number) {
                    report.problems.push(format!("{}: {error}", path.display()));
                }
            }
        }
    }
    Ok(report)
}

fn new_directory(dir: &Path) -> Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let empty = fs::read_dir(dir)
                .doing(dir, || format!("looking into {}", dir.display()))?
                .next()
                .is_none();
            if !empty {
                return Err(Error::Question(format!(
                    "{} is there already and not empty; name a new directory",
                    dir.display()
                )));
            }
        }
        other => other.doing(dir, || format!("creating {}", dir.display()))?,
    }
    let segments = dir.join("segments");
    fs::create_dir_all(&segments).doing(dir, || format!("creating {}", segments.display()))
}

fn copy_database(from: &Path, to: &Path) -> Result<()> {
    let copying = || "copying the database".to_owned();
    if !from.join(schema::FILE).exists() {
        return Err(Error::Question(format!(
            "there is no store in {}",
            from.display()
        )));
    }
    let source = schema::open_reader(from)?;
    let mut target = Connection::open(to.join(schema::FILE)).doing(to, copying)?;
    let copy = Backup::new(&source, &mut target).doing(to, copying)?;
    copy.run_to_completion(PAGES_A_STEP, std::time::Duration::from_millis(5), None)
        .doing(to, copying)
}

/// Copies the segments; `None` when one is gone because retention took it.
fn copy_segments(from: &Path, to: &Path) -> Result<Option<Report>> {
    let connection = schema::open_reader(to)?;
    let manifest = recover::manifest(&connection).doing(to, || "reading the copy".to_owned())?;
    let mut report = Report::default();
    for (number, table) in manifest {
        let (source, target) = (
            writer::segment_path(from, number),
            writer::segment_path(to, number),
        );
        let copying = || format!("copying {}", source.display());
        if !target.exists() {
            match fs::copy(&source, &target) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other.doing(to, copying)?,
            };
            File::open(&target)
                .and_then(|file| file.sync_all())
                .doing(to, copying)?;
        }
        let segment = Segment::open(&target, number, table).doing(to, copying)?;
        report.segments += 1;
        report.bytes += segment.bytes;
        report.rows += segment.rows() as u64;
    }
    Ok(Some(report))
}

fn sync(dir: &Path) -> Result<()> {
    for path in [dir.join(schema::FILE), dir.join("segments"), dir.to_owned()] {
        File::open(&path)
            .and_then(|file| file.sync_all())
            .doing(dir, || format!("writing {}", path.display()))?;
    }
    Ok(())
}
