//! A bounded queue of lines on disk, for while the other side is away.
//!
//! Layout of the directory: segments `0000000000000001.spool` with one line an alert, oldest number first, and `cursor`
//! with the number of the first segment and the byte in it up to which lines have been delivered.
//! After a crash nothing that was put in is lost; the lines of the last delivery may come twice.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::Failure;

/// Bytes after which a new segment is begun; what is dropped when the spool is full is one such segment.
const SEGMENT: u64 = 1 << 20;

/// The queue.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    max_bytes: u64,
    /// Number and size in bytes of each segment, oldest first.
    segments: VecDeque<(u64, u64)>,
    /// Byte in the oldest segment where undelivered lines begin.
    cursor: u64,
    lines: u64,
    dropped: u64,
}

impl Spool {
    /// Opens the spool in `dir`, creating the directory, and finds what an earlier process left there.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Self, Failure> {
        let what = || format!("opening the spool {}", dir.display());
        fs::create_dir_all(dir).map_err(Failure::io(what()))?;
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).map_err(Failure::io(what()))? {
            let entry = entry.map_err(Failure::io(what()))?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".spool"));
            if let Some(number) = number.and_then(|number| u64::from_str_radix(number, 16).ok()) {
                let size = entry.metadata().map_err(Failure::io(what()))?.len();
                found.push((number, size));
            }
        }
        found.sort_unstable();
        let mut spool = Self {
            dir: dir.to_owned(),
            max_bytes: max_bytes.max(SEGMENT),
            segments: found.into(),
            cursor: 0,
            lines: 0,
            dropped: 0,
        };
        let cursor = fs::read_to_string(spool.dir.join("cursor")).unwrap_or_default();
        let mut words = cursor
            .split_whitespace()
            .map(|word| word.parse::<u64>().unwrap_or(0));
        if let (Some(segment), Some(offset)) = (words.next(), words.next())
            && spool
                .segments
                .front()
                .is_some_and(|(first, size)| *first == segment && offset <= *size)
        {
            spool.cursor = offset;
        }
        spool.lines = spool.count_lines()?;
        Ok(spool)
    }

    /// Undelivered lines.
    pub fn len(&self) -> u64 {
        self.lines
    }

    /// True when everything has been delivered.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// Lines that had to make room for newer ones.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Puts lines at the end. When the spool is full its oldest segment goes.
    ///
    /// # Errors
    /// When the disk refuses; then nothing of `lines` counts as put in.
    pub fn push<'a>(&mut self, lines: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let mut text = String::new();
        let mut count = 0;
        for line in lines {
            text.push_str(line);
            text.push('\n');
            count += 1;
        }
        if self
            .segments
            .back()
            .is_none_or(|(_, size)| *size >= SEGMENT)
        {
            let number = self.segments.back().map_or(1, |(number, _)| number + 1);
            self.segments.push_back((number, 0));
        }
        let Some((number, size)) = self.segments.back_mut() else {
            return Ok(());
        };
        let path = segment_path(&self.dir, *number);
        let what = || format!("writing to {}", path.display());
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Failure::io(what()))?;
        if let Err(error) = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_data())
        {
            // A half line must not be glued to the next one.
            let _ = file.set_len(*size);
            return Err(Failure::io(what())(error));
        }
        *size += text.len() as u64;
        self.lines += count;
        while self.segments.len() > 1 && self.bytes() > self.max_bytes {
            let lost = self.lines_of_first()?;
            self.dropped += lost;
            self.lines -= lost.min(self.lines);
            self.drop_first();
        }
        Ok(())
    }

    /// The oldest undelivered lines, at most `most`, and the mark to hand to [`Spool::delivered`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn peek(&mut self, most: usize) -> Result<(Vec<String>, u64), Failure> {
        let mut lines = Vec::new();
        let mut at = self.cursor;
        while let Some((number, size)) = self.segments.front().copied() {
            if at >= size && self.segments.len() > 1 {
                self.drop_first();
                at = 0;
                continue;
            }
            let path = segment_path(&self.dir, number);
            let what = || format!("reading {}", path.display());
            let mut reader = BufReader::new(File::open(&path).map_err(Failure::io(what()))?);
            reader
                .seek(SeekFrom::Start(at))
                .map_err(Failure::io(what()))?;
            while lines.len() < most {
                let mut line = String::new();
                let read = reader.read_line(&mut line).map_err(Failure::io(what()))?;
                if read == 0 || !line.ends_with('\n') {
                    break;
                }
                at += read as u64;
                line.pop();
                lines.push(line);
            }
            break;
        }
        Ok((lines, at))
    }

    /// Marks the `count` lines of the last [`Spool::peek`] as delivered.
    ///
    /// # Errors
    /// When the disk refuses; the lines then come again.
    pub fn delivered(&mut self, count: usize, mark: u64) -> Result<(), Failure> {
        self.cursor = mark;
        self.lines -= (count as u64).min(self.lines);
        let Some((number, size)) = self.segments.front().copied() else {
            return Ok(());
        };
        if mark >= size {
            self.drop_first();
            return Ok(());
        }
        let (path, next) = (self.dir.join("cursor"), self.dir.join("cursor.next"));
        fs::write(&next, format!("{number} {mark}\n"))
            .and_then(|()| fs::rename(&next, &path))
            .map_err(Failure::io(format!("writing {}", path.display())))
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|(_, size)| size).sum()
    }

    fn drop_first(&mut self) {
        if let Some((number, _)) = self.segments.pop_front() {
            let _ = fs::remove_file(segment_path(&self.dir, number));
        }
        self.cursor = 0;
    }

    fn lines_of_first(&self) -> Result<u64, Failure> {
        let Some((number, _)) = self.segments.front() else {
            return Ok(0);
        };
        count_from(&segment_path(&self.dir, *number), self.cursor)
    }

    fn count_lines(&self) -> Result<u64, Failure> {
        let mut lines = 0;
        for (index, (number, _)) in self.segments.iter().enumerate() {
            let from = if index == 0 { self.cursor } else { 0 };
            lines += count_from(&segment_path(&self.dir, *number), from)?;
        }
        Ok(lines)
    }
}

fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}.spool"))
}

fn count_from(path: &Path, from: u64) -> Result<u64, Failure> {
    let what = || format!("reading {}", path.display());
    let mut file = File::open(path).map_err(Failure::io(what()))?;
    file.seek(SeekFrom::Start(from))
        .map_err(Failure::io(what()))?;
    let mut reader = BufReader::new(file);
    let mut lines = 0;
    loop {
        let room = reader.fill_buf().map_err(Failure::io(what()))?;
        if room.is_empty() {
            return Ok(lines);
        }
        lines += memchr::memchr_iter(b'\n', room).count() as u64;
        let used = room.len();
        reader.consume(used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(spool: &mut Spool, most: usize) -> Vec<String> {
        let (lines, mark) = spool.peek(most).unwrap();
        spool.delivered(lines.len(), mark).unwrap();
        lines
    }

    #[test]
    fn lines_come_back_in_order_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), 1 << 30).unwrap();
        spool.push(["a", "b", "c"].into_iter()).unwrap();
        assert_eq!(take(&mut spool, 1), ["a"]);
        drop(spool);
        let mut spool = Spool::open(dir.path(), 1 << 30).unwrap();
        assert_eq!(spool.len(), 2);
        spool.push(["d"].into_iter()).unwrap();
        assert_eq!(take(&mut spool, 10), ["b", "c", "d"]);
        assert!(spool.is_empty());
        assert_eq!(take(&mut spool, 10), Vec::<String>::new());
    }

    #[test]
    fn a_full_spool_gives_up_its_oldest_lines_and_counts_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), 3 * SEGMENT).unwrap();
        let line = "x".repeat(64 * 1024 - 1);
        for _ in 0..100 {
            spool.push([line.as_str()].into_iter()).unwrap();
        }
        assert!(spool.bytes() <= 3 * SEGMENT);
        assert_eq!(spool.len() + spool.dropped(), 100);
        let mut got = 0;
        loop {
            let lines = take(&mut spool, 7);
            if lines.is_empty() {
                break;
            }
            got += lines.len() as u64;
        }
        assert_eq!(got + spool.dropped(), 100);
    }

    #[test]
    fn a_line_cut_by_a_crash_is_not_delivered() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("0000000000000001.spool"), "whole\nhal").unwrap();
        let mut spool = Spool::open(dir.path(), 1 << 30).unwrap();
        assert_eq!(take(&mut spool, 10), ["whole"]);
    }
}
