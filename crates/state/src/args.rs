//! Parameters of an event as text, the way `evt.args` and `evt.arg` show them.

use vedette_event::{ParamFormat, ParamInfo, ParamType as T, RawEvent};

use crate::apply::text;
use crate::errno;
use crate::fd::Fd;
use crate::flags;
use crate::kinds as k;
use crate::number::{push_general, push_i64, push_radix, push_u64};
use crate::path;
use crate::sock::{Address, Tuple};
use crate::state::State;
use crate::syscalls;
use crate::thread::NOT_KNOWN;
use crate::time::write_date_time;
use crate::wire::{AT_FDCWD, l4};

/// A dynamic parameter's own type, by event, parameter and the number in its first byte.
fn dynamic(kind: u16, number: u8) -> T {
    match (kind, number) {
        (k::SETSOCKOPT_X | k::GETSOCKOPT_X, 0) => T::ByteBuf,
        (k::SETSOCKOPT_X | k::GETSOCKOPT_X, 1) => T::Errno,
        (k::SETSOCKOPT_X | k::GETSOCKOPT_X, 2) => T::U32,
        (k::SETSOCKOPT_X | k::GETSOCKOPT_X, 3) => T::U64,
        (k::SETSOCKOPT_X | k::GETSOCKOPT_X, 4) => T::RelTime,
        (k::PTRACE_X, 0) => T::U64,
        (k::PTRACE_X, 1) => T::SigType,
        (k::BPF_X, 0) => T::Fd,
        (k::BPF_X, 1) => T::Errno,
        (k::KEYCTL_X, 0) => T::I64,
        (k::KEYCTL_X, 1) => T::CharBuf,
        (k::KEYCTL_X, 2) => T::ByteBuf,
        _ => T::Dyn,
    }
}

/// Unwraps a dynamic parameter: its own type and bytes.
pub(crate) fn resolve<'a>(event: &RawEvent<'_>, ty: T, bytes: &'a [u8]) -> (T, &'a [u8]) {
    if ty == T::Dyn
        && let Some((&number, rest)) = bytes.split_first()
    {
        let inner = dynamic(event.kind.0, number);
        if inner != T::Dyn {
            return (inner, rest);
        }
    }
    (ty, bytes)
}

/// An unsigned number of any width; 0 when the bytes are none.
pub(crate) fn unsigned(bytes: &[u8]) -> u64 {
    let mut wide = [0u8; 8];
    let len = bytes.len().min(8);
    wide[..len].copy_from_slice(&bytes[..len]);
    u64::from_le_bytes(wide)
}

/// A signed number of any width; 0 when the bytes are none.
pub(crate) fn signed(bytes: &[u8]) -> i64 {
    match *bytes {
        [a] => i64::from(a as i8),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => unsigned(bytes) as i64,
    }
}

/// Where the two forms of a parameter went: the plain one first, what it stands for after it (possibly empty).
pub(crate) struct Shown {
    /// Beginning of the resolved form in the buffer.
    pub(crate) resolved: usize,
}

impl State {
    /// Appends every parameter as `name=value(meaning)`, with spaces between.
    pub(crate) fn write_args(&self, event: &RawEvent<'_>, out: &mut Vec<u8>) {
        if event.kind.0 == k::GENERIC_X {
            return;
        }
        let Some(info) = event.kind.info() else {
            return;
        };
        let from = out.len();
        for (index, parameter) in info.params.iter().enumerate().take(event.nparams()) {
            if out.len() > from {
                out.push(b' ');
            }
            out.extend_from_slice(parameter.name.as_bytes());
            out.push(b'=');
            let shown = self.write_param(event, index, parameter, out);
            if shown.resolved < out.len() {
                out.insert(shown.resolved, b'(');
                out.push(b')');
            }
        }
    }

    /// Makes `out` the text of parameter `index`: what it stands for when that is known, else its plain form.
    pub(crate) fn write_arg(
        &self,
        event: &RawEvent<'_>,
        index: usize,
        parameter: &ParamInfo,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        let shown = self.write_param(event, index, parameter, out);
        if shown.resolved < out.len() {
            out.drain(..shown.resolved);
        }
    }

