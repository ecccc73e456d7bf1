//! Values in the widths of the event format.

use vedette_event::{EventBuf, EventType};

/// The event types that the machine makes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    OpenAt,
    Close,
    Read,
    Write,
    Lseek,
    Fstat,
    Stat,
    NewFstatAt,
    Access,
    Mmap,
    Mprotect,
    Clone,
    Execve,
    Exit,
    Socket,
    Connect,
    Accept,
    Send,
    Receive,
    Shutdown,
}

impl Kind {
    /// Its row in the event table.
    fn id(self) -> EventType {
        EventType(match self {
            Self::OpenAt => 307,
            Self::Close => 5,
            Self::Read => 7,
            Self::Write => 9,
            Self::Lseek => 87,
            Self::Fstat => 71,
            Self::Stat => 67,
            Self::NewFstatAt => 419,
            Self::Access => 265,
            Self::Mmap => 161,
            Self::Mprotect => 329,
            Self::Clone => 223,
            Self::Execve => 293,
            Self::Exit => 186,
            Self::Socket => 19,
            Self::Connect => 23,
            Self::Accept => 389,
            Self::Send => 31,
            Self::Receive => 35,
            Self::Shutdown => 37,
        })
    }
}

/// Fills an event buffer, parameter by parameter.
pub(super) struct Fill<'b>(&'b mut EventBuf);

impl<'b> Fill<'b> {
    pub(super) fn new(buf: &'b mut EventBuf, kind: Kind) -> Self {
        buf.start(kind.id());
        Self(buf)
    }

    pub(super) fn i64(self, value: i64) -> Self {
        self.0.push(&value.to_le_bytes());
        self
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.0.push(&value.to_le_bytes());
        self
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.0.push(&value.to_le_bytes());
        self
    }

    pub(super) fn u8(self, value: u8) -> Self {
        self.0.push(&[value]);
        self
    }

    pub(super) fn text(self, value: &[u8]) -> Self {
        self.0.push_text(value);
        self
    }

    pub(super) fn bytes(self, value: &[u8]) -> Self {
        self.0.push(value);
        self
    }
}

/// An IPv4 connection as events tell it.
pub(super) fn tuple(from: ([u8; 4], u16), to: ([u8; 4], u16)) -> [u8; 13] {
    let mut out = [0; 13];
    out[0] = 2;
    out[1..5].copy_from_slice(&from.0);
    out[5..7].copy_from_slice(&from.1.to_le_bytes());
    out[7..11].copy_from_slice(&to.0);
    out[11..13].copy_from_slice(&to.1.to_le_bytes());
    out
}

/// An IPv4 address as the caller gave it.
pub(super) fn address(to: ([u8; 4], u16)) -> [u8; 7] {
    let mut out = [0; 7];
    out[0] = 2;
    out[1..5].copy_from_slice(&to.0);
    out[5..7].copy_from_slice(&to.1.to_le_bytes());
    out
}
