//! What /proc tells of a process. Nothing here opens a file that a container could be behind: links are read, not
//! followed, and only the kernel's own files are opened.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

/// Bytes of a command line that are read: enough for an interpreter's first arguments.
const CMDLINE: u64 = 4096;
/// Bytes of /proc/PID/cgroup and /proc/PID/stat that are read.
const SMALL: u64 = 16 << 10;
/// Where the unified hierarchy is mounted, below /sys/fs/cgroup: alone, or beside those of the controllers.
const UNIFIED: [&str; 2] = ["", "unified"];

/// Reads the start of one of the kernel's files.
pub(crate) fn head(path: &str, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Number of the mount namespace of a process.
pub fn mount_namespace(pid: u32) -> io::Result<u32> {
    let link = fs::read_link(format!("/proc/{pid}/ns/mnt"))?;
    link.to_str()
        .and_then(|text| text.strip_prefix("mnt:[")?.strip_suffix(']')?.parse().ok())
        .ok_or_else(|| io::Error::other("the mount namespace has no number"))
}

/// Path of the executable, as its container sees it; empty when it cannot be read.
pub(crate) fn executable(pid: u32) -> String {
    fs::read_link(format!("/proc/{pid}/exe"))
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The command line. Reads the process' memory, which can be slow on purpose: only where a deadline is kept.
pub(crate) fn arguments(pid: u32) -> Vec<String> {
    let bytes = head(&format!("/proc/{pid}/cmdline"), CMDLINE).unwrap_or_default();
    bytes
        .split(|&b| b == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

/// Clock ticks from boot to the process' start: with the number it names a process for good.
pub fn start_ticks(pid: u32) -> io::Result<u64> {
    let stat = head(&format!("/proc/{pid}/stat"), SMALL)?;
    let text = String::from_utf8_lossy(&stat);
    // the name may hold anything, parentheses and blanks included: fields count from its last parenthesis
    text.rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(19)?.parse().ok())
        .ok_or_else(|| io::Error::other("the process' start cannot be read"))
}

/// Directories of the control groups of a process: of the unified hierarchy and of each controller's.
pub fn control_groups(pid: u32) -> Vec<PathBuf> {
    let text = head(&format!("/proc/{pid}/cgroup"), SMALL).unwrap_or_default();
    let mut out = Vec::new();
    for line in String::from_utf8_lossy(&text).lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let roots: Vec<&str> = if controllers.is_empty() {
            UNIFIED.to_vec()
        } else {
            let mut all = vec![controllers];
            all.extend(controllers.split(','));
            all
        };
        directories(&roots, path, &mut out);
    }
    out
}

/// Directories of a container's control groups, from the list that an event of one of its processes carries
/// (`controller=/path`, each closed by a NUL) and the container's id. They stay true when that process is gone.
pub fn listed_groups(list: &[u8], id: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let entries = list
        .split(|&b| b == 0)
        .filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('='));
    for (controller, path) in entries.filter(|(_, path)| !id.is_empty() && path.contains(id)) {
        // one hierarchy for all of them, or one for each
        let roots = [controller, UNIFIED[0], UNIFIED[1]];
        directories(&roots, path, &mut out);
    }
    out
}

/// Adds those directories of a control group that there are.
fn directories(roots: &[&str], path: &str, out: &mut Vec<PathBuf>) {
    let path = path.trim_start_matches('/');
    if path.is_empty() || path.split('/').any(|part| part == "..") {
        return;
    }
    for root in roots {
        let dir = PathBuf::from("/sys/fs/cgroup").join(root).join(path);
        if dir.join("cgroup.procs").exists() && !out.contains(&dir) {
            out.push(dir);
        }
    }
}

/// The control group's line that names this container, to tell whose process it is.
pub(crate) fn is_in_container(pid: u32, id: &str) -> bool {
    let text = head(&format!("/proc/{pid}/cgroup"), SMALL).unwrap_or_default();
    !id.is_empty() && String::from_utf8_lossy(&text).contains(id)
}

/// A process of a container that is alive, preferably this one; numbers of processes are used again, so it must still be
/// in the container.
pub fn live_process(preferred: u32, id: &str, groups: &[PathBuf]) -> Option<u32> {
    let alive = |pid: u32| PathBuf::from(format!("/proc/{pid}/root")).exists();
    if alive(preferred) && is_in_container(preferred, id) {
        return Some(preferred);
    }
    groups
        .iter()
        .filter_map(|dir| fs::read_to_string(dir.join("cgroup.procs")).ok())
        .find_map(|text| {
            text.lines()
                .filter_map(|l| l.parse().ok())
                .find(|&p| alive(p))
        })
}
