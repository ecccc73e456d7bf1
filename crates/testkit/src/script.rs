//! Events from text: `200 openat fd=3 name=/etc/shadow flags=O_RDONLY`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use vedette_event::boot::ProcessEntry;
use vedette_event::{
    EventBuf, EventFlags, EventInfo, EventType, ParamInfo, ParamType, RawEvent, Via,
};

use crate::words;

/// Time of the first event of every script: 2024-01-01T00:00:00Z. Each further event comes a millisecond later.
const FIRST_TIME: u64 = 1_704_067_200_000_000_000;
const STEP_TIME: u64 = 1_000_000;

/// Why a line is not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ScriptError {
    /// Line in the script, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A process that is there before the first event.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pid: i64,
    parent: i64,
    comm: Vec<u8>,
    exe: Vec<u8>,
    exepath: Vec<u8>,
    args: Vec<u8>,
    env: Vec<u8>,
    cwd: Vec<u8>,
    cgroups: Vec<u8>,
    uid: u32,
    loginuid: u32,
    tty: u32,
    caps: u64,
}

impl Process {
    /// The process in the shape that the state engine takes.
    pub fn entry(&self) -> ProcessEntry<'_> {
        ProcessEntry {
            tid: self.pid,
            pid: self.pid,
            ptid: self.parent,
            sid: 1,
            vpgid: 1,
            pgid: 1,
            comm: &self.comm,
            exe: &self.exe,
            exepath: &self.exepath,
            args: &self.args,
            env: &self.env,
            cwd: &self.cwd,
            cgroups: &self.cgroups,
            root: b"/",
            fdlimit: 1024,
            uid: self.uid,
            gid: self.uid,
            loginuid: self.loginuid,
            tty: self.tty,
            vtid: self.pid,
            vpid: self.pid,
            cap_permitted: self.caps,
            cap_effective: self.caps,
            ..ProcessEntry::default()
        }
    }
}

/// One event.
#[derive(Clone, Debug)]
pub struct Step {
    num: u64,
    tid: i64,
    buf: EventBuf,
    via: Via,
    /// Line of the script it stands on, from 1.
    pub line: usize,
}

impl Step {
    /// The event.
    pub fn event(&self) -> RawEvent<'_> {
        self.buf
            .event(self.num, FIRST_TIME + self.num * STEP_TIME, self.tid, 0)
            .by(self.via)
    }
}

/// A script: what was there, then what happened.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Processes at the start; process 1 is always among them.
    pub processes: Vec<Process>,
    /// Events in order; containers are announced by events of their own at the beginning.
    pub steps: Vec<Step>,
}

/// Gives the number of a named flag of a parameter: `("openat", "flags", "O_RDONLY")`.
pub type FlagValue<'f> = &'f dyn Fn(&EventInfo, &ParamInfo, &str) -> Option<u32>;

/// Reads a script. Lines are `container NAME key=value…`, `process PID COMM key=value…`, `PID EVENT key=value…`, empty,
/// or a comment after `#`.
///
/// # Errors
/// The first line that cannot be read.
pub fn parse(text: &str, flag: FlagValue<'_>) -> Result<Script, ScriptError> {
    let mut script = Script::default();
    script.processes.push(Process {
        pid: 1,
        comm: b"systemd".to_vec(),
        exe: b"/sbin/init".to_vec(),
        exepath: b"/usr/lib/systemd/systemd".to_vec(),
        cwd: b"/".to_vec(),
        cgroups: b"cpu=/\0".to_vec(),
        caps: !0 >> 23,
        loginuid: u32::MAX,
        ..Process::default()
    });
    let mut containers = BTreeMap::new();
    for (index, raw) in text.lines().enumerate() {
        let fail = |message: String| ScriptError {
            line: index + 1,
            message,
        };
        let line = raw.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words = words::split(line).ok_or_else(|| fail("a quote is never closed".to_owned()))?;
        let (head, pairs) =
            words.split_at(words.len().min(if words[0] == "process" { 3 } else { 2 }));
        let mut keys = BTreeMap::new();
        for pair in pairs {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| fail(format!("expected key=value, found `{pair}`")))?;
            keys.insert(key, value);
        }
        match head {
            [word, name] if word == "container" => {
                let id = container_id(name);
                let buf = container_event(name, &id, &keys);
                script.push_step(index + 1, -1, buf, Via::Call);
                containers.insert(name.clone(), id);
            }
            [word, pid, comm] if word == "process" => {
                let pid = pid
                    .parse()
                    .map_err(|_| fail(format!("`{pid}` is no process id")))?;
                let process = process(pid, comm, &keys, &containers).map_err(fail)?;
                script.processes.push(process);
            }
            [pid, name] => {
                let pid = pid.parse().map_err(|_| {
                    fail(format!(
                        "expected `container`, `process` or a process id, found `{pid}`"
                    ))
                })?;
                let process = script.processes.iter().find(|process| process.pid == pid);
                let via = via(keys.remove("via")).map_err(fail)?;
                let buf = event(process, name, &keys, flag).map_err(fail)?;
                script.push_step(index + 1, pid, buf, via);
            }
            _ => return Err(fail("expected an event: PID NAME key=value…".to_owned())),
        }
    }
    Ok(script)
}

