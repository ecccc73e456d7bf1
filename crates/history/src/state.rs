//! What the product itself must remember: users, sessions, tokens, teams, policies, rules, settings, nodes.
//!
//! One shape for all of it: JSON documents in named collections, each with a version, changed in atomic groups; and
//! append-only logs. Whoever owns a collection gives its documents a type and documents it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Error, Result};

/// A document of a collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Its key, unique in the collection.
    pub key: String,
    /// Counts its changes from 1; a key that was deleted and made again goes on counting when its history is kept,
    /// else begins anew.
    pub version: u64,
    /// When it was changed, in nanoseconds since the Unix epoch, as the caller said.
    pub updated: u64,
    /// When it goes away by itself. [`State::get`] may still give it after that time: the caller compares.
    pub expires: Option<u64>,
    /// What it says.
    pub value: Json,
}

impl Document {
    /// The value as a type.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is not of this type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.value)
            .map_err(|why| Error::Corrupt(format!("document {}: {why}", self.key)))
    }

    /// True when it has expired at `now`.
    pub fn expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// An entry of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in the log, from 1, without gaps.
    pub number: u64,
    /// When, in nanoseconds since the Unix epoch, as the caller said.
    pub at: u64,
    /// What it says.
    pub value: Json,
}

/// What must hold of a document for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is none.
    Absent,
    /// It has this version.
    Version(u64),
}

/// A change. Groups of changes happen all or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Makes or replaces a document.
    Put {
        /// Collection.
        collection: String,
        /// Key.
        key: String,
        /// What it shall say.
        value: Json,
        /// When it is changed, in nanoseconds since the Unix epoch.
        at: u64,
        /// When it goes away by itself.
        expires: Option<u64>,
        /// Condition; without one the change is made in any case.
        expect: Option<Expect>,
        /// Whether this version stays readable through [`State::versions`] when later ones come.
        keep: bool,
    },
    /// Removes a document; kept versions stay. Nothing happens when there is none, unless a version is expected.
    Delete {
        /// Collection.
        collection: String,
        /// Key.
        key: String,
        /// Condition.
        expect: Option<Expect>,
    },
    /// Adds an entry to a log.
    Append {
        /// Log.
        log: String,
        /// When, in nanoseconds since the Unix epoch.
        at: u64,
        /// What it says.
        value: Json,
    },
}

impl Change {
    /// Makes or replaces a document, unconditionally.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the value has no JSON form (map keys that are no texts).
    pub fn put<T: Serialize>(collection: &str, key: &str, value: &T, at: u64) -> Result<Self> {
        Ok(Self::Put {
            collection: collection.to_owned(),
            key: key.to_owned(),
            value: serde_json::to_value(value)
                .map_err(|why| Error::Corrupt(format!("document {key}: {why}")))?,
            at,
            expires: None,
            expect: None,
            keep: false,
        })
    }

    /// The same change under a condition.
    #[must_use]
    pub fn expecting(mut self, wanted: Expect) -> Self {
        match &mut self {
            Self::Put { expect, .. } | Self::Delete { expect, .. } => *expect = Some(wanted),
            Self::Append { .. } => {}
        }
        self
    }

    /// The same change, with a time at which the document goes away by itself.
    #[must_use]
    pub fn until(mut self, at: u64) -> Self {
        if let Self::Put { expires, .. } = &mut self {
            *expires = Some(at);
        }
        self
    }

    /// The same change, with its version kept.
    #[must_use]
    pub fn kept(mut self) -> Self {
        if let Self::Put { keep, .. } = &mut self {
            *keep = true;
        }
        self
    }

    /// Removes a document.
    pub fn delete(collection: &str, key: &str) -> Self {
        Self::Delete {
            collection: collection.to_owned(),
            key: key.to_owned(),
            expect: None,
        }
    }

    /// Adds an entry to a log.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the value has no JSON form.
    pub fn append<T: Serialize>(log: &str, value: &T, at: u64) -> Result<Self> {
        Ok(Self::Append {
            log: log.to_owned(),
            at,
            value: serde_json::to_value(value)
                .map_err(|why| Error::Corrupt(format!("entry of {log}: {why}")))?,
        })
    }
}

/// Documents and logs. Calls block; answers to changes come after they are on disk.
pub trait State: Send + Sync {
    /// A document.
    fn get(&self, collection: &str, key: &str) -> Result<Option<Document>>;

    /// Documents whose key begins with `prefix` and comes after `after`, in order of their keys, at most `limit`.
    fn list(
        &self,
        collection: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>>;

    /// Kept versions of a document, newest first, at most `limit`; also of one that was deleted.
    fn versions(&self, collection: &str, key: &str, limit: usize) -> Result<Vec<Document>>;

    /// Makes all of these changes, or none: [`Error::Conflict`] names the first whose condition does not hold. Gives the
    /// new version of each document (0 for one that is deleted) and the number of each entry, in order.
    fn apply(&self, changes: Vec<Change>) -> Result<Vec<u64>>;

    /// Entries of a log before number `before`, newest first, at most `limit`.
    fn log(&self, log: &str, before: Option<u64>, limit: usize) -> Result<Vec<Entry>>;

    /// Removes documents that expired by `now`; says how many.
    fn expire(&self, now: u64) -> Result<u64>;
}
