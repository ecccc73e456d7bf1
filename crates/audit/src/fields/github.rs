//! `github.*`: GitHub webhooks, with the members that the receiver adds (`webhook_type`, `files` with the secrets found
//! in a push, `workflow_miner_detections`).

use std::io::Write;

use vedette_event::{Extracted, FieldRef, Value, Values};

use super::{Row, call, text_of, word};
use crate::json::Json;
use crate::record::Record;

/// A text that is empty when the record lacks it, as upstream gives it.
macro_rules! texts {
    ($($name:literal = $path:expr;)*) => {
        &[$(call($name, |r, _, room| text_or_empty(r, &$path, room)),)*]
    };
}

pub(super) static TEXTS: &[Row] = texts! {
    "github.type" = ["webhook_type"];
    "github.action" = ["action"];
    "github.user" = ["sender", "login"];
    "github.repo" = ["repository", "html_url"];
    "github.repo.url" = ["repository", "html_url"];
    "github.repo.name" = ["repository", "name"];
    "github.repo.description" = ["repository", "description"];
    "github.org" = ["organization", "login"];
    "github.owner" = ["repository", "owner", "login"];
    "github.collaborator.name" = ["member", "login"];
    "github.collaborator.role" = ["changes", "permission", "to"];
    "github.webhook.type" = ["hook", "type"];
    "github.workflow.filename" = ["workflow", "path"];
};

pub(super) static ROWS: &[Row] = &[
    call("github.repo.public", |r, _, _| {
        let private = r.json.path(&["repository", "private"]);
        word(private.and_then(Json::as_bool) != Some(true))
    }),
    call("github.webhook.id", |r, _, room| {
        let id = r.json.path(&["hook", "id"]).and_then(Json::as_u64);
        Extracted::One(room.write_text(|out| number(id.unwrap_or_default(), out)))
    }),
    call("github.commit.added", |r, _, room| files(r, "added", room)),
    call("github.commit.modified", |r, _, room| {
        files(r, "modified", room)
    }),
    call("github.commit.removed", |r, _, room| {
        files(r, "removed", room)
    }),
    call("github.diff.has_secrets", |r, _, _| {
        match r.json.get("files").filter(|files| files.is_array()) {
            None => Extracted::One(Value::Text(b"")),
            Some(files) => word(files.items().any(|file| matches(file).next().is_some())),
        }
    }),
    call("github.diff.committed_secrets.desc", |r, _, room| {
        secrets(r, room, |_, secret, out| write(secret.get("desc"), out))
    }),
    call("github.diff.committed_secrets.files", |r, _, room| {
        secrets(r, room, |file, _, out| write(file.get("name"), out))
    }),
    call("github.diff.committed_secrets.lines", |r, _, room| {
        secrets(r, room, |_, secret, out| number(line(secret), out))
    }),
    call("github.diff.committed_secrets.links", |r, _, room| {
        secrets(r, room, |file, secret, out| {
            write(r.json.path(&["repository", "html_url"]), out);
            out.extend_from_slice(b"/blob/");
            write(r.json.path(&["head_commit", "id"]), out);
            out.push(b'/');
            write(file.get("name"), out);
            out.extend_from_slice(b"/#L");
            number(line(secret), out);
        })
    }),
    call("github.workflow.has_miners", |r, _, _| match miners(r) {
        None => Extracted::Missing,
        Some(miners) => word(miners.items().next().is_some()),
    }),
    call("github.workflow.miners.type", miner_types),
];

fn text_or_empty<'s>(record: &'s Record<'_>, keys: &[&str], room: &'s mut Values) -> Extracted<'s> {
    match record.json.path(keys).filter(|json| json.text().is_some()) {
        Some(json) => text_of(Some(json), room),
        None => Extracted::One(Value::Text(b"")),
    }
}

fn write(json: Option<Json<'_>>, out: &mut Vec<u8>) {
    if let Some(text) = json.and_then(Json::text) {
        text.write(out);
    }
}

fn number(value: u64, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("writing to memory cannot fail");
}

fn line(secret: Json<'_>) -> u64 {
    secret
        .get("line")
        .and_then(Json::as_u64)
        .unwrap_or_default()
}

fn matches(file: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    file.get("matches").into_iter().flat_map(Json::items)
}

/// Names of the files that the commits of a push touched in one way, with commas between them.
fn files<'s>(record: &'s Record<'_>, member: &str, room: &'s mut Values) -> Extracted<'s> {
    Extracted::One(room.write_text(|out| {
        let commits = record.json.get("commits");
        let names = commits
            .into_iter()
            .flat_map(Json::items)
            .filter_map(|commit| commit.get(member))
            .flat_map(Json::items);
        for (at, name) in names.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write(Some(name), out);
        }
    }))
}

/// Something about every secret that a push brings, with commas between; nothing when the diff was not looked at.
fn secrets<'s>(
    record: &'s Record<'_>,
    room: &'s mut Values,
    each: impl Fn(Json<'_>, Json<'_>, &mut Vec<u8>),
) -> Extracted<'s> {
    let Some(files) = record.json.get("files").filter(|files| files.is_array()) else {
        return Extracted::Missing;
    };
    Extracted::One(room.write_text(|out| {
        let mut first = true;
        for file in files.items() {
            for secret in matches(file) {
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                each(file, secret, out);
            }
        }
    }))
}

fn miners<'a>(record: &Record<'a>) -> Option<Json<'a>> {
    record
        .json
        .path(&["workflow_miner_detections", "matches"])
        .filter(|miners| miners.is_array())
}

/// Kinds of miners in a workflow, each once, in order of appearance (upstream's order is that of a hash map).
fn miner_types<'s>(record: &'s Record<'_>, _: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    let Some(miners) = miners(record) else {
        return Extracted::Missing;
    };
    Extracted::One(room.write_text(|out| {
        let mut first = true;
        for (at, miner) in miners.items().enumerate() {
            let Some(kind) = miner.get("type").and_then(Json::text) else {
                continue;
            };
            let seen = miners.items().take(at).any(|other| {
                let other = other.get("type").and_then(Json::text);
                other.is_some_and(|other| other.to_owned_string() == kind.to_owned_string())
            });
            if seen {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            kind.write(out);
        }
    }))
}
