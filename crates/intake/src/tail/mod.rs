//! Follows log files: what is appended, files that are rotated away or cut, directories into which files are put.
//!
//! How far a file was read stands in the journal beside what was read, so that after a crash nothing is read twice and
//! nothing is left out. A file is known by device, inode and its first bytes: an inode may be used again.

mod boundary;
mod file;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::journal::{Journal, JournalError};
use crate::source::{Health, Meta, Stop, now};
use file::{Followed, Mark, Step};

/// Files of a directory that are followed at a time; what is beyond waits until others are done.
const MAX_FILES: usize = 4096;

/// Endings of files that logs are put into.
const ENDINGS: [&str; 5] = [".log", ".json", ".jsonl", ".ndjson", ".gz"];

/// How to follow.
#[derive(Clone, Debug)]
pub struct TailOptions {
    /// Source of the records; told by the records when not given.
    pub source: Option<String>,
    /// Begin at the end of files that are met for the first time at the start.
    pub from_end: bool,
    /// How often to look.
    pub every: Duration,
}

impl Default for TailOptions {
    fn default() -> Self {
        Self {
            source: None,
            from_end: false,
            every: Duration::from_millis(250),
        }
    }
}

/// Follows one path, a file or a directory.
#[derive(Debug)]
pub struct Tailer {
    path: PathBuf,
    options: TailOptions,
    /// Files under way, by path.
    files: BTreeMap<PathBuf, Followed>,
    /// How far files were read that are not open now, by path.
    marks: BTreeMap<PathBuf, Mark>,
    first_look: bool,
    directory: bool,
}

impl Tailer {
    /// Follows `path`, going on where `positions` (the journal's last positions by origin) say.
    pub fn new(
        path: impl Into<PathBuf>,
        options: TailOptions,
        positions: &BTreeMap<String, Value>,
    ) -> Self {
        let path = path.into();
        let marks = positions
            .iter()
            .filter_map(|(origin, position)| {
                let file = PathBuf::from(origin.strip_prefix(ORIGIN)?);
                let ours = file == path || file.parent() == Some(&path);
                let mark = serde_json::from_value(position.clone()).ok()?;
                ours.then_some((file, mark))
            })
            .collect();
        Self {
            path,
            options,
            files: BTreeMap::new(),
            marks,
            first_look: true,
            directory: false,
        }
    }

    /// Follows until told to stop.
    pub fn run(mut self, journal: &Journal, health: &Health, stop: &Stop) {
        let name = format!("{ORIGIN}{}", self.path.display());
        while !stop.is_set() {
            let (read, wrong) = match self.look(journal, stop) {
                Ok(read) => (read, None),
                Err(error) => (0, Some(error)),
            };
            let idle = read == 0;
            health.note(&name, wrong);
            if idle {
                stop.wait(self.options.every);
            }
        }
    }

    /// Looks once at everything there is, gives the number of pieces that were taken in.
    ///
    /// # Errors
    /// What is wrong, in words; what could be read was.
    pub fn look(&mut self, journal: &Journal, stop: &Stop) -> Result<u64, String> {
        let paths = self.paths()?;
        let mut pieces = 0;
        let mut wrong = None;
        for path in paths {
            if stop.is_set() {
                break;
            }
            match self.look_at(&path, journal, stop) {
                Ok(more) => pieces += more,
                Err(error) => {
                    wrong.get_or_insert(format!("{}: {error}", path.display()));
                }
            }
        }
        self.first_look = false;
        if self.directory {
            // A directory may hold more files than there are handles; those that are read are opened again when they
            // change.
            self.files.retain(|_, file| !file.is_done());
        }
        if self.marks.len() > 2 * MAX_FILES {
            self.marks.retain(|path, _| path.exists());
        }
        wrong.map_or(Ok(pieces), Err)
    }

