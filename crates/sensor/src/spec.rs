//! How the event of a plain system call is built: the rows that the kernel side's interpreter reads.
//!
//! Mirrors `bpf/include/record.h` (`struct spec`) and `bpf/include/interpret.h` (`enum kind`).

#[cfg(test)]
use vedette_event::ParamType;

/// Bytes of a `struct spec`.
pub(crate) const SPEC_BYTES: usize = 8 + SPEC_PARAMS * 4;
/// Most rows of one event.
pub(crate) const SPEC_PARAMS: usize = 10;

/// One parameter of an event, made from the arguments (numbered from 0) or the result of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    /// What the call returned, 64 bits.
    Ret,
    /// What the call returned, 32 bits.
    Ret32,
    /// A 32-bit argument, sign extended to 64 bits: descriptors and process numbers.
    Fd(u8),
    U64(u8),
    U32(u8),
    U16(u8),
    U8(u8),
    /// Text at the argument.
    Text(u8),
    /// Text at the argument when the call succeeded.
    TextOk(u8),
    /// Bytes at the first argument, as many as the second says.
    Bytes(u8, u8),
    Zero8,
    Zero32,
    /// Permission bits.
    Mode(u8),
    /// A flag word whose bits move, by a table of [`crate::tables::bits`].
    Bits16(u8, u8),
    Bits32(u8, u8),
    /// A value that is translated by a table of [`crate::tables::values`].
    Enum8(u8, u8),
    Enum16(u8, u8),
    /// 64 bits in memory at the argument, index in words.
    MemS64(u8, u8),
    /// 32 bits in memory at the argument, index in words.
    MemU32(u8, u8),
    /// An address at the first argument, its length in the second.
    SockAddr(u8, u8),
    /// Inheritable, permitted or effective capabilities of the task after the call.
    Caps(u8),
    /// Three parameters: size, resident size and swap of the caller's memory.
    Memory,
}

impl Param {
    /// `kind`, `arg`, `aux` as the kernel side knows them.
    fn encode(self) -> [u8; 3] {
        match self {
            Self::Ret => [1, 0, 0],
            Self::Fd(arg) => [2, arg, 0],
            Self::U64(arg) => [3, arg, 0],
            Self::U32(arg) => [4, arg, 0],
            Self::U16(arg) => [5, arg, 0],
            Self::U8(arg) => [6, arg, 0],
            Self::Text(arg) => [7, arg, 0],
            Self::Bytes(arg, len) => [8, arg, len],
            Self::Zero8 => [9, 0, 0],
            Self::Zero32 => [10, 0, 0],
            Self::Mode(arg) => [12, arg, 0],
            Self::Bits16(arg, table) => [14, arg, table],
            Self::Bits32(arg, table) => [15, arg, table],
            Self::Enum8(arg, table) => [16, arg, table],
            Self::Enum16(arg, table) => [17, arg, table],
            Self::MemS64(arg, index) => [20, arg, index],
            Self::MemU32(arg, index) => [21, arg, index],
            Self::SockAddr(arg, len) => [22, arg, len],
            Self::Caps(set) => [23, 0, set],
            Self::TextOk(arg) => [24, arg, 0],
            Self::Memory => [25, 0, 0],
            Self::Ret32 => [26, 0, 0],
        }
    }

    /// Widths in bytes of the parameters that it makes; `None` for a length that varies.
    pub(crate) fn widths(self) -> &'static [Option<usize>] {
        match self {
            Self::Ret | Self::Fd(_) | Self::U64(_) | Self::MemS64(..) | Self::Caps(_) => &[Some(8)],
            Self::Ret32
            | Self::U32(_)
            | Self::Zero32
            | Self::Mode(_)
            | Self::Bits32(..)
            | Self::MemU32(..) => &[Some(4)],
            Self::U16(_) | Self::Bits16(..) | Self::Enum16(..) => &[Some(2)],
            Self::U8(_) | Self::Zero8 | Self::Enum8(..) => &[Some(1)],
            Self::Text(_) | Self::TextOk(_) | Self::Bytes(..) | Self::SockAddr(..) => &[None],
            Self::Memory => &[Some(4), Some(4), Some(4)],
        }
    }
}

/// How many bytes a parameter of this type has; `None` when that varies.
#[cfg(test)]
pub(crate) fn width_of(ty: ParamType) -> Option<usize> {
    use ParamType as T;
    match ty {
        T::I8 | T::U8 | T::Flags8 | T::EnumFlags8 | T::SigType => Some(1),
        T::I16 | T::U16 | T::Flags16 | T::EnumFlags16 | T::SyscallId | T::Port => Some(2),
        T::I32
        | T::U32
        | T::Flags32
        | T::EnumFlags32
        | T::Fd32
        | T::Pid32
        | T::Mode
        | T::Uid
        | T::Gid
        | T::SigSet
        | T::Bool
        | T::Ipv4Addr => Some(4),
        T::I64 | T::U64 | T::Errno | T::Fd | T::Pid | T::RelTime | T::AbsTime | T::Double => {
            Some(8)
        }
        _ => None,
    }
}

/// When an event is wanted: bits of `spec.want`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Want(pub(crate) u8);

impl Want {
    pub(crate) const NOTHING: Self = Self(0);
    pub(crate) const OK: Self = Self(1);
    pub(crate) const FAILED: Self = Self(2);

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Which calls the kernel side looks at more closely: mirror of `enum filter` in `bpf/include/prefilter.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Filter {
    /// Told when it is wanted.
    #[default]
    None = 0,
    /// An open is told when its class and path are wanted.
    Open = 1,
    /// A close is told when user space may know the descriptor.
    Close = 2,
    /// Only commands that copy a descriptor or change when it ends.
    Fcntl = 3,
    /// A close that is told whatever is known of the descriptor.
    CloseTold = 4,
}

/// What a call does to the table of descriptors: mirror of `enum creates` in `bpf/include/prefilter.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Creates {
    #[default]
    Nothing = 0,
    /// Its result is a new descriptor.
    Result = 1,
    /// Several, which stand in memory.
    Several = 2,
    /// Its result is one for some commands.
    Fcntl = 3,
    /// It closes many.
    ClosesRange = 4,
}

/// How a call is told, beside its parameters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Handling {
    pub(crate) want: Want,
    /// Slot of the tail call table; 0 is the interpreter.
    pub(crate) program: u8,
    pub(crate) filter: Filter,
    /// Bit n: argument n may name a descriptor.
    pub(crate) fds: u8,
    pub(crate) creates: Creates,
}

/// The bytes of one `struct spec`.
pub(crate) fn encode(event: u16, how: Handling, rows: &[Param]) -> [u8; SPEC_BYTES] {
    let mut out = [0; SPEC_BYTES];
    let nparams: usize = rows.iter().map(|row| row.widths().len()).sum();
    out[..2].copy_from_slice(&event.to_le_bytes());
    out[2] = nparams as u8;
    out[3] = how.want.0;
    out[4] = how.program;
    out[5] = how.filter as u8;
    out[6] = how.fds;
    out[7] = how.creates as u8;
    for (slot, row) in out[8..].chunks_exact_mut(4).zip(rows) {
        slot[..3].copy_from_slice(&row.encode());
    }
    out
}
