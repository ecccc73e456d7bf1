//! Fields of processes and threads: `proc.*` and `thread.*`.

use vedette_event::{Extracted, FieldArg, Value, Values};

use crate::fields::Process as P;
use crate::kinds as k;
use crate::number::push_i64;
use crate::thread::Thread;
use crate::threads::Threads;
use crate::view::{View, boolean, maybe_text, signed, text, unsigned, written};

/// How many ancestors are asked for an environment variable.
const ENV_ANCESTORS: u64 = 20;

/// Names of capabilities by bit.
#[rustfmt::skip]
static CAPABILITIES: &[&str] = &[
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
];

/// Ids outside of what the kernel hands out are not shown.
fn shown(id: i64) -> Extracted<'static> {
    if (-1..=i64::from(u32::MAX)).contains(&id) {
        signed(id)
    } else {
        Extracted::Missing
    }
}

fn unless_zero(value: u64) -> Extracted<'static> {
    if value == 0 {
        Extracted::Missing
    } else {
        unsigned(value)
    }
}

fn capabilities(set: u64, room: &mut Values) -> Extracted<'_> {
    written(room, |out| {
        for (bit, name) in CAPABILITIES.iter().enumerate() {
            if set & (1 << bit) != 0 {
                if !out.is_empty() {
                    out.push(b' ');
                }
                out.extend_from_slice(name.as_bytes());
            }
        }
    })
}

fn cmdline<'s>(thread: &Thread, room: &'s mut Values) -> Extracted<'s> {
    written(room, |out| thread.write_cmdline(out))
}

/// The environment, or one variable of it (empty when it is not set).
fn env<'s>(thread: &'s Thread, arg: &FieldArg, room: &'s mut Values) -> Extracted<'s> {
    match arg {
        FieldArg::None => written(room, |out| thread.env.write_joined(out)),
        FieldArg::Key(name) => text(thread.env_value(name.as_bytes()).unwrap_or(b"")),
        FieldArg::Index(name) => text(thread.env_value(name.to_string().as_bytes()).unwrap_or(b"")),
    }
}