    /// Appends the plain form of a parameter and then what it stands for.
    pub(crate) fn write_param(
        &self,
        event: &RawEvent<'_>,
        index: usize,
        parameter: &ParamInfo,
        out: &mut Vec<u8>,
    ) -> Shown {
        let bytes = event.param(index).unwrap_or(&[]);
        if bytes.is_empty() && !parameter.ty.is_text() {
            out.extend_from_slice(match parameter.ty {
                T::ByteBuf
                | T::SockTuple
                | T::FdList
                | T::CharBufArray
                | T::CharBufPairArray
                | T::Dyn => b"NULL",
                _ => NOT_KNOWN,
            });
            return Shown {
                resolved: out.len(),
            };
        }
        let (ty, bytes) = resolve(event, parameter.ty, bytes);
        let mut resolved = None;
        let mut mark = |out: &Vec<u8>| resolved = Some(out.len());
        match ty {
            T::I8 | T::I16 | T::I32 => {
                let value = signed(bytes);
                push_formatted(out, parameter.format, value, value as u32 as u64);
            }
            T::U8 | T::U16 => push_formatted(
                out,
                parameter.format,
                unsigned(bytes) as i64,
                unsigned(bytes),
            ),
            // Falco shows decimals of every width as if they were signed.
            T::U32 => push_formatted(
                out,
                parameter.format,
                i64::from(unsigned(bytes) as i32),
                unsigned(bytes),
            ),
            T::I64 | T::U64 => push_formatted(
                out,
                parameter.format,
                unsigned(bytes) as i64,
                unsigned(bytes),
            ),
            T::Bool | T::Port => push_u64(out, unsigned(bytes)),
            T::Fd | T::Fd32 => {
                let fd = signed(bytes);
                push_i64(out, fd);
                mark(out);
                self.write_fd(event, fd, out);
            }
            T::Pid | T::Pid32 => {
                let tid = signed(bytes);
                push_i64(out, tid);
                mark(out);
                if let Some(slot) = self.threads.find(tid) {
                    out.extend_from_slice(&self.threads.at(slot).comm);
                }
            }
            T::Errno => {
                let value = signed(bytes);
                push_formatted(out, ParamFormat::Dec, value, value as u64);
                mark(out);
                if value < 0 {
                    out.extend_from_slice(
                        errno::errno(value.unsigned_abs()).unwrap_or("").as_bytes(),
                    );
                }
            }
            T::CharBuf => out.extend_from_slice(text(event, index)),
            T::FsPath | T::FsRelPath => {
                let path = text(event, index);
                out.extend_from_slice(path);
                mark(out);
                self.write_full_path(event, index, ty, path, out);
            }
            T::ByteBuf => out.extend(bytes.iter().map(|&byte| {
                if (0x20..0x7f).contains(&byte) {
                    byte
                } else {
                    b'.'
                }
            })),
            // One zero byte is how a converted capture says that the address was never told.
            T::SockAddr if bytes == [0] => out.extend_from_slice(NOT_KNOWN),
            T::SockAddr => {
                if let Some(address) = Address::parse(bytes) {
                    address.write(out);
                }
            }
            T::SockTuple => {
                if let Some(tuple) = Tuple::parse(bytes) {
                    tuple.write(out);
                }
            }
            T::FdList => self.write_fd_list(event, bytes, out),
            T::SyscallId => {
                let id = unsigned(bytes) as u16;
                push_u64(out, u64::from(id));
                mark(out);
                out.extend_from_slice(syscalls::name(id).as_bytes());
            }
            T::SigType => {
                let signal = unsigned(bytes) as u8;
                push_u64(out, u64::from(signal));
                mark(out);
                out.extend_from_slice(errno::signal(signal).unwrap_or("").as_bytes());
            }
            T::SigSet => {
                let set = unsigned(bytes);
                let mut first = true;
                for signal in 1..=32u8 {
                    if set & (1 << (signal - 1)) != 0
                        && let Some(name) = errno::signal(signal)
                    {
                        if !std::mem::take(&mut first) {
                            out.push(b' ');
                        }
                        out.extend_from_slice(name.as_bytes());
                    }
                }
            }
            T::RelTime => {
                let ns = unsigned(bytes);
                if ns == u64::MAX {
                    out.extend_from_slice(b"none");
                } else {
                    push_u64(out, ns);
                    mark(out);
                    push_general(out, ns as f64 / 1e9);
                    out.push(b's');
                }
            }
            T::AbsTime => {
                let ts = unsigned(bytes);
                write_date_time(out, ts, self.utc_offset(ts), true);
            }
            T::Flags8
            | T::Flags16
            | T::Flags32
            | T::EnumFlags8
            | T::EnumFlags16
            | T::EnumFlags32 => {
                let value = unsigned(bytes) as u32;
                push_u64(out, u64::from(value));
                mark(out);
                let names = flags::table(event.kind.name(), parameter.name, parameter.ty);
                let exact = matches!(ty, T::EnumFlags8 | T::EnumFlags16 | T::EnumFlags32);
                write_flags(out, names, value, exact);
            }
            T::Mode => {
                let value = unsigned(bytes) as u32;
                push_formatted(
                    out,
                    parameter.format,
                    i64::from(value as i32),
                    u64::from(value),
                );
                mark(out);
                let names = flags::table(event.kind.name(), parameter.name, parameter.ty);
                write_mode(out, names, value);
            }
            T::Uid | T::Gid => {
                let id = unsigned(bytes) as u32;
                if id == u32::MAX {
                    out.extend_from_slice(b"-1");
                    mark(out);
                    out.extend_from_slice(b"<NONE>");
                } else {
                    push_i64(out, i64::from(id as i32));
                    mark(out);
                    out.extend_from_slice(
                        self.account_name(event, id, ty == T::Uid)
                            .unwrap_or(NOT_KNOWN),
                    );
                }
            }
            T::Ipv4Addr | T::Ipv6Addr | T::IpAddr | T::IpNet => {
                if let Ok(ip) = <[u8; 4]>::try_from(bytes) {
                    crate::sock::write_ip4(out, ip);
                } else if let Ok(ip) = <[u8; 16]>::try_from(bytes) {
                    crate::sock::write_ip6(out, ip);
                }
            }
            T::Dyn => out.extend_from_slice(b"INVALID DYNAMIC PARAMETER"),
            T::CharBufArray | T::CharBufPairArray | T::Double => out.extend_from_slice(b"(n.a.)"),
        }
        Shown {
            resolved: resolved.unwrap_or(out.len()),
        }
    }

