//! `ka.req.pod.containers.*` and its two siblings: the same fields over each of a pod's container lists.

use vedette_event::{Extracted, FieldRef, Value, Values};

use super::k8s::{spread, walk, write_repository};
use super::{Row, call, index, list, push_any};
use crate::json::Json;
use crate::record::Record;

/// The rows of one container list.
macro_rules! rows {
    ($list:literal $(, $more:ident)?) => {
        &[
            call(concat!("ka.req.pod.", $list, ".args"), |r, f, room| words(r, f, $list, "args", room)),
            call(concat!("ka.req.pod.", $list, ".command"), |r, f, room| words(r, f, $list, "command", room)),
            call(concat!("ka.req.pod.", $list, ".name"), |r, f, room| all_or_none(r, f, $list, "name", false, room)),
            call(concat!("ka.req.pod.", $list, ".image"), |r, f, room| all_or_none(r, f, $list, "image", false, room)),
            call(concat!("ka.req.pod.", $list, ".image.repository"), |r, f, room| {
                all_or_none(r, f, $list, "image", true, room)
            }),
            call(concat!("ka.req.pod.", $list, ".privileged"), |r, f, room| {
                security(r, f, $list, &["privileged"], room)
            }),
            call(concat!("ka.req.pod.", $list, ".allow_privilege_escalation"), |r, f, room| {
                security(r, f, $list, &["allowPrivilegeEscalation"], room)
            }),
            call(concat!("ka.req.pod.", $list, ".read_only_fs"), |r, f, room| {
                security(r, f, $list, &["readOnlyRootFilesystem"], room)
            }),
            call(concat!("ka.req.pod.", $list, ".run_as_user"), |r, f, room| {
                security(r, f, $list, &["runAsUser"], room)
            }),
            call(concat!("ka.req.pod.", $list, ".eff_run_as_user"), |r, f, room| {
                effective(r, f, $list, "runAsUser", room)
            }),
            call(concat!("ka.req.pod.", $list, ".run_as_group"), |r, f, room| {
                security(r, f, $list, &["runAsGroup"], room)
            }),
            call(concat!("ka.req.pod.", $list, ".eff_run_as_group"), |r, f, room| {
                effective(r, f, $list, "runAsGroup", room)
            }),
            call(concat!("ka.req.pod.", $list, ".proc_mount"), |r, f, room| {
                security(r, f, $list, &["procMount"], room)
            }),
            call(concat!("ka.req.pod.", $list, ".add_capabilities"), |r, f, room| {
                security(r, f, $list, &["capabilities", "add"], room)
            }),
            $(call(concat!("ka.req.pod.", $list, ".host_port"), |r, f, room| $more(r, f, $list, room)),)?
        ]
    };
}

pub(super) static CONTAINERS: &[Row] = rows!("containers", host_ports);
pub(super) static INIT_CONTAINERS: &[Row] = rows!("initContainers", host_ports);
pub(super) static EPHEMERAL_CONTAINERS: &[Row] = rows!("ephemeralContainers");

/// A member of the security context of every container of a list.
fn security<'s>(
    record: &Record<'_>,
    field: &FieldRef,
    containers: &str,
    member: &[&str],
    room: &'s mut Values,
) -> Extracted<'s> {
    let mut keys = [
        "requestObject",
        "spec",
        containers,
        "securityContext",
        "",
        "",
    ];
    keys[4..4 + member.len()].copy_from_slice(member);
    spread(record, index(field), &keys[..4 + member.len()], room)
}

/// A member of every container, or nothing when one container lacks it.
fn all_or_none<'s>(
    record: &Record<'_>,
    field: &FieldRef,
    containers: &str,
    member: &str,
    repository: bool,
    room: &'s mut Values,
) -> Extracted<'s> {
    room.clear();
    let mut lacking = false;
    walk(
        record.json,
        index(field),
        &["requestObject", "spec", containers, member],
        &mut |value| match value {
            None => lacking = true,
            Some(value) if repository => room.push_written(|out| write_repository(value, out)),
            Some(value) => push_any(value, room),
        },
    );
    if lacking {
        room.clear();
    }
    list(room)
}

/// `command` or `args` of every container that has it, its words joined by blanks.
fn words<'s>(
    record: &Record<'_>,
    field: &FieldRef,
    containers: &str,
    member: &str,
    room: &'s mut Values,
) -> Extracted<'s> {
    room.clear();
    let mut sound = true;
    walk(
        record.json,
        index(field),
        &["requestObject", "spec", containers, member],
        &mut |value| {
            let Some(value) = value else { return };
            sound &= value.is_array() && value.items().all(|word| word.text().is_some());
            if !sound {
                return;
            }
            room.push_written(|out| {
                for (at, word) in value.items().filter_map(Json::text).enumerate() {
                    if at > 0 {
                        out.push(b' ');
                    }
                    word.write(out);
                }
            });
        },
    );
    if !sound {
        room.clear();
    }
    list(room)
}

/// Host ports of every container; the container port where there is no host port, for it is one with `hostNetwork`.
fn host_ports<'s>(
    record: &Record<'_>,
    field: &FieldRef,
    containers: &str,
    room: &'s mut Values,
) -> Extracted<'s> {
    room.clear();
    walk(
        record.json,
        index(field),
        &["requestObject", "spec", containers, "ports"],
        &mut |ports| {
            for port in ports.into_iter().flat_map(Json::items) {
                if let Some(number) = port.get("hostPort").or_else(|| port.get("containerPort")) {
                    push_any(number, room);
                }
            }
        },
    );
    list(room)
}

/// A member of every container, or of the pod where the container lacks it, or 0.
fn effective<'s>(
    record: &Record<'_>,
    field: &FieldRef,
    containers: &str,
    member: &str,
    room: &'s mut Values,
) -> Extracted<'s> {
    room.clear();
    let pod = record.json.path(&["requestObject", "spec", member]);
    walk(
        record.json,
        index(field),
        &["requestObject", "spec", containers, member],
        &mut |value| match value.or(pod) {
            Some(value) => push_any(value, room),
            None => room.push(Value::Text(b"0")),
        },
    );
    list(room)
}
