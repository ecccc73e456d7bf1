//! Reading a capture: blocks in, items out.

use std::io::{self, Read};

use vedette_event::{EventType, Malformed, RawEvent};

use crate::block::{self, Block, EventBlock, FRAME, HEADER};
use crate::bytes::{ByteOrder, Cursor};
use crate::convert::{Converter, Verdict};
use crate::error::{Error, ErrorKind};
use crate::event::{self, Decoded, NotAnEvent};
use crate::item::{Item, SectionHeader};
use crate::lists::{self, Account, List};
use crate::source::Window;

/// Longest event block in bytes. An event is held in memory whole. Recorders write up to 64 KiB; only events of plugins
/// and containers are longer, and those stay far below this.
pub const MAX_EVENT_BLOCK: u32 = 16 * 1024 * 1024;

/// Longest entry of a process, descriptor, user or interface list in bytes. An entry is held in memory whole, its list
/// is not. The longest that the format allows has nine texts of 64 KiB.
pub const MAX_ENTRY: usize = 1024 * 1024;

/// Bytes that are looked at first for an entry that does not say how long it is.
const FIRST_LOOK: usize = 32 * 1024;

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
    /// Number of the last event.
    num: u64,
    /// No other event than those that say what was known when recording began has been seen in this section.
    leading: bool,
    begun: bool,
    ended: bool,
    stats: Stats,
}

#[derive(Clone, Copy, Debug)]
struct OpenList {
    list: List,
    block: u32,
    length: u32,
    /// Bytes of the body that are left.
    left: usize,
}

/// What was found, without a borrow: where it stands relative to the window.
#[derive(Debug)]
enum Found {
    Section(SectionHeader),
    Machine {
        len: usize,
    },
    Entry {
        list: List,
        len: usize,
    },
    Event {
        event: Decoded,
        back: usize,
        place: Place,
        shown: bool,
    },
}