    /// Name of user or group `id` where the event's process is.
    fn account_name(&self, event: &RawEvent<'_>, id: u32, is_user: bool) -> Option<&[u8]> {
        let thread = self.threads.at(self.thread_of(event)?);
        let name = if is_user {
            &*self.directory.user(&thread.container_id, id)?.name
        } else {
            self.directory.group(&thread.container_id, id)?
        };
        (!name.is_empty()).then_some(name)
    }

    /// Appends what descriptor `fd` stands for: `<f>/etc/passwd`, `AT_FDCWD`, or the name of an error.
    fn write_fd(&self, event: &RawEvent<'_>, fd: i64, out: &mut Vec<u8>) {
        let Some(slot) = self.thread_of(event) else {
            return;
        };
        if fd >= 0 {
            if let Some(entry) = self.fd_at(slot, fd) {
                write_fd_entry(entry, out);
            }
        } else if fd == AT_FDCWD {
            out.extend_from_slice(b"AT_FDCWD");
        } else {
            out.extend_from_slice(errno::errno(fd.unsigned_abs()).unwrap_or("").as_bytes());
        }
    }

    /// Appends a relative path as seen from its directory.
    fn write_full_path(
        &self,
        event: &RawEvent<'_>,
        index: usize,
        ty: T,
        path: &[u8],
        out: &mut Vec<u8>,
    ) {
        let Some(slot) = self.thread_of(event) else {
            return;
        };
        if path == NOT_KNOWN || path.first().is_none_or(|&first| first == b'/') {
            return;
        }
        let dirfd = (ty == T::FsRelPath)
            .then(|| directory_param(event, index))
            .flatten()
            .and_then(|at| event.signed(at))
            .filter(|&dirfd| dirfd != AT_FDCWD);
        match dirfd {
            None => path::append(out, self.cwd_bytes(slot), path),
            Some(dirfd) => {
                let base = (dirfd >= 0).then(|| self.fd_at(slot, dirfd)).flatten();
                path::append_under(out, base.map_or(&[], |fd| &fd.name), path);
            }
        }
    }

