//! Fields that every log source has: `evt.*` and `json.*`.

use std::io::Write;

use vedette_event::{Extracted, FieldRef, Value, Values};

use super::{Row, any_of, call, cloudtrail, key, word};
use crate::json::{Json, compact, indent};
use crate::record::Record;
use crate::source::Source;
use crate::time::{SECOND, utc};

pub(super) static ROWS: &[Row] = &[
    call("evt.num", |r, _, _| u64(r.num)),
    call("evt.time", |r, _, room| clock(r.local(), true, room)),
    call("evt.time.s", |r, _, room| clock(r.local(), false, room)),
    call("evt.time.iso8601", |r, _, room| {
        let c = utc(r.ts);
        written(room, |out| {
            write!(
                out,
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}+0000",
                c.year(),
                c.month(),
                c.day(),
                c.hour(),
                c.minute(),
                c.second(),
                c.subsec_nanosecond()
            )
        })
    }),
    call("evt.datetime", |r, _, room| {
        date_clock(r.local(), true, room)
    }),
    call("evt.datetime.s", |r, _, room| {
        date_clock(r.local(), false, room)
    }),
    call("evt.rawtime", |r, _, _| u64(r.ts)),
    call("evt.rawtime.s", |r, _, _| u64(r.ts / SECOND)),
    call("evt.rawtime.ns", |r, _, _| u64(r.ts % SECOND)),
    call("evt.reltime", |r, _, _| u64(since_first(r))),
    call("evt.reltime.s", |r, _, _| u64(since_first(r) / SECOND)),
    call("evt.reltime.ns", |r, _, _| u64(since_first(r) % SECOND)),
    call("evt.pluginname", |r, _, _| {
        Extracted::One(Value::Text(r.source.plugin().as_bytes()))
    }),
    call("evt.plugininfo", info),
    call("evt.source", |r, _, _| {
        Extracted::One(Value::Text(r.source.name().as_bytes()))
    }),
    call("evt.is_async", |_, _, _| Extracted::One(Value::Bool(false))),
    call("evt.asynctype", |_, _, _| Extracted::Missing),
    call("evt.hostname", |r, _, _| {
        Extracted::One(Value::Text(r.hostname.as_bytes()))
    }),
    call("json.value", value),
    call("json.obj", whole),
    call("json.rawtime", raw_time),
    call("jevt.value", value),
    call("jevt.obj", whole),
    call("jevt.rawtime", raw_time),
];

fn u64(value: u64) -> Extracted<'static> {
    Extracted::One(Value::U64(value))
}

fn since_first(record: &Record<'_>) -> u64 {
    record.ts.saturating_sub(record.first_ts)
}

fn written(
    room: &mut Values,
    write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>,
) -> Extracted<'_> {
    Extracted::One(room.write_text(|out| write(out).expect("writing to memory cannot fail")))
}

/// Time of day.
fn clock(ts: u64, nanos: bool, room: &mut Values) -> Extracted<'_> {
    let c = utc(ts);
    written(room, |out| {
        write!(out, "{:02}:{:02}:{:02}", c.hour(), c.minute(), c.second())?;
        if nanos {
            write!(out, ".{:09}", c.subsec_nanosecond())?;
        }
        Ok(())
    })
}

fn date_clock(ts: u64, nanos: bool, room: &mut Values) -> Extracted<'_> {
    let c = utc(ts);
    written(room, |out| {
        write!(
            out,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            c.year(),
            c.month(),
            c.day(),
            c.hour(),
            c.minute(),
            c.second()
        )?;
        if nanos {
            write!(out, ".{:09}", c.subsec_nanosecond())?;
        }
        Ok(())
    })
}

/// The record in one line: a summary for CloudTrail, else the record itself, as the upstream plugins print it.
fn info<'s>(record: &'s Record<'_>, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    if record.source == Source::AwsCloudtrail {
        return cloudtrail::summary(record, field, room);
    }
    if record.json.is_spaced() {
        Extracted::One(room.write_text(|out| compact(record.json.raw(), out)))
    } else {
        Extracted::One(Value::Text(record.json.raw()))
    }
}

/// The value at a JSON pointer (RFC 6901); the leading slash may be left out.
fn value<'s>(record: &'s Record<'_>, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    let pointer = key(field);
    let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
    match pointer.split('/').try_fold(record.json, Json::step) {
        Some(json) => any_of(json, room),
        None => Extracted::Missing,
    }
}

fn whole<'s>(record: &'s Record<'_>, _: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    Extracted::One(room.write_text(|out| indent(record.json.raw(), out)))
}

fn raw_time<'s>(record: &'s Record<'_>, _: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    written(room, |out| write!(out, "{}", record.ts))
}

/// A truth value as text, where it is a boolean.
pub(super) fn bool_word(record: &Record<'_>, key: &str) -> Extracted<'static> {
    match record.json.get(key).and_then(Json::as_bool) {
        Some(value) => word(value),
        None => Extracted::Missing,
    }
}
