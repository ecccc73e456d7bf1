//! Formats filled in: as text, and as the `output_fields` object of an alert.

use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};

use serde_json::{Map, Value as Json};
use vedette_event::{Extract, Extracted, FieldRef, Value, Values};

use super::{Format, Part};
use crate::transform::{self, Scratch};
use crate::typed;

/// What stands for a missing value.
const NOT_AVAILABLE: &str = "<NA>";

/// Longest text of a list or of bytes, as Falco's buffer allows it.
const LONGEST: usize = 1023;

/// Fills in formats; keeps its buffers between alerts.
#[derive(Debug, Default)]
pub struct Renderer {
    room: Values,
    scratch: Scratch,
}

impl Renderer {
    /// The format as text. Bytes that are not UTF-8 become U+FFFD; control characters stay (see [`control_escaped`]).
    pub fn text<E: Extract + ?Sized>(&mut self, format: &Format, event: &E) -> String {
        let mut out = Vec::new();
        for part in &format.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Value { operand, width } => {
                    let start = out.len();
                    match transform::extract(operand, event, &mut self.room, &mut self.scratch) {
                        Extracted::Missing => out.extend_from_slice(NOT_AVAILABLE.as_bytes()),
                        _ if filter_only(operand) => {
                            out.extend_from_slice(NOT_AVAILABLE.as_bytes());
                        }
                        Extracted::One(Value::U64(device)) if matches!(operand, typed::Operand::Field(field) if is_hex(field)) =>
                        {
                            out.extend_from_slice(format!("{device:X}").as_bytes());
                        }
                        Extracted::One(value) if operand.ty().1 => {
                            out.push(b'(');
                            write_value(&mut out, value);
                            out.push(b')');
                            out.truncate(start + LONGEST);
                        }
                        Extracted::One(value) => write_value(&mut out, value),
                        Extracted::Many(values) => write_list(&mut out, values),
                    }
                    if *width > 0 {
                        out.resize(start + width, b' ');
                    }
                }
            }
        }
        match String::from_utf8(out) {
            Ok(text) => text,
            Err(bad) => String::from_utf8_lossy(bad.as_bytes()).into_owned(),
        }
    }

    /// The format's fields with their values: numbers as numbers, missing ones null, lists as arrays; those inside
    /// transformers are among them, the results of transformers are not.
    pub fn fields<E: Extract + ?Sized>(&mut self, format: &Format, event: &E) -> Map<String, Json> {
        format
            .fields
            .iter()
            .map(|field| (field.text.to_string(), self.field(field, event)))
            .collect()
    }

    /// One field's value as JSON.
    pub fn field<E: Extract + ?Sized>(&mut self, field: &FieldRef, event: &E) -> Json {
        // The time in all its notations is given as nanoseconds.
        if matches!(
            field.info().name,
            "evt.time" | "evt.time.s" | "evt.time.iso8601" | "evt.datetime" | "evt.datetime.s"
        ) {
            return Json::from(event.ts());
        }
        let flags = field.info().flags;
        let list = flags.has(vedette_event::FieldFlags::LIST);
        match event.extract(field, &mut self.room) {
            Extracted::Missing => Json::Null,
            // Fields that are for conditions alone have no value to print.
            _ if flags.has(vedette_event::FieldFlags::FILTER_ONLY) => Json::Null,
            Extracted::One(Value::U64(device)) if is_hex(field) => {
                Json::from(format!("{device:X}"))
            }
            Extracted::One(Value::I64(device)) if is_hex(field) => {
                Json::from(format!("{device:X}"))
            }
            Extracted::One(value) if list => Json::Array(vec![json(value)]),
            Extracted::One(value) => json(value),
            // An empty list has no elements to make an array of.
            Extracted::Many(values) if values.is_empty() => Json::Null,
            Extracted::Many(values) => Json::Array(values.iter().map(json).collect()),
        }
    }
}

/// Device numbers are the one kind of number that Falco prints in hexadecimal.
fn is_hex(field: &FieldRef) -> bool {
    field.info().name == "fd.dev"
}

/// Whether an operand is a field that has no value outside conditions.
fn filter_only(operand: &typed::Operand) -> bool {
    matches!(operand, typed::Operand::Field(field) if field.info().flags.has(vedette_event::FieldFlags::FILTER_ONLY))
}

fn write_list(out: &mut Vec<u8>, values: &Values) {
    let start = out.len();
    out.push(b'(');
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_value(out, value);
        if out.len() > start + LONGEST {
            break;
        }
    }
    out.push(b')');
    out.truncate(start + LONGEST);
}

fn write_value(out: &mut Vec<u8>, value: Value<'_>) {
    let mut text = String::new();
    let _ = match value {
        Value::U64(number) => write!(text, "{number}"),
        Value::I64(number) => write!(text, "{number}"),
        Value::Bool(truth) => write!(text, "{truth}"),
        Value::F64(number) => write!(text, "{number:.1}"),
        Value::Ip(address) => {
            text = address_text(address);
            Ok(())
        }
        Value::Text(bytes) => {
            out.extend_from_slice(bytes);
            return;
        }
        Value::Bytes(bytes) => {
            printable(out, bytes);
            return;
        }
    };
    out.extend_from_slice(text.as_bytes());
}

/// Bytes of any kind: what can be printed as it is, quotes and backslashes behind a backslash, the rest as points.
fn printable(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    for &byte in bytes {
        if out.len() >= start + LONGEST - 1 {
            break;
        }
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x20..=0x7e => out.push(byte),
            _ => out.push(b'.'),
        }
    }
}

fn json(value: Value<'_>) -> Json {
    match value {
        Value::U64(number) => Json::from(number),
        Value::I64(number) => Json::from(number),
        Value::Bool(truth) => Json::from(truth),
        Value::F64(number) => Json::from(number),
        Value::Ip(address) => Json::from(address_text(address)),
        Value::Text(bytes) => Json::from(String::from_utf8_lossy(bytes)),
        Value::Bytes(bytes) => {
            let mut out = Vec::new();
            printable(&mut out, bytes);
            Json::from(String::from_utf8_lossy(&out))
        }
    }
}

/// An address as C libraries write it: like Rust, except that `::a.b.c.d` keeps its points.
fn address_text(address: IpAddr) -> String {
    if let IpAddr::V6(v6) = address {
        let segments = v6.segments();
        if segments[..6] == [0; 6] && segments[6] != 0 {
            let [.., a, b, c, d] = Ipv6Addr::octets(&v6);
            return format!("::{a}.{b}.{c}.{d}");
        }
    }
    address.to_string()
}

/// The text for a terminal or a log file: control characters written as JSON writes them.
pub fn control_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}