/// Where the bytes of an event are.
#[derive(Clone, Copy, Debug)]
enum Place {
    Window,
    Swapped,
    Converter,
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
            Ok(Some(found)) => self.item(found).map(Some),
            Ok(None) => {
                self.ended = true;
                Ok(None)
            }
            Err(kind) => {
                self.ended = true;
                Err(self.error(kind))
            }
        }
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error {
            kind,
            at: self.window.at(),
            file_at: self.window.file_at(),
        }
    }

    /// Borrows what was found.
    #[inline]
    fn item(&self, found: Found) -> Result<Item<'_>, Error> {
        let damaged = |what| self.error(ErrorKind::Entry(what));
        Ok(match found {
            Found::Event {
                event,
                back,
                place,
                shown,
            } => {
                let raw = match place {
                    Place::Converter => self
                        .converter
                        .event(self.num, event.ts, event.tid, event.cpu),
                    Place::Window => {
                        let body = self.window.behind(back, event.data.end);
                        raw(&event, self.num, body).map_err(|_| damaged("event"))?
                    }
                    Place::Swapped => {
                        raw(&event, self.num, &self.swapped).map_err(|_| damaged("event"))?
                    }
                };
                if shown {
                    Item::Event(raw)
                } else {
                    Item::State(raw)
                }
            }
            Found::Section(header) => Item::Section(header),
            Found::Machine { len } => {
                let mut at = Cursor::new(self.window.behind(len, len), self.order);
                Item::Machine(lists::machine(&mut at).ok_or_else(|| damaged("machine"))?)
            }
            Found::Entry { list, len } => {
                let mut at = Cursor::new(self.window.behind(len, len), self.order);
                entry(list, &mut at).ok_or_else(|| damaged(list.entry_name()))?
            }
        })
    }

    fn advance(&mut self) -> Result<Option<Found>, ErrorKind> {
        loop {
            if self.list.is_some() {
                if let Some(found) = self.next_entry()? {
                    return Ok(Some(found));
                }
                continue;
            }
            if !self.window.ensure(HEADER) {
                if !self.window.bytes().is_empty() || self.window.failed() {
                    return Err(self.cut("block header", HEADER as u64));
                }
                return if self.begun {
                    Ok(None)
                } else {
                    Err(ErrorKind::NotACapture)
                };
            }
            let mut at = Cursor::new(self.window.bytes(), self.order);
            let (Some(id), Some(length)) = (at.u32(), at.u32()) else {
                return Err(self.cut("block header", HEADER as u64));
            };
            if !self.begun && id != block::SECTION {
                return Err(ErrorKind::NotACapture);
            }
            match Block::of(id) {
                Block::Event(block) => {
                    if let Some(found) = self.event_block(id, length, block)? {
                        return Ok(Some(found));
                    }
                }
                Block::Section => return self.section().map(Some),
                Block::Machine => {
                    let least = (FRAME + lists::MACHINE_LEN) as u32;
                    let body = self.whole_block(id, length, least, MAX_SMALL_BLOCK)?;
                    // The trailer and what stands before it are behind the window now.
                    let len = body + 4;
                    return Ok(Some(Found::Machine { len }));
                }
                Block::Processes(version) => self.open(id, length, List::Processes(version))?,
                Block::Users(sized) => self.open(id, length, List::Users { sized })?,
                Block::Interfaces(sized) => self.open(id, length, List::Interfaces { sized })?,
                Block::Fds(sized) => self.open(id, length, List::Fds { tid: 0, sized })?,
                Block::Unknown => {
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
        }
    }

    /// Holds a block whole, checks its frame and moves behind it. Gives the length of its body.
    #[inline]
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

    fn open(&mut self, id: u32, length: u32, list: List) -> Result<(), ErrorKind> {
        let head = if matches!(list, List::Fds { .. }) {
            8
        } else {
            0
        };
        let least = FRAME + head;
        if (length as usize) < least {
            return Err(too_short(id, length, least as u32));
        }
        if !self.window.ensure(HEADER + head) {
            return Err(self.cut(list.entry_name(), (HEADER + head) as u64));
        }
        let mut at = Cursor::new(&self.window.bytes()[HEADER..], self.order);
        let list = match list {
            List::Fds { sized, .. } => List::Fds {
                tid: at.i64().unwrap_or_default(),
                sized,
            },
            list => list,
        };
        self.window.consume(HEADER + head);
        self.list = Some(OpenList {
            list,
            block: id,
            length,
            left: length as usize - least,
        });
        Ok(())
    }

    /// The next entry of the open list; `None` when it is over, and then it is closed.
    fn next_entry(&mut self) -> Result<Option<Found>, ErrorKind> {
        let Some(mut open) = self.list else {
            return Ok(None);
        };
        // Less than 4 bytes are padding.
        if open.left < 4 {
            self.list = None;
            let left = open.left as u64;
            let skipped = self.window.skip(left);
            if skipped < left {
                return Err(self.cut_at("padding", left, skipped));
            }
            self.trailer(open.block, open.length)?;
            return Ok(None);
        }
        let mut look = FIRST_LOOK;
        let len = loop {
            let held = look.min(open.left);
            let enough = self.window.ensure(held);
            let bytes = self.window.bytes();
            let bytes = &bytes[..held.min(bytes.len())];
            let written = open.list.written_length(bytes, self.order);
            if let Some(len) = written.filter(|&len| len > open.left || len > MAX_ENTRY) {
                let _ = len;
                return Err(ErrorKind::Entry(open.list.entry_name()));
            }
            // An entry that says how long it is must not reach past that.
            let within = written.map_or(bytes, |len| &bytes[..len.min(bytes.len())]);
            let mut at = Cursor::new(within, self.order);
            if entry(open.list, &mut at).is_some() {
                break at.at();
            }
            let whole = written.is_some_and(|len| len <= bytes.len());
            if whole || (enough && (held == open.left || look >= MAX_ENTRY)) {
                return Err(ErrorKind::Entry(open.list.entry_name()));
            }
            if !enough {
                return Err(self.cut(open.list.entry_name(), open.left as u64));
            }
            look = (look * 2).max(written.unwrap_or(0)).min(MAX_ENTRY);
        };
        self.window.consume(len);
        open.left -= len;
        self.list = Some(open);
        Ok(Some(Found::Entry {
            list: open.list,
            len,
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

    /// An event; `None` when there is nothing to hand out for it.
    #[inline]
    fn event_block(
        &mut self,
        id: u32,
        length: u32,
        block: EventBlock,
    ) -> Result<Option<Found>, ErrorKind> {
        let from = self.window.at();
        let body = self.whole_block(id, length, FRAME as u32, MAX_EVENT_BLOCK)?;
        let back = body + 4;
        self.stats.events += 1;
        let bytes = self.window.behind(back, body);
        let mut event = match event::decode(bytes, block, self.order) {
            Ok(event) => event,
            Err(why) => return Ok(self.not_an_event(why, from)),
        };
        let mut place = Place::Window;
        if self.order == ByteOrder::Big {
            self.swapped.clear();
            if let Err(why) = event::swap(&event, bytes, &mut self.swapped) {
                return Ok(self.not_an_event(why, from));
            }
            event.data = event.lengths.len()..self.swapped.len();
            event.lengths = 0..event.lengths.len();
            place = Place::Swapped;
        }
        let bytes = match place {
            Place::Swapped => &self.swapped[..],
            _ => bytes,
        };
        let Ok(raw) = raw(&event, 0, bytes) else {
            return Ok(self.not_an_event(NotAnEvent::Malformed, from));
        };
        if self.options.convert {
            match self.converter.feed(&raw) {
                Verdict::Unchanged => {}
                Verdict::Converted => {
                    self.stats.converted += 1;
                    event.kind = self.converter.event(0, 0, 0, 0).kind;
                    place = Place::Converter;
                }
                Verdict::Numbered => {
                    self.stats.starts += 1;
                    self.num += 1;
                    self.leading = false;
                    return Ok(None);
                }
                Verdict::Dropped => {
                    self.stats.starts += u64::from(event.kind.is_enter());
                    return Ok(None);
                }
            }
        }
        self.num += 1;
        self.leading = self.leading && tells_what_was_known(event.kind);
        let shown = !self.leading && event.flags & block::STATE_ONLY == 0;
        self.stats.shown += u64::from(shown);
        Ok(Some(Found::Event {
            event,
            back,
            place,
            shown,
        }))
    }

    #[cold]
    fn not_an_event(&mut self, why: NotAnEvent, at: u64) -> Option<Found> {
        match why {
            NotAnEvent::Unknown => self.stats.unknown_events += 1,
            NotAnEvent::Malformed => {
                self.stats.malformed_events += 1;
                self.stats.first_malformed.get_or_insert(at);
            }
        }
        None
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

#[inline]
fn raw<'a>(event: &Decoded, num: u64, body: &'a [u8]) -> Result<RawEvent<'a>, Malformed> {
    let lengths = body.get(event.lengths.clone()).ok_or(Malformed::Lengths)?;
    let data = body.get(event.data.clone()).ok_or(Malformed::Data)?;
    RawEvent::new(
        num,
        event.ts,
        event.tid,
        event.cpu,
        event.kind,
        event.nparams,
        lengths,
        data,
    )
}

fn entry<'a>(list: List, at: &mut Cursor<'a>) -> Option<Item<'a>> {
    Some(match list {
        List::Processes(version) => Item::Process(lists::process(at, version)?),
        List::Fds { tid, sized } => Item::Fd {
            tid,
            entry: lists::fd(at, sized)?,
        },
        List::Users { sized } => match lists::account(at, sized)? {
            Account::User(user) => Item::User(user),
            Account::Group(group) => Item::Group(group),
        },
        List::Interfaces { sized } => Item::Interface(lists::interface(at, sized)?),
    })
}

/// Event types that a recorder writes first to say which containers, users and groups there are. While nothing else has
/// come they only feed the state tables.
fn tells_what_was_known(kind: EventType) -> bool {
    kind.info().is_some_and(|info| {
        matches!(
            info.symbol,
            "CONTAINER_E"
                | "CONTAINER_JSON_E"
                | "CONTAINER_JSON_2_E"
                | "USER_ADDED_E"
                | "USER_DELETED_E"
                | "GROUP_ADDED_E"
                | "GROUP_DELETED_E"
        )
    })
}
