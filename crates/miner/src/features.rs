//! What two readings of a control group's counters say of what ran between them.

use serde::Serialize;

/// Counters of a control group at a moment. All but `memory` only ever grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// When, in nanoseconds of any clock that does not jump.
    pub time: u64,
    /// Processor time of all processes that ever were in it, in nanoseconds.
    pub cpu: u64,
    /// The part of `cpu` that was spent in the kernel, in nanoseconds.
    pub system: u64,
    /// Resident memory of its processes in bytes.
    pub memory: u64,
    /// Its threads, by id.
    pub tasks: Vec<Task>,
}

/// Counters of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Thread id.
    pub tid: i64,
    /// When it started, in clock ticks since boot: with the id it names the thread.
    pub started: u64,
    /// Processor time in nanoseconds.
    pub cpu: u64,
    /// Times it gave the processor away because it had to wait.
    pub waits: u64,
    /// Times the processor was taken from it.
    pub preempted: u64,
    /// Page faults that needed no disk.
    pub faults: u64,
}

/// Names of the features, in the order of [`Window::values`].
///
/// Three are enough, and more mislead: what a quota or a neighbour decides (processors, evenness) and how large a dataset
/// is (memory) told the training programs apart, not mining from other work.
pub const FEATURES: [&str; 3] = ["other", "faults", "waits"];

/// What a control group did between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Window {
    /// Processors kept busy, on average.
    pub cores: f64,
    /// Share of the processor time that threads used which were there all the while: compilers and shells start new
    /// ones, a miner keeps its own.
    pub lasting: f64,
    /// How alike the busy threads are: the least busy of those that did a tenth of the busiest one's work, against it.
    /// One busy thread alone is 1.
    pub evenness: f64,
    /// Share of the processor time outside the kernel.
    pub user: f64,
    /// ln(1 + waits for each second of processor time): what reads, writes, locks or sleeps waits often.
    pub waits: f64,
    /// ln(1 + page faults for each second of processor time): what allocates faults often.
    pub faults: f64,
    /// ln(1 + resident memory in MiB).
    pub memory: f64,
}

/// Processor time below which a window says nothing, as a share of one processor.
const LEAST_BUSY: f64 = 0.05;

impl Window {
    /// The window between two readings. `None` when the group was nearly idle or a counter ran backwards.
    pub fn between(before: &Usage, after: &Usage) -> Option<Self> {
        let span = after.time.checked_sub(before.time)? as f64;
        let cpu = after.cpu.checked_sub(before.cpu)? as f64;
        if span <= 0.0 || cpu / span < LEAST_BUSY {
            return None;
        }
        let system = after.system.saturating_sub(before.system) as f64;
        let mut lasting = 0u64;
        let (mut waits, mut faults) = (0u64, 0u64);
        let mut each: Vec<u64> = Vec::new();
        for task in &after.tasks {
            let earlier = before
                .tasks
                .iter()
                .find(|known| known.tid == task.tid && known.started == task.started);
            let then = earlier.copied().unwrap_or_default();
            let used = task.cpu.saturating_sub(then.cpu);
            waits += task.waits.saturating_sub(then.waits);
            faults += task.faults.saturating_sub(then.faults);
            if earlier.is_some() {
                lasting += used;
                each.push(used);
            }
        }
        let busiest = each.iter().copied().max().unwrap_or(0);
        let least = each
            .iter()
            .copied()
            .filter(|used| *used >= busiest / 10)
            .min()
            .unwrap_or(0);
        let a_second = 1e9 / cpu;
        Some(Self {
            cores: cpu / span,
            lasting: (lasting as f64 / cpu).min(1.0),
            evenness: if busiest == 0 {
                0.0
            } else {
                least as f64 / busiest as f64
            },
            user: (1.0 - system / cpu).clamp(0.0, 1.0),
            waits: (waits as f64 * a_second).ln_1p(),
            faults: (faults as f64 * a_second).ln_1p(),
            memory: (after.memory as f64 / f64::from(1 << 20)).ln_1p(),
        })
    }

    /// ln(1 + percent of the processor time that was not spent outside the kernel by threads that were there all the
    /// while). A miner spends next to none otherwise, and it has to be both: servers last and are in the kernel,
    /// compilers are outside of it and do not last. The logarithm, since 1 and 10 percent are further apart than 40 and 50.
    pub fn other(&self) -> f64 {
        (100.0 * (1.0 - self.lasting * self.user)).max(0.0).ln_1p()
    }

    /// The features in the order of [`FEATURES`].
    pub fn values(&self) -> [f64; 3] {
        [self.other(), self.faults, self.waits]
    }

    /// Every figure by name, for people and tables.
    pub fn figures(&self) -> [(&'static str, f64); 7] {
        [
            ("cores", self.cores),
            ("lasting", self.lasting),
            ("evenness", self.evenness),
            ("user", self.user),
            ("waits", self.waits),
            ("faults", self.faults),
            ("memory", self.memory),
        ]
    }
}
