//! A machine for tests: builds events parameter by parameter and asks for fields as text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use vedette_event::boot::ProcessEntry;
use vedette_event::{EventBuf, EventType, Extract, Extracted, FieldRef, Value, Values};
use vedette_state::{Boot, Settings, State};

/// One parameter of an event.
pub(crate) enum P<'a> {
    Number(i64, usize),
    Text(&'a str),
    Missing,
}

/// Eight bytes: results, descriptors, process ids.
pub(crate) fn n(number: i64) -> P<'static> {
    P::Number(number, 8)
}

/// Four bytes: flags, user ids.
pub(crate) fn w(number: i64) -> P<'static> {
    P::Number(number, 4)
}

/// A text with its closing NUL.
pub(crate) fn t(text: &str) -> P<'_> {
    P::Text(text)
}

/// The state and a clock.
pub(crate) struct Machine {
    pub(crate) state: State,
    buffer: EventBuf,
    num: u64,
    tid: i64,
    room: Values,
}

impl Machine {
    /// A machine with the processes `(tid, pid, ptid, comm)`.
    pub(crate) fn new(processes: &[(i64, i64, i64, &str)]) -> Self {
        let mut state = State::new(Settings::default());
        for &(tid, pid, ptid, comm) in processes {
            state.boot(&Boot::Process(ProcessEntry {
                tid,
                pid,
                ptid,
                vtid: tid,
                vpid: pid,
                sid: 1,
                comm: comm.as_bytes(),
                exe: comm.as_bytes(),
                cwd: b"/home",
                ..ProcessEntry::default()
            }));
        }
        Self {
            state,
            buffer: EventBuf::default(),
            num: 0,
            tid: 0,
            room: Values::default(),
        }
    }

    /// The event with this symbol happens.
    pub(crate) fn happen(&mut self, symbol: &str, tid: i64, parameters: &[P<'_>]) {
        let kind = EventType::by_symbol(symbol).expect("a symbol of the event table");
        self.buffer.start(kind);
        for parameter in parameters {
            match parameter {
                P::Number(number, size) => self.buffer.push(&number.to_le_bytes()[..*size]),
                P::Text(text) => self.buffer.push_text(text.as_bytes()),
                P::Missing => self.buffer.push(&[]),
            };
        }
        self.num += 1;
        self.tid = tid;
        let event = self
            .buffer
            .event(self.num, self.num * 1_000_000_000, tid, 0);
        self.state.apply(&event);
    }

    /// A field at the event that happened last.
    pub(crate) fn ask(&mut self, field: &str) -> String {
        let event = self
            .buffer
            .event(self.num, self.num * 1_000_000_000, self.tid, 0);
        let view = self.state.view(&event);
        let show = |value: Value<'_>| match value {
            Value::Text(v) | Value::Bytes(v) => String::from_utf8_lossy(v).into_owned(),
            Value::U64(v) => v.to_string(),
            Value::I64(v) => v.to_string(),
            Value::Bool(v) => v.to_string(),
            Value::F64(v) => v.to_string(),
            Value::Ip(v) => v.to_string(),
        };
        match view.extract(&FieldRef::parse(field).unwrap(), &mut self.room) {
            Extracted::Missing => "-".to_owned(),
            Extracted::One(value) => show(value),
            Extracted::Many(values) => {
                let all: Vec<String> = values.iter().map(show).collect();
                all.join(",")
            }
        }
    }

    /// The state key at the event that happened last.
    pub(crate) fn version(&self) -> (u32, u64) {
        let event = self
            .buffer
            .event(self.num, self.num * 1_000_000_000, self.tid, 0);
        let key = self.state.view(&event).state_key().unwrap();
        (key.slot, key.version)
    }

    /// Something that changes nothing, to look at the thread.
    pub(crate) fn look(&mut self, tid: i64) {
        self.happen("SYSCALL_READ_X", tid, &[n(0), P::Missing, n(-1), w(0)]);
    }

    /// clone, as seen by the child when `res` is 0, else by the parent.
    pub(crate) fn clone(
        &mut self,
        tid: i64,
        res: i64,
        ids: (i64, i64, i64),
        comm: &str,
        flags: i64,
    ) {
        let (own, pid, ptid) = ids;
        self.happen(
            "SYSCALL_CLONE_20_X",
            tid,
            &[
                n(res),
                t(comm),
                P::Missing,
                n(own),
                n(pid),
                n(ptid),
                t(""),
                n(1024),
                n(0),
                n(0),
                w(0),
                w(0),
                w(0),
                t(comm),
                P::Missing,
                w(flags),
                w(0),
                w(0),
                n(own),
                n(pid),
                n(0),
            ],
        );
    }

    /// execve that worked.
    pub(crate) fn exec(&mut self, tid: i64, pid: i64, ptid: i64, comm: &str) {
        let path = format!("/bin/{comm}");
        self.happen(
            "SYSCALL_EXECVE_19_X",
            tid,
            &[
                n(0),
                t(comm),
                P::Missing,
                n(tid),
                n(pid),
                n(ptid),
                t(""),
                n(1024),
                n(0),
                n(0),
                w(0),
                w(0),
                w(0),
                t(comm),
                P::Missing,
                P::Missing,
                w(0),
                n(1),
                w(-1),
                w(0),
                n(0),
                n(0),
                n(0),
                n(0),
                n(0),
                n(0),
                w(0),
                t(&path),
                n(1),
                w(0),
            ],
        );
    }

    /// openat that gave `fd`.
    pub(crate) fn open(&mut self, tid: i64, fd: i64, dirfd: i64, path: &str, flags: i64) {
        self.happen(
            "SYSCALL_OPENAT_2_X",
            tid,
            &[n(fd), n(dirfd), t(path), w(flags), w(0), w(1), n(2)],
        );
    }

    /// procexit, whose children go to `reaper`.
    pub(crate) fn exit(&mut self, tid: i64, reaper: i64) {
        self.happen(
            "PROCEXIT_1_E",
            tid,
            &[n(0), n(0), P::Number(0, 1), P::Number(0, 1), n(reaper)],
        );
    }
}
