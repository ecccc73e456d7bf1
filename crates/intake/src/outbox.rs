//! What was made of the journal since the last checkpoint. After a crash the journal is judged again from the checkpoint
//! on and gives the same results; those that stand here are not delivered twice.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Name of the file in the state directory.
const NAME: &str = "outbox.jsonl";

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// Something to deliver, under a key that the same result has when it is made again.
    Result { key: String, text: String },
    /// So many results from the beginning were delivered.
    Delivered { delivered: u64 },
}

/// The outbox of a state directory.
#[derive(Debug)]
pub struct Outbox {
    file: File,
    keys: HashSet<String>,
    /// Bytes of whole lines.
    size: u64,
    results: u64,
}

impl Outbox {
    /// Opens the outbox, and gives the results in it that were not delivered.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn open(dir: &Path) -> io::Result<(Self, Vec<String>)> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(dir.join(NAME))?;
        let mut outbox = Self {
            file: file.try_clone()?,
            keys: HashSet::new(),
            size: 0,
            results: 0,
        };
        let mut texts = Vec::new();
        let mut done = 0;
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let size = lines.read_until(b'\n', &mut line)?;
            // What a crash cut is made again.
            let Some(parsed) = line
                .strip_suffix(b"\n")
                .and_then(|line| serde_json::from_slice(line).ok())
            else {
                break;
            };
            match parsed {
                Line::Result { key, text } => {
                    outbox.keys.insert(key);
                    outbox.results += 1;
                    texts.push(text);
                }
                Line::Delivered { delivered } => done = delivered as usize,
            }
            outbox.size += size as u64;
        }
        outbox.file.set_len(outbox.size)?;
        texts.drain(..done.min(texts.len()));
        Ok((outbox, texts))
    }

    /// True when this result stands here already.
    pub fn contains(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Bytes in it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Keeps results (key and text); they are on disk when this returns.
    ///
    /// # Errors
    /// When the file system refuses; then none of them is kept.
    pub fn keep(&mut self, results: &[(String, String)]) -> io::Result<()> {
        if results.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::new();
        for (key, text) in results {
            let line = Line::Result {
                key: key.clone(),
                text: text.clone(),
            };
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
        self.write(&lines)?;
        self.file.sync_data()?;
        self.keys.extend(results.iter().map(|(key, _)| key.clone()));
        self.results += results.len() as u64;
        Ok(())
    }

    /// Notes that everything in it was delivered.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn delivered(&mut self) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line::Delivered {
            delivered: self.results,
        })?;
        line.push(b'\n');
        self.write(&line)
    }

    /// Empties it, behind a checkpoint.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.size = 0;
        self.results = 0;
        self.keys.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        io::Seek::seek(&mut self.file, io::SeekFrom::Start(self.size))?;
        if let Err(error) = self.file.write_all(bytes) {
            let _ = self.file.set_len(self.size);
            return Err(error);
        }
        self.size += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(keys: &[&str]) -> Vec<(String, String)> {
        keys.iter()
            .map(|key| ((*key).to_owned(), format!("text of {key}")))
            .collect()
    }

    #[test]
    fn what_was_not_delivered_is_known_after_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let (mut outbox, pending) = Outbox::open(dir.path()).unwrap();
        assert!(pending.is_empty());
        outbox.keep(&results(&["a", "b"])).unwrap();
        outbox.delivered().unwrap();
        outbox.keep(&results(&["c"])).unwrap();
        outbox.file.write_all(b"{\"key\":\"d\",\"te").unwrap();
        drop(outbox);
        let (mut outbox, pending) = Outbox::open(dir.path()).unwrap();
        assert_eq!(pending, ["text of c"]);
        assert!(outbox.contains("a") && outbox.contains("c") && !outbox.contains("d"));
        outbox.delivered().unwrap();
        outbox.clear().unwrap();
        outbox.keep(&results(&["e"])).unwrap();
        let (outbox, pending) = Outbox::open(dir.path()).unwrap();
        assert_eq!(pending, ["text of e"]);
        assert!(!outbox.contains("a"));
    }
}