impl Script {
    fn push_step(&mut self, line: usize, tid: i64, buf: EventBuf, via: Via) {
        self.steps.push(Step {
            num: self.steps.len() as u64 + 1,
            tid,
            buf,
            via,
            line,
        });
    }
}

/// Which way an operation came.
fn via(given: Option<&str>) -> Result<Via, String> {
    match given {
        None => Ok(Via::Call),
        Some("io_uring") => Ok(Via::IoUring),
        Some(other) => Err(format!("via: expected io_uring, found `{other}`")),
    }
}

/// Sixty-four hexadecimal digits made from a name, always the same ones.
pub(crate) fn container_id(name: &str) -> String {
    let mut id = String::new();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for round in 0..4u8 {
        for byte in name.bytes().chain([round]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let _ = write!(id, "{hash:016x}");
    }
    id
}

/// The event by which a container runtime's metadata reaches the stream.
pub(crate) fn container_event(name: &str, id: &str, keys: &BTreeMap<&str, &str>) -> EventBuf {
    let get = |key: &str| keys.get(key).copied().unwrap_or_default();
    let image = get("image");
    let (repository, tag) = match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, "latest"),
    };
    let mut labels = String::new();
    for (key, label) in [
        ("pod", "io.kubernetes.pod.name"),
        ("ns", "io.kubernetes.pod.namespace"),
    ] {
        if keys.contains_key(key) {
            let _ = write!(
                labels,
                "{}\"{label}\":\"{}\"",
                if labels.is_empty() { "" } else { "," },
                get(key)
            );
        }
    }
    let json = format!(
        "{{\"container\":{{\"type\":7,\"id\":\"{}\",\"full_id\":\"{id}\",\"name\":\"{name}\",\"image\":\"{image}\",\
         \"imageid\":\"\",\"imagedigest\":\"\",\"imagerepo\":\"{repository}\",\"imagetag\":\"{tag}\",\
         \"privileged\":{},\"labels\":{{{labels}}},\"Mounts\":[],\"port_mappings\":[],\"is_pod_sandbox\":false}}}}",
        &id[..12],
        get("privileged") == "true",
    );
    let kind = EventType::by_symbol("ASYNCEVENT_E").expect("the table has this row");
    let mut buf = EventBuf::default();
    buf.start(kind);
    buf.push(&0u32.to_le_bytes())
        .push_text(b"container")
        .push_text(json.as_bytes());
    buf
}

