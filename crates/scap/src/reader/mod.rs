//! Reading a capture: blocks in, items out.

use std::io::{self, Read};

use crate::block::{self, Block, FRAME, HEADER};
use crate::bytes::{ByteOrder, Cursor};
use crate::convert::Converter;
use crate::error::{Error, ErrorKind};
use crate::event::Decoded;
use crate::item::{Item, SectionHeader};
use crate::lists::{self, List};
use crate::source::Window;

mod entries;
mod events;

use entries::{OpenList, entry};
pub(crate) use events::tells_what_was_known;
use events::{Current, Place};

/// Longest event block in bytes. An event is held in memory whole. Recorders write up to 64 KiB; only events of plugins
/// and containers are longer, and those stay far below this.
pub const MAX_EVENT_BLOCK: u32 = 16 * 1024 * 1024;

/// Longest entry of a process, descriptor, user or interface list in bytes. An entry is held in memory whole, its list
/// is not. The longest that the format allows has nine texts of 64 KiB.
pub const MAX_ENTRY: usize = 1024 * 1024;

/// Longest section header or machine block in bytes: both are short, but may carry comments.
const MAX_SMALL_BLOCK: u32 = 1024 * 1024;

/// How a capture is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bring old events up to date and hide what Falco hides. Without it every event comes out as it was written.
    pub convert: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { convert: true }
    }
}

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Event blocks, of every kind.
    pub events: u64,
    /// Events that rules see.
    pub shown: u64,
    /// Old events that were brought up to date.
    pub converted: u64,
    /// Starts of calls, which are not shown: what they say is in the event of the call's end.
    pub starts: u64,
    /// Starts of calls that were forgotten before their end came, because too many were unfinished.
    pub forgotten: u64,
    /// Events of a shape that cannot be brought up to date.
    pub unconvertible: u64,
    /// Events of a type that is not known: a newer recorder wrote them. They are skipped.
    pub unknown_events: u64,
    /// Events whose lengths contradict each other. They are skipped.
    pub malformed_events: u64,
    /// Place of the first malformed event in the decompressed stream.
    pub first_malformed: Option<u64>,
    /// Blocks of a type that is not known. They are skipped.
    pub unknown_blocks: u64,
}

/// Reads a capture from start to end.
///
/// Gzip is undone, both byte orders are read. Memory is bounded by [`MAX_EVENT_BLOCK`] and [`MAX_ENTRY`] whatever the
/// file says. After an error everything before the damage was handed out, and the reader is at its end.
#[derive(Debug)]
pub struct Reader<R> {
    window: Window<R>,
    order: ByteOrder,
    options: Options,
    converter: Converter,
    /// The list that is being handed out entry by entry.
    list: Option<OpenList>,
    /// Bytes of the event that was brought into little-endian order.
    swapped: Vec<u8>,
    /// The event that is to be handed out.
    current: Current,
    /// Number of the last event.
    num: u64,
    /// No other event than those that say what was known when recording began has been seen in this section.
    leading: bool,
    begun: bool,
    ended: bool,
    stats: Stats,
}

/// What was found, without a borrow.
#[derive(Debug)]
enum Found {
    Section(SectionHeader),
    /// The machine, in the last `len` bytes behind the window.
    Machine {
        len: usize,
    },
    /// An entry, in the last `len` bytes behind the window.
    Entry {
        list: List,
        len: usize,
    },
    /// The current event.
    Event,
    /// The end of the file.
    End,
}

impl<R: Read> Reader<R> {
    /// Reads from `input`, which need not be buffered, and converts old events.
    pub fn new(input: R) -> Self {
        Self::with_options(input, Options::default())
    }

    /// Reads from `input` as `options` says.
    pub fn with_options(input: R, options: Options) -> Self {
        Self {
            window: Window::new(input),
            order: ByteOrder::Little,
            options,
            converter: Converter::new(),
            list: None,
            swapped: Vec::new(),
            current: Current {
                event: Decoded::none(),
                back: 0,
                place: Place::Window,
                shown: false,
            },
            num: 0,
            leading: true,
            begun: false,
            ended: false,
            stats: Stats::default(),
        }
    }

