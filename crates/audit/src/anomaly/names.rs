//! The text of each value once, however many habits hold it: habits name values by number.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// Number of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Name(u32);

/// A text and how many habits hold it.
#[derive(Debug)]
struct Held {
    text: Arc<str>,
    holders: u32,
}

/// Texts by number, numbers by text. A number whose last holder let it go is given to another text.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Vec<Option<(String, u32)>>")]
pub(super) struct Names {
    held: Vec<Option<Held>>,
    numbers: HashMap<Arc<str>, Name>,
    free: Vec<Name>,
}

/// Texts with their holders, in the order of the numbers; `null` for numbers that are free.
impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.held.iter().map(|slot| {
            let slot = slot.as_ref()?;
            Some((slot.text.as_ref(), slot.holders))
        }))
    }
}

impl From<Vec<Option<(String, u32)>>> for Names {
    fn from(saved: Vec<Option<(String, u32)>>) -> Self {
        let mut names = Self::default();
        for (at, slot) in saved.into_iter().enumerate() {
            let name = Name(at as u32);
            let slot = slot.map(|(text, holders)| Held {
                text: text.into(),
                holders,
            });
            match &slot {
                Some(slot) => drop(names.numbers.insert(slot.text.clone(), name)),
                None => names.free.push(name),
            }
            names.held.push(slot);
        }
        names
    }
}

impl Names {
    /// Number of a text that some habit holds.
    pub(super) fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied()
    }

    /// Number of a text, held once more from now on.
    pub(super) fn hold(&mut self, text: &str) -> Name {
        if let Some(name) = self.find(text) {
            if let Some(Some(slot)) = self.held.get_mut(name.0 as usize) {
                slot.holders += 1;
            }
            return name;
        }
        let text: Arc<str> = text.into();
        let slot = Some(Held {
            text: text.clone(),
            holders: 1,
        });
        let name = if let Some(name) = self.free.pop() {
            self.held[name.0 as usize] = slot;
            name
        } else {
            self.held.push(slot);
            Name(self.held.len() as u32 - 1)
        };
        self.numbers.insert(text, name);
        name
    }

    /// Lets a number go once.
    pub(super) fn release(&mut self, name: Name) {
        let Some(place) = self.held.get_mut(name.0 as usize) else {
            return;
        };
        let Some(slot) = place else {
            return;
        };
        slot.holders = slot.holders.saturating_sub(1);
        if slot.holders == 0 {
            self.numbers.remove(&slot.text);
            *place = None;
            self.free.push(name);
        }
    }

    /// The text behind a number.
    pub(super) fn text(&self, name: Name) -> &str {
        let slot = self.held.get(name.0 as usize);
        slot.and_then(Option::as_ref)
            .map_or("", |slot| slot.text.as_ref())
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_while_somebody_holds_it() {
        let mut names = Names::default();
        let a = names.hold("a");
        assert_eq!(names.hold("a"), a);
        let b = names.hold("b");
        assert_eq!((names.text(a), names.text(b), names.len()), ("a", "b", 2));
        names.release(a);
        assert_eq!(names.find("a"), Some(a));
        names.release(a);
        assert_eq!((names.find("a"), names.text(a)), (None, ""));
        assert_eq!(names.hold("c"), a, "a number that is free is given again");
        names.release(b);
        let saved = serde_json::to_vec(&names).unwrap();
        let mut again: Names = serde_json::from_slice(&saved).unwrap();
        assert_eq!((again.find("c"), again.find("b")), (Some(a), None));
        assert_eq!(again.hold("d"), b);
    }
}
