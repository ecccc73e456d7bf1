//! Writing a capture that Falco and `sysdig` read.

use std::io::{self, BufWriter, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use vedette_event::{EventFlags, RawEvent, Via};

use crate::block::{self, FRAME, HEADER};
use crate::encode;
use crate::event::EVENT_HEADER;
use crate::item::{FdEntry, Item, MachineInfo};
use crate::reader::tells_what_was_known;

/// Bytes that are collected before they are handed to the output.
const CHUNK: usize = 256 * 1024;

/// Bytes of list entries that are collected for one block. A list that is longer goes into several blocks.
const LIST_BLOCK: usize = 1024 * 1024;

/// Longest block of an event whose length words are 16 bits wide: what Falco's reader takes, without the header.
const MAX_PLAIN_EVENT: usize = 64 * 1024;

/// A capture cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output failed.
    #[error("cannot write: {0}")]
    Io(#[from] io::Error),
    /// No reader takes an event of this length.
    #[error("a {name} event of {length} bytes is longer than captures hold ({limit})")]
    EventTooLong {
        /// Name of the event.
        name: &'static str,
        /// Bytes of its block.
        length: usize,
        /// The most.
        limit: usize,
    },
    /// The type of a descriptor and what is said of it contradict each other.
    #[error("descriptor {fd} of type {kind} does not have these details")]
    FdKind {
        /// Its number.
        fd: i64,
        /// Its type.
        kind: u8,
    },
}

#[derive(Debug)]
enum Sink<W: Write> {
    Raw(BufWriter<W>),
    Gzip(BufWriter<Box<GzEncoder<W>>>),
}

impl<W: Write> Sink<W> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Raw(out) => out.write_all(bytes),
            Self::Gzip(out) => out.write_all(bytes),
        }
    }
}

/// Which block the collected entries go into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Processes,
    Fds(i64),
    Users,
    Interfaces,
}

impl List {
    fn block(self) -> u32 {
        match self {
            Self::Processes => block::PROCESSES_V9,
            Self::Fds(_) => block::FDS_V2,
            Self::Users => block::USERS_V2,
            Self::Interfaces => block::INTERFACES_V2,
        }
    }
}

/// Writes items in the newest form of every block: what [`crate::Reader`] hands out, in the same order.
///
/// Events are numbered by their place, so what a reader of the new file gives as their numbers has no gaps. Containers,
/// users and groups that come as [`Item::Event`] before any other event are state for that reader.
///
/// Texts are cut at the lengths that Falco's reader takes: 1,024 bytes for a path, 4,096 for arguments, environment
/// and control groups, 255 for names of users and groups. The output is buffered; [`Self::finish`] ends it.
#[derive(Debug)]
pub struct Writer<W: Write> {
    sink: Sink<W>,
    begun: bool,
    leading: bool,
    list: Option<List>,
    entries: Vec<u8>,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Writes to `output`, compressed when a level is given. Nothing is written before the first item.
    pub fn new(output: W, compression: Option<Compression>) -> Self {
        let sink = match compression {
            None => Sink::Raw(BufWriter::with_capacity(CHUNK, output)),
            Some(level) => Sink::Gzip(BufWriter::with_capacity(
                CHUNK,
                Box::new(GzEncoder::new(output, level)),
            )),
        };
        Self {
            sink,
            begun: false,
            leading: true,
            list: None,
            entries: Vec::new(),
            written: 0,
        }
    }

    /// Bytes of the capture so far, before compression. Entries of a list that is still growing are not counted.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes an item.
    ///
    /// # Errors
    /// [`WriteError`] when the output fails, or when the item cannot be written so that readers take it; then nothing
    /// of it was written.
    pub fn write(&mut self, item: &Item<'_>) -> Result<(), WriteError> {
        match item {
            Item::Event(event) => return self.event(event, true),
            Item::State(event) => return self.event(event, false),
            Item::Section(_) => {
                self.end_list()?;
                self.begun = false;
                self.begin()?;
            }
            Item::Machine(machine) => self.machine(machine)?,
            Item::Process(entry) => {
                self.begin_list(List::Processes)?;
                encode::process(entry, &mut self.entries);
            }
            Item::Fd { tid, entry } => self.fd(*tid, entry)?,
            Item::User(user) => {
                self.begin_list(List::Users)?;
                encode::user(user, &mut self.entries);
            }
            Item::Group(group) => {
                self.begin_list(List::Users)?;
                encode::group(group, &mut self.entries);
            }
            Item::Interface(interface) => {
                self.begin_list(List::Interfaces)?;
                encode::interface(interface, &mut self.entries);
            }
        }
        Ok(())
    }

