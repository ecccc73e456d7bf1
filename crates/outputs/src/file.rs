//! A file: appended to, one alert a line, reopened on request so that log rotation works.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use crate::{Failure, Line, Output};

/// Appends lines to a file.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    file: fs::File,
}

impl File {
    /// Opens or creates the file for appending.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: PathBuf) -> Result<Self, Failure> {
        let file = open(&path)?;
        Ok(Self { path, file })
    }
}

fn open(path: &PathBuf) -> Result<fs::File, Failure> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(Failure::io(format!("opening {}", path.display())))
}

impl Output for File {
    fn deliver(&mut self, lines: &[Line]) -> Result<(), Failure> {
        // One write a batch: lines of several processes that share the file do not mix.
        let mut text = String::with_capacity(lines.iter().map(|line| line.text.len() + 1).sum());
        for line in lines {
            text.push_str(&line.text);
            text.push('\n');
        }
        self.file
            .write_all(text.as_bytes())
            .map_err(Failure::io(format!("writing to {}", self.path.display())))
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        self.file = open(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_event::Priority;

    #[test]
    fn a_rotated_file_is_left_alone_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.jsonl");
        let line = |text: &str| Line {
            text: text.to_owned(),
            priority: Priority::Notice,
        };
        let mut output = File::open(path.clone()).unwrap();
        output.deliver(&[line("one")]).unwrap();
        fs::rename(&path, dir.path().join("old")).unwrap();
        output.reopen().unwrap();
        output.deliver(&[line("two"), line("three")]).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("old")).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\nthree\n");
    }
}
