//! How far the journal was judged, and what was learnt by it: one file, replaced as a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::{Position, read_if_there, replace};

/// Name of the file in the state directory.
const NAME: &str = "checkpoint";

/// A place in the journal and the state that judging everything before it led to.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// Everything before it is judged.
    pub position: Position,
    /// Where each source goes on, by origin.
    pub sources: BTreeMap<String, Value>,
    /// State of the judge, in its own form.
    pub state: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    position: Position,
    sources: BTreeMap<String, Value>,
}

impl Checkpoint {
    /// The checkpoint in a state directory; `None` when there is none yet.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn load(dir: &Path) -> io::Result<Option<Self>> {
        let Some(mut bytes) = read_if_there(&path(dir))? else {
            return Ok(None);
        };
        let line = bytes.iter().position(|byte| *byte == b'\n');
        let line = line.ok_or_else(|| io::Error::other("the checkpoint has no first line"))?;
        let head: Head = serde_json::from_slice(&bytes[..line])?;
        bytes.drain(..=line);
        Ok(Some(Self {
            position: head.position,
            sources: head.sources,
            state: bytes,
        }))
    }

    /// Writes a checkpoint; `state` writes the state. After a crash the old or the new one is there.
    ///
    /// # Errors
    /// When the file system refuses; the old one stays.
    pub fn store(
        dir: &Path,
        position: Position,
        sources: &BTreeMap<String, Value>,
        state: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
    ) -> io::Result<()> {
        replace(&path(dir), |file| {
            let mut out = BufWriter::new(file);
            let head = Head {
                position,
                sources: sources.clone(),
            };
            serde_json::to_writer(&mut out, &head)?;
            out.write_all(b"\n")?;
            state(&mut out)?;
            out.flush()
        })
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}
