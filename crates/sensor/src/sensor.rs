//! The running sensor.

use std::time::Duration;

use thiserror::Error;
use vedette_event::RawEvent;

use crate::bell::Bell;
use crate::interest::{Plan, Unwatchable, Watch};
use crate::kernel::Kernel;
use crate::merge::Merge;
use crate::probe::{self, Capabilities};
use crate::record::{self, Origin};

/// How the sensor is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes of each ring buffer; rounded up to a power of two of at least one page.
    pub ring_bytes: u32,
    /// Processors that share one ring. With 1, events of one processor never overtake each other.
    pub cpus_per_ring: u32,
    /// Bytes that are kept of data that is read, written, sent or received; at most 4096.
    pub snap_len: u32,
    /// How long a program may take between stamping an event and writing it. Events are handed out this much later.
    pub settle: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // as much in sum as 8 MiB for each pair of processors
            ring_bytes: 4 << 20,
            cpus_per_ring: 1,
            snap_len: 80,
            settle: Duration::from_millis(2),
        }
    }
}

/// Why there is no sensor.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A program was loaded but the kernel would not attach it.
    #[error("the kernel refuses to attach {program}")]
    Attach {
        /// Which one.
        program: &'static str,
        /// Why.
        source: libbpf_rs::Error,
    },
    /// The kernel would not load the programs. Needs CAP_BPF and CAP_PERFMON (or root) and a kernel with BTF.
    #[error("the kernel refuses the sensor's programs{}{log}", if log.is_empty() { "" } else { ":\n" })]
    Load {
        /// Why.
        source: libbpf_rs::Error,
        /// The end of what libbpf said.
        log: String,
    },
    /// A table of the kernel side cannot be read or written.
    #[error("the kernel side's table `{map}` cannot be used")]
    Map {
        /// Which one.
        map: &'static str,
        /// Why.
        source: libbpf_rs::Error,
    },
    /// This build's object lacks a part. A fault of the build.
    #[error("the sensor's object has no `{0}`")]
    Object(&'static str),
    /// A ring buffer cannot be mapped.
    #[error("a ring buffer cannot be mapped")]
    Ring(#[source] std::io::Error),
}

/// Events that were lost in the kernel, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// The ring was full: the reader was too slow.
    pub ring_full: u64,
    /// The record was longer than 32 KiB.
    pub too_long: u64,
    /// The processor was already building a record.
    pub nested: u64,
    /// The call's own program is not loaded.
    pub no_program: u64,
    /// Too many io_uring requests were under way to follow another one.
    pub pending_full: u64,
}

impl Drops {
    /// Sum over all causes.
    pub fn total(&self) -> u64 {
        self.ring_full + self.too_long + self.nested + self.no_program + self.pending_full
    }
}

/// What one program costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramStats {
    /// Its name in the object.
    pub name: String,
    /// Instructions that the verifier walked.
    pub verified_instructions: u32,
    /// How often it ran; 0 unless the kernel keeps program statistics.
    pub runs: u64,
    /// Nanoseconds that it ran; 0 unless the kernel keeps program statistics.
    pub run_time_ns: u64,
}

/// What the sensor did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events written to the rings.
    pub events: u64,
    /// Bytes written to the rings.
    pub bytes: u64,
    /// Events that were held back because nobody can want them.
    pub filtered: u64,
    /// Losses, one entry for each processor.
    pub drops: Vec<Drops>,
    /// Events that came out after a later one (see [`Config::settle`]).
    pub late: u64,
    /// Records that could not be read; a fault of the kernel side.
    pub malformed: u64,
    /// Bytes that wait in the rings.
    pub waiting: u64,
}

impl Stats {
    /// Losses of all processors and causes.
    pub fn dropped(&self) -> u64 {
        self.drops.iter().map(Drops::total).sum()
    }
}

/// Live system calls. Detaches when dropped.
#[derive(Debug)]
pub struct Sensor {
    kernel: Kernel,
    merge: Merge,
    bell: Bell,
    /// Nanoseconds between the Unix epoch and the boot clock's zero.
    epoch: u64,
    settle: u64,
    num: u64,
    malformed: u64,
}

