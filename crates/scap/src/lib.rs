//! `.scap` capture files: reading, bringing old events up to date, writing.
//!
//! A capture is a stream of blocks in the manner of pcapng, optionally inside gzip: what the machine was when recording
//! began (processes, descriptors, users, interfaces), then events. [`Reader`] hands both out in file order as borrowed
//! [`Item`]s, with bounded memory and without a copy for events that are already in today's form. [`Converter`] brings
//! events of older recorders up to date, as Falco does; the reader applies it, and a live source can use it too.

mod block;
mod bytes;
mod convert;
mod error;
mod event;
mod item;
mod lists;
mod reader;
mod source;

pub use convert::{Converter, Outcome, Verdict};
pub use error::{Error, ErrorKind};
pub use item::{
    FdDetail, FdEntry, Group, Interface, InterfaceAddress, Item, MachineInfo, ProcessEntry,
    SectionHeader, User,
};
pub use reader::{MAX_ENTRY, MAX_EVENT_BLOCK, Options, Reader, Stats};
