//! Lists before the events, handed out entry by entry, so that a list need not fit into memory.

use std::io::Read;

use super::{Found, MAX_ENTRY, Reader, too_short};
use crate::block::{FRAME, HEADER};
use crate::bytes::Cursor;
use crate::error::ErrorKind;
use crate::item::Item;
use crate::lists::{self, Account, List};

/// Bytes that are looked at first for an entry that does not say how long it is.
const FIRST_LOOK: usize = 32 * 1024;

/// A list block that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenList {
    pub list: List,
    pub block: u32,
    pub length: u32,
    /// Bytes of the body that are left.
    pub left: usize,
}

impl<R: Read> Reader<R> {
    /// Begins a list block.
    pub(super) fn open(&mut self, id: u32, length: u32, list: List) -> Result<(), ErrorKind> {
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
    pub(super) fn next_entry(&mut self) -> Result<Option<Found>, ErrorKind> {
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
}

/// The entry that the bytes start with.
pub(super) fn entry<'a>(list: List, at: &mut Cursor<'a>) -> Option<Item<'a>> {
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
