//! Transformers: `tolower`, `toupper`, `basename`, `b64`, `len`, `join`, `concat`, `getopt`.
//!
//! A transformer whose argument has no value has no value itself, and neither has one whose input it cannot read (text
//! that is not base 64), so every comparison with it is false.

use vedette_event::{Extract, Extracted, Value, Values};

use crate::ops::{cut, trim};
use crate::typed::{Arg, Call, Operand, Transformer};

/// Buffers for values on their way through transformers; kept between events so that nothing is allocated anew.
#[derive(Debug, Default)]
pub struct Scratch {
    rooms: Vec<Values>,
    texts: Vec<Vec<u8>>,
}

impl Scratch {
    /// An empty room; give it back with [`Scratch::give`].
    pub fn take(&mut self) -> Values {
        self.rooms.pop().unwrap_or_default()
    }

    /// Takes a room back for reuse.
    pub fn give(&mut self, mut room: Values) {
        room.clear();
        self.rooms.push(room);
    }
}

/// The value of `operand` at `event`; `room` holds what had to be put together.
pub fn extract<'s, E: Extract + ?Sized>(
    operand: &Operand,
    event: &'s E,
    room: &'s mut Values,
    scratch: &mut Scratch,
) -> Extracted<'s> {
    match operand {
        Operand::Field(field) => event.extract(field, room),
        Operand::Call(call) => {
            let mut input = scratch.take();
            let mut text = scratch.texts.pop().unwrap_or_default();
            room.clear();
            let done = apply(call, event, &mut input, &mut text, room, scratch).is_some();
            scratch.texts.push(text);
            scratch.give(input);
            match room.get(0) {
                _ if !done => Extracted::Missing,
                _ if call.list => Extracted::Many(room),
                Some(_) if room.len() > 1 => Extracted::Many(room),
                Some(value) => Extracted::One(value),
                None => Extracted::Missing,
            }
        }
    }
}

/// Evaluates a call into `out`; `None` when it has no value.
fn apply<E: Extract + ?Sized>(
    call: &Call,
    event: &E,
    input: &mut Values,
    text: &mut Vec<u8>,
    out: &mut Values,
    scratch: &mut Scratch,
) -> Option<()> {
    match call.transformer {
        Transformer::ToLower => each(call, event, input, text, out, scratch, |bytes, out| {
            out.extend(bytes.iter().map(u8::to_ascii_lowercase));
            Some(())
        }),
        Transformer::ToUpper => each(call, event, input, text, out, scratch, |bytes, out| {
            out.extend(bytes.iter().map(u8::to_ascii_uppercase));
            Some(())
        }),
        Transformer::Basename => each(call, event, input, text, out, scratch, |bytes, out| {
            let start = memchr::memrchr(b'/', bytes).map_or(0, |slash| slash + 1);
            out.extend_from_slice(&bytes[start..]);
            Some(())
        }),
        Transformer::B64 => each(call, event, input, text, out, scratch, base64),
        Transformer::Len => {
            let length = match argument(call.args.first()?, event, input, scratch) {
                Extracted::Missing => return None,
                Extracted::Many(values) => values.len(),
                Extracted::One(_) if is_list(call.args.first()?) => 1,
                Extracted::One(Value::Text(text)) => cut(text).len(),
                Extracted::One(Value::Bytes(bytes)) => bytes.len(),
                Extracted::One(_) => return None,
            };
            out.push(Value::U64(length as u64));
            Some(())
        }
        Transformer::Concat => {
            text.clear();
            for arg in &call.args {
                match argument(arg, event, input, scratch) {
                    Extracted::One(value) => text.extend_from_slice(cut(bytes_of(value)?)),
                    Extracted::Many(values) => {
                        text.extend_from_slice(cut(bytes_of(values.get(0)?)?));
                    }
                    Extracted::Missing => return None,
                }
            }
            out.push(Value::Text(text));
            Some(())
        }
        Transformer::Join => {
            text.clear();
            let mut between = scratch.take();
            let separator = argument(call.args.first()?, event, &mut between, scratch);
            let separator = match separator {
                Extracted::One(value) => bytes_of(value).map(trim),
                _ => None,
            };
            let joined = separator.and_then(|separator| {
                match argument(call.args.get(1)?, event, input, scratch) {
                    Extracted::Missing => return None,
                    Extracted::One(value) => text.extend_from_slice(cut(bytes_of(value)?)),
                    Extracted::Many(values) => {
                        for (index, value) in values.iter().enumerate() {
                            if index > 0 {
                                text.extend_from_slice(separator);
                            }
                            text.extend_from_slice(cut(bytes_of(value)?));
                        }
                    }
                }
                Some(())
            });
            scratch.give(between);
            joined?;
            out.push(Value::Text(text));
            Some(())
        }
        Transformer::GetOpt => {
            let mut room = scratch.take();
            let options = match argument(call.args.get(1)?, event, &mut room, scratch) {
                Extracted::One(value) => bytes_of(value).map(|value| Options::new(trim(value))),
                _ => None,
            };
            scratch.give(room);
            let options = options?;
            match argument(call.args.first()?, event, input, scratch) {
                Extracted::Missing => None,
                Extracted::One(value) => {
                    let mut room = scratch.take();
                    room.push(value);
                    let done = options.scan(&room, call.key.as_deref(), out);
                    scratch.give(room);
                    done
                }
                Extracted::Many(values) => options.scan(values, call.key.as_deref(), out),
            }
        }
    }
}

