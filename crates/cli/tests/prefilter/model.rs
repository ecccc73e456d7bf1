//! What the kernel side decides, modelled on events.

use std::collections::HashMap;

use vedette_event::{EventBuf, EventType, RawEvent};
use vedette_rules::prefilter::{Class, OpenFilter, Prefilter};
use vedette_sensor::{Interest, Outcome};

use super::{CLONE, CLOSE, DUP2, EXEC, FCNTL, OPEN, OPENAT};

/// A process as the kernel side keeps it.
#[derive(Clone, Default)]
pub(super) struct Process {
    told: u64,
    kept: HashMap<i64, EventBuf>,
    cloexec: u64,
    named: bool,
    host: bool,
}

/// What the kernel side decides.
pub(super) struct Model {
    pub(super) wants: HashMap<u16, (bool, bool)>,
    pub(super) opens: Option<OpenFilter>,
    pub(super) closes_told: bool,
    pub(super) fcntl_asked: bool,
    pub(super) processes: HashMap<i64, Process>,
    pub(super) held: u64,
}

impl Model {
    pub(super) fn new(filter: Prefilter) -> Self {
        let mut wants: HashMap<u16, (bool, bool)> = HashMap::new();
        let mut add = |kind: EventType, success, failure| {
            let entry = wants.entry(kind.0).or_default();
            entry.0 |= success;
            entry.1 |= failure;
        };
        for want in &filter.wants {
            add(want.kind, want.success, want.failure);
        }
        for state in Interest::for_state() {
            add(state.kind, true, state.outcome == Outcome::Any);
        }
        let asked = |kind: u16| filter.wants.iter().any(|want| want.kind.0 == kind);
        let closes_told = asked(CLOSE);
        Self {
            fcntl_asked: asked(FCNTL),
            closes_told,
            opens: filter.opens.filter(|_| !closes_told),
            wants,
            processes: HashMap::new(),
            held: 0,
        }
    }

    /// Lets an event through, after what has to be told first (marked with true), or holds it back.
    pub(super) fn pass(
        &mut self,
        event: &RawEvent<'_>,
        comm: &str,
        mut tell: impl FnMut(&RawEvent<'_>, bool),
    ) {
        let result = event.signed(0).unwrap_or(0);
        let (success, failure) = self.wants.get(&event.kind.0).copied().unwrap_or_default();
        let tid = event.tid;
        let names = |comm: &str, opens: &Option<OpenFilter>| {
            opens
                .as_ref()
                .is_some_and(|opens| opens.names.iter().any(|name| **name == *comm.as_bytes()))
        };
        if !(if result < 0 { failure } else { success }) {
            self.held += 1;
            return;
        }
        let named = names(comm, &self.opens);
        let process = self.processes.entry(tid).or_insert_with(|| Process {
            told: u64::MAX,
            named,
            host: tid % 2 == 0,
            ..Process::default()
        });
        match event.kind.0 {
            CLOSE => {
                let fd = event.signed(1).unwrap();
                process.kept.remove(&fd);
                let known = process.told >> fd & 1 == 1;
                process.told &= !(1 << fd);
                if !known && !self.closes_told {
                    self.held += 1;
                    return;
                }
            }
            FCNTL if !self.fcntl_asked && !matches!(event.unsigned(2), Some(1 | 3)) => {
                self.held += 1;
                return;
            }
            OPEN | OPENAT => {
                if let Some(opens) = &self.opens
                    && !wanted(opens, event, process)
                {
                    self.held += 1;
                    if result >= 0 {
                        let flags = event
                            .unsigned(if event.kind.0 == OPEN { 2 } else { 3 })
                            .unwrap();
                        if flags & 1 << 12 != 0 {
                            process.cloexec |= 1 << result;
                        } else {
                            process.cloexec &= !(1 << result);
                        }
                        let mut kept = EventBuf::default();
                        kept.start(event.kind);
                        event.params().for_each(|param| {
                            kept.push(param);
                        });
                        process.kept.insert(result, kept);
                    }
                    return;
                }
            }
            _ => {}
        }
        // Descriptors that the event names.
        let fds: &[usize] = match event.kind.name() {
            "openat" | "fchmod" | "unlinkat" | "fcntl" => &[1],
            "dup2" => &[1, 2],
            _ => &[],
        };
        for fd in fds.iter().filter_map(|index| event.signed(*index)) {
            if let Some(kept) = process.kept.remove(&fd) {
                process.told |= 1 << fd;
                tell(&kept.event(event.num, event.ts, tid, 0), true);
            }
        }
        let copies = event.kind.0 != FCNTL || event.unsigned(2) == Some(1);
        if result >= 0 && matches!(event.kind.0, OPEN | OPENAT | DUP2 | FCNTL) && copies {
            process.told |= 1 << result;
            process.kept.remove(&result);
        }
        if event.kind.0 == EXEC {
            let ended = process.cloexec;
            process.kept.retain(|fd, _| ended >> fd & 1 == 0);
            process.cloexec = 0;
            process.named = named;
        }
        if event.kind.0 == CLONE && result == 0 {
            // The child tells of itself first; what it has comes from its parent.
            let parent = event.signed(5).unwrap();
            if let Some(parent) = self.processes.get(&parent).cloned() {
                let host = tid % 2 == 0;
                let named = parent.named || named;
                self.processes.insert(
                    tid,
                    Process {
                        host,
                        named,
                        ..parent
                    },
                );
            }
        }
        tell(event, false);
    }
}

pub(super) fn wanted(opens: &OpenFilter, event: &RawEvent<'_>, process: &Process) -> bool {
    let (path, flags, mode) = if event.kind.0 == OPEN {
        (1, 2, 3)
    } else {
        (2, 3, 4)
    };
    let (flags, mode) = (
        event.unsigned(flags).unwrap(),
        event.unsigned(mode).unwrap(),
    );
    let result = event.signed(0).unwrap();
    let mut class = (flags & 0b11) as u8;
    for (holds, bit) in [
        (flags & 1 << 2 != 0, Class::CREATE),
        (flags & 1 << 6 != 0, Class::TRUNCATE),
        (flags & 1 << 2 != 0 && mode & 0o111 != 0, Class::EXECUTABLE),
        (result >= 0, Class::OPENED),
        (process.host, Class::HOST),
        (process.named, Class::NAMED),
    ] {
        if holds {
            class |= bit;
        }
    }
    let path = event.text(path).unwrap_or_default();
    // What starts from a directory is told, and what is empty; failures only where any path can matter.
    if !path.starts_with(b"/") {
        return result >= 0 || opens.wants(Class(class), path);
    }
    opens.wants(Class(class), path)
}
