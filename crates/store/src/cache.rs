//! What was read from segments, kept while there is room.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

/// Remembers values up to a number of bytes; when it is full, the half that was asked for longest ago goes.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    most: usize,
    inner: Mutex<Inner<K, V>>,
}

#[derive(Debug)]
struct Inner<K, V> {
    entries: FxHashMap<K, Entry<V>>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: Arc<V>,
    bytes: usize,
    used: u64,
}

impl<K: Copy + Eq + Hash, V> Cache<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            inner: Mutex::new(Inner {
                entries: FxHashMap::default(),
                bytes: 0,
                clock: 0,
            }),
        }
    }

    /// The value, read by `read` when it is not there; `size` gives its bytes.
    pub(crate) fn get<E>(
        &self,
        key: K,
        read: impl FnOnce() -> Result<V, E>,
        size: impl FnOnce(&V) -> usize,
    ) -> Result<Arc<V>, E> {
        {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.clock += 1;
            let now = inner.clock;
            if let Some(entry) = inner.entries.get_mut(&key) {
                entry.used = now;
                return Ok(Arc::clone(&entry.value));
            }
        }
        // Two threads may read the same thing; that costs less than to wait for each other.
        let value = Arc::new(read()?);
        let bytes = size(&value);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.bytes + bytes > self.most {
            inner.shrink(self.most / 2);
        }
        if bytes <= self.most / 2 {
            let entry = Entry {
                value: Arc::clone(&value),
                bytes,
                used: inner.clock,
            };
            inner.bytes += bytes;
            if let Some(old) = inner.entries.insert(key, entry) {
                inner.bytes -= old.bytes;
            }
        }
        Ok(value)
    }

    /// Forgets everything whose key `gone` names.
    pub(crate) fn forget(&self, gone: impl Fn(K) -> bool) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.entries.retain(|key, _| !gone(*key));
        inner.bytes = inner.entries.values().map(|entry| entry.bytes).sum();
    }
}

impl<K: Copy + Eq + Hash, V> Inner<K, V> {
    fn shrink(&mut self, to: usize) {
        let mut ages: Vec<(u64, usize)> =
            self.entries.values().map(|e| (e.used, e.bytes)).collect();
        ages.sort_unstable();
        let mut left = self.bytes;
        let mut youngest_gone = None;
        for (used, bytes) in ages {
            if left <= to {
                break;
            }
            left -= bytes;
            youngest_gone = Some(used);
        }
        if let Some(limit) = youngest_gone {
            self.entries.retain(|_, entry| entry.used > limit);
            self.bytes = self.entries.values().map(|entry| entry.bytes).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_the_bound_holds() {
        let cache = Cache::<u32, u32>::new(100);
        let mut reads = 0;
        let mut get = |key| {
            let read = || {
                reads += 1;
                Ok::<u32, ()>(key)
            };
            assert_eq!(*cache.get(key, read, |_| 10).unwrap(), key);
            assert!(cache.inner.lock().unwrap().bytes <= 100);
            reads
        };
        for key in 0..10 {
            get(key);
        }
        assert_eq!(get(9), 10, "remembered");
        assert_eq!(get(10), 11);
        assert_eq!(get(9), 11, "recently used ones stay");
        assert_eq!(get(0), 12, "the oldest are gone");
        cache.forget(|key| key == 9);
        let reads = std::cell::Cell::new(0);
        let read = || {
            reads.set(1);
            Ok::<u32, ()>(1)
        };
        cache.get(9, read, |_| 1000).unwrap();
        assert_eq!(reads.get(), 1);
    }
}
