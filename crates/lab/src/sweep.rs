//! What is left of a lab when its processes are gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::PREFIX;
use crate::announce::TASKS;

/// Where control groups are mounted.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Removes what is left of labs whose run is gone, and ends their nodes should they still live. With `all`, labs that are
/// still being run are ended too. Gives what was done, in words.
pub fn sweep(all: bool) -> io::Result<Vec<String>> {
    let mut done = Vec::new();
    let abandoned = |name: &str| all || !owner(name).is_some_and(alive);
    for (pid, name) in nodes()? {
        if !abandoned(&name) {
            done.push(format!("{name} is being run; --all ends it"));
            continue;
        }
        // The lab's first process holds its process namespace: the kernel ends all others with it.
        let status = std::process::Command::new("kill")
            .args(["-KILL", &pid.to_string()])
            .status()?;
        if status.success() {
            done.push(format!("ended {name} (process {pid})"));
        }
    }
    let gone = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(abandoned)
    };
    for directory in named(&std::env::temp_dir()).into_iter().filter(gone) {
        if fs::remove_dir_all(&directory).is_ok() {
            done.push(format!("removed {}", directory.display()));
        }
    }
    for group in groups("").into_iter().filter(gone) {
        if remove_group(&group) {
            done.push(format!("removed control group {}", group.display()));
        }
    }
    for place in named(Path::new(TASKS)).into_iter().filter(gone) {
        if fs::remove_dir_all(&place).is_ok() {
            done.push(format!("removed {}", place.display()));
        }
    }
    Ok(done)
}

/// The process that runs a lab: its number stands in the lab's name.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

/// Whether a process is there and has not ended.
fn alive(pid: u32) -> bool {
    // a process that has ended has no executable any more
    fs::read_link(Path::new("/proc").join(pid.to_string()).join("exe")).is_ok()
}

/// Processes that hold a lab's node: `unshare` with the lab's name in its arguments.
fn nodes() -> io::Result<Vec<(u32, String)>> {
    let mut out = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let is_unshare = words.first().is_some_and(|word| word.ends_with(b"unshare"));
        let name = words
            .iter()
            .filter_map(|word| std::str::from_utf8(word).ok())
            .find(|word| word.starts_with(PREFIX));
        if let (true, Some(name)) = (is_unshare, name) {
            out.push((pid, name.to_owned()));
        }
    }
    Ok(out)
}

fn named(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(PREFIX))
        })
        .map(|entry| entry.path())
        .collect()
}

/// The control groups of one lab, or of all when the name is empty, in every hierarchy.
pub(crate) fn groups(lab: &str) -> Vec<PathBuf> {
    let root = Path::new(CGROUPS);
    let hierarchies = fs::read_dir(root)
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.path())
                .collect::<Vec<_>>()
        })
        .unwrap_or_default();
    let mut out: Vec<PathBuf> = std::iter::once(root.to_owned())
        .chain(hierarchies)
        .flat_map(|hierarchy| named(&hierarchy))
        .filter(|group| lab.is_empty() || group.ends_with(lab))
        .collect();
    out.sort();
    out.dedup();
    out
}

/// Removes a control group with those inside it, innermost first; the kernel refuses while a process is in one.
pub(crate) fn remove_group(group: &Path) -> bool {
    if let Ok(entries) = fs::read_dir(group) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove_group(&entry.path());
            }
        }
    }
    fs::remove_dir(group).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_labs_name_says_who_runs_it() {
        assert_eq!(owner("vedette-lab-123-abcd"), Some(123));
        assert_eq!(owner("vedette-lab-x"), None);
        assert!(alive(std::process::id()));
    }
}
