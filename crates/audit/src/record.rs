//! One record of a log as an event.

use std::sync::LazyLock;

use vedette_event::{EventType, Extract, Extracted, FieldRef, StateKey, Values};

use crate::fields;
use crate::json::Json;
use crate::source::Source;
use crate::time::SECOND;

/// Type of every event that comes from a log: the one that Falco's plugins use.
static PLUGIN_EVENT: LazyLock<EventType> = LazyLock::new(|| {
    EventType::by_symbol("PLUGINEVENT_E").expect("the event table holds the plugin event")
});

/// The time zone in which fields give times: seconds east of UTC at a time in seconds since the Unix epoch. The engine does
/// not look it up; UTC unless told.
pub struct Zone(Box<dyn Fn(i64) -> i32 + Send + Sync>);

impl Zone {
    /// A zone with these offsets.
    pub fn new(offset: impl Fn(i64) -> i32 + Send + Sync + 'static) -> Self {
        Self(Box::new(offset))
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::new(|_| 0)
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Zone")
    }
}

/// A record of a log, borrowed from the text it came in.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(crate) json: Json<'a>,
    pub(crate) source: Source,
    pub(crate) num: u64,
    pub(crate) ts: u64,
    pub(crate) first_ts: u64,
    pub(crate) hostname: &'a str,
    pub(crate) zone: &'a Zone,
    /// Times of recent failures of a second factor by the same user, for `okta.mfa.*`.
    pub(crate) mfa: &'a [u64],
}

impl<'a> Record<'a> {
    /// The time on a clock of the zone that fields are given in.
    pub(crate) fn local(&self) -> u64 {
        let offset = (self.zone.0)((self.ts / SECOND) as i64);
        self.ts
            .saturating_add_signed(i64::from(offset) * SECOND as i64)
    }

    /// The whole record.
    pub fn json(&self) -> Json<'a> {
        self.json
    }

    /// Where it comes from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Number of the record in its stream, from 1.
    pub fn number(&self) -> u64 {
        self.num
    }

    /// Time in nanoseconds since the Unix epoch.
    pub fn time(&self) -> u64 {
        self.ts
    }
}

impl Extract for Record<'_> {
    fn kind(&self) -> EventType {
        *PLUGIN_EVENT
    }

    fn num(&self) -> u64 {
        self.num
    }

    fn ts(&self) -> u64 {
        self.ts
    }

    fn state_key(&self) -> Option<StateKey> {
        None
    }

    fn extract<'s>(&'s self, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
        fields::extract(self, field, room)
    }
}
