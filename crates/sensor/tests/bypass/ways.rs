//! The ways, numbered as in the catalogue of `docs/drift.md`.

use vedette_sensor::guard::{Hook, Mechanism};

/// What becomes of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It is stopped at this hook, and told.
    Stopped(Hook),
    /// It runs: not covered, or not an attack.
    Runs,
}
use After::{Runs, Stopped};

pub(crate) struct Way {
    pub(crate) number: u8,
    pub(crate) name: &'static str,
    /// Run before prevention is on. When it fails, the way is not open on this kernel.
    pub(crate) prepare: &'static str,
    /// Prints `RAN` when it gets through.
    pub(crate) attack: &'static str,
    /// Whether the attacker sits in the container's control group, too.
    pub(crate) grouped: bool,
    refuse: After,
    kill: After,
}

impl Way {
    pub(crate) fn after(&self, mechanism: Mechanism) -> After {
        match mechanism {
            Mechanism::Refuse => self.refuse,
            Mechanism::Kill | Mechanism::Inspect => self.kill,
        }
    }
}

/// What fanotify alone does not see, by name: files without a place in a file system, code that is mapped and not
/// executed, memory of processes, and file systems that a process mounts for itself.
const NOT_SEEN_BY_FANOTIFY: &[&str] = &[
    "memfd, execveat",
    "memfd, /proc/self/fd",
    "the loader as a program",
    "own memory through /proc",
    "LD_PRELOAD",
    "library mapped as code",
    "library made code later",
    "tmpfs mounted later",
    "overlay on tmpfs, own namespace",
    "ptrace",
    "process_vm_writev",
];

impl Way {
    /// What becomes of it under fanotify alone.
    pub(crate) fn after_fanotify(&self) -> After {
        if NOT_SEEN_BY_FANOTIFY.contains(&self.name) {
            Runs
        } else {
            self.refuse
        }
    }
}

const fn way(
    number: u8,
    name: &'static str,
    prepare: &'static str,
    attack: &'static str,
    after: After,
) -> Way {
    Way {
        number,
        name,
        prepare,
        attack,
        grouped: false,
        refuse: after,
        kill: after,
    }
}

/// As `way`, from inside the container's control group.
const fn grouped(
    number: u8,
    name: &'static str,
    prepare: &'static str,
    attack: &'static str,
    after: After,
) -> Way {
    Way {
        grouped: true,
        ..way(number, name, prepare, attack, after)
    }
}

/// A script that is executed: its own execution is refused, but what the tracepoint sees start is the interpreter, which
/// is killed when it reads the script.
const fn script(name: &'static str, prepare: &'static str, attack: &'static str) -> Way {
    Way {
        kill: Stopped(Hook::Script),
        ..way(2, name, prepare, attack, Stopped(Hook::Exec))
    }
}

const EXEC: After = Stopped(Hook::Exec);
const MAP: After = Stopped(Hook::Map);
const SCRIPT: After = Stopped(Hook::Script);
const INJECT: After = Stopped(Hook::Inject);

const DROP: &str = "cp /bin/busybox /tmp/busybox";
const DROP_SCRIPT: &str = "printf '#!/bin/sh\\necho RAN\\n' > /tmp/s; chmod +x /tmp/s";
const LIBRARY: &str = "for l in /lib/*/libgcc_s.so.1 /lib/*/libc.so.6; do [ -e $l ] && cp $l /tmp/evil.so && exit 0; done; exit 1";