impl View<'_> {
    fn threads(&self) -> &Threads {
        &self.state.threads
    }

    pub(crate) fn process<'s>(
        &'s self,
        which: P,
        arg: &FieldArg,
        room: &'s mut Values,
    ) -> Extracted<'s> {
        match which {
            P::ThreadTid => return shown(self.event.tid),
            P::ThreadExectime => return unsigned(self.state.context.ran),
            _ => {}
        }
        let Some(slot) = self.thread else {
            return Extracted::Missing;
        };
        let threads = self.threads();
        let thread = threads.at(slot);
        let main = || threads.main_of(slot).map(|main| threads.at(main));
        let parent = || threads.ancestor(slot, 1).map(|parent| threads.at(parent));
        let of_parent = |value: fn(&Thread) -> &[u8]| maybe_text(parent().map(value));
        let leader = |id: fn(&Thread) -> i64, is_virtual: bool, value: fn(&Thread) -> &[u8]| {
            let found = threads.leader(slot, id, is_virtual);
            text(found.map_or(&[], |leader| value(threads.at(leader))))
        };
        let by_sid: fn(&Thread) -> i64 = |thread| thread.sid;
        let by_vpgid: fn(&Thread) -> i64 = |thread| thread.vpgid;
        let by_pgid: fn(&Thread) -> i64 = |thread| thread.pgid;
        let comm: fn(&Thread) -> &[u8] = |thread| &thread.comm;
        let exe: fn(&Thread) -> &[u8] = |thread| &thread.exe;
        let exepath: fn(&Thread) -> &[u8] = |thread| &thread.exepath;
        match which {
            P::ProcExe => text(&thread.exe),
            P::ProcPexe => of_parent(exe),
            P::ProcAexe => self.ancestors(slot, arg, exe, room),
            P::ProcExepath => text(&thread.exepath),
            P::ProcPexepath => of_parent(exepath),
            P::ProcAexepath => self.ancestors(slot, arg, exepath, room),
            P::ProcName => text(&thread.comm),
            P::ProcPname => of_parent(comm),
            P::ProcAname => self.ancestors(slot, arg, comm, room),
            P::ProcArgs => match arg {
                FieldArg::Index(index) => maybe_text(
                    usize::try_from(*index)
                        .ok()
                        .and_then(|at| thread.args.iter().nth(at)),
                ),
                _ => written(room, |out| thread.args.write_joined(out)),
            },
            P::ProcAargs => match arg {
                FieldArg::Index(n) => match threads.ancestor(slot, *n) {
                    Some(ancestor) => {
                        written(room, |out| threads.at(ancestor).args.write_joined(out))
                    }
                    None => Extracted::Missing,
                },
                _ => {
                    self.every_ancestor(slot, room, |ancestor, out| ancestor.args.write_joined(out))
                }
            },
            P::ProcCmdline => cmdline(thread, room),
            P::ProcPcmdline => match parent() {
                Some(parent) => cmdline(parent, room),
                None => Extracted::Missing,
            },
            P::ProcAcmdline => match arg {
                FieldArg::Index(n) => match threads.ancestor(slot, *n) {
                    Some(ancestor) => cmdline(threads.at(ancestor), room),
                    None => Extracted::Missing,
                },
                _ => self.every_ancestor(slot, room, Thread::write_cmdline),
            },
            P::ProcCmdnargs => unsigned(thread.args.len() as u64),
            P::ProcCmdlenargs => {
                unsigned(thread.args.iter().map(<[u8]>::len).sum::<usize>() as u64)
            }
            P::ProcExeline => written(room, |out| {
                out.extend_from_slice(&thread.exe);
                out.push(b' ');
                thread.args.write_joined(out);
            }),
            P::ProcEnv => env(main().unwrap_or(thread), arg, room),
            P::ProcAenv => self.ancestor_env(slot, arg, room),
            P::ProcCwd => text(self.state.cwd_bytes(slot)),
            P::ProcLoginshellid => self.login_shell(slot),
            P::ProcTty => unsigned(u64::from(thread.tty)),
            P::ProcPid => shown(thread.pid),
            P::ProcPpid => parent().map_or(Extracted::Missing, |parent| shown(parent.pid)),
            P::ProcApid => match arg {
                FieldArg::Index(n) => threads
                    .ancestor(slot, *n)
                    .map_or(Extracted::Missing, |ancestor| {
                        shown(threads.at(ancestor).pid)
                    }),
                _ => {
                    room.clear();
                    if let Some(main) = threads.main_of(slot) {
                        threads.ancestors(main, |ancestor| {
                            room.push(Value::I64(ancestor.pid));
                            true
                        });
                    }
                    Extracted::Many(room)
                }
            },
            P::ProcVpid if thread.vpid == -1 => Extracted::Missing,
            P::ProcVpid => signed(thread.vpid),
            P::ProcPvpid => parent().map_or(Extracted::Missing, |parent| signed(parent.vpid)),
            P::ProcSid => signed(thread.sid),
            P::ProcSname => leader(by_sid, true, comm),
            P::ProcSidExe => leader(by_sid, true, exe),
            P::ProcSidExepath => leader(by_sid, true, exepath),
            P::ProcVpgid => signed(thread.vpgid),
            P::ProcVpgidName => leader(by_vpgid, true, comm),
            P::ProcVpgidExe => leader(by_vpgid, true, exe),
            P::ProcVpgidExepath => leader(by_vpgid, true, exepath),
            P::ProcPgid => signed(thread.pgid),
            P::ProcPgidName => leader(by_pgid, false, comm),
            P::ProcPgidExe => leader(by_pgid, false, exe),
            P::ProcPgidExepath => leader(by_pgid, false, exepath),
            P::ProcDuration => self.age(thread),
            P::ProcPpidDuration => parent().map_or(Extracted::Missing, |parent| self.age(parent)),
            P::ProcPidTs => unless_zero(thread.clone_ts),
            P::ProcPpidTs => {
                parent().map_or(Extracted::Missing, |parent| unless_zero(parent.clone_ts))
            }
            P::ProcIsExeWritable => boolean(thread.exe_writable),
            P::ProcIsExeUpperLayer => boolean(thread.exe_upper_layer),
            P::ProcIsExeLowerLayer => boolean(thread.exe_lower_layer),
            P::ProcIsExeFromMemfd => boolean(thread.exe_from_memfd),
            P::ProcIsSidLeader => boolean(thread.sid == thread.vpid),
            P::ProcIsVpgidLeader => boolean(thread.vpgid == thread.vpid),
            P::ProcIsPgidLeader => boolean(thread.pgid == thread.pid),
            P::ProcExeIno => unless_zero(thread.exe_ino),
            P::ProcExeInoCtime => unless_zero(thread.exe_ino_ctime),
            P::ProcExeInoMtime => unless_zero(thread.exe_ino_mtime),
            P::ProcExeInoCtimeDurationProcStart => {
                unless_zero(thread.exe_ino_ctime_duration_clone_ts)
            }
            P::ProcExeInoCtimeDurationPidnsStart => {
                unless_zero(thread.exe_ino_ctime_duration_pidns_start)
            }
            P::ProcPidnsInitStartTs => unless_zero(thread.pidns_init_start_ts),
            P::ThreadCapPermitted => capabilities(thread.cap_permitted, room),
            P::ThreadCapInheritable => capabilities(thread.cap_inheritable, room),
            P::ThreadCapEffective => capabilities(thread.cap_effective, room),
            P::ProcFdopencount => unsigned(main().map_or(0, |main| main.fds.len() as u64)),
            P::ProcFdlimit => signed(main().map_or(0, |main| main.fdlimit)),
            P::ProcFdusage => Extracted::One(Value::F64(main().map_or(0.0, fd_usage))),
            P::ProcVmsize => unsigned(u64::from(thread.vmsize_kb)),
            P::ProcVmrss => unsigned(u64::from(thread.vmrss_kb)),
            P::ProcVmswap => unsigned(u64::from(thread.vmswap_kb)),
            P::ThreadPfmajor => unsigned(thread.pfmajor),
            P::ThreadPfminor => unsigned(thread.pfminor),
            P::ThreadIsmain => boolean(thread.is_main()),
            P::ThreadVtid if thread.vtid == -1 => Extracted::Missing,
            P::ThreadVtid => signed(thread.vtid),
            P::ThreadNametid => written(room, |out| {
                out.extend_from_slice(&thread.comm);
                push_i64(out, self.event.tid);
            }),
            P::ThreadTotexectime => unsigned(thread.exec_time_ns),
            P::ThreadCgroups if thread.cgroups.is_empty() => Extracted::Missing,
            P::ThreadCgroups => written(room, |out| thread.cgroups.write_joined(out)),
            P::ThreadCgroup => match arg {
                FieldArg::Key(name) => maybe_text(thread.cgroup(name.as_bytes())),
                _ => Extracted::Missing,
            },
            P::ProcNthreads => unsigned(u64::from(threads.alive(slot))),
            P::ProcNchilds => {
                let main_lives = main().is_some_and(|main| !main.is_dead());
                let alive = u64::from(threads.alive(slot));
                unsigned(alive.saturating_sub(u64::from(main_lives && thread.group.is_some())))
            }
            P::ThreadCpu => self.processor_time(true, true),
            P::ThreadCpuUser => self.processor_time(true, false),
            P::ThreadCpuSystem => self.processor_time(false, true),
            P::ThreadVmsize => unsigned(own_memory(thread, thread.vmsize_kb)),
            P::ThreadVmrss => unsigned(own_memory(thread, thread.vmrss_kb)),
            P::ThreadVmsizeB => unsigned(own_memory(thread, thread.vmsize_kb) * 1024),
            P::ThreadVmrssB => unsigned(own_memory(thread, thread.vmrss_kb) * 1024),
            P::ProcStdinType => self.standard_type(slot, 0),
            P::ProcStdoutType => self.standard_type(slot, 1),
            P::ProcStderrType => self.standard_type(slot, 2),
            P::ProcStdinName => self.standard_name(slot, 0),
            P::ProcStdoutName => self.standard_name(slot, 1),
            P::ProcStderrName => self.standard_name(slot, 2),
            P::ThreadTid | P::ThreadExectime => Extracted::Missing,
        }
    }

    /// A text of the `n`th ancestor process; without a number that of every ancestor.
    fn ancestors<'s>(
        &'s self,
        slot: u32,
        arg: &FieldArg,
        value: fn(&Thread) -> &[u8],
        room: &'s mut Values,
    ) -> Extracted<'s> {
        match arg {
            FieldArg::Index(n) => maybe_text(
                self.threads()
                    .ancestor(slot, *n)
                    .map(|ancestor| value(self.threads().at(ancestor))),
            ),
            _ => {
                room.clear();
                if let Some(main) = self.threads().main_of(slot) {
                    self.threads().ancestors(main, |ancestor| {
                        room.push(Value::Text(value(ancestor)));
                        true
                    });
                }
                Extracted::Many(room)
            }
        }
    }

    /// A text that has to be put together, of every ancestor.
    fn every_ancestor<'s>(
        &self,
        slot: u32,
        room: &'s mut Values,
        write: impl Fn(&Thread, &mut Vec<u8>),
    ) -> Extracted<'s> {
        room.clear();
        let mut buffer = Vec::new();
        if let Some(main) = self.threads().main_of(slot) {
            self.threads().ancestors(main, |ancestor| {
                buffer.clear();
                write(ancestor, &mut buffer);
                room.push(Value::Text(&buffer));
                true
            });
        }
        Extracted::Many(room)
    }

    fn ancestor_env<'s>(
        &'s self,
        slot: u32,
        arg: &FieldArg,
        room: &'s mut Values,
    ) -> Extracted<'s> {
        let threads = self.threads();
        match arg {
            FieldArg::None => {
                self.every_ancestor(slot, room, |ancestor, out| ancestor.env.write_joined(out))
            }
            FieldArg::Index(n) => match threads.ancestor(slot, *n) {
                Some(ancestor) => env(threads.at(ancestor), &FieldArg::None, room),
                None => Extracted::Missing,
            },
            FieldArg::Key(name) => text(
                (1..=ENV_ANCESTORS)
                    .map_while(|n| threads.ancestor(slot, n))
                    .find_map(|ancestor| threads.at(ancestor).env_value(name.as_bytes()))
                    .unwrap_or(b""),
            ),
        }
    }

    /// Process id of the oldest shell among the process and its ancestors.
    fn login_shell(&self, slot: u32) -> Extracted<'static> {
        let Some(main) = self.threads().main_of(slot) else {
            return Extracted::Missing;
        };
        let mut found = None;
        let mut visit = |thread: &Thread| {
            if thread.comm.ends_with(b"sh") {
                found = Some(thread.pid);
            }
            true
        };
        visit(self.threads().at(main));
        self.threads().ancestors(main, visit);
        found.map_or(Extracted::Missing, signed)
    }

    /// Time since the thread was made.
    fn age(&self, thread: &Thread) -> Extracted<'static> {
        if thread.clone_ts == 0 {
            Extracted::Missing
        } else {
            signed(self.event.ts.wrapping_sub(thread.clone_ts) as i64)
        }
    }

    /// Processor time used since the process information before, in hundredths of a second, at most 100.
    fn processor_time(&self, user: bool, system: bool) -> Extracted<'static> {
        if self.event.kind.0 != k::PROCINFO_E {
            return Extracted::Missing;
        }
        let (user_time, system_time) = self.state.context.cpu_delta;
        let delta = if user { user_time } else { 0 } + if system { system_time } else { 0 };
        Extracted::One(Value::F64(delta.min(100) as f64))
    }

    fn standard_type(&self, slot: u32, number: i64) -> Extracted<'_> {
        maybe_text(
            self.state
                .fd_at(slot, number)
                .map(|fd| fd.kind.word().as_bytes()),
        )
    }

    fn standard_name(&self, slot: u32, number: i64) -> Extracted<'_> {
        maybe_text(self.state.fd_at(slot, number).map(|fd| &fd.name[..]))
    }
}

/// Share of the descriptors that a process may have open, in percent.
fn fd_usage(main: &Thread) -> f64 {
    if main.fdlimit <= 0 {
        0.0
    } else {
        (main.fds.len() as f64 * 100.0 / main.fdlimit as f64).min(100.0)
    }
}

/// Memory is counted once for each process, on its first thread.
fn own_memory(thread: &Thread, kb: u32) -> u64 {
    if thread.is_main() { u64::from(kb) } else { 0 }
}
