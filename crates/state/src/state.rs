//! The state as a whole, and how it begins.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use vedette_event::boot::{FdDetail, FdEntry, Group, Interface, MachineInfo, ProcessEntry, User};

use crate::container_info::Info;
use crate::containers::{Containers, id_of};
use crate::fd::Kind;
use crate::path::concatenate;
use crate::sock::{Connection, Interfaces};
use crate::stats::Stats;
use crate::text::{List, empty};
use crate::thread::{Shared, Thread, set_shared};
use crate::threads::Threads;
use crate::users::Directory;
use crate::wire::{l4, open};

/// What fields need that no event tells.
pub struct Settings {
    /// What `evt.hostname` says.
    pub hostname: String,
    /// Seconds to add to UTC for local time, by seconds since the Unix epoch.
    pub utc_offset: Box<dyn Fn(i64) -> i32 + Send + Sync>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hostname: String::new(),
            utc_offset: Box::new(|_| 0),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("hostname", &self.hostname)
            .finish_non_exhaustive()
    }
}

/// One thing that was there before the first event.
#[allow(
    clippy::large_enum_variant,
    reason = "entries are borrowed, short-lived and mostly of the largest kind"
)]
#[derive(Clone, Copy, Debug)]
pub enum Boot<'a> {
    /// The machine.
    Machine(MachineInfo<'a>),
    /// An address of it.
    Interface(Interface<'a>),
    /// A user of it.
    User(User<'a>),
    /// A group of it.
    Group(Group<'a>),
    /// A thread.
    Process(ProcessEntry<'a>),
    /// A descriptor of thread `tid`.
    Fd {
        /// The thread.
        tid: i64,
        /// The descriptor.
        entry: FdEntry<'a>,
    },
}

/// What the event at hand refers to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// Its thread.
    pub(crate) thread: Option<u32>,
    /// Number of its descriptor in the thread's table.
    pub(crate) fd: Option<i64>,
    /// The descriptor's name was changed by it.
    pub(crate) name_changed: bool,
    /// Processor time (user, system) that process information adds to what the one before told.
    pub(crate) cpu_delta: (u64, u64),
    /// The container that it tells about.
    pub(crate) container: Option<Arc<Info>>,
    /// Time since the event before, in nanoseconds.
    pub(crate) delta: u64,
    /// How long the thread that a switch event ends has run, in nanoseconds.
    pub(crate) ran: u64,
    /// Thread to take out when the next event comes.
    pub(crate) ending_thread: Option<i64>,
    /// Descriptor to take out when the next event comes, with its thread.
    pub(crate) ending_fd: Option<(i64, i64)>,
}

/// Everything that is known at a moment.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) settings: Settings,
    pub(crate) threads: Threads,
    pub(crate) directory: Directory,
    pub(crate) containers: Containers,
    pub(crate) interfaces: Interfaces,
    /// Ports that the machine's processes were bound to before the first event.
    server_ports: FxHashSet<u16>,
    /// Boot time of the machine in nanoseconds since the Unix epoch.
    pub(crate) boot_ts: u64,
    pub(crate) first_ts: Option<u64>,
    pub(crate) last_ts: u64,
    pub(crate) context: Context,
    /// Time of the latest switch on each processor.
    pub(crate) switched: Vec<u64>,
    /// Room for paths that are put together.
    pub(crate) scratch: Vec<u8>,
    /// Room for a base directory while the path is put together.
    pub(crate) base: Vec<u8>,
    /// Control groups that were looked at last, and the short id of the container that they name.
    container_seen: (List, Shared),
    booted: bool,
}

impl State {
    /// An empty state.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// How the tables fare.
    pub fn stats(&self) -> Stats {
        let mut stats = self.threads.stats;
        stats.threads = self.threads.len() as u64;
        stats.containers = self.containers.len() as u64;
        stats
    }

    /// Takes in what was there before the first event, in any order as long as threads come before their descriptors.
    pub fn boot(&mut self, item: &Boot<'_>) {
        match item {
            Boot::Machine(machine) => self.boot_ts = machine.boot_ts,
            Boot::Interface(interface) => self.interfaces.add(interface),
            Boot::User(user) => {
                let added =
                    self.directory
                        .add_user(&[], user.uid, user.name, user.home, user.shell);
                self.threads.stats.accounts_dropped += u64::from(!added);
                self.threads.touch_all();
            }
            Boot::Group(group) => {
                let added = self.directory.add_group(&[], group.gid, group.name);
                self.threads.stats.accounts_dropped += u64::from(!added);
                self.threads.touch_all();
            }
            Boot::Process(entry) => self.boot_process(entry),
            Boot::Fd { tid, entry } => self.boot_fd(*tid, entry),
        }
    }

    fn boot_process(&mut self, entry: &ProcessEntry<'_>) {
        let mut thread = Thread::from_entry(entry);
        if thread.is_main() {
            thread.cwd = self.directory_text(&[], entry.cwd);
        }
        if self.booted {
            // A source that looks a process up while events are running.
            if let Some(slot) = self.threads.add(thread) {
                self.find_container(slot);
            }
        } else {
            self.threads.add_unlinked(thread);
        }
    }

    /// `path` seen from `base` as a directory, with a closing separator.
    pub(crate) fn directory_text(&mut self, base: &[u8], path: &[u8]) -> Shared {
        concatenate(&mut self.scratch, base, path);
        if self.scratch.last() != Some(&b'/') {
            self.scratch.push(b'/');
        }
        Arc::from(&self.scratch[..])
    }

    fn boot_fd(&mut self, tid: i64, entry: &FdEntry<'_>) {
        let Some(slot) = self.threads.find(tid) else {
            self.threads.stats.fds_dropped += 1;
            return;
        };
        let Some(kind) = Kind::from_wire(entry.kind) else {
            self.threads.stats.fds_dropped += 1;
            return;
        };
        let mut shared = self.threads.spare.take();
        let fd = Arc::get_mut(&mut shared).expect("a spare descriptor is not shared");
        fd.kind = kind;
        fd.ino = entry.ino;
        match entry.detail {
            FdDetail::Name(name) => fd.name.extend_from_slice(name),
            FdDetail::File { flags, name, dev } => {
                fd.open_flags = flags;
                fd.close_on_exec = flags & open::CLOEXEC != 0;
                fd.dev = dev;
                fd.name.extend_from_slice(name);
            }
            FdDetail::Ipv4 {
                sip,
                dip,
                sport,
                dport,
                l4proto,
            } => {
                fd.kind = Kind::V4;
                fd.sock.set_tuple(&Connection {
                    source: sip,
                    destination: dip,
                    source_port: sport,
                    destination_port: dport,
                });
                fd.sock.set_v4_l4(l4proto);
                fd.connected = l4proto == l4::TCP;
                fd.name_after_addresses();
            }
            FdDetail::Ipv6 {
                sip,
                dip,
                sport,
                dport,
                l4proto,
            } => {
                let tuple = Connection {
                    source: sip,
                    destination: dip,
                    source_port: sport,
                    destination_port: dport,
                };
                if let Some(tuple) = tuple.mapped() {
                    fd.kind = Kind::V4;
                    fd.sock.set_tuple(&tuple);
                    fd.sock.set_v4_l4(l4proto);
                } else {
                    fd.kind = Kind::V6;
                    fd.sock.set_tuple(&tuple);
                    fd.sock.set_v6_l4(l4proto);
                }
                fd.connected = l4proto == l4::TCP;
                fd.name_after_addresses();
            }
            FdDetail::Ipv4Server { ip, port, l4proto } => {
                fd.kind = Kind::ServerV4;
                fd.sock.set_v4_source(ip);
                fd.sock.set_v4_server_port(port);
                fd.sock.set_v4_server_l4(l4proto);
                fd.name_after_addresses();
                self.server_ports.insert(port);
            }
            FdDetail::Ipv6Server { ip, port, l4proto } => {
                fd.kind = Kind::ServerV6;
                fd.sock.set_v6_source(ip);
                fd.sock.set_v6_server_port(port);
                fd.sock.set_v6_server_l4(l4proto);
                fd.name_after_addresses();
                self.server_ports.insert(port);
            }
            FdDetail::Unix {
                source,
                destination,
                name,
            } => {
                fd.kind = Kind::Unix;
                fd.sock.set_unix_source(source.to_le_bytes());
                fd.sock.set_unix_destination(destination.to_le_bytes());
                fd.name.extend_from_slice(name);
                if name.is_empty() {
                    fd.set_client();
                } else {
                    fd.set_server();
                }
            }
            FdDetail::Other => {}
        }
        let mut fds = std::mem::take(&mut self.threads.at_mut(slot).fds);
        if !fds.insert(entry.fd, shared, &mut self.threads.spare) {
            self.threads.stats.fds_dropped += 1;
        }
        self.threads.at_mut(slot).fds = fds;
    }

    /// Puts families together and finds out which end of their connections processes are, once the start-up list is
    /// complete. Called by the first event.
    pub(crate) fn end_boot(&mut self) {
        if self.booted {
            return;
        }
        self.booted = true;
        let mut slots: Vec<u32> = self.threads.iter().collect();
        slots.sort_unstable();
        for slot in slots {
            self.threads.link(slot);
            self.find_container(slot);
            let mut fds = std::mem::take(&mut self.threads.at_mut(slot).fds);
            let connections: Vec<i64> = fds
                .iter()
                .filter(|(_, fd)| fd.kind == Kind::V4)
                .map(|(number, _)| number)
                .collect();
            for number in connections {
                let Some(fd) = fds.get_mut(number) else {
                    continue;
                };
                if self.server_ports.contains(&fd.sock.v4_source_port()) {
                    fd.sock.swap(false);
                    fd.name_after_addresses();
                    fd.set_server();
                } else {
                    fd.set_client();
                }
            }
            self.threads.at_mut(slot).fds = fds;
        }
        self.threads.touch_all();
    }

    /// Finds the container of a thread in its control groups.
    pub(crate) fn find_container(&mut self, slot: u32) {
        // Processes of one container come in a row; looking for the id costs more than comparing.
        let thread = self.threads.at(slot);
        if thread.cgroups == self.container_seen.0 {
            if *thread.container_id != *self.container_seen.1 {
                self.threads.at_mut(slot).container_id = self.container_seen.1.clone();
                self.threads.touch_own(slot);
            }
            return;
        }
        let cgroups = self.threads.at(slot).cgroups.clone();
        let (id, named) = id_of(&cgroups).unwrap_or((&[], None));
        let named_in_full = named.is_some();
        if let Some(named) = named
            && self.containers.get(id).is_none()
        {
            self.add_container(Arc::new(named.info(id)));
        }
        if *self.threads.at(slot).container_id != *id {
            let thread = self.threads.at_mut(slot);
            if id.is_empty() {
                thread.container_id = empty();
            } else {
                set_shared(&mut thread.container_id, id);
            }
            self.threads.touch_own(slot);
        }
        // A container that its control groups name in full is made known at each look, in case it was removed.
        if !named_in_full {
            self.container_seen = (cgroups, self.threads.at(slot).container_id.clone());
        }
    }

    /// Adds or replaces a container.
    pub(crate) fn add_container(&mut self, info: Arc<Info>) {
        if !self.containers.add(info) {
            self.threads.stats.containers_dropped += 1;
        }
        self.threads.touch_all();
    }

    /// Takes out every thread for which `alive` answers no. For sources that may lose exit events: ask the kernel from
    /// time to time.
    pub fn retain_threads(&mut self, mut alive: impl FnMut(i64) -> bool) {
        let gone: Vec<i64> = self
            .threads
            .iter()
            .map(|slot| self.threads.at(slot).tid)
            .filter(|&tid| !alive(tid))
            .collect();
        for tid in gone {
            if self.threads.find(tid).is_some() {
                self.threads.remove(tid);
                self.threads.stats.threads_evicted += 1;
            }
        }
    }
}