pub(crate) const WAYS: &[Way] = &[
    way(
        0,
        "program of the image",
        "true",
        "/bin/busybox echo RAN",
        Runs,
    ),
    way(
        0,
        "dynamic program of the image",
        "true",
        "/bin/probe --list >/dev/null && echo RAN",
        Runs,
    ),
    way(0, "dropped program", DROP, "/tmp/busybox echo RAN", EXEC),
    way(
        1,
        "memfd, execveat",
        "true",
        "CELL_ACT=memfd /bin/probe acts::act --exact --nocapture",
        EXEC,
    ),
    way(
        1,
        "memfd, /proc/self/fd",
        "true",
        "CELL_ACT=memfd_proc /bin/probe acts::act --exact --nocapture",
        EXEC,
    ),
    script("script with #!", DROP_SCRIPT, "/tmp/s"),
    script(
        "script without #!",
        "echo 'echo RAN' > /tmp/n; chmod +x /tmp/n",
        "/tmp/n",
    ),
    way(2, "sh script", DROP_SCRIPT, "sh /tmp/s", SCRIPT),
    way(2, "sh -x script", DROP_SCRIPT, "sh -x /tmp/s", SCRIPT),
    way(
        2,
        "script of the image",
        "[ -e /etc/s ] || exit 1",
        "sh /etc/s",
        Runs,
    ),
    way(
        2,
        "program text as an argument",
        "true",
        "sh -c 'echo RAN'",
        Runs,
    ),
    way(
        2,
        "script on standard input",
        DROP_SCRIPT,
        "cat /tmp/s | sh",
        Runs,
    ),
    way(
        3,
        "the loader as a program",
        "cp /bin/probe /tmp/p",
        "/lib64/ld-linux-x86-64.so.2 /tmp/p --list >/dev/null && echo RAN",
        MAP,
    ),
    way(
        4,
        "code in anonymous memory",
        "true",
        "CELL_ACT=anonymous /bin/probe acts::act --exact --nocapture",
        Runs,
    ),
    way(
        4,
        "own memory through /proc",
        "true",
        "CELL_ACT=own_memory /bin/probe acts::act --exact --nocapture",
        INJECT,
    ),
    way(
        5,
        "LD_PRELOAD",
        LIBRARY,
        "CELL_ACT=preloaded LD_PRELOAD=/tmp/evil.so /bin/probe acts::act --exact --nocapture",
        MAP,
    ),
    way(
        5,
        "library mapped as code",
        LIBRARY,
        "CELL_ACT=map CELL_FILE=/tmp/evil.so /bin/probe acts::act --exact --nocapture",
        MAP,
    ),
    way(
        5,
        "library made code later",
        LIBRARY,
        "CELL_ACT=protect CELL_FILE=/tmp/evil.so /bin/probe acts::act --exact --nocapture",
        MAP,
    ),
    way(
        6,
        "/dev/shm",
        "cp /bin/busybox /dev/shm/busybox",
        "/dev/shm/busybox echo RAN",
        EXEC,
    ),
    way(
        6,
        "volume",
        "cp /bin/busybox /vol/busybox",
        "/vol/busybox echo RAN",
        EXEC,
    ),
    way(
        6,
        "tmpfs mounted later",
        "true",
        "mkdir -p /opt/m; mount -t tmpfs m /opt/m; cp /bin/busybox /opt/m/; /opt/m/busybox echo RAN",
        EXEC,
    ),
    way(
        7,
        "bind mount",
        "cp /bin/busybox /tmp/busybox; mkdir -p /opt/b; mount -o bind /tmp /opt/b",
        "/opt/b/busybox echo RAN",
        EXEC,
    ),
    grouped(
        7,
        "mount namespace of its own",
        DROP,
        "unshare -m /tmp/busybox echo RAN",
        EXEC,
    ),
    grouped(
        7,
        "overlay on tmpfs, own namespace",
        "true",
        "unshare -m sh -c 'mount -t tmpfs m /opt; mkdir /opt/l /opt/u /opt/w /opt/o; cp /bin/busybox /opt/l/; mount -t overlay o -o lowerdir=/opt/l,upperdir=/opt/u,workdir=/opt/w /opt/o; /opt/o/busybox echo RAN'",
        EXEC,
    ),
    way(
        7,
        "chroot",
        "mkdir -p /tmp/c; cp /bin/busybox /tmp/c/",
        "chroot /tmp/c /busybox echo RAN",
        EXEC,
    ),
    way(
        8,
        "over a file of the image",
        "cp /bin/busybox /tmp/b2; rm -f /bin/true; cp /tmp/b2 /bin/true",
        "/bin/true; [ $? = 0 ] && echo RAN",
        EXEC,
    ),
    way(
        8,
        "hard link",
        "cp /bin/busybox /tmp/h1; ln -f /tmp/h1 /bin/busybox2; cp /bin/busybox2 /tmp/busybox; ln -f /tmp/busybox /tmp/h/busybox 2>/dev/null || { mkdir -p /tmp/h; ln -f /tmp/busybox /tmp/h/busybox; }",
        "/tmp/h/busybox echo RAN",
        EXEC,
    ),
    way(
        9,
        "chmod of a file of the image",
        "[ \"$(cat /proc/mounts | grep -c metacopy=on)\" -gt 0 ] && chmod 700 /bin/probe",
        "/bin/probe --list >/dev/null && echo RAN",
        Runs,
    ),
    way(
        10,
        "deleted program",
        "cp /bin/busybox /tmp/gone",
        "CELL_ACT=deleted CELL_FILE=/tmp/gone /bin/probe acts::act --exact --nocapture",
        EXEC,
    ),
    way(
        11,
        "ptrace",
        "true",
        "CELL_ACT=ptrace /bin/probe acts::act --exact --nocapture",
        INJECT,
    ),
    way(
        11,
        "process_vm_writev",
        "true",
        "CELL_ACT=vm_write /bin/probe acts::act --exact --nocapture",
        INJECT,
    ),
    way(
        15,
        "tools of the image",
        "true",
        "busybox sh -c 'echo RAN'",
        Runs,
    ),
];
