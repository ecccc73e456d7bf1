//! Writes blocks by hand, in either byte order and in old versions that the writer does not write.
#![allow(dead_code, reason = "each test file uses a part")]

use vedette_scap::{ErrorKind, Item, Reader};

/// A capture in the making.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    pub big: bool,
    pub out: Vec<u8>,
}

macro_rules! numbers {
    ($($name:ident: $ty:ty;)*) => {
        $(pub(crate) fn $name(&mut self, value: $ty) -> &mut Self {
            let raw = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
            self.out.extend_from_slice(&raw);
            self
        })*
    };
}

impl Blocks {
    /// Starts with a section header.
    pub(crate) fn new(big: bool) -> Self {
        let mut blocks = Self {
            big,
            out: Vec::new(),
        };
        blocks.section(1, 2);
        blocks
    }

    pub(crate) fn section(&mut self, major: u16, minor: u16) -> &mut Self {
        self.block(0x0A0D_0D0A, |b| {
            b.u32(0x1A2B_3C4D).u16(major).u16(minor).u64(u64::MAX);
        })
    }

    numbers! {
        u8: u8;
        u16: u16;
        u32: u32;
        u64: u64;
        i64: i64;
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.u16(text.len() as u16).raw(text.as_bytes())
    }

    /// A block around what `body` writes, padded to 4 bytes.
    pub(crate) fn block(&mut self, id: u32, body: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self {
            big: self.big,
            out: Vec::new(),
        };
        body(&mut inner);
        inner.out.resize(inner.out.len().next_multiple_of(4), 0);
        let length = inner.out.len() as u32 + 12;
        self.u32(id).u32(length).raw(&inner.out).u32(length)
    }

    /// What `body` writes, after its length as u32; `itself` when the length counts those 4 bytes.
    pub(crate) fn sized(&mut self, itself: bool, body: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self {
            big: self.big,
            out: Vec::new(),
        };
        body(&mut inner);
        let extra = if itself { 4 } else { 0 };
        self.u32(inner.out.len() as u32 + extra).raw(&inner.out)
    }

    /// An event block of version 2 (`0x216`, or `id`), with parameters as they are to stand in the file.
    pub(crate) fn event(&mut self, id: u32, ts: u64, kind: u16, params: &[Vec<u8>]) -> &mut Self {
        let flagged = matches!(id, 0x208 | 0x217 | 0x222);
        let short = matches!(id, 0x204 | 0x208 | 0x8010_ABCD);
        let wide = matches!(id, 0x221 | 0x222);
        self.block(id, |b| {
            b.u16(3);
            if flagged {
                b.u32(1);
            }
            let words = params.len() * if wide { 4 } else { 2 };
            let data: usize = params.iter().map(Vec::len).sum();
            let header = if short { 22 } else { 26 };
            b.u64(ts)
                .i64(77)
                .u32((header + words + data) as u32)
                .u16(kind);
            if !short {
                b.u32(params.len() as u32);
            }
            for param in params {
                if wide {
                    b.u32(param.len() as u32);
                } else {
                    b.u16(param.len() as u16);
                }
            }
            for param in params {
                b.raw(param);
            }
        })
    }

    /// A number as a parameter, in the file's order.
    pub(crate) fn num64(&self, value: i64) -> Vec<u8> {
        if self.big {
            value.to_be_bytes().to_vec()
        } else {
            value.to_le_bytes().to_vec()
        }
    }
}

/// Every item as text, then how reading ended.
pub(crate) fn read(bytes: &[u8]) -> (Vec<String>, Option<ErrorKind>) {
    let mut reader = Reader::new(bytes);
    let mut items = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(item)) => items.push(describe(&item)),
            Ok(None) => return (items, None),
            Err(error) => {
                assert!(reader.next().expect("an error comes once").is_none());
                return (items, Some(error.kind));
            }
        }
    }
}

/// The item without what says in which order the file was.
fn describe(item: &Item<'_>) -> String {
    match item {
        Item::Section(header) => format!("section {}.{}", header.major, header.minor),
        Item::Event(event) | Item::State(event) => {
            let shown = matches!(item, Item::Event(_));
            let params: Vec<_> = event.params().collect();
            format!(
                "event {} {} {} {} {} {shown} {params:?}",
                event.num,
                event.ts,
                event.tid,
                event.cpu,
                event.kind.name()
            )
        }
        other => format!("{other:?}"),
    }
}
