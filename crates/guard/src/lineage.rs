//! Who started a process: read from /proc while the process waits, or at once afterwards.

use crate::process;

/// Ancestors that are read.
const ANCESTORS: usize = 16;

/// A process as /proc describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ancestor {
    /// Its number, in the host's namespace.
    pub pid: u32,
    /// Its own name.
    pub name: String,
    /// Path of its executable, as its container sees it.
    pub exe: String,
    /// Its arguments, between blanks.
    pub cmdline: String,
}

impl Ancestor {
    /// A process, and its parent; 0 where it has none. `None` when it is gone.
    pub fn read(pid: u32) -> Option<(Self, u32)> {
        let (name, parent) = process::name_and_parent(pid)?;
        let own = Self {
            pid,
            name,
            exe: process::executable(pid),
            cmdline: process::arguments(pid).join(" "),
        };
        Some((own, parent))
    }

    /// A process and those above it that see the same mounts, which are its container's, and the number of the first that
    /// does not; 0 where there is none.
    pub(crate) fn inside(pid: u32) -> (Vec<Self>, u32) {
        let mut out = Vec::new();
        let Ok(namespace) = process::mount_namespace(pid) else {
            return (out, 0);
        };
        let mut at = pid;
        while at > 0
            && out.len() < ANCESTORS
            && process::mount_namespace(at).is_ok_and(|its| its == namespace)
        {
            let Some((own, parent)) = Self::read(at) else {
                return (out, 0);
            };
            out.push(own);
            at = parent;
        }
        (out, at)
    }

    /// The processes above one, its parent first.
    pub fn above(mut parent: u32) -> Vec<Self> {
        let mut out = Vec::new();
        while parent > 0 && out.len() < ANCESTORS {
            let Some((own, next)) = Self::read(parent) else {
                break;
            };
            out.push(own);
            parent = next;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_with_those_above_it() {
        let (own, parent) = Ancestor::read(std::process::id()).unwrap();
        assert!(!own.name.is_empty() && own.exe.starts_with('/'));
        let above = Ancestor::above(parent);
        assert_eq!(above[0].pid, parent);
        // nobody else is in a namespace of its own here: both halves are the whole
        let (mut all, outside) = Ancestor::inside(std::process::id());
        assert_eq!((&all[0], all.len() > 1), (&own, true));
        all.extend(Ancestor::above(outside));
        assert_eq!(&all[1..=above.len()], above);
        assert_eq!(Ancestor::read(u32::MAX), None);
    }
}
