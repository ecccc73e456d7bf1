//! Events by chance that hang together, as processes make them.

use vedette_event::{EventBuf, EventType};

use super::dice::Dice;
use super::rules::{NAMES, PATHS};
use super::{CLONE, CLOSE, CWD, DUP2, EXEC, FCNTL, OPEN, OPENAT};

/// A stream of events that hang together.
pub(super) struct Stream {
    pub(super) dice: Dice,
    pub(super) buffer: EventBuf,
    /// Descriptors of each process, and its name.
    pub(super) processes: Vec<(i64, Vec<i64>, String)>,
}

impl Stream {
    pub(super) fn put(&mut self, kind: u16, params: &[Param]) {
        self.buffer.start(EventType(kind));
        for param in params {
            match param {
                Param::N(n) => self.buffer.push(&n.to_le_bytes()),
                Param::W(n) => self.buffer.push(&n.to_le_bytes()),
                Param::B(n) => self.buffer.push(&[*n]),
                Param::T(text) => self.buffer.push_text(text.as_bytes()),
                Param::Nothing => self.buffer.push(&[]),
            };
        }
    }

    /// The next event: which thread, and the name that its process has then. The event is in `buffer`.
    pub(super) fn next(&mut self) -> (i64, String) {
        use Param::{B, N, T, W};
        let at = self.dice.below(self.processes.len());
        let (tid, mut fds, mut comm) = self.processes[at].clone();
        let open = |dice: &mut Dice, fds: &[i64]| {
            fds.get(dice.below(fds.len().max(1))).copied().unwrap_or(40)
        };
        let lowest = (3..62).find(|fd| !fds.contains(fd)).unwrap_or(62);
        let path = self.dice.pick(PATHS).to_owned();
        let failed = self.dice.one_in(4);
        let flags = [
            1,
            1,
            2,
            3,
            2 | 4,
            2 | 64,
            2 | 4 | 64,
            1 | 1 << 12,
            1 | 1 << 10,
        ][self.dice.below(9)];
        let mode = if flags & 4 == 0 {
            0
        } else {
            [0o644, 0o755][self.dice.below(2)]
        };
        match self.dice.below(20) {
            0..=7 => {
                let result = if failed { -2 } else { lowest };
                let kind = if self.dice.one_in(3) { OPEN } else { OPENAT };
                let ino = self.dice.below(1000) as i64;
                if kind == OPEN {
                    self.put(OPEN, &[N(result), T(path), W(flags), W(mode), W(1), N(ino)]);
                } else {
                    let dirfd = if self.dice.one_in(3) {
                        open(&mut self.dice, &fds)
                    } else {
                        CWD
                    };
                    self.put(
                        OPENAT,
                        &[
                            N(result),
                            N(dirfd),
                            T(path),
                            W(flags),
                            W(mode),
                            W(1),
                            N(ino),
                        ],
                    );
                }
                if result >= 0 {
                    fds.push(result);
                }
            }
            8..=11 => {
                let fd = open(&mut self.dice, &fds);
                let result = if fds.contains(&fd) { 0 } else { -9 };
                self.put(CLOSE, &[N(result), N(fd)]);
                fds.retain(|other| *other != fd);
            }
            12 | 13 => {
                let (old, new) = (open(&mut self.dice, &fds), 3 + self.dice.below(20) as i64);
                let result = if fds.contains(&old) { new } else { -9 };
                self.put(DUP2, &[N(result), N(old), N(new)]);
                if result >= 0 && !fds.contains(&new) {
                    fds.push(new);
                }
            }
            14 => {
                let fd = open(&mut self.dice, &fds);
                self.put(317, &[N(if failed { -1 } else { 0 }), N(fd), W(0o4755)]);
            }
            15 => {
                let fd = open(&mut self.dice, &fds);
                self.put(303, &[N(if failed { -1 } else { 0 }), N(fd), T(path), W(0)]);
            }
            16 => {
                let fd = open(&mut self.dice, &fds);
                let command = [1, 2, 3, 4][self.dice.below(4)];
                let result = match (fds.contains(&fd), command) {
                    (false, _) => -9,
                    (true, 1) => lowest,
                    _ => 0,
                };
                self.put(FCNTL, &[N(result), N(fd), B(command), N(1)]);
                if command == 1 && result >= 0 {
                    fds.push(result);
                }
            }
            17 => {
                let result = if failed { -2 } else { 0 };
                let to = self.dice.pick(&["/etc", "/tmp", "..", "pam.d"]).to_owned();
                self.put(95, &[N(result), T(to)]);
            }
            18 if self.processes.len() < 12 => {
                let child = self.processes.iter().map(|(tid, ..)| *tid).max().unwrap() + 1;
                self.clone(child, tid, &comm);
                self.processes.push((child, fds, comm.clone()));
                return (child, comm);
            }
            _ => {
                comm = self.dice.pick(NAMES).to_owned();
                // What ends with it is not known here; the numbers may be used again either way.
                self.exec(tid, &comm);
            }
        }
        self.processes[at] = (tid, fds, comm.clone());
        (tid, comm)
    }

    pub(super) fn clone(&mut self, child: i64, parent: i64, comm: &str) {
        use Param::{N, Nothing, T, W};
        let comm = || T(comm.to_owned());
        let group = container(child);
        self.put(
            CLONE,
            &[
                N(0),
                comm(),
                Nothing,
                N(child),
                N(child),
                N(parent),
                T(String::new()),
                N(1024),
                N(0),
                N(0),
                W(0),
                W(0),
                W(0),
                comm(),
                T(group),
                W(0),
                W(0),
                W(0),
                N(child),
                N(child),
                N(0),
            ],
        );
    }

    pub(super) fn exec(&mut self, tid: i64, comm: &str) {
        use Param::{N, Nothing, T, W};
        let name = || T(comm.to_owned());
        let group = container(tid);
        self.put(
            EXEC,
            &[
                N(0),
                name(),
                Nothing,
                N(tid),
                N(tid),
                N(1),
                T(String::new()),
                N(1024),
                N(0),
                N(0),
                W(0),
                W(0),
                W(0),
                name(),
                T(group),
                Nothing,
                W(0),
                N(1),
                W(-1),
                W(0),
                N(0),
                N(0),
                N(0),
                N(0),
                N(0),
                N(0),
                W(0),
                T(format!("/bin/{comm}")),
                N(1),
                W(0),
                T(format!("/bin/{comm}")),
            ],
        );
    }
}

/// Every second process is in a container.
pub(super) fn container(tid: i64) -> String {
    if tid % 2 == 0 {
        "memory=/".to_owned()
    } else {
        format!("memory=/docker/{}", "0123456789abcdef".repeat(4))
    }
}

pub(super) enum Param {
    N(i64),
    W(i32),
    B(u8),
    T(String),
    Nothing,
}
