//! Which processes run on the machine, and where.

use std::collections::BTreeMap;

use vedette_event::EventBuf;
use vedette_event::boot::ProcessEntry;

use crate::script;

/// A process that stays for the whole recording.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: i64,
    parent: i64,
    pub(super) comm: Vec<u8>,
    pub(super) exe: Vec<u8>,
    pub(super) args: Vec<u8>,
    pub(super) env: Vec<u8>,
    pub(super) cwd: Vec<u8>,
    pub(super) cgroups: Vec<u8>,
    pub(super) uid: u32,
    /// It forks and executes.
    pub(super) forks: bool,
    /// It accepts connections.
    pub(super) serves: bool,
    /// Paths that it works on.
    pub(super) files: Vec<Vec<u8>>,
}

impl Process {
    pub(super) fn entry(&self) -> ProcessEntry<'_> {
        ProcessEntry {
            tid: self.pid,
            pid: self.pid,
            ptid: self.parent,
            sid: 1,
            vpgid: 1,
            pgid: 1,
            comm: &self.comm,
            exe: &self.exe,
            exepath: &self.exe,
            args: &self.args,
            env: &self.env,
            cwd: &self.cwd,
            cgroups: &self.cgroups,
            root: b"/",
            fdlimit: 1024,
            uid: self.uid,
            gid: self.uid,
            vtid: self.pid,
            vpid: self.pid,
            ..ProcessEntry::default()
        }
    }
}

/// What runs: parent's index, name, executable, container, instances, forks, serves, directory of its files.
type Row = (
    usize,
    &'static str,
    &'static str,
    &'static str,
    usize,
    bool,
    bool,
    &'static str,
);

const ROWS: &[Row] = &[
    (
        0,
        "systemd",
        "/usr/lib/systemd/systemd",
        "",
        1,
        false,
        false,
        "/run/systemd/units",
    ),
    (
        0,
        "cron",
        "/usr/sbin/cron",
        "",
        1,
        true,
        false,
        "/var/spool/reports",
    ),
    (
        0,
        "containerd",
        "/usr/bin/containerd",
        "",
        1,
        false,
        true,
        "/var/lib/containerd/state",
    ),
    (
        0,
        "node_exporter",
        "/usr/bin/node_exporter",
        "",
        1,
        false,
        true,
        "/sys/class/net",
    ),
    (
        0,
        "rsyslogd",
        "/usr/sbin/rsyslogd",
        "",
        1,
        false,
        false,
        "/var/spool/rsyslog",
    ),
    (
        2,
        "containerd-shim",
        "/usr/bin/containerd-shim-runc-v2",
        "",
        3,
        false,
        false,
        "/run/containerd/io",
    ),
    (
        5,
        "nginx",
        "/usr/sbin/nginx",
        "web",
        6,
        false,
        true,
        "/usr/share/nginx/html",
    ),
    (
        6,
        "postgres",
        "/usr/lib/postgresql/16/bin/postgres",
        "db",
        8,
        false,
        true,
        "/var/lib/postgresql/16/main/base",
    ),
    (
        7,
        "gunicorn",
        "/usr/local/bin/gunicorn",
        "app",
        6,
        true,
        true,
        "/srv/app/static",
    ),
    (
        0,
        "make",
        "/usr/bin/make",
        "",
        4,
        true,
        false,
        "/home/build/project/src",
    ),
    (
        0,
        "java",
        "/usr/lib/jvm/bin/java",
        "",
        3,
        false,
        true,
        "/opt/service/lib",
    ),
];

/// Files that each process works on.
const FILES: usize = 48;

/// Every process at the start.
pub(super) fn machine() -> Vec<Process> {
    let mut processes: Vec<Process> = Vec::new();
    for &(parent, comm, exe, container, instances, forks, serves, directory) in ROWS {
        let parent = if processes.is_empty() {
            0
        } else {
            processes[parent].pid
        };
        for instance in 0..instances {
            let pid = if processes.is_empty() {
                1
            } else {
                400 + 7 * processes.len() as i64
            };
            let cgroups = if container.is_empty() {
                format!("cpu=/system.slice/{comm}.service\0memory=/system.slice/{comm}.service\0")
            } else {
                let id = script::container_id(container);
                format!("cpu=/kubepods/burstable/pod7/{id}\0memory=/kubepods/burstable/pod7/{id}\0")
            };
            let env: String = (0..12)
                .map(|item| format!("SETTING_{item}=/opt/{comm}/value/{item}\0"))
                .collect();
            processes.push(Process {
                pid,
                parent,
                comm: comm.as_bytes()[..comm.len().min(15)].to_vec(),
                exe: exe.into(),
                args: format!("--worker\0{instance}\0--config\0/opt/{comm}/config.yaml\0").into(),
                env: env.into(),
                cwd: format!("{directory}/").into(),
                cgroups: cgroups.into(),
                uid: if container.is_empty() { 0 } else { 1000 },
                forks,
                serves,
                files: (0..FILES)
                    .map(|file| format!("{directory}/part-{instance}/{file:03}.data").into())
                    .collect(),
            });
        }
    }
    processes
}

/// The events that tell about the containers.
pub(super) fn containers() -> Vec<EventBuf> {
    let container = |name: &str| {
        let image = format!("registry.example/{name}:1.4.2");
        let keys = BTreeMap::from([("image", image.as_str()), ("pod", name), ("ns", "shop")]);
        script::container_event(name, &script::container_id(name), &keys)
    };
    ["web", "db", "app"].map(container).into()
}
