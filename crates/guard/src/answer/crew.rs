//! Who answers: one thread, and a watchdog over it.
//!
//! The watchdog looks at what is waiting: what waits past the deadline is answered as the settings say, and when the
//! answering thread seems stuck (a file on a dead network, memory that faults on purpose) another one is started beside
//! it, up to [`MAX_THREADS`].

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Shared, lock};
use crate::{Error, Otherwise};

/// Most threads that answer at one time; each may be stuck.
const MAX_THREADS: u32 = 8;
/// How often the watchdog looks at what waits.
const WATCH: Duration = Duration::from_millis(20);

/// Starts the answering thread and the watchdog, whose handle comes back.
pub(super) fn start(shared: &Arc<Shared>) -> Result<JoinHandle<()>, Error> {
    one(shared)?;
    let watched = Arc::clone(shared);
    std::thread::Builder::new()
        .name("gate-watchdog".into())
        .spawn(move || watch(&watched))
        .map_err(Error::Thread)
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
fn watch(shared: &Arc<Shared>) {
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
        if stuck && shared.threads.load(Relaxed) < MAX_THREADS {
            // without another thread the watchdog's answers remain
            let _ = one(shared);
        }
    }
}
