//! What must be remembered while a recording is read: who has left its container, and what was written.

use rustc_hash::{FxHashMap, FxHashSet};
use vedette_event::{Extract, Extracted, FieldRef, Process, Value, Values};

use crate::act::{Act, Namespaces, namespaces};

/// Most processes that are remembered as having left; an attack has a handful.
const MAX_LEFT: usize = 65_536;

/// Most written paths that are remembered, each with some hundred bytes of how it came to be.
const MAX_WRITTEN: usize = 16_384;

/// Most connections that are remembered as made.
const MAX_CONNECTED: usize = 65_536;

/// Follows namespaces and written files.
#[derive(Debug)]
pub(crate) struct Tracker {
    left: FxHashMap<i64, Namespaces>,
    written: FxHashMap<(String, String), Act>,
    connected: FxHashSet<(String, String)>,
    kind: FieldRef,
    result: FieldRef,
    pid: FieldRef,
    container: FieldRef,
    path: FieldRef,
    from: FieldRef,
    to: FieldRef,
    nstype: FieldRef,
    writing: FieldRef,
    room: Values,
}

fn field(name: &str) -> FieldRef {
    FieldRef::parse(name).expect("a field of the catalogue; a test asks for each")
}

impl Default for Tracker {
    fn default() -> Self {
        Self {
            left: FxHashMap::default(),
            written: FxHashMap::default(),
            connected: FxHashSet::default(),
            kind: field("evt.type"),
            result: field("evt.rawres"),
            pid: field("proc.pid"),
            container: field("container.id"),
            path: field("fd.name"),
            from: field("fs.path.source"),
            to: field("fs.path.target"),
            nstype: field("evt.arg.nstype"),
            writing: field("evt.is_open_write"),
            room: Values::default(),
        }
    }
}

impl Tracker {
    /// Takes in an event. Cheap for those that change nothing. Gives container and path of a file that it opened to be
    /// written, for [`Self::wrote`].
    pub(crate) fn observe<E: Extract + ?Sized>(&mut self, event: &E) -> Option<(String, String)> {
        let kind = self.text(Which::Kind, event);
        match kind.as_str() {
            "setns" if self.number(Which::Result, event) == Some(0) => {
                let flags = self.text(Which::NsType, event);
                let target = self.text(Which::Path, event);
                let pid = self.number(Which::Pid, event)?;
                if self.left.len() < MAX_LEFT || self.left.contains_key(&pid) {
                    let known = self.left.entry(pid).or_default();
                    *known = known.or(namespaces(&flags, &target));
                }
            }
            "procexit" => {
                // the number may be given to another process
                if let Some(pid) = self.number(Which::Pid, event) {
                    self.left.remove(&pid);
                }
            }
            "open" | "openat" | "openat2" | "creat" => {
                let writing = matches!(
                    event.extract(&self.writing, &mut self.room),
                    Extracted::One(Value::Bool(true))
                );
                if (writing || kind == "creat")
                    && self.number(Which::Result, event).is_some_and(|fd| fd >= 0)
                {
                    let container = self.container(event)?;
                    return Some((container, self.text(Which::Path, event)));
                }
            }
            "rename" | "renameat" | "renameat2" if self.number(Which::Result, event) == Some(0) => {
                let container = self.container(event)?;
                let from = self.text(Which::From, event);
                if let Some(act) = self.written.remove(&(container.clone(), from)) {
                    let to = self.text(Which::To, event);
                    self.written.insert((container, to), act);
                }
            }
            "connect" if self.connected.len() < MAX_CONNECTED => {
                let container = self.container(event)?;
                let connection = self.text(Which::Path, event);
                self.connected.insert((container, connection));
            }
            _ => {}
        }
        None
    }

    /// The container of an event; `None` for the host.
    fn container<E: Extract + ?Sized>(&mut self, event: &E) -> Option<String> {
        let container = self.text(Which::Container, event);
        (container != "host" && !container.is_empty()).then_some(container)
    }

    /// How a file came to be, as [`Self::observe`] asked for it. Who wrote it last decides what is in it.
    pub(crate) fn wrote(&mut self, file: (String, String), act: Act) {
        if self.written.len() < MAX_WRITTEN || self.written.contains_key(&file) {
            self.written.insert(file, act);
        }
    }

    /// The namespaces that a process has left, itself or by inheritance.
    pub(crate) fn left(&self, lineage: &[Process]) -> Namespaces {
        lineage
            .iter()
            .filter_map(|process| self.left.get(&process.pid))
            .fold(Namespaces::default(), |all, one| all.or(*one))
    }

    /// How a container wrote this file while the recording ran.
    pub(crate) fn written(&self, container: &str, path: &str) -> Option<&Act> {
        // a table of pairs is asked with owned keys; evidence is rare
        self.written.get(&(container.to_owned(), path.to_owned()))
    }

    /// Whether a container made this connection, named by its two ends, while the recording ran.
    pub(crate) fn connected(&self, container: &str, connection: &str) -> bool {
        self.connected
            .contains(&(container.to_owned(), connection.to_owned()))
    }

    fn text<E: Extract + ?Sized>(&mut self, which: Which, event: &E) -> String {
        let field = match which {
            Which::Kind => &self.kind,
            Which::Container => &self.container,
            Which::Path => &self.path,
            Which::From => &self.from,
            Which::To => &self.to,
            Which::NsType => &self.nstype,
            Which::Result | Which::Pid => return String::new(),
        };
        match event.extract(field, &mut self.room) {
            Extracted::One(Value::Text(text)) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        }
    }

    fn number<E: Extract + ?Sized>(&mut self, which: Which, event: &E) -> Option<i64> {
        let field = match which {
            Which::Result => &self.result,
            _ => &self.pid,
        };
        match event.extract(field, &mut self.room) {
            Extracted::One(Value::I64(number)) => Some(number),
            Extracted::One(Value::U64(number)) => i64::try_from(number).ok(),
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Which {
    Kind,
    Result,
    Pid,
    Container,
    Path,
    From,
    To,
    NsType,
}
