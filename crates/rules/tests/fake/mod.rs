//! A made-up event source: processes with versions and events with chosen values, for tests and benchmarks.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod world;

use std::net::IpAddr;

use vedette_event::{EventType, Extract, Extracted, FieldRef, StateKey, Value, Values};

/// A value that owns what it holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Own {
    U64(u64),
    I64(i64),
    Bool(bool),
    F64(f64),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Ip(IpAddr),
}

impl Own {
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::U64(v) => Value::U64(*v),
            Self::I64(v) => Value::I64(*v),
            Self::Bool(v) => Value::Bool(*v),
            Self::F64(v) => Value::F64(*v),
            Self::Text(v) => Value::Text(v),
            Self::Bytes(v) => Value::Bytes(v),
            Self::Ip(v) => Value::Ip(*v),
        }
    }
}

/// What a field has at an event.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    One(Own),
    Many(Vec<Own>),
}

/// Values of some fields; the others have none.
pub(crate) type Facts = Vec<(FieldRef, Given)>;

/// A process at a version.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) key: StateKey,
    pub(crate) facts: Facts,
}

/// An event of a process.
#[derive(Clone, Debug)]
pub(crate) struct Event<'p> {
    pub(crate) kind: EventType,
    pub(crate) num: u64,
    pub(crate) process: &'p Process,
    /// Whether the source says which process state this is.
    pub(crate) keyed: bool,
    pub(crate) facts: Facts,
    /// What `evt.type` says.
    pub(crate) type_name: &'static str,
    type_field: FieldRef,
    num_field: FieldRef,
}

impl<'p> Event<'p> {
    /// An event of a process whose state is known.
    pub(crate) fn new(kind: EventType, num: u64, process: &'p Process, facts: Facts) -> Self {
        let generic = kind
            .info()
            .is_some_and(|info| info.symbol.starts_with("GENERIC"));
        Self {
            kind,
            num,
            process,
            keyed: true,
            facts,
            // System calls without a type of their own go by the name of the call.
            type_name: match generic {
                true if num.is_multiple_of(2) => "openat",
                true => "uname",
                false => kind.name(),
            },
            type_field: field("evt.type"),
            num_field: field("evt.num"),
        }
    }

    fn given(&self, field: &FieldRef) -> Option<&Given> {
        let same = |(known, _): &&(FieldRef, Given)| known.id == field.id && known.arg == field.arg;
        let found = self.facts.iter().find(same);
        found
            .or_else(|| self.process.facts.iter().find(same))
            .map(|(_, given)| given)
    }
}

impl Extract for Event<'_> {
    fn kind(&self) -> EventType {
        self.kind
    }

    fn num(&self) -> u64 {
        self.num
    }

    fn ts(&self) -> u64 {
        self.num * 1000
    }

    fn state_key(&self) -> Option<StateKey> {
        self.keyed.then_some(self.process.key)
    }

    fn extract<'s>(&'s self, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
        if field.id == self.type_field.id {
            return Extracted::One(Value::Text(self.type_name.as_bytes()));
        }
        if field.id == self.num_field.id {
            return Extracted::One(Value::U64(self.num));
        }
        match self.given(field) {
            None => Extracted::Missing,
            Some(Given::One(own)) => Extracted::One(own.value()),
            Some(Given::Many(list)) => {
                room.clear();
                for own in list {
                    room.push(own.value());
                }
                Extracted::Many(room)
            }
        }
    }
}

pub(crate) fn field(text: &str) -> FieldRef {
    FieldRef::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A small generator of numbers, the same on every machine (xorshift64*).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        ((self.roll() >> 33) as usize) % limit
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
