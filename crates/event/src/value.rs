//! Values that fields have at an event.

use std::net::IpAddr;

/// One value, borrowed where it can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Unsigned integers, flags, ids, ports, times.
    U64(u64),
    /// Signed integers.
    I64(i64),
    /// Booleans.
    Bool(bool),
    /// Ratios.
    F64(f64),
    /// Text, not necessarily UTF-8, without a closing NUL.
    Text(&'a [u8]),
    /// Bytes of any kind.
    Bytes(&'a [u8]),
    /// Addresses.
    Ip(IpAddr),
}

/// What extracting a field gave.
#[derive(Clone, Copy, Debug)]
pub enum Extracted<'a> {
    /// The field has no value at this event: every comparison with it is false.
    Missing,
    /// A single value.
    One(Value<'a>),
    /// A list (possibly empty), or the two sides of `fd.ip`, `fd.port`, `fd.net`.
    Many(&'a Values),
}

/// A reusable list of values; its buffers keep their room between events, so filling it again does not allocate.
#[derive(Clone, Debug, Default)]
pub struct Values {
    items: Vec<Item>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Item {
    U64(u64),
    I64(i64),
    Bool(bool),
    F64(f64),
    Ip(IpAddr),
    Text(u32, u32),
    Bytes(u32, u32),
}

impl Values {
    /// Forgets every value, keeps the room.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Appends a copy of `value`.
    pub fn push(&mut self, value: Value<'_>) {
        let item = match value {
            Value::U64(v) => Item::U64(v),
            Value::I64(v) => Item::I64(v),
            Value::Bool(v) => Item::Bool(v),
            Value::F64(v) => Item::F64(v),
            Value::Ip(v) => Item::Ip(v),
            Value::Text(v) => {
                let (from, to) = self.store(v);
                Item::Text(from, to)
            }
            Value::Bytes(v) => {
                let (from, to) = self.store(v);
                Item::Bytes(from, to)
            }
        };
        self.items.push(item);
    }

    /// Appends one text that is written piece by piece, so that a list of texts that must be put together needs no
    /// other buffer.
    pub fn push_written(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.bytes.len() as u32;
        write(&mut self.bytes);
        self.items.push(Item::Text(from, self.bytes.len() as u32));
    }

    fn store(&mut self, bytes: &[u8]) -> (u32, u32) {
        let from = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        (from, self.bytes.len() as u32)
    }

    /// Value `index`.
    pub fn get(&self, index: usize) -> Option<Value<'_>> {
        Some(match *self.items.get(index)? {
            Item::U64(v) => Value::U64(v),
            Item::I64(v) => Value::I64(v),
            Item::Bool(v) => Value::Bool(v),
            Item::F64(v) => Value::F64(v),
            Item::Ip(v) => Value::Ip(v),
            Item::Text(from, to) => Value::Text(&self.bytes[from as usize..to as usize]),
            Item::Bytes(from, to) => Value::Bytes(&self.bytes[from as usize..to as usize]),
        })
    }

    /// Every value in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'_>> {
        (0..self.len()).filter_map(|i| self.get(i))
    }

    /// Writes text piece by piece: clears the list, hands out the byte buffer, and makes what was written the single
    /// text value. For fields that are put together, such as `proc.cmdline`.
    pub fn write_text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Value<'_> {
        self.clear();
        write(&mut self.bytes);
        self.items.push(Item::Text(0, self.bytes.len() as u32));
        Value::Text(&self.bytes)
    }
}