    fn write_fd_list(&self, event: &RawEvent<'_>, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(slot) = self.thread_of(event) else {
            return;
        };
        for (at, (fd, events)) in fd_list(bytes).enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            push_u64(out, fd as u64);
            out.push(b':');
            let entry = (fd >= 0).then(|| self.fd_at(slot, fd)).flatten();
            out.push(entry.map_or(b'?', |fd| fd.kind.letter()));
            let from = out.len();
            push_radix(out, u64::from(events as u32), 16);
            out[from..].make_ascii_lowercase();
        }
    }

    /// Offset of local time from UTC at `ts`, in seconds.
    pub(crate) fn utc_offset(&self, ts: u64) -> i32 {
        (self.settings.utc_offset)((ts / 1_000_000_000) as i64)
    }
}

/// Descriptors and their events from a list parameter.
pub(crate) fn fd_list(bytes: &[u8]) -> impl Iterator<Item = (i64, i16)> {
    let count = usize::from(unsigned(&bytes[..bytes.len().min(2)]) as u16);
    bytes
        .get(2..)
        .unwrap_or(&[])
        .chunks_exact(10)
        .take(count)
        .map(|item| (signed(&item[..8]), signed(&item[8..]) as i16))
}

/// Index of the parameter that names the directory which the path in parameter `index` starts from.
fn directory_param(event: &RawEvent<'_>, index: usize) -> Option<usize> {
    let params = event.kind.info()?.params;
    let before = index.checked_sub(1)?;
    (params.get(before)?.ty == T::Fd).then_some(before)
}

/// Appends `<f>/etc/passwd`.
fn write_fd_entry(fd: &Fd, out: &mut Vec<u8>) {
    out.push(b'<');
    out.push(fd.kind.letter());
    if fd.kind.is_ip() {
        match fd.l4proto() {
            l4::TCP => out.push(b't'),
            l4::UDP => out.push(b'u'),
            l4::ICMP => out.push(b'i'),
            l4::RAW => out.push(b'r'),
            _ => {}
        }
    }
    out.push(b'>');
    out.extend_from_slice(&fd.name);
}

fn push_formatted(out: &mut Vec<u8>, format: ParamFormat, decimal: i64, bits: u64) {
    match format {
        ParamFormat::Dec => push_i64(out, decimal),
        ParamFormat::Oct => {
            if bits != 0 {
                out.push(b'0');
            }
            push_radix(out, bits, 8);
        }
        ParamFormat::Hex | ParamFormat::Na => push_radix(out, bits, 16),
    }
}

/// Appends the names of the flags that `value` is made of.
fn write_flags(out: &mut Vec<u8>, names: flags::Table, value: u32, exact: bool) {
    let mut left = value;
    let mut first = true;
    for &(name, flag) in names {
        let matches = if exact {
            flag == value
        } else if flag == 0 {
            value == 0
        } else {
            left & flag == flag
        };
        if !matches {
            continue;
        }
        if !exact {
            left &= !flag;
        }
        if !std::mem::take(&mut first) {
            out.push(b'|');
        }
        out.extend_from_slice(name.as_bytes());
        if !exact && flag == value {
            break;
        }
    }
}

/// Appends the names of the mode bits that `value` is made of.
fn write_mode(out: &mut Vec<u8>, names: flags::Table, value: u32) {
    let mut left = value;
    let mut first = true;
    let mut push = |out: &mut Vec<u8>, name: &str| {
        if !std::mem::take(&mut first) {
            out.push(b'|');
        }
        out.extend_from_slice(name.as_bytes());
    };
    for &(name, flag) in names {
        if flag == value {
            push(out, name);
            break;
        }
        if flag != 0 && left & flag == flag {
            push(out, name);
            left &= !flag;
        }
    }
}