fn process(
    pid: i64,
    comm: &str,
    keys: &BTreeMap<&str, &str>,
    containers: &BTreeMap<String, String>,
) -> Result<Process, String> {
    let mut process = Process {
        pid,
        parent: 1,
        comm: comm.as_bytes().to_vec(),
        exe: format!("/usr/bin/{comm}").into_bytes(),
        cwd: b"/".to_vec(),
        cgroups: b"cpu=/system.slice\0".to_vec(),
        loginuid: u32::MAX,
        caps: !0 >> 23,
        ..Process::default()
    };
    for (&key, &value) in keys {
        let number = || {
            value
                .parse::<i64>()
                .map_err(|_| format!("{key}: `{value}` is no number"))
        };
        match key {
            "parent" => process.parent = number()?,
            "exe" => process.exe = value.as_bytes().to_vec(),
            "exepath" => process.exepath = value.as_bytes().to_vec(),
            "args" => process.args = list(value)?,
            "env" => process.env = list(value)?,
            "cwd" => process.cwd = value.as_bytes().to_vec(),
            "tty" => process.tty = number()? as u32,
            "loginuid" => process.loginuid = number()? as u32,
            "uid" => {
                process.uid = number()? as u32;
                if process.uid != 0 {
                    process.caps = 0;
                }
            }
            "in" => {
                let id = containers
                    .get(value)
                    .ok_or_else(|| format!("there is no container `{value}` above"))?;
                process.cgroups = format!("cpu=/kubepods/burstable/podx/{id}\0").into_bytes();
            }
            _ => {
                return Err(format!(
                    "`{key}` is no property of a process; expected one of parent, in, exe, exepath, args, env, cwd, tty, uid, loginuid"
                ));
            }
        }
    }
    if process.exepath.is_empty() {
        process.exepath.clone_from(&process.exe);
    }
    Ok(process)
}

/// Words separated by blanks become elements, each closed by a NUL.
fn list(value: &str) -> Result<Vec<u8>, String> {
    let words =
        words::split(value).ok_or_else(|| format!("a quote in `{value}` is never closed"))?;
    Ok(words
        .iter()
        .flat_map(|word| word.bytes().chain([0]))
        .collect())
}

/// The modern exit event (or live event without an exit) of this name.
fn kind_of(name: &str) -> Option<EventType> {
    let modern = |kind: &EventType| {
        kind.info().is_some_and(|info| {
            !info.flags.has(EventFlags::OLD_VERSION)
                && !info.flags.has(EventFlags::UNUSED)
                && !info.params.is_empty()
        })
    };
    let exit = EventType::by_name(name)
        .filter(|kind| !kind.is_enter())
        .filter(modern)
        .last();
    exit.or_else(|| EventType::by_name(name).filter(modern).last())
}

fn event(
    process: Option<&Process>,
    name: &str,
    keys: &BTreeMap<&str, &str>,
    flag: FlagValue<'_>,
) -> Result<EventBuf, String> {
    let kind = kind_of(name)
        .ok_or_else(|| format!("there is no event `{name}`; see `vedette event-types`"))?;
    let info = kind.info().expect("kind_of gives known types");
    let is_exec = matches!(name, "execve" | "execveat");
    if let Some(key) = keys.keys().find(|key| {
        let known = info.params.iter().any(|param| param.name == **key);
        !known && (**key != "exepath" || !is_exec)
    }) {
        let names: Vec<_> = info.params.iter().map(|param| param.name).collect();
        return Err(format!(
            "`{name}` has no parameter `{key}`; expected one of {}",
            names.join(", ")
        ));
    }
    let mut buf = EventBuf::default();
    buf.start(kind);
    for param in info.params {
        let given = keys.get(param.name).copied();
        match (given, process) {
            (None, Some(process)) if is_exec => {
                let bytes = exec_default(param.name, process, keys);
                match bytes {
                    Some(bytes) => buf.push(&bytes),
                    None => buf.push(&default(param.ty)),
                };
            }
            (None, _) => {
                buf.push(&default(param.ty));
            }
            (Some(value), _) => {
                let bytes = encode(info, param, value, flag)
                    .map_err(|why| format!("{}: `{value}`: {why}", param.name))?;
                buf.push(&bytes);
            }
        }
    }
    Ok(buf)
}