    /// Ends the capture and gives back the output.
    ///
    /// # Errors
    /// [`WriteError::Io`] when the output fails.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.end_list()?;
        self.begin()?;
        match self.sink {
            Sink::Raw(out) => Ok(out.into_inner().map_err(io::IntoInnerError::into_error)?),
            Sink::Gzip(out) => {
                let encoder = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                Ok(encoder.finish()?)
            }
        }
    }

    /// Hands everything that is complete to the output, so that a reader of the file sees it.
    ///
    /// # Errors
    /// [`WriteError::Io`] when the output fails.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.end_list()?;
        match &mut self.sink {
            Sink::Raw(out) => out.flush()?,
            Sink::Gzip(out) => out.flush()?,
        }
        Ok(())
    }

    /// Writes a section header unless there is one.
    fn begin(&mut self) -> io::Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        self.leading = true;
        let mut body = Vec::with_capacity(16);
        body.extend_from_slice(&block::BYTE_ORDER_MAGIC.to_le_bytes());
        body.extend_from_slice(&block::MAJOR.to_le_bytes());
        body.extend_from_slice(&block::MINOR.to_le_bytes());
        // The length of the section: not known.
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        self.block(block::SECTION, &[&body])
    }

    /// Writes one block, padded to 4 bytes.
    #[inline]
    fn block(&mut self, id: u32, body: &[&[u8]]) -> io::Result<()> {
        let len: usize = body.iter().map(|part| part.len()).sum();
        let padding = len.next_multiple_of(4) - len;
        let total = len + padding + FRAME;
        // A list block is bounded by LIST_BLOCK, an event by its 32-bit length.
        let word = u32::try_from(total)
            .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?
            .to_le_bytes();
        let mut head = [0; HEADER];
        head[..4].copy_from_slice(&id.to_le_bytes());
        head[4..].copy_from_slice(&word);
        self.sink.put(&head)?;
        for part in body {
            self.sink.put(part)?;
        }
        self.sink.put(&[0; 3][..padding])?;
        self.sink.put(&word)?;
        self.written += total as u64;
        Ok(())
    }

    /// Makes ready for an entry of this list.
    fn begin_list(&mut self, list: List) -> io::Result<()> {
        if self.list != Some(list) || self.entries.len() >= LIST_BLOCK {
            self.end_list()?;
            self.list = Some(list);
            if let List::Fds(tid) = list {
                self.entries.extend_from_slice(&tid.to_le_bytes());
            }
        }
        Ok(())
    }

    /// Writes the list that is being collected.
    fn end_list(&mut self) -> io::Result<()> {
        let Some(list) = self.list.take() else {
            return Ok(());
        };
        self.begin()?;
        let mut entries = std::mem::take(&mut self.entries);
        let done = self.block(list.block(), &[&entries]);
        entries.clear();
        self.entries = entries;
        done
    }

    fn machine(&mut self, machine: &MachineInfo<'_>) -> io::Result<()> {
        self.end_list()?;
        self.begin()?;
        let mut body = Vec::new();
        encode::machine(machine, &mut body);
        self.block(block::MACHINE, &[&body])
    }

    fn fd(&mut self, tid: i64, entry: &FdEntry<'_>) -> Result<(), WriteError> {
        if !encode::fd_kind_fits(entry) {
            return Err(WriteError::FdKind {
                fd: entry.fd,
                kind: entry.kind,
            });
        }
        self.begin_list(List::Fds(tid))?;
        encode::fd(entry, &mut self.entries);
        Ok(())
    }

    fn event(&mut self, event: &RawEvent<'_>, shown: bool) -> Result<(), WriteError> {
        if self.list.is_some() {
            self.end_list()?;
        }
        let (lengths, data) = event.parts();
        let params: usize = event.params().map(<[u8]>::len).sum();
        let data = data.get(..params).unwrap_or(data);
        let len = EVENT_HEADER + lengths.len() + data.len();
        let large = event
            .kind
            .info()
            .is_some_and(|info| info.flags.has(EventFlags::LARGE_PAYLOAD));
        let length = len + FRAME + 2 + 4;
        let limit = if large {
            crate::MAX_EVENT_BLOCK as usize
        } else {
            MAX_PLAIN_EVENT
        };
        if length > limit {
            return Err(WriteError::EventTooLong {
                name: event.kind.name(),
                length,
                limit,
            });
        }
        self.begin()?;
        // A reader sees by itself that what is known at the start is not for rules.
        self.leading = self.leading && tells_what_was_known(event.kind);
        let hidden = !shown && !self.leading;
        let uring = event.via == Via::IoUring;
        let flagged = hidden || uring;
        let id = match (flagged, large) {
            (false, false) => block::EVENT_V2,
            (false, true) => block::EVENT_V2_LARGE,
            (true, false) => block::FLAGGED_V2,
            (true, true) => block::FLAGGED_V2_LARGE,
        };
        let mut head = [0; 6 + EVENT_HEADER];
        head[..2].copy_from_slice(&event.cpu.to_le_bytes());
        let mut at = 2;
        if flagged {
            let flag = |set: bool, flag: u32| if set { flag } else { 0 };
            let flags = flag(hidden, block::STATE_ONLY)
                | flag(large, block::LARGE)
                | flag(uring, block::IO_URING);
            head[2..6].copy_from_slice(&flags.to_le_bytes());
            at = 6;
        }
        let header = &mut head[at..at + EVENT_HEADER];
        header[..8].copy_from_slice(&event.ts.to_le_bytes());
        header[8..16].copy_from_slice(&event.tid.to_le_bytes());
        header[16..20].copy_from_slice(&(len as u32).to_le_bytes());
        header[20..22].copy_from_slice(&event.kind.0.to_le_bytes());
        header[22..26].copy_from_slice(&(event.nparams() as u32).to_le_bytes());
        self.block(id, &[&head[..at + EVENT_HEADER], lengths, data])?;
        Ok(())
    }
}
