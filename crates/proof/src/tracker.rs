//! What must be remembered while a recording is read: who has left its container, and what was written.

use rustc_hash::{FxHashMap, FxHashSet};
use vedette_event::{Extract, Extracted, FieldRef, Process, Value, Values};

use crate::act::{Namespaces, namespaces};

/// Most processes that are remembered as having left; an attack has a handful.
const MAX_LEFT: usize = 65_536;

/// Most written paths that are remembered.
const MAX_WRITTEN: usize = 65_536;

/// Follows namespaces and written files.
#[derive(Debug)]
pub(crate) struct Tracker {
    left: FxHashMap<i64, Namespaces>,
    written: FxHashSet<(String, String)>,
    kind: FieldRef,
    result: FieldRef,
    pid: FieldRef,
    container: FieldRef,
    path: FieldRef,
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
            written: FxHashSet::default(),
            kind: field("evt.type"),
            result: field("evt.rawres"),
            pid: field("proc.pid"),
            container: field("container.id"),
            path: field("fd.name"),
            nstype: field("evt.arg.nstype"),
            writing: field("evt.is_open_write"),
            room: Values::default(),
        }
    }
}

impl Tracker {
    /// Takes in an event. Cheap for those that change nothing.
    pub(crate) fn observe<E: Extract + ?Sized>(&mut self, event: &E) {
        let kind = self.text(Which::Kind, event);
        match kind.as_str() {
            "setns" if self.number(Which::Result, event) == Some(0) => {
                let flags = self.text(Which::NsType, event);
                let target = self.text(Which::Path, event);
                let Some(pid) = self.number(Which::Pid, event) else {
                    return;
                };
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
                if writing && self.written.len() < MAX_WRITTEN {
                    let container = self.text(Which::Container, event);
                    if container != "host" && !container.is_empty() {
                        let path = self.text(Which::Path, event);
                        self.written.insert((container, path));
                    }
                }
            }
            _ => {}
        }
    }

    /// The namespaces that a process has left, itself or by inheritance.
    pub(crate) fn left(&self, lineage: &[Process]) -> Namespaces {
        lineage
            .iter()
            .filter_map(|process| self.left.get(&process.pid))
            .fold(Namespaces::default(), |all, one| all.or(*one))
    }

    /// Whether a container wrote this file while the recording ran.
    pub(crate) fn written(&self, container: &str, path: &str) -> bool {
        // a set of pairs is asked with owned keys; evidence is rare
        self.written
            .contains(&(container.to_owned(), path.to_owned()))
    }

    fn text<E: Extract + ?Sized>(&mut self, which: Which, event: &E) -> String {
        let field = match which {
            Which::Kind => &self.kind,
            Which::Container => &self.container,
            Which::Path => &self.path,
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
    NsType,
}