    fn paths(&mut self) -> Result<Vec<PathBuf>, String> {
        let wrong = |error: std::io::Error| format!("{}: {error}", self.path.display());
        match fs::metadata(&self.path) {
            Ok(meta) if meta.is_dir() => self.directory = true,
            Ok(_) => return Ok(vec![self.path.clone()]),
            // Not there yet, or being rotated at this moment.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // What is still open has its rest read.
                return Ok(self.files.keys().cloned().collect());
            }
            Err(error) => return Err(wrong(error)),
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let plain = entry.file_type().is_ok_and(|kind| kind.is_file());
            if plain && !name.starts_with('.') && ENDINGS.iter().any(|end| name.ends_with(end)) {
                let read = self
                    .marks
                    .get(&entry.path())
                    .is_some_and(|mark| entry.metadata().is_ok_and(|meta| mark.is_end_of(&meta)));
                if !read {
                    inside.push(entry.path());
                }
            }
        }
        // Removed while it was being read: what is left of it is read all the same.
        inside.extend(self.files.keys().cloned());
        inside.sort();
        inside.dedup();
        inside.truncate(MAX_FILES);
        Ok(inside)
    }

    fn look_at(&mut self, path: &Path, journal: &Journal, stop: &Stop) -> Result<u64, String> {
        if !self.files.contains_key(path) {
            let Some(followed) = self.open(path).map_err(|error| error.to_string())? else {
                return Ok(0);
            };
            self.files.insert(path.to_owned(), followed);
        }
        let Some(followed) = self.files.get_mut(path) else {
            return Ok(0);
        };
        let mut pieces = 0;
        loop {
            let step = followed.step(path).map_err(|error| error.to_string())?;
            match step {
                Step::Piece(payload, mark) => {
                    let meta = Meta {
                        origin: format!("{ORIGIN}{}", path.display()),
                        source: self.options.source.clone(),
                        arrival: now(),
                        position: serde_json::to_value(&mark).ok(),
                    };
                    append(journal, &meta, &payload)?;
                    followed.taken(&mark);
                    self.marks.insert(path.to_owned(), mark);
                    pieces += 1;
                    if stop.is_set() {
                        return Ok(pieces);
                    }
                }
                Step::Nothing => return Ok(pieces),
                // The next look opens what stands there now.
                Step::Replaced => {
                    self.files.remove(path);
                    self.marks.remove(path);
                    return Ok(pieces + 1);
                }
            }
        }
    }

    /// Opens a file where reading goes on: behind what was read if it is the same file, in the file that it was renamed to
    /// if that is to be found, else at the beginning.
    fn open(&mut self, path: &Path) -> std::io::Result<Option<Followed>> {
        if let Some(mark) = self.marks.get(path).cloned() {
            match Followed::resume(path, &mark) {
                Ok(Some(followed)) => return Ok(Some(followed)),
                Ok(None) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            // Rotated while nobody looked: its rest is in a file beside it.
            if path == self.path
                && let Some(beside) = renamed(path, &mark)
                && let Some(rest) = Followed::resume(&beside, &mark)?
            {
                return Ok(Some(rest));
            }
        }
        let at_end = self.first_look && self.options.from_end && !self.marks.contains_key(path);
        match Followed::open(path, at_end) {
            Ok(followed) => Ok(Some(followed)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Begins the origin of what was read from files.
const ORIGIN: &str = "file ";

/// Puts a piece into the journal; waits for room as long as it takes, because a file can wait.
fn append(journal: &Journal, meta: &Meta, payload: &[u8]) -> Result<(), String> {
    match journal.append(meta, payload) {
        Ok(_) => Ok(()),
        Err(error @ JournalError::Io { .. }) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            Err(format!("{error}: {}", cause.unwrap_or_default()))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The file beside `path` with the inode of `mark`.
fn renamed(path: &Path, mark: &Mark) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    for entry in fs::read_dir(path.parent()?).ok()?.flatten() {
        let same = entry
            .metadata()
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == (mark.device, mark.inode));
        let beside = entry.file_name();
        if same && beside.to_str() != Some(name) && beside.to_str()?.starts_with(stem) {
            return Some(entry.path());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Entry, Limits, Position};
    use std::io::Write;

    struct Bench {
        _dir: tempfile::TempDir,
        log: PathBuf,
        journal: Journal,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let journal = Journal::open(&dir.path().join("state"), Limits::default()).unwrap();
            Self {
                log: dir.path().join("audit.log"),
                journal,
                _dir: dir,
            }
        }

        fn append(&self, text: &str) {
            let mut file = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.log)
                .unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        /// A tailer as it is after a restart.
        fn tailer(&self) -> Tailer {
            let mut positions = BTreeMap::new();
            let mut reader = self.journal.reader(Position::default());
            let mut entry = Entry::default();
            while reader.next(&mut entry).unwrap() {
                if let Some(position) = entry.meta.position.clone() {
                    positions.insert(entry.meta.origin.clone(), position);
                }
            }
            Tailer::new(&self.log, TailOptions::default(), &positions)
        }

        fn look(&self, tailer: &mut Tailer) {
            while tailer.look(&self.journal, &Stop::new()).unwrap() > 0 {}
        }

        /// Looks until `end` was taken in, or for long enough to see that it is not going to be.
        fn look_for(&self, tailer: &mut Tailer, end: &str) {
            let until = std::time::Instant::now() + Duration::from_secs(20);
            self.look(tailer);
            while !self.taken().ends_with(end) && std::time::Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
                self.look(tailer);
            }
        }

        fn taken(&self) -> String {
            let mut reader = self.journal.reader(Position::default());
            let mut entry = Entry::default();
            let mut all = String::new();
            while reader.next(&mut entry).unwrap() {
                all.push_str(std::str::from_utf8(&entry.payload).unwrap());
            }
            all
        }
    }

    #[test]
    fn lines_are_taken_when_they_are_whole_and_once() {
        let bench = Bench::new();
        let mut tailer = bench.tailer();
        bench.look(&mut tailer);
        bench.append("{\"a\":1}\n{\"a\":");
        bench.look(&mut tailer);
        assert_eq!(bench.taken(), "{\"a\":1}\n");
        // Killed and started again in the middle of a line.
        let mut tailer = bench.tailer();
        bench.append("2}\n");
        bench.look(&mut tailer);
        assert_eq!(bench.taken(), "{\"a\":1}\n{\"a\":2}\n");
        bench.look(&mut bench.tailer());
        assert_eq!(bench.taken(), "{\"a\":1}\n{\"a\":2}\n");
    }

    #[test]
    fn rotation_loses_and_doubles_nothing() {
        let bench = Bench::new();
        let mut tailer = bench.tailer();
        bench.append("{\"n\":1}\n");
        bench.look(&mut tailer);
        // More is written before and after the renaming, before anybody looks.
        bench.append("{\"n\":2}\n");
        fs::rename(&bench.log, bench.log.with_extension("log.1")).unwrap();
        bench.append("{\"n\":3}\n");
        bench.look_for(&mut tailer, "3}\n");
        assert_eq!(bench.taken(), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
        // The same while nobody runs.
        bench.append("{\"n\":4}\n");
        fs::rename(&bench.log, bench.log.with_extension("log.2")).unwrap();
        bench.append("{\"n\":5}\n");
        bench.look_for(&mut bench.tailer(), "5}\n");
        let all = "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n{\"n\":5}\n";
        assert_eq!(bench.taken(), all);
        bench.look(&mut bench.tailer());
        assert_eq!(bench.taken(), all);
    }

    #[test]
    fn a_file_that_is_copied_and_cut_is_read_from_its_beginning() {
        let bench = Bench::new();
        let mut tailer = bench.tailer();
        bench.append("{\"n\":1}\n{\"n\":2}\n");
        bench.look(&mut tailer);
        let cut = || fs::File::create(&bench.log).unwrap();
        cut();
        bench.append("{\"n\":3}\n");
        bench.look(&mut tailer);
        assert_eq!(bench.taken(), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
        // Cut, and longer than before when it is looked at again.
        cut();
        bench.append("{\"n\":4}\n{\"n\":5}\n{\"n\":6}\n");
        bench.look(&mut tailer);
        assert!(
            bench
                .taken()
                .ends_with("3}\n{\"n\":4}\n{\"n\":5}\n{\"n\":6}\n")
        );
    }

    #[test]
    fn directories_give_whole_files_packed_or_not_each_once() {
        let bench = Bench::new();
        let dir = bench.log.with_file_name("trail");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("a.json"), "{\"Records\":[\n{\"n\":1}]}").unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"{\"Records\":[{\"n\":2}]}").unwrap();
        fs::write(dir.join("b.json.gz"), packed.finish().unwrap()).unwrap();
        fs::write(dir.join("readme.txt"), "no log").unwrap();
        let look = || {
            let mut positions = BTreeMap::new();
            let mut reader = bench.journal.reader(Position::default());
            let mut entry = Entry::default();
            while reader.next(&mut entry).unwrap() {
                positions.insert(
                    entry.meta.origin.clone(),
                    entry.meta.position.clone().unwrap(),
                );
            }
            let mut tailer = Tailer::new(&dir, TailOptions::default(), &positions);
            tailer.look(&bench.journal, &Stop::new()).unwrap();
            // A file without a line's end is taken when nothing was added for a while.
            let until = std::time::Instant::now() + Duration::from_secs(20);
            while bench.taken().len() < 43 && std::time::Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
                tailer.look(&bench.journal, &Stop::new()).unwrap();
            }
            tailer.look(&bench.journal, &Stop::new()).unwrap();
        };
        look();
        look();
        let taken = bench.taken();
        assert_eq!(taken.matches("\"n\":1").count(), 1, "{taken}");
        assert_eq!(taken.matches("\"n\":2").count(), 1, "{taken}");
    }
}
