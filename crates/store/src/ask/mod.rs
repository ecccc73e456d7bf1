//! Answers to questions about records.

pub(crate) mod count;
pub(crate) mod groups;
pub(crate) mod page;
pub(crate) mod process;
pub(crate) mod sessions;

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use vedette_event::Severity;
use vedette_history::ColumnValue;

use crate::columns::Dictionary;
use crate::part::Part;
use crate::table;

/// Threads that work on one question at most: screens ask several at a time, and ingest wants its share.
const MAX_THREADS: usize = 4;

/// Fewer parts than this are looked at by one thread; starting another costs more.
const FEW_PARTS: usize = 4;

/// Asks every part, on several threads when there are many; the answers come in the order of the parts.
fn each_part<T: Send>(
    parts: &[Part],
    ask: impl Fn(&Part) -> io::Result<T> + Sync,
) -> io::Result<Vec<T>> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(MAX_THREADS).min(parts.len());
    if parts.len() < FEW_PARTS || threads < 2 {
        return parts.iter().map(ask).collect();
    }
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, io::Result<T>)>> = Mutex::new(Vec::with_capacity(parts.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Relaxed);
                    let Some(part) = parts.get(index) else { break };
                    let answer = ask(part);
                    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                    answers.push((index, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Asks every part and joins the answers as they come, each thread its own before they are joined: for answers whose
/// joining is work of its own. The parts that one thread gets come in their order.
fn fold_parts<T: Send>(
    parts: &[Part],
    empty: impl Fn() -> T + Sync,
    ask: impl Fn(T, &Part) -> io::Result<T> + Sync,
    join: impl Fn(T, T) -> T,
) -> io::Result<T> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(MAX_THREADS).min(parts.len());
    if parts.len() < FEW_PARTS || threads < 2 {
        return parts.iter().try_fold(empty(), ask);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut all = empty();
        while let Some(part) = parts.get(next.fetch_add(1, Relaxed)) {
            all = ask(all, part)?;
        }
        Ok::<T, io::Error>(all)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut joined: Option<T> = None;
        for worker in workers {
            let all = worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            joined = Some(match joined {
                Some(joined) => join(joined, all),
                None => all,
            });
        }
        Ok(joined.unwrap_or_else(&empty))
    })
}

/// Severity of each value of a dictionary of severities.
fn severities(dictionary: &Dictionary) -> Vec<Severity> {
    dictionary
        .values
        .iter()
        .map(|value| match table::decode(value) {
            ColumnValue::Text(name) => name.parse().unwrap_or(Severity::Info),
            _ => Severity::Info,
        })
        .collect()
}