// SAFETY: what keeps it from being `Send` by itself are the raw pointers of libbpf's objects and of the mapped rings.
// Neither is bound to a thread: the objects are memory and descriptors that `kernel` alone owns and hands out nowhere,
// the mappings belong to the process. Nothing of them is shared, since `Sensor` is not `Sync`.
unsafe impl Send for Sensor {}

impl Sensor {
    /// Finds out what this kernel allows. Loads and attaches nothing that stays.
    pub fn probe() -> Capabilities {
        probe::probe()
    }

    /// Loads and attaches the kernel side for what is to be watched: a [`Watch`], or a list of [`crate::Interest`]s.
    ///
    /// # Errors
    /// [`Error`] when the kernel refuses; nothing stays behind.
    pub fn start(config: &Config, watch: impl Into<Watch>) -> Result<(Self, Unwatchable), Error> {
        let watch = watch.into();
        let config = Config {
            ring_bytes: config.ring_bytes.clamp(4096, 1 << 30).next_power_of_two(),
            cpus_per_ring: config.cpus_per_ring.max(1),
            snap_len: config.snap_len.min(4096),
            settle: config.settle,
        };
        let cpus = probe::possible_cpus();
        let (mut kernel, rings) = Kernel::load(&config, cpus)?;
        let (plan, unwatchable) = Plan::new(&watch);
        kernel.want(&watch, &plan)?;
        let bell = Bell::new(kernel.ring_fds()).map_err(Error::Ring)?;
        let sensor = Self {
            bell,
            merge: Merge::new(rings),
            epoch: probe::realtime_ns().saturating_sub(probe::boottime_ns()),
            settle: config.settle.as_nanos() as u64,
            num: 0,
            malformed: 0,
            kernel: {
                kernel.attach()?;
                kernel
            },
        };
        Ok((sensor, unwatchable))
    }

    /// Changes what is traced while the sensor runs: rules were reloaded. Nothing is missed of what both sets contain.
    ///
    /// # Errors
    /// [`Error::Map`] when the kernel refuses; the old set may then be partly replaced.
    pub fn watch(&mut self, watch: impl Into<Watch>) -> Result<Unwatchable, Error> {
        let watch = watch.into();
        let (plan, unwatchable) = Plan::new(&watch);
        self.kernel.want(&watch, &plan)?;
        Ok(unwatchable)
    }

    /// Hands every event that is ready to `sink`, in order of time. Returns how many; never waits.
    pub fn poll(&mut self, mut sink: impl FnMut(RawEvent<'_>)) -> usize {
        self.poll_with_origin(|event, _| sink(event))
    }

    /// As [`Sensor::poll`], with the way each event came.
    pub fn poll_with_origin(&mut self, mut sink: impl FnMut(RawEvent<'_>, Origin)) -> usize {
        let horizon = probe::boottime_ns().saturating_sub(self.settle);
        let Self {
            merge,
            epoch,
            num,
            malformed,
            ..
        } = self;
        merge.drain(horizon, |bytes| {
            match record::parse(bytes, *num + 1, *epoch) {
                Some((event, origin)) => {
                    *num += 1;
                    sink(event, origin);
                }
                None => *malformed += 1,
            }
        })
    }

    /// Waits until a ring is filling up, but no longer than `most`. Events that trickle in wake nobody: who wants them
    /// soon chooses `most` accordingly.
    pub fn wait(&self, most: Duration) {
        self.bell.wait(most);
    }

    /// Counters so far.
    ///
    /// # Errors
    /// [`Error::Map`] when the kernel's counters cannot be read.
    pub fn stats(&self) -> Result<Stats, Error> {
        let mut stats = Stats {
            late: self.merge.late,
            malformed: self.malformed,
            waiting: self.merge.waiting(),
            ..Stats::default()
        };
        for ([events, bytes, filtered], drops) in self.kernel.counters()? {
            stats.events += events;
            stats.bytes += bytes;
            stats.filtered += filtered;
            stats.drops.push(drops);
        }
        Ok(stats)
    }

    /// What each program costs.
    pub fn programs(&self) -> Vec<ProgramStats> {
        self.kernel.programs()
    }

    /// Nanoseconds between the Unix epoch and the boot clock's zero, as events use it.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}
