//! One event in its context, ready to be asked for fields.

use vedette_event::{
    EventType, Extract, Extracted, FieldRef, RawEvent, StateKey, Value, Values, Via,
};

use crate::fields::{Field, Vedette, field};
use crate::state::State;

/// An event and what the state says about it. Good until the next [`State::apply`].
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) state: &'a State,
    pub(crate) event: RawEvent<'a>,
    /// The thread behind it.
    pub(crate) thread: Option<u32>,
}

impl State {
    /// The event that was taken in last, in its context.
    pub fn view<'a>(&'a self, event: &RawEvent<'a>) -> View<'a> {
        View {
            state: self,
            event: *event,
            thread: self.thread_of(event),
        }
    }
}

/// A text that is put together.
pub(crate) fn written(room: &mut Values, write: impl FnOnce(&mut Vec<u8>)) -> Extracted<'_> {
    Extracted::One(room.write_text(write))
}

/// A text that is there already.
pub(crate) fn text(text: &[u8]) -> Extracted<'_> {
    Extracted::One(Value::Text(text))
}

/// A text, or nothing.
pub(crate) fn maybe_text(found: Option<&[u8]>) -> Extracted<'_> {
    found.map_or(Extracted::Missing, text)
}

pub(crate) fn unsigned<'s>(value: u64) -> Extracted<'s> {
    Extracted::One(Value::U64(value))
}

pub(crate) fn signed<'s>(value: i64) -> Extracted<'s> {
    Extracted::One(Value::I64(value))
}

pub(crate) fn boolean<'s>(value: bool) -> Extracted<'s> {
    Extracted::One(Value::Bool(value))
}

impl Extract for View<'_> {
    fn kind(&self) -> EventType {
        self.event.kind
    }

    fn num(&self) -> u64 {
        self.event.num
    }

    fn ts(&self) -> u64 {
        self.event.ts
    }

    fn state_key(&self) -> Option<StateKey> {
        // An event about a container speaks of that container, whatever its thread.
        if self.state.context.container.is_some() {
            return None;
        }
        self.thread.map(|slot| StateKey {
            slot,
            version: self.state.threads.version(slot),
        })
    }

    fn extract<'s>(&'s self, request: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
        match field(request.id) {
            Some(Field::Generic(which)) => self.generic(which, room),
            Some(Field::Event(which)) => self.event_field(which, &request.arg, room),
            Some(Field::Process(which)) => self.process(which, &request.arg, room),
            Some(Field::Account(which)) => self.account(which),
            Some(Field::Descriptor(which)) => self.descriptor(which, &request.arg, room),
            Some(Field::DescriptorList(which)) => self.descriptor_list(which, room),
            Some(Field::FilePath(which)) => self.file_path(which, room),
            Some(Field::Vedette(Vedette::IoUring)) => boolean(self.event.via == Via::IoUring),
            Some(Field::Container(which)) => self.container(which, &request.arg, room),
            None => Extracted::Missing,
        }
    }
}
