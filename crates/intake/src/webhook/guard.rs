//! What keeps clients from hurting one another: a bounded number of places, and a bounded number of bytes.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A connection that has a place.
#[derive(Debug)]
struct Held {
    stream: TcpStream,
    peer: IpAddr,
    /// It has made a request that was accepted.
    known: bool,
    /// A request is being answered.
    busy: bool,
    active: Instant,
}

#[derive(Debug, Default)]
struct Table {
    held: HashMap<u64, Held>,
    numbers: u64,
}

/// The places that connections take.
#[derive(Clone, Debug)]
pub(super) struct Places {
    table: Arc<(Mutex<Table>, Condvar)>,
    most: usize,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    number: u64,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self {
            table: Arc::default(),
            most,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the connection a place, and says how many others lost theirs for it. `None` when the system has no handle
    /// to spare.
    ///
    /// Who goes first: connections that never made an accepted request before those that did; of these, the address that
    /// holds most places; of its connections, the one that has been quiet longest. So a flood displaces itself.
    pub(super) fn enter(&self, stream: &TcpStream, peer: IpAddr) -> Option<(Place, u64)> {
        let stream = stream.try_clone().ok()?;
        let mut table = self.lock();
        let mut displaced = 0;
        if table.held.len() >= self.most {
            let mut by_peer: HashMap<IpAddr, usize> = HashMap::new();
            for held in table.held.values() {
                *by_peer.entry(held.peer).or_default() += 1;
            }
            let victim = table
                .held
                .iter()
                .min_by_key(|(number, held)| {
                    let crowd = usize::MAX - by_peer.get(&held.peer).copied().unwrap_or(0);
                    (held.known, crowd, held.active, **number)
                })
                .map(|(number, _)| *number);
            if let Some(held) = victim.and_then(|number| table.held.remove(&number)) {
                // Its thread meets the end of the stream and goes.
                let _ = held.stream.shutdown(Shutdown::Both);
                displaced = 1;
            }
        }
        table.numbers += 1;
        let number = table.numbers;
        table.held.insert(
            number,
            Held {
                stream,
                peer,
                known: false,
                busy: false,
                active: Instant::now(),
            },
        );
        let place = Place {
            places: self.clone(),
            number,
        };
        Some((place, displaced))
    }

    /// Ends idle connections at once and waits for the others, `patience` at most.
    pub(super) fn close(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut table = self.lock();
        loop {
            for held in table.held.values().filter(|held| !held.busy) {
                let _ = held.stream.shutdown(Shutdown::Both);
            }
            let left = until.saturating_duration_since(Instant::now());
            if table.held.is_empty() || left.is_zero() {
                return;
            }
            let waited = self.table.1.wait_timeout(table, left);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Place {
    /// Notes that a request is being answered, or no longer is, and whether it was a rightful one.
    pub(super) fn note(&self, busy: bool, known: bool) {
        let mut table = self.places.lock();
        if let Some(held) = table.held.get_mut(&self.number) {
            held.busy = busy;
            held.known |= known;
            held.active = Instant::now();
        }
        drop(table);
        self.places.table.1.notify_all();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().held.remove(&self.number);
        self.places.table.1.notify_all();
    }
}

/// Bytes that all bodies together may take.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    pub(super) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl Share {
    /// Takes more; false when there is not so much left.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let taken = self
            .budget
            .0
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes));
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Relaxed);
    }
}