/// Puts every value of the only argument through `change`, which appends its result to the buffer.
fn each<E: Extract + ?Sized>(
    call: &Call,
    event: &E,
    input: &mut Values,
    text: &mut Vec<u8>,
    out: &mut Values,
    scratch: &mut Scratch,
    change: impl Fn(&[u8], &mut Vec<u8>) -> Option<()>,
) -> Option<()> {
    let mut one = |value: Value<'_>| {
        text.clear();
        change(trim(bytes_of(value)?), text)?;
        out.push(match value {
            Value::Bytes(_) => Value::Bytes(text),
            _ => Value::Text(text),
        });
        Some(())
    };
    match argument(call.args.first()?, event, input, scratch) {
        Extracted::Missing => None,
        Extracted::One(value) => one(value),
        Extracted::Many(values) => values.iter().try_for_each(one),
    }
}

/// The value of an argument. A list in parentheses has a value when each of its parts has.
fn argument<'s, E: Extract + ?Sized>(
    arg: &Arg,
    event: &'s E,
    room: &'s mut Values,
    scratch: &mut Scratch,
) -> Extracted<'s> {
    match arg {
        Arg::Operand(operand) => extract(operand, event, room, scratch),
        Arg::Text(text) => {
            room.clear();
            room.push(Value::Text(text.as_bytes()));
            room.get(0).map_or(Extracted::Missing, Extracted::One)
        }
        Arg::List(parts) => {
            room.clear();
            let mut part_room = scratch.take();
            let complete = parts.iter().all(|part| {
                match argument(part, event, &mut part_room, scratch) {
                    Extracted::Missing => return false,
                    Extracted::One(value) => room.push(value),
                    Extracted::Many(values) => values.iter().for_each(|value| room.push(value)),
                }
                true
            });
            scratch.give(part_room);
            if complete {
                Extracted::Many(room)
            } else {
                Extracted::Missing
            }
        }
    }
}

fn is_list(arg: &Arg) -> bool {
    match arg {
        Arg::Operand(operand) => operand.ty().1,
        Arg::Text(_) => false,
        Arg::List(_) => true,
    }
}

fn bytes_of(value: Value<'_>) -> Option<&[u8]> {
    match value {
        Value::Text(bytes) | Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// Decodes base 64 with the standard alphabet; up to two closing `=` are optional, stray bits in the last character are
/// refused.
fn base64(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if text.is_empty() {
        return Some(());
    }
    let text = text
        .strip_suffix(b"=")
        .map_or(text, |rest| rest.strip_suffix(b"=").unwrap_or(rest));
    // One character left over carries six bits, which is no whole byte.
    if text.is_empty() || text.len() % 4 == 1 {
        return None;
    }
    let mut bits: u32 = 0;
    let mut held = 0;
    for c in text {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    (bits == 0).then_some(())
}

/// An option string as `getopt(3)` reads it.
struct Options {
    /// Indexed by option character.
    known: [bool; 256],
    takes_value: [bool; 256],
}

impl Options {
    fn new(text: &[u8]) -> Self {
        let mut options = Self {
            known: [false; 256],
            takes_value: [false; 256],
        };
        for (index, c) in text.iter().enumerate().filter(|(_, c)| **c != b':') {
            options.known[usize::from(*c)] = true;
            options.takes_value[usize::from(*c)] |= text.get(index + 1) == Some(&b':');
        }
        options
    }

    /// Writes options and values in order, `?` for unknown ones, or with `key` the last value (or name) of that option.
    /// Long options are skipped; `--` and the first operand end the scan.
    fn scan(&self, args: &Values, key: Option<&str>, out: &mut Values) -> Option<()> {
        let key = key.and_then(|key| key.bytes().next());
        let mut emit = |name: &[u8], value: Option<&[u8]>, option: u8| match key {
            None => {
                out.push(Value::Text(name));
                if let Some(value) = value {
                    out.push(Value::Text(value));
                }
            }
            Some(key) if key == option => {
                out.clear();
                out.push(Value::Text(value.unwrap_or(name)));
            }
            Some(_) => {}
        };
        let mut index = 0;
        while let Some(arg) = args.get(index).and_then(bytes_of).map(trim) {
            index += 1;
            if arg == b"--" || arg.len() < 2 || arg[0] != b'-' {
                break;
            }
            if arg[1] == b'-' {
                continue;
            }
            for at in 1..arg.len() {
                let option = arg[at];
                if !self.known[usize::from(option)] {
                    if key.is_none() {
                        emit(b"?", None, option);
                    }
                    continue;
                }
                if !self.takes_value[usize::from(option)] {
                    emit(&arg[at..=at], None, option);
                    continue;
                }
                if at + 1 < arg.len() {
                    emit(&arg[at..=at], Some(&arg[at + 1..]), option);
                } else if let Some(value) = args.get(index).and_then(bytes_of) {
                    index += 1;
                    emit(&arg[at..=at], Some(trim(value)), option);
                } else {
                    // A missing value shows as an empty text.
                    emit(b"", None, option);
                }
                break;
            }
        }
        (key.is_none() || !out.is_empty()).then_some(())
    }
}

#[cfg(test)]
mod tests;
