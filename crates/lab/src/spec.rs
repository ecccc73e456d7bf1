//! Container specifications for runc, with the annotations that containerd's CRI plugin would give them.

use serde_json::{Value, json};

use crate::pod::{Capabilities, Pod, Security};
use crate::tools;

/// Capabilities by number, as `linux/capability.h` has them.
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];
/// What even a privileged container of the lab does not really have: the node gave these up (see `boot.sh`).
pub(crate) const GIVEN_UP: &[&str] = &[
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_BOOT",
    "SYS_TIME",
    "MKNOD",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "BPF",
    "PERFMON",
    "SYSLOG",
];
/// What containers get when nothing is said.
const DEFAULT: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];
/// System calls that the runtimes' default profile refuses to containers without special capabilities.
const REFUSED: &[&str] = &[
    "acct",
    "add_key",
    "bpf",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "query_module",
    "quotactl",
    "reboot",
    "request_key",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "ustat",
    "vm86",
    "vm86old",
];
/// Files of `/proc` and `/sys` that runtimes hide, and those that they make read-only.
pub(crate) const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];
pub(crate) const READ_ONLY: &[&str] = &[
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];
/// Where the node keeps bundles: containerd's own place.
pub(crate) const BUNDLES: &str = "/run/containerd/io.containerd.runtime.v2.task/k8s.io";
/// Half a core, as the manifests say; in microseconds of the usual period.
pub(crate) const QUOTA: u64 = 50_000;
pub(crate) const PERIOD: u64 = 100_000;
/// A quarter of a core when others want it, as the manifests say.
pub(crate) const SHARES: u64 = 256;
/// 512 MiB, as the manifests say.
pub(crate) const MEMORY: u64 = 512 << 20;

/// The specification of a pod's container.
pub(crate) fn of(pod: &Pod, id: &str, sandbox: &str, uid: &str, lab: &str) -> Value {
    let privileged = pod.security == Security::Privileged;
    let restricted = pod.security == Security::Restricted;
    let (bounding, held) = capabilities(pod.capabilities, tools::bounding());
    let env: Vec<String> = pod
        .env
        .iter()
        .map(|pair| (*pair).to_owned())
        .chain([
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            format!("HOSTNAME={}", pod.pod),
        ])
        .collect();
    let mut namespaces = vec![
        json!({"type": "ipc"}),
        json!({"type": "uts"}),
        json!({"type": "mount"}),
        json!({"type": "network", "path": format!("/run/netns/{id}")}),
    ];
    if pod.host_pid {
        // the node's own
        namespaces.push(json!({"type": "pid", "path": "/proc/1/ns/pid"}));
    } else {
        namespaces.push(json!({"type": "pid"}));
    }
    let mut linux = json!({
        "namespaces": namespaces,
        "cgroupsPath": format!("/{lab}/kubepods/burstable/pod{uid}/{id}"),
        "resources": {
            "devices": devices(),
            "memory": {"limit": MEMORY},
            "cpu": {"shares": SHARES, "quota": QUOTA, "period": PERIOD},
        },
    });
    if !privileged {
        linux["maskedPaths"] = json!(MASKED);
        linux["readonlyPaths"] = json!(READ_ONLY);
    }
    if restricted {
        linux["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": REFUSED, "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
        });
    }
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": pod.user, "gid": pod.user},
            "args": pod.args,
            "env": env,
            "cwd": pod.cwd,
            "capabilities": {"bounding": bounding, "effective": held, "permitted": held},
            "noNewPrivileges": restricted,
        },
        "root": {"path": "rootfs", "readonly": pod.read_only_root},
        "hostname": pod.pod,
        "mounts": mounts(id, privileged, pod.token),
        "linux": linux,
        "annotations": {
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.container-name": pod.name,
            "io.kubernetes.cri.image-name": pod.image_name,
            "io.kubernetes.cri.sandbox-id": sandbox,
            "io.kubernetes.cri.sandbox-name": pod.pod,
            "io.kubernetes.cri.sandbox-namespace": pod.namespace,
            "io.kubernetes.cri.sandbox-uid": uid,
        },
    })
}

/// The bounding set, and what is held. `here` is the mask that this machine allows: runc cannot give more.
fn capabilities(which: Capabilities, here: u64) -> (Vec<String>, Vec<String>) {
    let name = |name: &&str| format!("CAP_{name}");
    match which {
        Capabilities::None => (Vec::new(), Vec::new()),
        Capabilities::Default => {
            let all: Vec<String> = DEFAULT.iter().map(name).collect();
            (all.clone(), all)
        }
        Capabilities::All => {
            let held = CAPABILITIES
                .iter()
                .enumerate()
                .filter(|(number, name)| here & (1 << number) != 0 && !GIVEN_UP.contains(name))
                .map(|(_, text)| name(text))
                .collect();
            (CAPABILITIES.iter().map(name).collect(), held)
        }
    }
}

/// The harmless devices and no others, for privileged containers too: theirs would be the real machine's.
fn devices() -> Value {
    let mut rules = vec![json!({"allow": false, "access": "rwm"})];
    for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)] {
        rules.push(
            json!({"allow": true, "type": "c", "major": major, "minor": minor, "access": "rwm"}),
        );
    }
    rules.push(json!({"allow": true, "type": "c", "major": 136, "access": "rwm"}));
    json!(rules)
}

fn mounts(id: &str, privileged: bool, token: bool) -> Value {
    let system = if privileged { "rw" } else { "ro" };
    let mut mounts = vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]}),
        json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]}),
        json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]}),
        json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]}),
        json!({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]}),
        json!({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", system]}),
        json!({"destination": "/etc/hosts", "type": "bind", "source": format!("{BUNDLES}/{id}/hosts"), "options": ["rbind", "rprivate", "rw"]}),
    ];
    if token {
        mounts.push(json!({"destination": "/var/run/secrets/kubernetes.io/serviceaccount", "type": "bind", "source": format!("{BUNDLES}/{id}/account"), "options": ["rbind", "rprivate", "ro"]}));
    }
    json!(mounts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::{Profile, pods};

    #[test]
    fn profiles_differ_in_what_they_may_do() {
        let spec = |profile| of(&pods(profile)[0], "i", "s", "u", "vedette-lab-1");
        let playground = spec(Profile::Playground);
        assert!(playground["linux"]["seccomp"].is_null());
        assert!(playground["linux"]["maskedPaths"].is_null());
        assert_eq!(playground["process"]["user"]["uid"], 0);
        let restricted = spec(Profile::Restricted);
        assert_eq!(restricted["process"]["noNewPrivileges"], true);
        assert_eq!(restricted["process"]["capabilities"]["bounding"], json!([]));
        assert_eq!(restricted["process"]["user"]["uid"], 1000);
        assert_eq!(
            restricted["annotations"]["io.kubernetes.cri.sandbox-namespace"],
            "security-playground-restricted"
        );
    }

    #[test]
    fn a_privileged_container_does_not_hold_what_reaches_the_machine() {
        let (bounding, held) = capabilities(Capabilities::All, u64::MAX);
        assert!(bounding.contains(&"CAP_SYS_MODULE".to_owned()));
        assert!(!held.contains(&"CAP_SYS_MODULE".to_owned()));
        assert!(held.contains(&"CAP_SYS_ADMIN".to_owned()));
        // CAP_CHOWN alone
        assert_eq!(capabilities(Capabilities::All, 1).1, ["CAP_CHOWN"]);
    }
}
