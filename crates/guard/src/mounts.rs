//! What a container has mounted, and how each mount is guarded.

use std::collections::HashSet;

/// Most mounts of one container that are guarded; pods have dozens.
pub(crate) const MAX_MOUNTS: usize = 1024;
/// Bytes of a mount table that are read.
pub(crate) const TABLE_BYTES: u64 = 4 << 20;

/// How a mount is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The whole file system: also where it is mounted again, in a new namespace or at another place.
    FileSystem,
    /// This mount only, since the file system is the host's, too.
    Mount,
}

/// A mount to guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guarded {
    /// Where it is, as the container sees it.
    pub(crate) at: String,
    /// `major:minor`.
    pub(crate) device: String,
    pub(crate) reach: Reach,
}

/// File systems of the kernel, which hold nothing that can be executed.
const PSEUDO: &[&str] = &[
    "proc",
    "sysfs",
    "cgroup",
    "cgroup2",
    "devpts",
    "mqueue",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "pstore",
    "efivarfs",
    "configfs",
    "fusectl",
    "binfmt_misc",
    "autofs",
    "nsfs",
    "rpc_pipefs",
    "selinuxfs",
];
/// File systems that are a container's own even where the host sees them, too.
const OWN: &[&str] = &["overlay", "tmpfs", "ramfs", "devtmpfs"];

/// Reads a mount table (`/proc/PID/mountinfo`, proc(5)).
pub(crate) fn plan(container: &str, host: &str) -> Vec<Guarded> {
    let hosts: HashSet<&str> = rows(host).map(|row| row.device).collect();
    let mut out: Vec<Guarded> = Vec::new();
    let mut file_systems = HashSet::new();
    for row in rows(container) {
        if PSEUDO.contains(&row.kind) || out.len() >= MAX_MOUNTS {
            continue;
        }
        // The host's own devices are shared with every container: of them only the mount is guarded.
        let own = !hosts.contains(row.device) || OWN.contains(&row.kind) && row.kind != "devtmpfs";
        let reach = if own { Reach::FileSystem } else { Reach::Mount };
        if own && !file_systems.insert(row.device.to_owned()) {
            continue;
        }
        out.push(Guarded {
            at: unescape(row.at),
            device: row.device.to_owned(),
            reach,
        });
    }
    out
}

struct Row<'a> {
    device: &'a str,
    at: &'a str,
    kind: &'a str,
}

fn rows(table: &str) -> impl Iterator<Item = Row<'_>> {
    table.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (device, at) = (fields.nth(2)?, fields.nth(1)?);
        let kind = line.split_once(" - ")?.1.split(' ').next()?;
        Some(Row { device, at, kind })
    })
}

/// Blanks and the like are written as three octal digits.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let octal = bytes
            .get(at + 1..at + 4)
            .filter(|_| bytes[at] == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        if let Some(byte) = octal {
            out.push(byte);
            at += 4;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_file_systems_where_they_are_the_containers_and_mounts_where_they_are_shared() {
        let host = "22 27 0:21 / /proc rw - proc proc rw\n27 1 254:0 / / rw - ext4 /dev/vda rw\n\
                    30 27 0:50 / /run/containerd/x/rootfs rw - overlay overlay rw,lowerdir=/a\n";
        let container = "100 90 0:50 / / rw - overlay overlay rw,lowerdir=/a\n\
                         101 100 0:60 / /proc rw - proc proc rw\n\
                         102 100 0:61 / /dev rw - tmpfs tmpfs rw\n\
                         103 102 0:62 / /dev/shm rw shared:3 - tmpfs shm rw\n\
                         104 100 254:0 /var/lib/kubelet/v /my\\040data rw - ext4 /dev/vda rw\n\
                         105 100 0:50 /etc /mnt rw - overlay overlay rw\n\
                         106 100 0:70 / /nfs rw - nfs4 server:/x rw\n\
                         broken\n";
        let plan = plan(container, host);
        let told: Vec<(&str, Reach)> = plan.iter().map(|g| (g.at.as_str(), g.reach)).collect();
        assert_eq!(
            told,
            [
                ("/", Reach::FileSystem),
                ("/dev", Reach::FileSystem),
                ("/dev/shm", Reach::FileSystem),
                ("/my data", Reach::Mount),
                ("/nfs", Reach::FileSystem),
            ]
        );
        assert_eq!(unescape("a\\134b\\"), "a\\b\\");
    }
}
