//! Fields of the event itself: `evt.*` and `syscall.type`.

use vedette_event::{
    Category as C, EventFlags as F, EventType, Extracted, FieldArg, ParamType as T, Value, Values,
};

use crate::apply::{has, result, text as param_text};
use crate::args::{resolve, signed as signed_bytes, unsigned as unsigned_bytes};
use crate::errno;
use crate::fd::{Fd, Kind};
use crate::fields::{Event, Generic};
use crate::kinds as k;
use crate::number::push_i64;
use crate::path::{append, append_under};
use crate::syscalls;
use crate::time::{write_clock, write_date_time, write_iso_8601};
use crate::view::{View, boolean, maybe_text, signed, text, unsigned, written};
use crate::wire::{AT_FDCWD, open};

const NS_PER_S: u64 = 1_000_000_000;

/// Execute bits of a file mode for user, group and others.
const ANY_EXECUTE: u64 = 0b1_001_001;

impl View<'_> {
    /// Fields that every source has.
    pub(crate) fn generic<'s>(&'s self, which: Generic, room: &'s mut Values) -> Extracted<'s> {
        let ts = self.event.ts;
        let offset = || self.state.utc_offset(ts);
        let since_first = || ts.saturating_sub(self.state.first_ts.unwrap_or(ts));
        match which {
            Generic::EvtNum => unsigned(self.event.num),
            Generic::EvtTime => written(room, |out| write_clock(out, ts, offset(), true)),
            Generic::EvtTimeS => written(room, |out| write_clock(out, ts, offset(), false)),
            Generic::EvtTimeIso8601 => written(room, |out| write_iso_8601(out, ts)),
            Generic::EvtDatetime => written(room, |out| write_date_time(out, ts, offset(), true)),
            Generic::EvtDatetimeS => written(room, |out| write_date_time(out, ts, offset(), false)),
            Generic::EvtRawtime => unsigned(ts),
            Generic::EvtRawtimeS => unsigned(ts / NS_PER_S),
            Generic::EvtRawtimeNs => unsigned(ts % NS_PER_S),
            Generic::EvtReltime => unsigned(since_first()),
            Generic::EvtReltimeS => unsigned(since_first() / NS_PER_S),
            Generic::EvtReltimeNs => unsigned(since_first() % NS_PER_S),
            Generic::EvtPluginname | Generic::EvtPlugininfo => Extracted::Missing,
            Generic::EvtSource => match self.event.kind.0 {
                k::PLUGINEVENT_E | k::ASYNCEVENT_E if self.event.unsigned(0) != Some(0) => {
                    Extracted::Missing
                }
                _ => text(b"syscall"),
            },
            Generic::EvtIsAsync => boolean(self.event.kind.0 == k::ASYNCEVENT_E),
            Generic::EvtAsynctype => match self.event.kind.0 {
                k::ASYNCEVENT_E => text(param_text(&self.event, 1)),
                _ => Extracted::Missing,
            },
            Generic::EvtHostname => text(self.state.settings.hostname.as_bytes()),
        }
    }

    /// Fields of system calls and kernel events.
    pub(crate) fn event_field<'s>(
        &'s self,
        which: Event,
        arg: &FieldArg,
        room: &'s mut Values,
    ) -> Extracted<'s> {
        let event = &self.event;
        let kind = event.kind.0;
        let flags = event.kind.info().map_or(F::NONE, |info| info.flags);
        let delta = self.state.context.delta;
        let count = |wanted: bool| {
            if wanted {
                self.errors()
            } else {
                Extracted::Missing
            }
        };
        match which {
            Event::EvtLatency
            | Event::EvtLatencyS
            | Event::EvtLatencyNs
            | Event::EvtLatencyQuantized
            | Event::EvtWaitLatency => unsigned(0),
            Event::EvtLatencyHuman => text(b"0ns"),
            Event::EvtDeltatime => unsigned(delta),
            Event::EvtDeltatimeS => unsigned(delta / NS_PER_S),
            Event::EvtDeltatimeNs => unsigned(delta % NS_PER_S),
            Event::EvtOutputtime => written(room, |out| {
                write_clock(out, event.ts, self.state.utc_offset(event.ts), true);
            }),
            Event::EvtDir => text(if event.kind.is_enter() { b">" } else { b"<" }),
            Event::EvtType => text(self.type_name()),
            Event::EvtTypeIs => unsigned(u64::from(self.is_of_type(arg))),
            Event::SyscallType => {
                if self.category().has(C::SYSCALL) {
                    text(self.type_name())
                } else {
                    Extracted::Missing
                }
            }
            Event::EvtCategory => text(self.category_name().as_bytes()),
            Event::EvtCpu => signed(i64::from(event.cpu as i16)),
            Event::EvtArgs | Event::EvtInfo => {
                written(room, |out| self.state.write_args(event, out))
            }
            Event::EvtArg => match self.param(arg) {
                Some(index) => self.arg(index, room),
                None => Extracted::Missing,
            },
            Event::EvtRawarg => match self.param(arg) {
                Some(index) => self.raw_arg(index),
                None => Extracted::Missing,
            },
            Event::EvtBuffer => match event
                .param_index("data")
                .and_then(|index| event.param(index))
            {
                Some(data) => Extracted::One(Value::Bytes(data)),
                None => Extracted::Missing,
            },
            Event::EvtBuflen => self.buflen(true, true, |_| true),
            Event::EvtBuflenIn => self.buflen(true, false, |_| true),
            Event::EvtBuflenOut => self.buflen(false, true, |_| true),
            Event::EvtBuflenFile => self.buflen(true, true, |fd| fd.kind.is_file()),
            Event::EvtBuflenFileIn => self.buflen(true, false, |fd| fd.kind.is_file()),
            Event::EvtBuflenFileOut => self.buflen(false, true, |fd| fd.kind.is_file()),
            Event::EvtBuflenNet => self.buflen(true, true, |fd| fd.kind.is_ip()),
            Event::EvtBuflenNetIn => self.buflen(true, false, |fd| fd.kind.is_ip()),
            Event::EvtBuflenNetOut => self.buflen(false, true, |fd| fd.kind.is_ip()),
            Event::EvtRes => match result(event) {
                None => Extracted::Missing,
                Some(0..) => text(b"SUCCESS"),
                Some(error) => match errno::errno(error.unsigned_abs()) {
                    Some(name) => text(name.as_bytes()),
                    None => written(room, |out| push_i64(out, error)),
                },
            },
            Event::EvtRawres => result(event).map_or(Extracted::Missing, signed),
            Event::EvtFailed => {
                result(event).map_or(Extracted::Missing, |result| boolean(result < 0))
            }
            Event::EvtIsIo => boolean(flags.has(F::READS_FROM_FD) || flags.has(F::WRITES_TO_FD)),
            Event::EvtIsIoRead => boolean(flags.has(F::READS_FROM_FD)),
            Event::EvtIsIoWrite => boolean(flags.has(F::WRITES_TO_FD)),
            Event::EvtIoDir => {
                if flags.has(F::WRITES_TO_FD) {
                    text(b"write")
                } else if flags.has(F::READS_FROM_FD) {
                    text(b"read")
                } else {
                    Extracted::Missing
                }
            }
            Event::EvtIsWait => boolean(flags.has(F::WAITS)),
            Event::EvtIsSyslog => boolean(
                flags.has(F::WRITES_TO_FD)
                    && self
                        .own_fd()
                        .is_some_and(|fd| memchr::memmem::find(&fd.name, b"/dev/log").is_some()),
            ),
            Event::EvtCount => unsigned(1),
            Event::EvtCountError => self.errors(),
            Event::EvtCountErrorFile => count(self.error_class() == ErrorClass::File),
            Event::EvtCountErrorNet => count(self.error_class() == ErrorClass::Net),
            Event::EvtCountErrorMemory => count(self.category().has(C::MEMORY)),
            Event::EvtCountErrorOther => count(self.error_class() == ErrorClass::Other),
            Event::EvtCountExit => {
                if event.kind.is_enter() {
                    Extracted::Missing
                } else {
                    unsigned(1)
                }
            }
            Event::EvtCountThreadinfo => unsigned(u64::from(kind == k::PROCINFO_E)),
            Event::EvtCountProcinfo => unsigned(u64::from(
                kind == k::PROCINFO_E
                    && self
                        .thread
                        .is_some_and(|slot| self.state.threads.at(slot).is_main()),
            )),
            // Compared by the evaluator, which knows the interval asked for: the distance in nanoseconds.
            Event::EvtAround => match arg {
                FieldArg::Index(around) => unsigned(event.ts.abs_diff(*around)),
                _ => Extracted::Missing,
            },
            Event::EvtAbspath => self.absolute_path(arg, room),
            Event::EvtIsOpenRead => boolean(self.open_flags() & u64::from(open::RDONLY) != 0),
            Event::EvtIsOpenWrite => boolean(self.open_flags() & u64::from(open::WRONLY) != 0),
            Event::EvtIsOpenCreate => boolean(self.creates_file()),
            Event::EvtIsOpenExec => boolean(self.creates_executable()),
            Event::EvtInfraDockerName => self.infrastructure(b"Event"),
            Event::EvtInfraDockerContainerId => self.infrastructure(b"ID"),
            Event::EvtInfraDockerContainerName => self.infrastructure(b"name"),
            Event::EvtInfraDockerContainerImage => self.infrastructure(b"Image"),
        }
    }

    pub(crate) fn category(&self) -> C {
        self.event
            .kind
            .info()
            .map_or(C::UNKNOWN, |info| info.category)
    }

    /// Name of the event, where generic and asynchronous events carry their own.
    fn type_name(&self) -> &[u8] {
        match self.event.kind.0 {
            k::GENERIC_X => {
                let id = self.event.unsigned(0).unwrap_or(0) as u16;
                let name = if id == syscalls::UNKNOWN {
                    self.event
                        .unsigned(1)
                        .and_then(|native| syscalls::by_native(native as u16))
                } else {
                    None
                };
                name.unwrap_or_else(|| syscalls::name(id)).as_bytes()
            }
            k::ASYNCEVENT_E => param_text(&self.event, 1),
            _ => self.event.kind.name().as_bytes(),
        }
    }

    fn is_of_type(&self, arg: &FieldArg) -> bool {
        match arg {
            FieldArg::None => false,
            FieldArg::Index(id) => u64::from(self.event.kind.0) == *id,
            FieldArg::Key(name) => EventType::by_name(name).next().is_some_and(|first| {
                self.event.kind.0 == first.0 || self.event.kind.0 == first.0 + 1
            }),
        }
    }

    fn category_name(&self) -> &'static str {
        let category = self.category();
        if category.has(C::IO_READ) || category.has(C::IO_WRITE) || category.has(C::IO_OTHER) {
            return match self.own_fd().map(|fd| fd.kind) {
                Some(Kind::File | Kind::FileV2 | Kind::Directory) => "file",
                Some(Kind::V4 | Kind::V6 | Kind::ServerV4 | Kind::ServerV6) => "net",
                Some(
                    Kind::Fifo
                    | Kind::Unix
                    | Kind::Event
                    | Kind::Signal
                    | Kind::Inotify
                    | Kind::Userfault,
                ) => "ipc",
                _ => "unknown",
            };
        }
        for (bit, name) in [
            (C::OTHER, "other"),
            (C::FILE, "file"),
            (C::NET, "net"),
            (C::IPC, "IPC"),
            (C::MEMORY, "memory"),
            (C::PROCESS, "process"),
            (C::SLEEP, "sleep"),
            (C::SYSTEM, "system"),
            (C::SIGNAL, "signal"),
            (C::USER, "user"),
            (C::TIME, "time"),
            (C::WAIT, "wait"),
            (C::SCHEDULER, "scheduler"),
            (C::INTERNAL, "internal"),
        ] {
            if category.has(bit) {
                return name;
            }
        }
        "unknown"
    }

    /// The descriptor that the event itself refers to.
    pub(crate) fn own_fd(&self) -> Option<&Fd> {
        self.state.context_fd(self.state.context.thread?)
    }

    /// Index of the parameter that a field argument names.
    fn param(&self, arg: &FieldArg) -> Option<usize> {
        match arg {
            FieldArg::None => None,
            FieldArg::Index(index) => usize::try_from(*index).ok(),
            FieldArg::Key(name) => self.event.param_index(name),
        }
        .filter(|&index| index < self.event.nparams())
    }

    fn arg<'s>(&'s self, index: usize, room: &'s mut Values) -> Extracted<'s> {
        let Some(parameter) = self
            .event
            .kind
            .info()
            .and_then(|info| info.params.get(index))
        else {
            return Extracted::Missing;
        };
        // Plain text needs no putting together.
        if parameter.ty == T::CharBuf {
            return text(param_text(&self.event, index));
        }
        written(room, |out| {
            self.state.write_arg(&self.event, index, parameter, out);
        })
    }

    /// A parameter with its own type.
    pub(crate) fn raw_arg(&self, index: usize) -> Extracted<'_> {
        let (Some(parameter), Some(bytes)) = (
            self.event
                .kind
                .info()
                .and_then(|info| info.params.get(index)),
            self.event.param(index),
        ) else {
            return Extracted::Missing;
        };
        if parameter.ty.is_text() {
            return text(param_text(&self.event, index));
        }
        if bytes.is_empty() {
            return Extracted::Missing;
        }
        let (ty, bytes) = resolve(&self.event, parameter.ty, bytes);
        Extracted::One(match ty {
            T::I8 | T::I16 | T::I32 | T::I64 | T::Errno | T::Fd | T::Fd32 | T::Pid | T::Pid32 => {
                Value::I64(signed_bytes(bytes))
            }
            T::CharBuf => Value::Text(memchr::memchr(0, bytes).map_or(bytes, |end| &bytes[..end])),
            T::ByteBuf
            | T::SockAddr
            | T::SockTuple
            | T::FdList
            | T::Dyn
            | T::CharBufArray
            | T::CharBufPairArray => Value::Bytes(bytes),
            T::Bool => Value::Bool(unsigned_bytes(bytes) != 0),
            T::Ipv4Addr | T::Ipv6Addr | T::IpAddr | T::IpNet => {
                if let Ok(ip) = <[u8; 4]>::try_from(bytes) {
                    Value::Ip(crate::sock::ip4(ip))
                } else if let Ok(ip) = <[u8; 16]>::try_from(bytes) {
                    Value::Ip(crate::sock::ip6(ip))
                } else {
                    Value::Bytes(bytes)
                }
            }
            _ => Value::U64(unsigned_bytes(bytes)),
        })
    }

    /// The result as a length, for input and output on descriptors that `wanted` accepts.
    fn buflen(&self, input: bool, output: bool, wanted: impl Fn(&Fd) -> bool) -> Extracted<'_> {
        let category = self.category();
        let fits = input && category.has(C::IO_READ)
            || output && category.has(C::IO_WRITE)
            || input && output && category.has(C::IO_OTHER);
        match (self.own_fd(), result(&self.event)) {
            (Some(fd), Some(length @ 0..)) if fits && wanted(fd) => unsigned(length as u64),
            _ => Extracted::Missing,
        }
    }

    fn errors(&self) -> Extracted<'static> {
        result(&self.event).map_or(Extracted::Missing, |result| unsigned(u64::from(result < 0)))
    }

    fn error_class(&self) -> ErrorClass {
        match self.own_fd().map(|fd| fd.kind) {
            Some(Kind::File | Kind::FileV2 | Kind::Directory) => ErrorClass::File,
            Some(Kind::V4 | Kind::V6 | Kind::ServerV4 | Kind::ServerV6 | Kind::Unix) => {
                ErrorClass::Net
            }
            Some(_) => ErrorClass::Other,
            None => match self.event.kind.0 {
                k::OPEN_X | k::CREAT_X | k::OPENAT_2_X | k::OPENAT2_X | k::OPEN_BY_HANDLE_AT_X => {
                    ErrorClass::File
                }
                k::ACCEPT_5_X | k::ACCEPT4_6_X | k::CONNECT_X => ErrorClass::Net,
                _ if self.category().has(C::MEMORY) => ErrorClass::Memory,
                _ => ErrorClass::Other,
            },
        }
    }

    fn open_flags(&self) -> u64 {
        match self.event.kind.0 {
            k::OPEN_X | k::OPEN_BY_HANDLE_AT_X => self.event.unsigned(2).unwrap_or(0),
            k::OPENAT_2_X | k::OPENAT2_X => self.event.unsigned(3).unwrap_or(0),
            _ => 0,
        }
    }

    fn creates_file(&self) -> bool {
        let flags = self.open_flags();
        flags & u64::from(open::CREATED) != 0
            || flags & u64::from(open::TMPFILE) != 0 && matches!(result(&self.event), Some(0..))
    }

    fn creates_executable(&self) -> bool {
        let mode = match self.event.kind.0 {
            k::CREAT_X => self.event.unsigned(2),
            k::OPEN_X if self.open_flags() & u64::from(open::TMPFILE | open::CREAT) != 0 => {
                self.event.unsigned(3)
            }
            k::OPENAT_2_X | k::OPENAT2_X
                if self.open_flags() & u64::from(open::TMPFILE | open::CREAT) != 0 =>
            {
                self.event.unsigned(4)
            }
            _ => None,
        };
        mode.unwrap_or(0) & ANY_EXECUTE != 0
    }

    /// A path parameter as seen from its directory: `evt.abspath`, `.src`, `.dst`.
    fn absolute_path<'s>(&'s self, arg: &FieldArg, room: &'s mut Values) -> Extracted<'s> {
        let Some(slot) = self.state.context.thread else {
            return Extracted::Missing;
        };
        let second = matches!(arg, FieldArg::Key(key) if &**key == "dst");
        let (dirfd, path) = match self.event.kind.0 {
            k::RENAMEAT_X | k::RENAMEAT2_X | k::LINKAT_2_X if second => (3, 4),
            k::RENAMEAT_X | k::RENAMEAT2_X | k::LINKAT_2_X => (1, 2),
            k::SYMLINKAT_X => (2, 3),
            k::OPENAT_2_X
            | k::OPENAT2_X
            | k::UNLINKAT_2_X
            | k::MKDIRAT_X
            | k::FCHMODAT_X
            | k::FCHOWNAT_X => (1, 2),
            k::OPEN_BY_HANDLE_AT_X if matches!(result(&self.event), Some(1..)) => {
                return written(room, |out| append(out, b"", param_text(&self.event, 3)));
            }
            _ => return Extracted::Missing,
        };
        if !has(&self.event, dirfd) || !has(&self.event, path) {
            return Extracted::Missing;
        }
        let path = param_text(&self.event, path);
        let dirfd = self.event.signed(dirfd).unwrap_or(AT_FDCWD);
        written(room, |out| {
            if path.first() == Some(&b'/') {
                append(out, b"", path);
            } else if dirfd == AT_FDCWD {
                append(out, self.state.cwd_bytes(slot), path);
            } else {
                let name = (dirfd >= 0)
                    .then(|| self.state.fd_at(slot, dirfd))
                    .flatten()
                    .map_or(&b"<UNKNOWN>"[..], |fd| &fd.name);
                append_under(out, name, path);
            }
        })
    }

    /// Part of an infrastructure event's description, which looks like `Event: start; ID: …`.
    fn infrastructure(&self, key: &[u8]) -> Extracted<'_> {
        if self.event.kind.0 != k::INFRASTRUCTURE_EVENT_E {
            return Extracted::Missing;
        }
        maybe_text(
            param_text(&self.event, 2)
                .split(|&byte| byte == b';')
                .find_map(|part| {
                    let value = part
                        .trim_ascii()
                        .strip_prefix(key)?
                        .split(|&byte| byte == b':')
                        .nth(1)?;
                    Some(value.trim_ascii())
                }),
        )
    }
}

/// What an error is about.
#[derive(PartialEq, Eq)]
enum ErrorClass {
    File,
    Net,
    Memory,
    Other,
}
