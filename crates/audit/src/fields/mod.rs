//! The fields of log sources: one table from field to the way its value is read, one file a source.

mod cloudtrail;
mod containers;
mod gcp;
mod generic;
mod github;
mod k8s;
mod okta;

use std::sync::LazyLock;

use vedette_event::{Extracted, FieldArg, FieldId, FieldRef, Value, Values};

use crate::json::{Json, Kind, compact};
use crate::record::Record;
use crate::source::Source;

/// Reads the value of a field with a rule of its own.
type Call = for<'s> fn(&'s Record<'_>, &FieldRef, &'s mut Values) -> Extracted<'s>;

/// How the value of a field is read.
#[derive(Clone, Copy)]
enum Getter {
    /// The value along this path: a string as it is, everything else as compact JSON.
    Any(&'static [&'static str]),
    /// The string along this path; other values do not count.
    Text(&'static [&'static str]),
    /// A field with a rule of its own.
    Call(Call),
}

/// A field and how it is read, in records of one source or of all.
struct Row {
    name: &'static str,
    getter: Getter,
}

const fn any(name: &'static str, path: &'static [&'static str]) -> Row {
    Row {
        name,
        getter: Getter::Any(path),
    }
}

const fn text(name: &'static str, path: &'static [&'static str]) -> Row {
    Row {
        name,
        getter: Getter::Text(path),
    }
}

const fn call(name: &'static str, call: Call) -> Row {
    Row {
        name,
        getter: Getter::Call(call),
    }
}

/// Every table with the source it is for; `None` serves all.
static TABLES: &[(Option<Source>, &[Row])] = &[
    (None, generic::ROWS),
    (Some(Source::K8sAudit), k8s::ROWS),
    (Some(Source::K8sAudit), containers::CONTAINERS),
    (Some(Source::K8sAudit), containers::INIT_CONTAINERS),
    (Some(Source::K8sAudit), containers::EPHEMERAL_CONTAINERS),
    (Some(Source::AwsCloudtrail), cloudtrail::ROWS),
    (Some(Source::GcpAuditlog), gcp::ROWS),
    (Some(Source::Okta), okta::TEXTS),
    (Some(Source::Okta), okta::ROWS),
    (Some(Source::Github), github::TEXTS),
    (Some(Source::Github), github::ROWS),
];

/// The source whose records have a field, or `None` for all, and how it is read.
type Served = (Option<Source>, Getter);

/// The getters by [`FieldId`].
static GETTERS: LazyLock<Vec<Option<Served>>> = LazyLock::new(|| {
    let mut getters = vec![None; vedette_event::all_fields().count()];
    for (source, rows) in TABLES {
        for row in *rows {
            if let Some(id) = FieldId::by_name(row.name) {
                getters[usize::from(id.0)] = Some((*source, row.getter));
            }
        }
    }
    getters
});

/// The value of `field` at `record`.
pub(crate) fn extract<'s>(
    record: &'s Record<'_>,
    field: &FieldRef,
    room: &'s mut Values,
) -> Extracted<'s> {
    let Some(Some((source, getter))) = GETTERS.get(usize::from(field.id.0)) else {
        return Extracted::Missing;
    };
    if source.is_some_and(|source| source != record.source) {
        return Extracted::Missing;
    }
    match getter {
        Getter::Any(path) => match record.json.path(path) {
            Some(json) => any_of(json, room),
            None => Extracted::Missing,
        },
        Getter::Text(path) => text_of(record.json.path(path), room),
        Getter::Call(call) => call(record, field, room),
    }
}

/// A string as it is, every other value as compact JSON.
fn any_of<'s>(json: Json<'s>, room: &'s mut Values) -> Extracted<'s> {
    if json.kind() == Kind::Text {
        return text_of(Some(json), room);
    }
    if json.is_spaced() {
        Extracted::One(room.write_text(|out| compact(json.raw(), out)))
    } else {
        Extracted::One(Value::Text(json.raw()))
    }
}

/// A string; nothing for other values.
fn text_of<'s>(json: Option<Json<'s>>, room: &'s mut Values) -> Extracted<'s> {
    match json.and_then(Json::text) {
        None => Extracted::Missing,
        Some(text) => match text.plain() {
            Some(plain) => Extracted::One(Value::Text(plain)),
            None => Extracted::One(room.write_text(|out| text.write(out))),
        },
    }
}

/// Appends what [`any_of`] gives to a list.
fn push_any(json: Json<'_>, room: &mut Values) {
    match json.text() {
        Some(text) => room.push_written(|out| text.write(out)),
        None => room.push_written(|out| compact(json.raw(), out)),
    }
}

/// A list, or nothing when it is empty: upstream's plugins cannot tell an empty list from none.
fn list(room: &Values) -> Extracted<'_> {
    if room.is_empty() {
        Extracted::Missing
    } else {
        Extracted::Many(room)
    }
}

/// `true` or `false` as text.
fn word(value: bool) -> Extracted<'static> {
    Extracted::One(Value::Text(if value { b"true" } else { b"false" }))
}

/// The number in square brackets.
fn index(field: &FieldRef) -> Option<usize> {
    match field.arg {
        FieldArg::Index(index) => Some(usize::try_from(index).unwrap_or(usize::MAX)),
        FieldArg::None | FieldArg::Key(_) => None,
    }
}

/// The text in square brackets.
fn key(field: &FieldRef) -> &str {
    match &field.arg {
        FieldArg::Key(key) => key,
        FieldArg::None | FieldArg::Index(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_log_classes_is_read_and_every_row_is_a_field() {
        for (_, rows) in TABLES {
            for row in *rows {
                assert!(
                    FieldId::by_name(row.name).is_some(),
                    "{} is in no catalogue",
                    row.name
                );
            }
        }
        let ours = [
            "generic",
            "json",
            "k8s_audit",
            "cloudtrail",
            "gcp_audit",
            "okta",
            "github",
        ];
        for (id, info) in vedette_event::all_fields() {
            let class = vedette_event::class_of(id);
            if ours.contains(&class.name) || class.sources.contains(&"k8s_audit") {
                assert!(
                    GETTERS[usize::from(id.0)].is_some(),
                    "{} of class {} is not read",
                    info.name,
                    class.name
                );
            }
        }
    }
}
