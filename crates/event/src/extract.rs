//! The one interface between what an event source knows and what the rules ask.

use crate::field::FieldRef;
use crate::types::EventType;
use crate::value::{Extracted, Values};

/// Names the state of the process behind an event: as long as both numbers stay the same, every field of scope
/// [`crate::Scope::Process`] keeps its value, so conditions over such fields need not be evaluated again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateKey {
    /// Small dense number of the process-table slot; reused after the process is gone.
    pub slot: u32,
    /// Counts up whenever anything that a process-scope field can see changes. Never repeats for a slot.
    pub version: u64,
}

/// An event in its context, ready to be asked for fields.
pub trait Extract {
    /// Type of the event, which selects the rules that can match. Log sources answer with the type of plugin events.
    fn kind(&self) -> EventType;

    /// Number of the event in its stream, from 1.
    fn num(&self) -> u64;

    /// Time of the event in nanoseconds since the Unix epoch.
    fn ts(&self) -> u64;

    /// See [`StateKey`]; `None` when nothing may be remembered between events.
    fn state_key(&self) -> Option<StateKey>;

    /// The value of `field` at this event. `room` is where values that must be put together are written; it is cleared
    /// by the call when it is used. Must not allocate once `room` has grown.
    fn extract<'s>(&'s self, field: &FieldRef, room: &'s mut Values) -> Extracted<'s>;
}
