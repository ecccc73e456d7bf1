//! Lists of known-bad files: by SHA-256, and by file name. Users bring them; none is fetched.
//!
//! One entry a line: 64 hexadecimal digits are a hash, anything else is a file name, in which `*` and `?` stand for
//! letters. What follows a blank is a remark, which findings repeat; `#` begins a comment.

use std::collections::{BTreeMap, HashMap};

use vedette_rules::ops::glob;

use super::drift::Attempt;

/// Most entries of all lists together: some 200 MB of the largest public feed's kind.
pub const MAX_ENTRIES: usize = 2_000_000;
/// Bytes of a remark that are kept.
const REMARK: usize = 80;

/// The lists, read.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    hashes: HashMap<[u8; 32], Box<str>>,
    names: BTreeMap<String, Box<str>>,
    patterns: Vec<(String, Box<str>)>,
}

/// A line that is no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedProblem {
    /// Its number, from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl Feed {
    /// Adds the entries of a list. Lines that are none are told and left out.
    pub fn add(&mut self, text: &str) -> Vec<FeedProblem> {
        let mut problems = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if self.len() >= MAX_ENTRIES {
                problems.push(FeedProblem {
                    line: number as u32 + 1,
                    message: format!("more than {MAX_ENTRIES} entries: the rest is left out"),
                });
                break;
            }
            if let Err(message) = self.entry(line) {
                problems.push(FeedProblem {
                    line: number as u32 + 1,
                    message,
                });
            }
        }
        problems
    }

    fn entry(&mut self, line: &str) -> Result<(), String> {
        let (what, remark) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let remark: Box<str> = remark
            .trim()
            .trim_start_matches('#')
            .trim_start()
            .chars()
            .take(REMARK)
            .collect::<String>()
            .into();
        if let Some(hash) = sha256(what) {
            self.hashes.insert(hash, remark);
        } else if what.contains('/') {
            return Err(format!(
                "`{what}` has a slash; a file name or a SHA-256 is expected"
            ));
        } else if what.len() >= 32 && what.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!(
                "`{what}` has {} hexadecimal digits; only SHA-256 (64) can be compared",
                what.len()
            ));
        } else if what.contains(['*', '?', '[']) {
            self.patterns.push((what.to_owned(), remark));
        } else {
            self.names.insert(what.to_owned(), remark);
        }
        Ok(())
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.hashes.len() + self.names.len() + self.patterns.len()
    }

    /// True without any entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when files must be hashed to be compared.
    pub fn has_hashes(&self) -> bool {
        !self.hashes.is_empty()
    }

    /// What an attempt's file matches, in words.
    pub fn finds(&self, attempt: &Attempt<'_>) -> Option<String> {
        if let Some(hash) = attempt.sha256
            && let Some(remark) = self.hashes.get(&hash)
        {
            return Some(with_remark(&format!("SHA-256 {}", hex(&hash)), remark));
        }
        let name = attempt.path.rsplit('/').next().unwrap_or_default();
        if name.is_empty() {
            return None;
        }
        if let Some(remark) = self.names.get(name) {
            return Some(with_remark(&format!("name {name}"), remark));
        }
        self.patterns
            .iter()
            .find(|(pattern, _)| glob::matches(pattern.as_bytes(), name.as_bytes(), false))
            .map(|(pattern, remark)| with_remark(&format!("name like {pattern}"), remark))
    }
}

fn with_remark(what: &str, remark: &str) -> String {
    if remark.is_empty() {
        what.to_owned()
    } else {
        format!("{what} ({remark})")
    }
}

fn sha256(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut out = [0; 32];
    for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *slot = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

/// Hexadecimal digits of a hash.
pub fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::drift::{Operation, Source};
    use super::*;

    fn attempt(path: &str, sha256: Option<[u8; 32]>) -> Attempt<'_> {
        Attempt {
            operation: Operation::Execute,
            source: Source::Image,
            deleted: false,
            path,
            process: "/bin/sh",
            sha256,
        }
    }

    #[test]
    fn hashes_names_and_patterns_are_found() {
        let mut feed = Feed::default();
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let problems = feed.add(&format!(
            "# a comment\n\n{hash} test file\nxmrig  # a miner\nkinsing*\n"
        ));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(feed.len(), 3);
        let found = |path: &str, sha| feed.finds(&attempt(path, sha));
        assert_eq!(
            found("/bin/xmrig", None).as_deref(),
            Some("name xmrig (a miner)")
        );
        assert_eq!(
            found("/tmp/kinsing7", None).as_deref(),
            Some("name like kinsing*")
        );
        assert_eq!(
            found("/bin/true", super::sha256(hash)),
            Some(format!("SHA-256 {hash} (test file)"))
        );
        assert_eq!(found("/bin/true", None), None);
        assert_eq!(found("", None), None);
    }

    #[test]
    fn what_is_no_entry_is_told() {
        let mut feed = Feed::default();
        let problems = feed.add("/tmp/x\nd41d8cd98f00b204e9800998ecf8427e\nok\n");
        assert_eq!(problems.iter().map(|p| p.line).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(feed.len(), 1);
    }
}
