//! Whose files are whose: owners and modes that images have by convention.
//!
//! A recording does not carry the owner of each file. For the directories that every distribution lays out alike the
//! answer is known; for the rest it is not, and that is what is answered.
//! Source: Filesystem Hierarchy Standard 3.0, and the modes of Debian's base-files and passwd packages.

/// Readable by root (or its group) alone.
const ROOT_READS: &[&str] = &[
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d/",
    "/etc/ssl/private/",
    "/root/",
    "/var/lib/private/",
    "/var/lib/kubelet/",
    "/etc/kubernetes/",
    "/run/containerd/",
];

/// Readable by everybody.
const ALL_READ: &[&str] = &[
    "/bin/",
    "/sbin/",
    "/usr/",
    "/lib/",
    "/lib64/",
    "/etc/",
    "/tmp/",
    "/var/run/secrets/",
    "/run/secrets/",
    "/proc/",
    "/sys/",
    "/dev/",
    "/home/",
    "/app/",
];

/// Writable by everybody.
const ALL_WRITE: &[&str] = &[
    "/tmp/",
    "/var/tmp/",
    "/dev/shm/",
    "/dev/null",
    "/dev/tty",
    "/dev/pts/",
    "/run/lock/",
    "/proc/self/",
];

/// Writable by root alone.
const ROOT_WRITES: &[&str] = &[
    "/bin/",
    "/sbin/",
    "/usr/",
    "/lib/",
    "/lib32/",
    "/lib64/",
    "/etc/",
    "/boot/",
    "/root/",
    "/opt/",
    "/srv/",
    "/var/",
    "/run/",
    "/dev/",
    "/sys/",
    "/proc/sys/",
];

/// Whether a path is one of these: directories end in a slash and cover what is below them.
pub(crate) fn below(path: &str, list: &[&str]) -> bool {
    list.iter().any(|known| match known.strip_suffix('/') {
        Some(dir) => path == dir || path.starts_with(known),
        None => path == *known,
    })
}

/// Whether only root can read it.
pub(crate) fn root_reads(path: &str) -> Option<bool> {
    if below(path, ROOT_READS) {
        Some(true)
    } else if below(path, ALL_READ) {
        Some(false)
    } else {
        None
    }
}

/// Whether only root can write it. A file directly below `/` can be made by root alone.
pub(crate) fn root_writes(path: &str) -> Option<bool> {
    if below(path, ALL_WRITE) {
        Some(false)
    } else if below(path, ROOT_WRITES) || path.rfind('/') == Some(0) {
        Some(true)
    } else {
        None
    }
}

/// Whether it is a service account's token where the kubelet mounts it.
pub(crate) fn is_token(path: &str) -> bool {
    ["/var/run/secrets/", "/run/secrets/"].iter().any(|dir| {
        path.starts_with(dir) && path.contains("serviceaccount") && path.ends_with("/token")
    })
}

/// Whether it is not part of a container's root file system.
pub(crate) fn is_mounted_by_runtimes(path: &str) -> bool {
    below(path, &["/dev/", "/proc/", "/sys/"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_by_convention() {
        for (path, reads, writes) in [
            ("/etc/shadow", Some(true), Some(true)),
            ("/etc/passwd", Some(false), Some(true)),
            ("/etc/shadowy", Some(false), Some(true)),
            ("/bin/hello", Some(false), Some(true)),
            ("/tmp/x", Some(false), Some(false)),
            ("/var/tmp/x", None, Some(false)),
            ("/var/lib/dpkg/lock", None, Some(true)),
            ("/data/x", None, None),
            ("/entry", None, Some(true)),
            ("/root", Some(true), Some(true)),
        ] {
            assert_eq!(root_reads(path), reads, "{path}");
            assert_eq!(root_writes(path), writes, "{path}");
        }
    }

    #[test]
    fn tokens_are_known_by_their_place() {
        assert!(is_token(
            "/var/run/secrets/kubernetes.io/serviceaccount/token"
        ));
        assert!(is_token(
            "/run/secrets/kubernetes.io/serviceaccount/..2026/token"
        ));
        assert!(is_token(
            "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
        ));
        assert!(!is_token("/tmp/serviceaccount/token"));
    }
}
