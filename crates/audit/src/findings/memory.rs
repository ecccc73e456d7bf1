//! A map that forgets its oldest entry when it is full, always the same one for the same records.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

/// Values by name, `most` of them at most.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Memory<V> {
    values: HashMap<String, V>,
    /// Names in the order in which they came, each once.
    order: VecDeque<String>,
    most: usize,
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
        self.values.get(name)
    }

    /// Remembers a value, in place of the one of the same name if there is one; true when the name is new.
    pub(crate) fn insert(&mut self, name: String, value: V) -> bool {
        if let Some(known) = self.values.get_mut(&name) {
            *known = value;
            return false;
        }
        if self.values.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
        self.order.push_back(name.clone());
        self.values.insert(name, value);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut memory = Memory::new(2);
        assert!(memory.insert("a".into(), 1));
        assert!(memory.insert("b".into(), 2));
        assert!(!memory.insert("a".into(), 3));
        assert!(memory.insert("c".into(), 4));
        assert_eq!(memory.get("a"), None);
        assert_eq!(memory.get("b"), Some(&2));
        assert_eq!(memory.get("c"), Some(&4));
    }
}
