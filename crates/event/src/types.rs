//! Event types and parameter types of the capture format.

use crate::table::TABLE;

/// Type of an event: an index into the event table. Even ids are enter events, odd ids exit events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(pub u16);

/// Number of event types that are known; ids from here on are counted as unknown and skipped.
pub const EVENT_TYPES: usize = TABLE.len();

impl EventType {
    /// The type with this table symbol, such as `SYSCALL_OPEN_X`.
    pub fn by_symbol(symbol: &str) -> Option<Self> {
        TABLE
            .iter()
            .position(|info| info.symbol == symbol)
            .map(|id| Self(id as u16))
    }

    /// Every known type.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..EVENT_TYPES as u16).map(Self)
    }

    /// Every type with this name (`open` has an enter and an exit type, `execve` one pair for each version).
    pub fn by_name(name: &str) -> impl Iterator<Item = Self> {
        Self::all().filter(move |kind| kind.info().is_some_and(|info| info.name == name))
    }

    /// What is known of this type; `None` for ids beyond the table.
    pub fn info(self) -> Option<&'static EventInfo> {
        TABLE.get(usize::from(self.0))
    }

    /// Name such as `openat`; `unknown` beyond the table.
    pub fn name(self) -> &'static str {
        self.info().map_or("unknown", |info| info.name)
    }

    /// True for enter events, which modern captures no longer hold.
    pub fn is_enter(self) -> bool {
        self.0.is_multiple_of(2)
    }
}

/// What is known of an event type.
#[derive(Debug)]
pub struct EventInfo {
    /// Symbol in the table, unique: `SYSCALL_OPENAT_2_X`.
    pub symbol: &'static str,
    /// Name that rules use in `evt.type`: `openat`.
    pub name: &'static str,
    /// Category bits.
    pub category: Category,
    /// Behaviour bits.
    pub flags: EventFlags,
    /// Parameters in order.
    pub params: &'static [ParamInfo],
}

/// A parameter of an event.
#[derive(Debug)]
pub struct ParamInfo {
    /// Name that `evt.arg.<name>` uses.
    pub name: &'static str,
    /// How its bytes are to be read.
    pub ty: ParamType,
    /// How a number is shown.
    pub format: ParamFormat,
}

/// How a number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamFormat {
    /// Not a number.
    Na,
    /// Decimal.
    Dec,
    /// Hexadecimal.
    Hex,
    /// Octal.
    Oct,
}

/// How the bytes of a parameter, or the value of a field, are to be read. All integers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "the plain integers and flag widths say what they are"
)]
pub enum ParamType {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Flags8,
    Flags16,
    Flags32,
    EnumFlags8,
    EnumFlags16,
    EnumFlags32,
    /// Text; ends with a NUL in captures.
    CharBuf,
    /// Bytes of any kind.
    ByteBuf,
    /// i64, negative `errno` on failure.
    Errno,
    /// i64 file descriptor, or negative `errno`.
    Fd,
    /// i32 file descriptor.
    Fd32,
    /// i64 thread or process id.
    Pid,
    /// i32 thread or process id.
    Pid32,
    /// Path as text.
    FsPath,
    /// Path as text, relative to the directory descriptor in the parameter before it.
    FsRelPath,
    /// One byte address family, then the address.
    SockAddr,
    /// One byte address family, then source and destination.
    SockTuple,
    /// u16 count, then i64 descriptor and i16 events each.
    FdList,
    /// u16 system call number of the portable numbering.
    SyscallId,
    /// u8 signal number.
    SigType,
    /// u32 set of signals.
    SigSet,
    /// u64 nanoseconds.
    RelTime,
    /// u64 nanoseconds since the Unix epoch.
    AbsTime,
    /// u16 port.
    Port,
    /// One byte variant number, then the value.
    Dyn,
    /// u32 file mode.
    Mode,
    /// u32 user id.
    Uid,
    /// u32 group id.
    Gid,
    /// Array of pointers; never seen in captures.
    CharBufArray,
    /// Array of pairs of pointers; never seen in captures.
    CharBufPairArray,
    /// Four bytes.
    Ipv4Addr,
    /// Sixteen bytes.
    Ipv6Addr,
    /// Either of the two (fields only).
    IpAddr,
    /// Address that is compared with networks (fields only).
    IpNet,
    /// Boolean; u32 in captures.
    Bool,
    /// IEEE double (fields only).
    Double,
}

impl ParamType {
    /// True for text: `CharBuf` and paths.
    pub fn is_text(self) -> bool {
        matches!(self, Self::CharBuf | Self::FsPath | Self::FsRelPath)
    }
}

/// Category bits of an event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Category(u32);

/// Behaviour bits of an event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventFlags(u32);

macro_rules! bits {
    ($ty:ident { $($(#[$doc:meta])* $name:ident = $bit:expr;)* }) => {
        #[allow(missing_docs, reason = "the format's own words")]
        impl $ty {
            $($(#[$doc])* pub const $name: Self = Self($bit);)*
            /// Both sets together.
            #[must_use]
            pub const fn or(self, other: Self) -> Self { Self(self.0 | other.0) }
            /// True when every bit of `other` is set (and for an empty `other`).
            pub const fn has(self, other: Self) -> bool { self.0 & other.0 == other.0 }
        }
    };
}

bits!(Category {
    UNKNOWN = 0;
    OTHER = 1;
    FILE = 2;
    NET = 4;
    IPC = 8;
    MEMORY = 16;
    PROCESS = 32;
    SLEEP = 64;
    SYSTEM = 128;
    SIGNAL = 256;
    USER = 512;
    TIME = 1024;
    IO_READ = 2048;
    IO_WRITE = 4096;
    IO_OTHER = 8192;
    WAIT = 16384;
    SCHEDULER = 32768;
    INTERNAL = 65536;
    ITER = 1 << 17;
    SYSCALL = 1 << 20;
    TRACEPOINT = 1 << 21;
    PLUGIN = 1 << 22;
    METAEVENT = 1 << 23;
});

bits!(EventFlags {
    NONE = 0;
    CREATES_FD = 1;
    DESTROYS_FD = 2;
    USES_FD = 4;
    READS_FROM_FD = 8;
    WRITES_TO_FD = 16;
    MODIFIES_STATE = 32;
    UNUSED = 64;
    WAITS = 128;
    SKIPPARSERESET = 256;
    /// Superseded by a newer version of the same event.
    OLD_VERSION = 512;
    /// Length words are 32 bits wide.
    LARGE_PAYLOAD = 1024;
    CONVERTER_MANAGED = 2048;
});