/// What an exec event says when the script does not: the process as it was.
fn exec_default(param: &str, process: &Process, keys: &BTreeMap<&str, &str>) -> Option<Vec<u8>> {
    let text = |bytes: &[u8]| Some(bytes.iter().copied().chain([0]).collect());
    match param {
        "tid" | "pid" | "vpgid" | "pgid" => Some(process.pid.to_le_bytes().to_vec()),
        "ptid" => Some(process.parent.to_le_bytes().to_vec()),
        "comm" => text(&process.comm),
        "cwd" => text(&process.cwd),
        "cgroups" => Some(process.cgroups.clone()),
        "env" => Some(process.env.clone()),
        "tty" => Some(process.tty.to_le_bytes().to_vec()),
        "uid" | "gid" => Some(process.uid.to_le_bytes().to_vec()),
        "loginuid" => Some(process.loginuid.to_le_bytes().to_vec()),
        "cap_permitted" | "cap_effective" => Some(process.caps.to_le_bytes().to_vec()),
        "exe" => text(&process.exe),
        "trusted_exepath" | "filename" => text(
            keys.get("exepath")
                .or_else(|| keys.get("exe"))
                .map_or(&process.exepath, |exe| exe.as_bytes()),
        ),
        _ => None,
    }
}

/// Nothing, in the width of the type.
fn default(ty: ParamType) -> Vec<u8> {
    match width(ty) {
        Some(width) => vec![0; width],
        None if ty.is_text() => vec![0],
        None => Vec::new(),
    }
}

fn width(ty: ParamType) -> Option<usize> {
    use ParamType as T;
    match ty {
        T::I8 | T::U8 | T::Flags8 | T::EnumFlags8 | T::SigType => Some(1),
        T::I16 | T::U16 | T::Flags16 | T::EnumFlags16 | T::Port | T::SyscallId => Some(2),
        T::I32
        | T::U32
        | T::Flags32
        | T::EnumFlags32
        | T::Fd32
        | T::Pid32
        | T::SigSet
        | T::Mode
        | T::Uid
        | T::Gid => Some(4),
        T::Bool => Some(4),
        T::I64 | T::U64 | T::Errno | T::Fd | T::Pid | T::RelTime | T::AbsTime => Some(8),
        _ => None,
    }
}

fn encode(
    info: &EventInfo,
    param: &ParamInfo,
    value: &str,
    flag: FlagValue<'_>,
) -> Result<Vec<u8>, String> {
    use ParamType as T;
    match param.ty {
        T::SockTuple => tuple(value),
        T::SockAddr => address(value),
        T::ByteBuf if matches!(param.name, "args" | "env" | "cgroups") => list(value),
        T::ByteBuf => Ok(value.as_bytes().to_vec()),
        T::Dyn => {
            let number = number(value).ok_or("expected a number")?;
            Ok([&[0][..], &number.to_le_bytes()].concat())
        }
        ty if ty.is_text() => Ok(value.bytes().chain([0]).collect()),
        ty => {
            let width = width(ty).ok_or("values of this type cannot be written here")?;
            let number = match number(value) {
                Some(number) => number,
                None => named(info, param, value, flag)?,
            };
            Ok(number.to_le_bytes()[..width].to_vec())
        }
    }
}

/// Decimal, hexadecimal with `0x`, octal with a leading `0`.
fn number(value: &str) -> Option<i64> {
    if let Some(hex) = value.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok();
    }
    match value.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => i64::from_str_radix(octal, 8).ok(),
        _ => value.parse().ok(),
    }
}

/// Names joined by `|`. Of an enumeration there is only one.
fn named(
    info: &EventInfo,
    param: &ParamInfo,
    value: &str,
    flag: FlagValue<'_>,
) -> Result<i64, String> {
    let mut bits = 0;
    for name in value.split('|') {
        let bit = flag(info, param, name)
            .ok_or_else(|| format!("`{name}` is neither a number nor a known flag"))?;
        bits |= i64::from(bit);
    }
    Ok(bits)
}

/// Address families as captures number them (those of Linux).
const UNIX: u8 = 1;
const INET: u8 = 2;
const INET6: u8 = 10;

