//! A note on disk that says until when somebody watched, so that the next start can say for how long nobody did.
//!
//! It is written every second and at the end. What a kill leaves is at most a second old, and says that it was a kill.

use std::fs::File;
use std::io::{Read, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::log::Log;

/// Longest note that is read; one has some hundred bytes.
const MOST: u64 = 4096;

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// When this was written and the agent watched, milliseconds since the Unix epoch.
    until_ms: i64,
    /// Whether the agent ended in order then.
    ended: bool,
    /// Events that the kernel side had lost until then.
    lost: u64,
}

/// A time in which nobody watched, before this start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Absence {
    from: Timestamp,
    to: Timestamp,
    ended: bool,
    lost: u64,
}

impl Absence {
    /// How long it was; nothing when the clock was set back.
    pub(crate) fn length(&self) -> Duration {
        self.to
            .duration_since(self.from)
            .try_into()
            .unwrap_or_default()
    }

    /// Says it in the log.
    pub(crate) fn tell(&self, log: &Log) {
        let seconds = format!("{:.1}", self.length().as_secs_f64());
        let how = if self.ended { "stopped" } else { "killed" };
        log.warn(
            "nobody watched",
            &[
                ("from", &self.from),
                ("to", &self.to),
                ("seconds", &seconds),
                ("last_run", &how),
                ("lost_before", &self.lost),
            ],
        );
    }
}

/// The note of a running agent.
#[derive(Debug)]
pub(crate) struct Watched {
    file: File,
}

impl Watched {
    /// Takes the note over, and says since when nobody watched when there was one. `None` when its directory is not there,
    /// or another agent keeps it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(path: &Path) -> std::io::Result<Option<(Self, Option<Absence>)>> {
        if !path.parent().is_some_and(Path::is_dir) {
            return Ok(None);
        }
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        // The lock goes with the process, however that ends.
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let mut text = String::new();
        let read = Read::by_ref(&mut file).take(MOST).read_to_string(&mut text);
        let note: Option<Note> = read.ok().and_then(|_| serde_json::from_str(&text).ok());
        if note.is_none() {
            file.set_len(0)?;
        }
        let absence = note.map(|note| Absence {
            from: Timestamp::from_millisecond(note.until_ms).unwrap_or_default(),
            to: now(),
            ended: note.ended,
            lost: note.lost,
        });
        Ok(Some((Self { file }, absence)))
    }

    /// Notes that somebody watches, or that the agent ends now.
    pub(crate) fn note(&mut self, lost: u64, ended: bool) {
        let note = Note {
            until_ms: now().as_millisecond(),
            ended,
            lost,
        };
        let Ok(text) = serde_json::to_string(&note) else {
            return;
        };
        // Padded, so that a note covers the one before it: a kill leaves the old one or the new one.
        let text = format!("{text:120}");
        // A full disk must not end the agent; the next start then counts from an earlier note.
        let _ = self
            .file
            .rewind()
            .and_then(|()| self.file.write_all(text.as_bytes()));
    }
}

fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_start_says_how_the_last_run_ended() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("watched.json");
        let open = || Watched::open(&path).expect("may be written");
        let (mut first, none) = open().expect("nobody else has it");
        assert_eq!(none, None);
        assert!(open().is_none(), "one agent at a time");
        first.note(3, false);
        drop(first);
        let (mut second, absence) = open().expect("the first is gone");
        let absence = absence.expect("the first left a note");
        assert!(!absence.ended && absence.lost == 3 && absence.from <= absence.to);
        second.note(100_000_000_000, false);
        second.note(0, true);
        drop(second);
        let (_, absence) = open().expect("the second is gone");
        let absence = absence.expect("the second left a note");
        assert!(absence.ended && absence.lost == 0);
    }

    #[test]
    fn what_is_no_note_and_no_directory_is_no_fault() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("watched.json");
        std::fs::write(&path, [0xff; 5000]).expect("may be written");
        let (mut note, absence) = Watched::open(&path)
            .expect("may be read")
            .expect("nobody else has it");
        assert_eq!(absence, None);
        note.note(1, false);
        drop(note);
        let (_, absence) = Watched::open(&path)
            .expect("may be read")
            .expect("nobody else has it");
        assert_eq!(absence.expect("a note now").lost, 1);
        let nowhere = dir.path().join("absent/watched.json");
        assert!(Watched::open(&nowhere).expect("no fault").is_none());
    }
}
