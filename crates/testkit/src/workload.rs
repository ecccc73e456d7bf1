//! A made-up busy machine for measurements: files, forks and connections mixed, the same for the same seed.
//!
//! It is benign: rules for attacks find nothing in it. What it does is what a small node does all day: a web server
//! with its workers and a database in containers, a build that forks and executes, daemons that read their
//! configuration and write logs.

mod actions;
mod encode;
mod processes;

use vedette_event::boot::{MachineInfo, ProcessEntry};
use vedette_event::{EventBuf, RawEvent};

use processes::Process;

/// Time of the first event: 2026-01-01T00:00:00Z, in nanoseconds.
const FIRST_TIME: u64 = 1_767_225_600_000_000_000;
/// Time between two events in nanoseconds, on average what 56,000 system calls a second give.
const STEP_TIME: u64 = 17_857;
/// Process ids start again here when they reach [`LAST_PID`], as on a machine.
const FIRST_PID: i64 = 10_000;
const LAST_PID: i64 = 32_768;

/// A part of the recording.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant, reason = "it is lent and never stored")]
pub enum Part<'a> {
    /// The machine.
    Machine(MachineInfo<'a>),
    /// A process that was there before.
    Process(ProcessEntry<'a>),
    /// An event that tells what was there before.
    Known(RawEvent<'a>),
    /// An event.
    Event(RawEvent<'a>),
}

/// What is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Number of events.
    pub events: u64,
    /// Decides every choice.
    pub seed: u64,
}

/// Makes the recording, part by part in order.
///
/// # Errors
/// The first error of `emit`.
pub fn record<E>(plan: Plan, emit: &mut dyn FnMut(Part<'_>) -> Result<(), E>) -> Result<(), E> {
    let processes = processes::machine();
    emit(Part::Machine(MachineInfo {
        cpus: 2,
        memory: 8 << 30,
        max_pid: LAST_PID as u64,
        hostname: b"node-1",
        boot_ts: FIRST_TIME - 3_600_000_000_000,
        flags: 0,
    }))?;
    for process in &processes {
        emit(Part::Process(process.entry()))?;
    }
    for container in processes::containers() {
        emit(Part::Known(container.event(0, FIRST_TIME, -1, 0)))?;
    }
    let mut machine = Machine {
        left: plan.events,
        num: 0,
        random: plan.seed,
        next_pid: FIRST_PID,
        next_port: 0,
        buf: EventBuf::default(),
        failure: None,
        emit,
    };
    while machine.going() {
        let process = &processes[machine.below(processes.len() as u64) as usize];
        machine.act(process);
    }
    machine.failure.map_or(Ok(()), Err)
}

/// The machine while it runs.
struct Machine<'e, E> {
    left: u64,
    num: u64,
    random: u64,
    next_pid: i64,
    next_port: u16,
    buf: EventBuf,
    failure: Option<E>,
    emit: &'e mut dyn FnMut(Part<'_>) -> Result<(), E>,
}

impl<E> Machine<'_, E> {
    fn going(&self) -> bool {
        self.left > 0 && self.failure.is_none()
    }

    /// A number below `end`, evenly spread (splitmix64).
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len() as u64) as usize]
    }

    fn pid(&mut self) -> i64 {
        self.next_pid += 1;
        if self.next_pid > LAST_PID {
            self.next_pid = FIRST_PID;
        }
        self.next_pid
    }

    /// A port that clients use.
    fn port(&mut self) -> u16 {
        self.next_port = (self.next_port + 1) % 28_000;
        32_768 + self.next_port
    }

    /// Hands out what is in the buffer as an event of thread `tid`.
    fn send(&mut self, tid: i64) {
        if !self.going() {
            return;
        }
        self.left -= 1;
        self.num += 1;
        let ts = FIRST_TIME + self.num * STEP_TIME;
        let event = self.buf.event(self.num, ts, tid, (tid & 1) as u16);
        self.failure = (self.emit)(Part::Event(event)).err();
    }

    /// One of the things that a process does.
    fn act(&mut self, process: &Process) {
        match self.below(10) {
            0..=4 => self.files(process),
            5 => self.look(process),
            6 if process.forks => self.fork(process),
            6 | 7 => self.files(process),
            8 if process.serves => self.serve(process),
            _ => self.connect(process),
        }
    }
}
