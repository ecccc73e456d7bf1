//! Who answers: a thread bound to each processor, and a watchdog over all of them.
//!
//! A process that asks falls asleep on its processor, and the thread bound there goes on in its place. A thread that the
//! scheduler places is put on an idle processor, which has to be woken first: on virtual machines that is most of what a
//! start costs (`docs/drift.md`). Whichever thread is first takes the question.
//!
//! The watchdog looks at what is waiting: what waits past the deadline is answered as the settings say, and when the
//! answering threads seem stuck (a file on a dead network, memory that faults on purpose) another one is started beside
//! them, up to [`MAX_SPARE`].

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::{Shared, lock};
use crate::{Error, Otherwise};

/// Processors up to which each has a thread. Every question wakes them all, so on larger machines one answers, wherever
/// the scheduler places it: there a processor rarely has nothing to do but to sleep.
const MAX_BOUND: usize = 8;
/// Most threads that the watchdog starts; each may be stuck.
const MAX_SPARE: u32 = 8;
/// How often the watchdog looks at what waits.
const WATCH: Duration = Duration::from_millis(20);

/// Starts the answering threads and the watchdog, whose handle comes back.
pub(super) fn start(shared: &Arc<Shared>) -> Result<JoinHandle<()>, Error> {
    bound(shared)?;
    let base = shared.threads.load(Relaxed);
    let watched = Arc::clone(shared);
    std::thread::Builder::new()
        .name("gate-watchdog".into())
        .spawn(move || watch(&watched, base + MAX_SPARE))
        .map_err(Error::Thread)
}

/// One thread on each processor that this one may use. A thread begins where the one that starts it may run, so this one
/// goes from processor to processor.
fn bound(shared: &Arc<Shared>) -> Result<(), Error> {
    let own = Pid::from_raw(0);
    let Ok(usable) = sched_getaffinity(own) else {
        return one(shared);
    };
    let processors: Vec<usize> = (0..CpuSet::count())
        .filter(|at| usable.is_set(*at) == Ok(true))
        .collect();
    if processors.len() > MAX_BOUND {
        return one(shared);
    }
    let mut result = Ok(());
    for processor in processors {
        let mut only = CpuSet::new();
        // where it cannot be bound the thread answers all the same
        let _ = only.set(processor);
        let _ = sched_setaffinity(own, &only);
        result = one(shared);
        if result.is_err() {
            break;
        }
    }
    let _ = sched_setaffinity(own, &usable);
    result
}

fn one(shared: &Arc<Shared>) -> Result<(), Error> {
    let own = Arc::clone(shared);
    shared.threads.fetch_add(1, Relaxed);
    std::thread::Builder::new()
        .name("gate".into())
        .spawn(move || {
            own.serve();
            own.threads.fetch_sub(1, Relaxed);
        })
        .map(drop)
        .map_err(|error| {
            shared.threads.fetch_sub(1, Relaxed);
            Error::Thread(error)
        })
}

/// Answers what waited too long, and starts another thread when the answering ones seem stuck.
fn watch(shared: &Arc<Shared>, most: u32) {
    while !shared.stop.load(Relaxed) {
        std::thread::sleep(WATCH);
        let mut late = Vec::new();
        let mut stuck = false;
        {
            let mut waiting = lock(&shared.waiting);
            while waiting.front().is_some_and(|w| w.answered.load(Relaxed)) {
                waiting.pop_front();
            }
            for waiting in waiting.iter() {
                if waiting.answered.load(Relaxed) {
                    continue;
                }
                let age = waiting.since.elapsed();
                stuck |= age > shared.settings.deadline / 4;
                if age >= shared.settings.deadline {
                    late.push(Arc::clone(waiting));
                }
            }
        }
        for waiting in late {
            if shared.answer(&waiting, shared.settings.otherwise == Otherwise::Allow) {
                shared.counters.expired.fetch_add(1, Relaxed);
            }
        }
        if stuck && shared.threads.load(Relaxed) < most {
            // without another thread the watchdog's answers remain
            let _ = one(shared);
        }
    }
}