    /// What was read so far.
    pub fn stats(&self) -> Stats {
        Stats {
            forgotten: self.converter.forgotten(),
            unconvertible: self.converter.unconvertible(),
            ..self.stats
        }
    }

    /// Bytes of memory that the reader's buffers hold.
    pub fn memory(&self) -> usize {
        self.window.capacity() + self.swapped.capacity() + self.converter.memory()
    }

    /// The next item, or `None` at the end.
    ///
    /// # Errors
    /// [`Error`] once, when the capture is damaged or cannot be read; then `None`.
    #[allow(
        clippy::should_implement_trait,
        reason = "an item borrows the reader, which an iterator cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, Error> {
        if self.ended {
            return Ok(None);
        }
        match self.advance() {
            Ok(Found::Event) => {
                let Ok(event) = self.current_event() else {
                    return Err(self.error(ErrorKind::Entry("event")));
                };
                if self.current.shown {
                    Ok(Some(Item::Event(event)))
                } else {
                    Ok(Some(Item::State(event)))
                }
            }
            Ok(Found::End) => {
                self.ended = true;
                Ok(None)
            }
            Ok(found) => match self.item(&found) {
                Some(item) => Ok(Some(item)),
                None => Err(self.error(ErrorKind::Entry("list"))),
            },
            Err(kind) => {
                self.ended = true;
                Err(self.error(kind))
            }
        }
    }

    #[cold]
    fn error(&self, kind: ErrorKind) -> Error {
        Error {
            kind,
            at: self.window.at(),
            file_at: self.window.file_at(),
        }
    }

    /// Borrows what was found, other than an event.
    #[inline(never)]
    fn item(&self, found: &Found) -> Option<Item<'_>> {
        match *found {
            Found::Section(header) => Some(Item::Section(header)),
            Found::Machine { len } => {
                let mut at = Cursor::new(self.window.behind(len, len), self.order);
                lists::machine(&mut at).map(Item::Machine)
            }
            Found::Entry { list, len } => {
                let mut at = Cursor::new(self.window.behind(len, len), self.order);
                entry(list, &mut at)
            }
            Found::Event | Found::End => None,
        }
    }

    #[inline]
    fn advance(&mut self) -> Result<Found, ErrorKind> {
        loop {
            if self.list.is_some() {
                if let Some(found) = self.next_entry()? {
                    return Ok(found);
                }
                continue;
            }
            if !self.window.ensure(HEADER) {
                return self.end();
            }
            let Some(head) = self.window.bytes().first_chunk::<HEADER>() else {
                return self.end();
            };
            let mut at = Cursor::new(head, self.order);
            let (id, length) = (at.u32().unwrap_or(0), at.u32().unwrap_or(0));
            if let (Block::Event(block), true) = (Block::of(id), self.begun) {
                if self.event_block(id, length, block)? {
                    return Ok(Found::Event);
                }
            } else if let Some(found) = self.other_block(id, length)? {
                return Ok(found);
            }
        }
    }

    /// The end of the file, if that is what it is.
    #[cold]
    fn end(&mut self) -> Result<Found, ErrorKind> {
        if !self.window.bytes().is_empty() || self.window.failed() {
            Err(self.cut("block header", HEADER as u64))
        } else if self.begun {
            Ok(Found::End)
        } else {
            Err(ErrorKind::NotACapture)
        }
    }

    /// A block that is not an event's; `None` when there is nothing to hand out for it, or only its entries.
    #[inline(never)]
    fn other_block(&mut self, id: u32, length: u32) -> Result<Option<Found>, ErrorKind> {
        if !self.begun && id != block::SECTION {
            return Err(ErrorKind::NotACapture);
        }
        match Block::of(id) {
            Block::Section => return self.section().map(Some),
            Block::Machine => {
                let least = (FRAME + lists::MACHINE_LEN) as u32;
                let body = self.whole_block(id, length, least, MAX_SMALL_BLOCK)?;
                // The end of the block is behind the window too.
                return Ok(Some(Found::Machine { len: body + 4 }));
            }
            Block::Processes(version) => self.open(id, length, List::Processes(version))?,
            Block::Users(sized) => self.open(id, length, List::Users { sized })?,
            Block::Interfaces(sized) => self.open(id, length, List::Interfaces { sized })?,
            Block::Fds(sized) => self.open(id, length, List::Fds { tid: 0, sized })?,
            Block::Event(_) | Block::Unknown => {
                self.stats.unknown_blocks += 1;
                if length < FRAME as u32 {
                    return Err(too_short(id, length, FRAME as u32));
                }
                let body = u64::from(length) - FRAME as u64;
                self.window.consume(HEADER);
                let skipped = self.window.skip(body);
                if skipped < body {
                    return Err(self.cut_at("unknown block", body, skipped));
                }
                self.trailer(id, length)?;
            }
        }
        Ok(None)
    }

    /// Holds a block whole, checks its frame and moves behind it. Gives the length of its body.
    #[inline(never)]
    fn whole_block(
        &mut self,
        id: u32,
        length: u32,
        least: u32,
        limit: u32,
    ) -> Result<usize, ErrorKind> {
        if length < least {
            return Err(too_short(id, length, least));
        }
        if length > limit {
            return Err(ErrorKind::BlockTooLong {
                block: id,
                length,
                limit,
            });
        }
        let len = length as usize;
        if !self.window.ensure(len) {
            return Err(self.cut("block", u64::from(length)));
        }
        let mut at = Cursor::new(&self.window.bytes()[len - 4..len], self.order);
        let trailer = at.u32().unwrap_or_default();
        if trailer != length {
            return Err(ErrorKind::Trailer {
                block: id,
                header: length,
                trailer,
            });
        }
        self.window.consume(len);
        Ok(len - FRAME)
    }

    fn section(&mut self) -> Result<Found, ErrorKind> {
        const LEAST: usize = FRAME + 16;
        if !self.window.ensure(HEADER + 4) {
            return Err(self.cut("section header", LEAST as u64));
        }
        let mut at = Cursor::new(&self.window.bytes()[HEADER..], ByteOrder::Little);
        let magic = at.u32().unwrap_or_default();
        self.order = if magic == block::BYTE_ORDER_MAGIC {
            ByteOrder::Little
        } else if magic.swap_bytes() == block::BYTE_ORDER_MAGIC {
            ByteOrder::Big
        } else {
            return Err(ErrorKind::ByteOrder(magic));
        };
        let mut at = Cursor::new(&self.window.bytes()[4..], self.order);
        let length = at.u32().unwrap_or_default();
        let body = self.whole_block(block::SECTION, length, LEAST as u32, MAX_SMALL_BLOCK)?;
        let mut at = Cursor::new(self.window.behind(body + 4, body), self.order);
        let (_, major, minor) = (at.u32(), at.u16(), at.u16());
        let (major, minor) = (major.unwrap_or_default(), minor.unwrap_or_default());
        if major > block::MAJOR {
            return Err(ErrorKind::Version(major, minor));
        }
        self.begun = true;
        self.leading = true;
        self.converter.clear();
        Ok(Found::Section(SectionHeader {
            major,
            minor,
            big_endian: self.order == ByteOrder::Big,
        }))
    }

    fn trailer(&mut self, id: u32, length: u32) -> Result<(), ErrorKind> {
        if !self.window.ensure(4) {
            return Err(self.cut("end of a block", 4));
        }
        let mut at = Cursor::new(self.window.bytes(), self.order);
        let trailer = at.u32().unwrap_or_default();
        if trailer != length {
            return Err(ErrorKind::Trailer {
                block: id,
                header: length,
                trailer,
            });
        }
        self.window.consume(4);
        Ok(())
    }

    /// Why bytes are missing: the input failed, or it ends here.
    #[cold]
    fn cut(&mut self, part: &'static str, needed: u64) -> ErrorKind {
        let left = self.window.bytes().len() as u64;
        self.cut_at(part, needed, left)
    }

    #[cold]
    fn cut_at(&mut self, part: &'static str, needed: u64, left: u64) -> ErrorKind {
        match self.window.take_failure() {
            Some((error, true)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                ErrorKind::Inflate(error)
            }
            Some((error, false)) => ErrorKind::Io(error),
            // A compressed file that ends early is cut like any other.
            Some((_, true)) | None => ErrorKind::Cut { part, needed, left },
        }
    }
}

fn too_short(block: u32, length: u32, least: u32) -> ErrorKind {
    ErrorKind::BlockTooShort {
        block,
        length,
        least,
    }
}
