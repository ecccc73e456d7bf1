//! `.scap` capture files: reading, bringing old events up to date, writing.
//!
//! A capture is a stream of blocks in the manner of pcapng, optionally inside gzip: what the machine was when recording
//! began (processes, descriptors, users, interfaces), then events. [`Reader`] hands both out in file order as borrowed
//! [`Item`]s, with bounded memory and without a copy for events that are already in today's form. [`Converter`] brings
//! events of older recorders up to date, as Falco does; the reader applies it, and a live source can use it too.
//! [`Writer`] writes files that `sysdig` and Falco read.
//!
//! ```
//! use vedette_scap::{Item, Reader, Writer};
//! use vedette_event::{EventBuf, EventType};
//!
//! let mut event = EventBuf::default();
//! event.start(EventType::by_symbol("SYSCALL_CHDIR_X").ok_or("no such type")?);
//! event.push(&0i64.to_le_bytes()).push_text(b"/tmp");
//!
//! let mut writer = Writer::new(Vec::new(), None);
//! writer.write(&Item::Event(event.event(1, 1_700_000_000_000_000_000, 42, 0)))?;
//! let file = writer.finish()?;
//!
//! let mut reader = Reader::new(file.as_slice());
//! while let Some(item) = reader.next()? {
//!     if let Item::Event(event) = item {
//!         assert_eq!(event.kind.name(), "chdir");
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block;
mod bytes;
mod convert;
mod encode;
mod error;
mod event;
mod item;
mod lists;
mod reader;
mod source;
mod writer;

pub use convert::{Converter, Outcome, Verdict};
pub use error::{Error, ErrorKind};
pub use flate2::Compression;
pub use item::{
    FdDetail, FdEntry, Group, Interface, InterfaceAddress, Item, MachineInfo, ProcessEntry,
    SectionHeader, User,
};
pub use reader::{MAX_ENTRY, MAX_EVENT_BLOCK, Options, Reader, Stats};

pub use writer::{WriteError, Writer};
