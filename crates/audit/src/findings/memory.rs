//! A map that forgets its oldest entry when it is full, always the same one for the same records.
//!
//! Names are known by the beginning of their SHA-256: they are partly an attacker's to choose, who could otherwise make
//! them as long as he likes, or find two that are taken for one.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// Values by name, `most` of them at most.
#[derive(Debug, Deserialize)]
#[serde(from = "Saved<V>")]
pub(crate) struct Memory<V> {
    values: HashMap<u128, V>,
    /// Names in the order in which they came, each once.
    order: VecDeque<u128>,
    most: usize,
}

/// A memory as it is kept: the oldest first.
#[derive(Serialize, Deserialize)]
struct Saved<V> {
    most: usize,
    values: Vec<(u128, V)>,
}

impl<V> From<Saved<V>> for Memory<V> {
    fn from(saved: Saved<V>) -> Self {
        let mut memory = Self::new(saved.most);
        for (name, value) in saved.values {
            memory.put(name, value);
        }
        memory
    }
}

impl<V: Serialize> Serialize for Memory<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = self.order.iter();
        let saved = Saved {
            most: self.most,
            values: values
                .filter_map(|name| Some((*name, self.values.get(name)?)))
                .collect(),
        };
        saved.serialize(serializer)
    }
}

impl<V> Memory<V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            values: HashMap::new(),
            order: VecDeque::new(),
            most,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.values.get(&fingerprint(name.as_bytes()))
    }

    /// Remembers a value, in place of the one of the same name if there is one; true when the name is new.
    pub(crate) fn insert(&mut self, name: &str, value: V) -> bool {
        self.put(fingerprint(name.as_bytes()), value)
    }

    fn put(&mut self, name: u128, value: V) -> bool {
        if let Some(known) = self.values.get_mut(&name) {
            *known = value;
            return false;
        }
        if self.values.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
        self.order.push_back(name);
        self.values.insert(name, value);
        true
    }
}

/// The first 128 bits of a SHA-256.
pub(super) fn fingerprint(text: &[u8]) -> u128 {
    Sha256::digest(text)[..16]
        .iter()
        .fold(0u128, |print, byte| print << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut memory = Memory::new(2);
        assert!(memory.insert("a", 1));
        assert!(memory.insert("b", 2));
        assert!(!memory.insert("a", 3));
        assert!(memory.insert("c", 4));
        assert_eq!(memory.get("a"), None);
        assert_eq!(memory.get("b"), Some(&2));
        assert_eq!(memory.get("c"), Some(&4));
        let saved = serde_json::to_vec(&memory).unwrap();
        let mut again: Memory<i32> = serde_json::from_slice(&saved).unwrap();
        assert!(again.insert("d", 5));
        assert_eq!((again.get("b"), again.get("c")), (None, Some(&4)));
    }
}
