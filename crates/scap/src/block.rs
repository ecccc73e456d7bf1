//! Block types of the format, and what each one holds.
//!
//! Source: falcosecurity libs, `scap_savefile.h`. The `0x80…ABCD` numbers were used before the first release.

/// Type of the section header; the same read in either byte order.
pub(crate) const SECTION: u32 = 0x0A0D_0D0A;
/// First word of a section header's body, in the byte order of the section.
pub(crate) const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
/// Highest major version that is understood.
pub(crate) const MAJOR: u16 = 1;
/// Minor version that is written.
pub(crate) const MINOR: u16 = 2;
/// Bytes of a block's header: type and total length.
pub(crate) const HEADER: usize = 8;
/// Bytes around a block's body: header, and the total length once more at the end.
pub(crate) const FRAME: usize = HEADER + 4;

pub(crate) const MACHINE: u32 = 0x201;
pub(crate) const PROCESSES_V9: u32 = 0x215;
pub(crate) const FDS_V2: u32 = 0x218;
pub(crate) const INTERFACES_V2: u32 = 0x219;
pub(crate) const USERS_V2: u32 = 0x220;
pub(crate) const EVENT_V2: u32 = 0x216;
pub(crate) const EVENT_V2_LARGE: u32 = 0x221;
pub(crate) const FLAGGED_V2: u32 = 0x217;
pub(crate) const FLAGGED_V2_LARGE: u32 = 0x222;

/// Dump flag of an event that feeds the state tables but is not shown.
pub(crate) const STATE_ONLY: u32 = 1;
/// Dump flag of an operation that came through io_uring and never was a system call. Ours: Falco's flags end at 4, and its
/// readers pass over those that they do not know.
pub(crate) const IO_URING: u32 = 1 << 24;
/// Dump flag of an event with 32-bit length words.
pub(crate) const LARGE: u32 = 4;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Section,
    Machine,
    /// Process list; the version 1 to 9 says which fields an entry has.
    Processes(u8),
    /// Descriptors of one thread; `true` when entries start with their length.
    Fds(bool),
    /// `true` when entries start with their length.
    Interfaces(bool),
    /// `true` when entries start with their length.
    Users(bool),
    Event(EventBlock),
    Unknown,
}

/// Variant of an event block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventBlock {
    /// The event header lacks the number of parameters (version 1).
    pub short_header: bool,
    /// A word of dump flags stands before the event header.
    pub flagged: bool,
}

impl Block {
    #[inline]
    pub(crate) fn of(id: u32) -> Self {
        let event = |short_header, flagged| {
            Self::Event(EventBlock {
                short_header,
                flagged,
            })
        };
        match id {
            EVENT_V2 | EVENT_V2_LARGE => event(false, false),
            FLAGGED_V2 | FLAGGED_V2_LARGE => event(false, true),
            0x204 | 0x8010_ABCD => event(true, false),
            0x208 => event(true, true),
            SECTION => Self::Section,
            MACHINE | 0x8002_ABCD => Self::Machine,
            0x202 | 0x8000_ABCD => Self::Processes(1),
            0x207 | 0x8013_ABCD => Self::Processes(2),
            0x209 | 0x8014_ABCD => Self::Processes(3),
            0x210 => Self::Processes(4),
            0x211 => Self::Processes(5),
            0x212 => Self::Processes(6),
            0x213 => Self::Processes(7),
            0x214 => Self::Processes(8),
            PROCESSES_V9 => Self::Processes(9),
            0x203 | 0x8001_ABCD => Self::Fds(false),
            FDS_V2 => Self::Fds(true),
            0x205 | 0x8011_ABCD => Self::Interfaces(false),
            INTERFACES_V2 => Self::Interfaces(true),
            0x206 | 0x8012_ABCD => Self::Users(false),
            USERS_V2 => Self::Users(true),
            _ => Self::Unknown,
        }
    }
}
