//! One capture file, written on a thread of its own: what is there now, the events before the alert, the events after it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::Context;
use vedette_event::EventType;
use vedette_event::boot::FdDetail;
use vedette_scap::{Item, Writer};
use vedette_sensor::bootstrap::{Fact, Scan};

use super::ring::Piece;

/// Pieces that wait for the writing thread at most; with more, the disk is too slow and the capture ends early.
const WAITING: usize = 128;
/// Ending of a file that is not complete yet.
const PART: &str = "part";

/// The event loop's end of a capture that is being written.
pub(crate) struct Open {
    pub(crate) path: PathBuf,
    pieces: SyncSender<Arc<Piece>>,
}

/// How a capture ended.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    /// Events in it, or why there is no file.
    pub(crate) outcome: anyhow::Result<u64>,
}

impl Open {
    /// Begins a capture. `known` holds the events that introduce the containers of today.
    pub(crate) fn begin(
        path: PathBuf,
        known: Vec<Arc<Piece>>,
        limit: u64,
        keep: usize,
        done: std::sync::mpsc::Sender<Written>,
    ) -> std::io::Result<Self> {
        let (send, pieces) = sync_channel(WAITING);
        let file = path.clone();
        std::thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || {
                let outcome = write(&file, &known, &pieces, limit);
                if let Some(dir) = file.parent() {
                    prune(dir, keep);
                }
                // the agent may have ended in the meantime
                let _ = done.send(Written {
                    path: file,
                    outcome,
                });
            })?;
        Ok(Self { path, pieces: send })
    }

    /// Hands a piece over. False when the capture has ended: its limit is reached, or the disk is too slow.
    pub(crate) fn push(&self, piece: &Arc<Piece>) -> bool {
        self.pieces.try_send(Arc::clone(piece)).is_ok()
    }
}

fn write(
    path: &Path,
    known: &[Arc<Piece>],
    pieces: &Receiver<Arc<Piece>>,
    limit: u64,
) -> anyhow::Result<u64> {
    let part = path.with_extension(PART);
    let what = || format!("writing capture {}", part.display());
    // A capture holds what passed through files and sockets: for its owner only.
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)
        .with_context(what)?;
    let mut writer = Writer::new(file, None);
    let mut failure = None;
    Scan::default().run(&mut |fact| {
        if failure.is_none() {
            // what readers cannot take (an odd kind of descriptor) is left out
            if let Err(vedette_scap::WriteError::Io(error)) = writer.write(&item(&fact)) {
                failure = Some(error);
            }
        }
    });
    if let Some(error) = failure {
        return Err(error).with_context(what);
    }
    let mut events = 0;
    for piece in known {
        put(&mut writer, piece, &mut events).with_context(what)?;
    }
    let known = events;
    // ends when the event loop lets go of its end
    while let Ok(piece) = pieces.recv() {
        put(&mut writer, &piece, &mut events).with_context(what)?;
        if writer.written() >= limit {
            break;
        }
    }
    let mut file = writer.finish().with_context(what)?;
    file.flush().with_context(what)?;
    fs::rename(&part, path).with_context(|| format!("naming capture {}", path.display()))?;
    Ok(events - known)
}

fn put(
    writer: &mut Writer<fs::File>,
    piece: &Piece,
    events: &mut u64,
) -> Result<(), vedette_scap::WriteError> {
    for event in piece.events() {
        match writer.write(&Item::Event(event)) {
            Ok(()) => *events += 1,
            Err(error @ vedette_scap::WriteError::Io(_)) => return Err(error),
            // one event that readers would not take costs itself only
            Err(_) => {}
        }
    }
    Ok(())
}

/// What was there before, as captures hold it.
pub(crate) fn item<'a>(fact: &Fact<'a>) -> Item<'a> {
    match *fact {
        Fact::Machine(machine) => Item::Machine(machine),
        Fact::User(user) => Item::User(user),
        Fact::Group(group) => Item::Group(group),
        Fact::Process(process) => Item::Process(process),
        Fact::Descriptor(tid, mut entry) => {
            if entry.kind > NEWEST_KIND && matches!(entry.detail, FdDetail::Name(_)) {
                entry.kind = UNSUPPORTED;
            }
            Item::Fd { tid, entry }
        }
    }
}

/// The newest type of descriptor that Debian's sysdig (0.29) reads; it refuses a file with a newer one.
const NEWEST_KIND: u8 = 16;
/// What stands for a type that has no number of its own.
const UNSUPPORTED: u8 = 10;

/// Removes the oldest captures beyond `keep`. Names begin with the time, so their order is that of time.
fn prune(dir: &Path, keep: usize) {
    let mut names: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "scap"))
        .filter(|path| is_ours(path))
        .collect();
    names.sort();
    let too_many = names.len().saturating_sub(keep);
    for path in &names[..too_many] {
        let _ = fs::remove_file(path);
    }
}

/// Removes what a killed agent left unfinished.
pub(crate) fn clean(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == PART) && is_ours(&path) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether a name is one that [`name`] makes.
fn is_ours(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with("20") && name.as_bytes().get(8) == Some(&b'T'))
}

/// Letters of the rule's name that a file name keeps; file names have at most 255 bytes.
const RULE: usize = 80;

/// `20260102T030405.678901234Z-rule-name.scap`.
pub(crate) fn name(ts: u64, rule: &str) -> String {
    let mut out = String::new();
    vedette_event::write_utc(ts, &mut out);
    out.retain(|c| !matches!(c, '-' | ':'));
    out.push('-');
    let mut dash = true;
    for c in rule.chars().take(RULE) {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
            dash = false;
        } else if !dash {
            out.push('-');
            dash = true;
        }
    }
    let mut out = out.trim_end_matches('-').to_owned();
    out.push_str(".scap");
    out
}

/// Whether an event introduces a container.
pub(crate) fn introduces(kind: EventType) -> bool {
    kind.name() == "asyncevent"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_are_harmless() {
        let text = name(
            1_795_299_390_302_973_163,
            "../Terminal shell (in container)!",
        );
        assert_eq!(
            text,
            "20261121T221630.302973163Z-terminal-shell-in-container.scap"
        );
        assert!(is_ours(Path::new(&text)));
        assert!(!is_ours(Path::new("mine.scap")));
        assert!(name(0, &"x".repeat(999)).len() < 200);
    }

    #[test]
    fn the_oldest_go_and_others_files_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        for file in [
            name(2_000_000_000_000_000_000, "b"),
            name(1_999_999_999_000_000_000, "a"),
            "mine.scap".to_owned(),
        ] {
            fs::write(dir.path().join(file), "").expect("written");
        }
        let mut part = dir.path().join(name(2_000_000_000_000_000_000, "c"));
        part.set_extension(PART);
        fs::write(&part, "").expect("written");
        prune(dir.path(), 1);
        clean(dir.path());
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .expect("readable")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["20330518T033320.000000000Z-b.scap", "mine.scap"]);
    }
}
