//! What a capture holds, as borrowed plain data.

use vedette_event::RawEvent;
pub use vedette_event::boot::{
    FdDetail, FdEntry, Group, Interface, InterfaceAddress, MachineInfo, ProcessEntry, User,
};

/// One thing from a capture, in file order. Everything borrows the reader's buffer and is gone at the next call.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "an item is made in place and not stored; a box would allocate for each entry"
)]
pub enum Item<'a> {
    /// A section begins. A file may be several captures one after the other: what was learnt of processes before a
    /// second section no longer holds.
    Section(SectionHeader),
    /// The machine that was recorded.
    Machine(MachineInfo<'a>),
    /// A thread that ran when recording began.
    Process(ProcessEntry<'a>),
    /// A descriptor that a thread had open when recording began.
    Fd {
        /// The thread.
        tid: i64,
        /// The descriptor.
        entry: FdEntry<'a>,
    },
    /// A user account of the machine.
    User(User<'a>),
    /// A group of the machine.
    Group(Group<'a>),
    /// An address of a network interface.
    Interface(Interface<'a>),
    /// An event that rules see.
    Event(RawEvent<'a>),
    /// An event that feeds the state tables only and that rules do not see: containers, users and groups known when
    /// recording began, and events that the recorder marked so. It is numbered like any other.
    State(RawEvent<'a>),
}

/// Version of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionHeader {
    /// Major version of the format, always 1.
    pub major: u16,
    /// Minor version.
    pub minor: u16,
    /// Numbers are stored highest byte first.
    pub big_endian: bool,
}