fn endpoint(text: &str) -> Result<(IpAddr, u16), String> {
    let fail = || format!("`{text}` is no ADDRESS:PORT");
    let (address, port) = text.rsplit_once(':').ok_or_else(fail)?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    Ok((
        address.parse().map_err(|_| fail())?,
        port.parse().map_err(|_| fail())?,
    ))
}

fn push_endpoint(out: &mut Vec<u8>, (address, port): (IpAddr, u16)) {
    match address {
        IpAddr::V4(v4) => out.extend(v4.octets()),
        IpAddr::V6(v6) => out.extend(v6.octets()),
    }
    out.extend(port.to_le_bytes());
}

/// `unix:/path` or `SOURCE:PORT->DESTINATION:PORT`.
fn tuple(value: &str) -> Result<Vec<u8>, String> {
    if let Some(path) = value.strip_prefix("unix:") {
        let mut out = vec![UNIX];
        out.extend([0; 16]);
        out.extend(path.bytes().chain([0]));
        return Ok(out);
    }
    let (source, destination) = value
        .split_once("->")
        .ok_or("expected SOURCE:PORT->DESTINATION:PORT or unix:PATH")?;
    let (source, destination) = (endpoint(source)?, endpoint(destination)?);
    if source.0.is_ipv4() != destination.0.is_ipv4() {
        return Err("both ends must be of one family".to_owned());
    }
    let mut out = vec![if source.0.is_ipv4() { INET } else { INET6 }];
    push_endpoint(&mut out, source);
    push_endpoint(&mut out, destination);
    Ok(out)
}

/// `unix:/path` or `ADDRESS:PORT`.
fn address(value: &str) -> Result<Vec<u8>, String> {
    if let Some(path) = value.strip_prefix("unix:") {
        return Ok([UNIX].into_iter().chain(path.bytes()).chain([0]).collect());
    }
    let at = endpoint(value)?;
    let mut out = vec![if at.0.is_ipv4() { INET } else { INET6 }];
    push_endpoint(&mut out, at);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Script, ScriptError> {
        parse(text, &|_, _, name| (name == "O_RDONLY").then_some(1))
    }

    #[test]
    fn parameters_get_the_bytes_of_their_types() {
        let script = read(
            "container web image=a/b:1\nprocess 200 sh in=web\n200 openat fd=3 name=/x flags=O_RDONLY via=io_uring\n\
             200 connect tuple=10.0.0.1:1->8.8.8.8:443\n200 execve comm=id args=\"-u root\"",
        )
        .unwrap();
        assert_eq!(script.processes.len(), 2);
        assert_eq!(script.steps[0].event().kind.name(), "asyncevent");
        let open = script.steps[1].event();
        let at = |name| open.param_index(name).unwrap();
        assert_eq!(open.signed(at("fd")), Some(3));
        assert_eq!(open.text(at("name")), Some(&b"/x"[..]));
        assert_eq!(open.unsigned(at("flags")), Some(1));
        assert_eq!(open.via, Via::IoUring);
        assert_eq!(script.steps[2].event().via, Via::Call);
        let connect = script.steps[2].event();
        let tuple = connect
            .param(connect.param_index("tuple").unwrap())
            .unwrap();
        assert_eq!(tuple, [2, 10, 0, 0, 1, 1, 0, 8, 8, 8, 8, 0xbb, 1]);
        let exec = script.steps[3].event();
        assert_eq!(
            exec.param(exec.param_index("args").unwrap()),
            Some(&b"-u\0root\0"[..])
        );
        assert_eq!(exec.signed(exec.param_index("tid").unwrap()), Some(200));
    }

    #[test]
    fn faults_are_named() {
        for (text, fault) in [
            ("200 opennat fd=3", "no event `opennat`"),
            ("200 openat file=3", "no parameter `file`"),
            ("200 openat via=ioctl", "expected io_uring"),
            ("200 openat flags=O_NO", "neither a number nor a known flag"),
            ("process x sh", "is no process id"),
            ("process 2 sh in=web", "no container `web`"),
            ("200 openat name=\"x", "never closed"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(fault), "{text}: {error}");
        }
    }
}
