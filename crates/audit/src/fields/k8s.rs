//! `ka.*`: records of the Kubernetes API server.
//!
//! Values are those of Falco's k8saudit plugin, its oddities included: `ka.sourceips` looks where no addresses are and
//! never has a value, `eff_run_as_user` looks beside `securityContext`, a JSON patch (an array as `requestObject`) has no
//! object fields. Where the plugin gives an error, which ends Falco, the field has no value.

use vedette_event::{Extracted, FieldRef, Values};

use super::{Row, any, any_of, call, index, key, list, push_any, word};
use crate::json::{Json, Text};
use crate::record::Record;

pub(super) static ROWS: &[Row] = &[
    any("ka.auditid", &["auditID"]),
    any("ka.stage", &["stage"]),
    any(
        "ka.auth.decision",
        &["annotations", "authorization.k8s.io/decision"],
    ),
    any(
        "ka.auth.reason",
        &["annotations", "authorization.k8s.io/reason"],
    ),
    any(
        "ka.auth.openshift.decision",
        &["annotations", "authentication.openshift.io/decision"],
    ),
    any(
        "ka.auth.openshift.username",
        &["annotations", "authentication.openshift.io/username"],
    ),
    any(
        "ka.validations.admission.policy.failure",
        &[
            "annotations",
            "validation.policy.admission.k8s.io/validation_failure",
        ],
    ),
    any(
        "ka.security.pod.violations",
        &["annotations", "pod-security.kubernetes.io/audit-violations"],
    ),
    any("ka.user.name", &["user", "username"]),
    call("ka.user.groups", |r, _, room| {
        whole_list(r, &["user", "groups"], room)
    }),
    any("ka.impuser.name", &["impersonatedUser", "username"]),
    any("ka.verb", &["verb"]),
    any("ka.uri", &["requestURI"]),
    call("ka.uri.param", uri_param),
    any("ka.target.name", &["objectRef", "name"]),
    any("ka.target.namespace", &["objectRef", "namespace"]),
    any("ka.target.resource", &["objectRef", "resource"]),
    any("ka.target.subresource", &["objectRef", "subresource"]),
    call("ka.target.pod.name", target_pod_name),
    call("ka.req.binding.subjects", |r, _, room| {
        whole_list(r, &["requestObject", "subjects"], room)
    }),
    call("ka.req.binding.subjects.user_names", |r, _, room| {
        subjects(r, "User", false, room)
    }),
    call(
        "ka.req.binding.subjects.serviceaccount_names",
        |r, _, room| subjects(r, "ServiceAccount", false, room),
    ),
    call(
        "ka.req.binding.subjects.serviceaccount_ns_names",
        |r, _, room| subjects(r, "ServiceAccount", true, room),
    ),
    call("ka.req.binding.subjects.group_names", |r, _, room| {
        subjects(r, "Group", false, room)
    }),
    any("ka.req.binding.role", &["requestObject", "roleRef", "name"]),
    // The plugin answers `true` whatever is asked.
    call("ka.req.binding.subject.has_name", |_, _, _| word(true)),
    any("ka.req.configmap.name", &["objectRef", "name"]),
    any("ka.req.configmap.obj", &["requestObject", "data"]),
    call("ka.req.container.image", |r, _, room| {
        first_image(r, false, room)
    }),
    call("ka.req.container.image.repository", |r, _, room| {
        first_image(r, true, room)
    }),
    any("ka.req.pod.host_ipc", &["requestObject", "spec", "hostIPC"]),
    any(
        "ka.req.pod.host_network",
        &["requestObject", "spec", "hostNetwork"],
    ),
    any(
        "ka.req.container.host_network",
        &["requestObject", "spec", "hostNetwork"],
    ),
    any("ka.req.pod.host_pid", &["requestObject", "spec", "hostPID"]),
    call("ka.req.container.privileged", any_privileged),
    any(
        "ka.req.pod.run_as_user",
        &["requestObject", "spec", "securityContext", "runAsUser"],
    ),
    any(
        "ka.req.pod.run_as_group",
        &["requestObject", "spec", "securityContext", "runAsGroup"],
    ),
    call("ka.req.role.rules", |r, _, room| {
        whole_list(r, &["requestObject", "rules"], room)
    }),
    call("ka.req.role.rules.apiGroups", |r, f, room| {
        rules(r, f, "apiGroups", room)
    }),
    call("ka.req.role.rules.nonResourceURLs", |r, f, room| {
        rules(r, f, "nonResourceURLs", room)
    }),
    call("ka.req.role.rules.verbs", |r, f, room| {
        rules(r, f, "verbs", room)
    }),
    call("ka.req.role.rules.resources", |r, f, room| {
        rules(r, f, "resources", room)
    }),
    any(
        "ka.req.pod.fs_group",
        &["requestObject", "spec", "securityContext", "fsGroup"],
    ),
    call("ka.req.pod.supplemental_groups", |r, _, room| {
        whole_list(
            r,
            &[
                "requestObject",
                "spec",
                "securityContext",
                "supplementalGroups",
            ],
            room,
        )
    }),
    any("ka.req.service.type", &["requestObject", "spec", "type"]),
    call("ka.req.service.ports", |r, f, room| {
        spread(r, index(f), &["requestObject", "spec", "ports"], room)
    }),
    call("ka.req.pod.volumes.hostpath", |r, f, room| {
        spread(
            r,
            index(f),
            &["requestObject", "spec", "volumes", "hostPath", "path"],
            room,
        )
    }),
    call("ka.req.volume.hostpath", volume_hostpath),
    call("ka.req.pod.volumes.flexvolume_driver", |r, f, room| {
        spread(
            r,
            index(f),
            &["requestObject", "spec", "volumes", "flexVolume", "driver"],
            room,
        )
    }),
    call("ka.req.pod.volumes.volume_type", volume_types),
    any("ka.resp.name", &["responseObject", "metadata", "name"]),
    any("ka.response.code", &["responseStatus", "code"]),
    any("ka.response.reason", &["responseStatus", "reason"]),
    any("ka.useragent", &["userAgent"]),
    call("ka.sourceips", |r, f, room| rules(r, f, "sourceIPs", room)),
    any("ka.cluster.name", &["annotations", "cluster_name"]),
];

/// Visits every value that `keys` lead to, going through all elements of arrays on the way, or through element `index`
/// of each; `None` stands for an element in which the rest of the way is missing. False when the way is missing
/// altogether.
pub(super) fn walk<'a>(
    json: Json<'a>,
    index: Option<usize>,
    keys: &[&str],
    visit: &mut dyn FnMut(Option<Json<'a>>),
) -> bool {
    let mut json = json;
    for (at, key) in keys.iter().enumerate() {
        if json.is_array() {
            let Some(index) = index else {
                for item in json.items() {
                    if !walk(item, None, &keys[at..], visit) {
                        visit(None);
                    }
                }
                return true;
            };
            match json.items().nth(index) {
                Some(item) => json = item,
                None => return false,
            }
        }
        if key.is_empty() {
            continue;
        }
        match json.get(key) {
            Some(value) => json = value,
            None => return false,
        }
    }
    visit(Some(json));
    true
}

/// Every value along `keys`, missing ones left out.
pub(super) fn spread<'s>(
    record: &Record<'_>,
    index: Option<usize>,
    keys: &[&str],
    room: &'s mut Values,
) -> Extracted<'s> {
    room.clear();
    walk(record.json, index, keys, &mut |value| {
        if let Some(value) = value {
            push_any(value, room);
        }
    });
    list(room)
}

/// The elements of the array along `keys`.
fn whole_list<'s>(record: &Record<'_>, keys: &[&str], room: &'s mut Values) -> Extracted<'s> {
    room.clear();
    if let Some(items) = record.json.path(keys) {
        for item in items.items() {
            push_any(item, room);
        }
    }
    list(room)
}

/// The strings in member `member` of every rule of a role.
fn rules<'s>(
    record: &Record<'_>,
    field: &FieldRef,
    member: &str,
    room: &'s mut Values,
) -> Extracted<'s> {
    room.clear();
    walk(
        record.json,
        index(field),
        &["requestObject", "rules", member],
        &mut |value| {
            for item in value.into_iter().flat_map(Json::items) {
                push_any(item, room);
            }
        },
    );
    list(room)
}

/// Names of the subjects of one kind, with their namespaces before them if wanted.
fn subjects<'s>(
    record: &Record<'_>,
    kind: &str,
    with_namespace: bool,
    room: &'s mut Values,
) -> Extracted<'s> {
    room.clear();
    if let Some(subjects) = record.json.path(&["requestObject", "subjects"]) {
        for subject in subjects.items() {
            if !subject.get("kind").is_some_and(|k| k.is_text(kind)) {
                continue;
            }
            let Some(name) = subject.get("name") else {
                continue;
            };
            if !with_namespace {
                push_any(name, room);
                continue;
            }
            let namespace = subject.get("namespace").and_then(Json::text);
            if let (Some(namespace), Some(name)) = (namespace, name.text()) {
                room.push_written(|out| {
                    namespace.write(out);
                    out.push(b':');
                    name.write(out);
                });
            }
        }
    }
    list(room)
}

/// The image up to its first colon, then up to its first at sign: a registry with a port loses everything behind the
/// host, as upstream.
pub(super) fn write_repository(image: Json<'_>, out: &mut Vec<u8>) {
    let from = out.len();
    match image.text() {
        Some(text) => text.write(out),
        None => out.extend_from_slice(image.raw()),
    }
    let name = &out[from..];
    let len = memchr::memchr(b':', name).unwrap_or(name.len());
    let len = memchr::memchr(b'@', &name[..len]).unwrap_or(len);
    out.truncate(from + len);
}

/// Image of the first container.
fn first_image<'s>(
    record: &'s Record<'_>,
    repository: bool,
    room: &'s mut Values,
) -> Extracted<'s> {
    let containers = record.json.path(&["requestObject", "spec", "containers"]);
    let first = containers.and_then(|list| {
        if list.is_array() {
            list.items().next()
        } else {
            Some(list)
        }
    });
    let image = first.and_then(|container| container.get("image"));
    match image {
        None => Extracted::Missing,
        Some(image) if repository => {
            Extracted::One(room.write_text(|out| write_repository(image, out)))
        }
        Some(image) => any_of(image, room),
    }
}

fn any_privileged<'s>(record: &'s Record<'_>, _: &FieldRef, _: &'s mut Values) -> Extracted<'s> {
    let mut privileged = false;
    let keys = [
        "requestObject",
        "spec",
        "containers",
        "securityContext",
        "privileged",
    ];
    if walk(record.json, None, &keys, &mut |value| {
        privileged |= value.and_then(Json::as_bool) == Some(true);
    }) {
        word(privileged)
    } else {
        Extracted::Missing
    }
}

fn target_pod_name<'s>(
    record: &'s Record<'_>,
    _: &FieldRef,
    room: &'s mut Values,
) -> Extracted<'s> {
    let target = |key: &str| record.json.text_at(&["objectRef", key]);
    let is_pod = target("resource").is_some_and(|resource| resource.is(b"pods"));
    if is_pod && target("subresource").is_none_or(Text::is_empty) {
        match record.json.path(&["responseObject", "metadata", "name"]) {
            Some(name) => any_of(name, room),
            None => Extracted::Missing,
        }
    } else {
        Extracted::Missing
    }
}

/// `true` when a volume mounts the path in brackets, or one that begins with it when it ends in `*`.
fn volume_hostpath<'s>(
    record: &'s Record<'_>,
    field: &FieldRef,
    _: &'s mut Values,
) -> Extracted<'s> {
    let wanted = key(field);
    let mut found = false;
    let keys = ["requestObject", "spec", "volumes", "hostPath", "path"];
    let known = walk(record.json, None, &keys, &mut |path| {
        let Some(path) = path.and_then(Json::text) else {
            return;
        };
        found |= match wanted.strip_suffix('*') {
            Some(prefix) => path
                .plain()
                .is_some_and(|path| path.starts_with(prefix.as_bytes())),
            None => path.is(wanted.as_bytes()),
        };
    });
    if known {
        word(found)
    } else {
        Extracted::Missing
    }
}

/// The member of each volume that says what kind it is: every one but `name`.
fn volume_types<'s>(
    record: &'s Record<'_>,
    field: &FieldRef,
    room: &'s mut Values,
) -> Extracted<'s> {
    room.clear();
    walk(
        record.json,
        index(field),
        &["requestObject", "spec", "volumes", ""],
        &mut |volume| {
            for (member, _) in volume.into_iter().flat_map(Json::members) {
                if !member.is(b"name") {
                    room.push_written(|out| member.write(out));
                }
            }
        },
    );
    list(room)
}

/// The first value of a query parameter of the request, decoded; nothing when the query is malformed.
fn uri_param<'s>(record: &'s Record<'_>, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    let wanted = key(field).as_bytes();
    let Some(uri) = record.json.get("requestURI").and_then(Json::text) else {
        return Extracted::Missing;
    };
    // An API server writes its URIs percent-encoded; `\u0026` for `&` is the only escape that occurs.
    let unescaped;
    let uri = if let Some(uri) = uri.plain() {
        uri
    } else {
        let mut out = Vec::new();
        uri.write(&mut out);
        unescaped = out;
        &unescaped
    };
    let uri = &uri[..memchr::memchr(b'#', uri).unwrap_or(uri.len())];
    let Some(query) = memchr::memchr(b'?', uri).map(|at| &uri[at + 1..]) else {
        return Extracted::Missing;
    };
    let mut found = None;
    for pair in query.split(|b| *b == b'&') {
        let (name, value) = match memchr::memchr(b'=', pair) {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &b""[..]),
        };
        let well_formed =
            !pair.contains(&b';') && decode(name, &mut |_| true) && decode(value, &mut |_| true);
        if !well_formed {
            return Extracted::Missing;
        }
        let mut rest = wanted;
        let same = decode(name, &mut |byte| match rest.split_first() {
            Some((first, tail)) if *first == byte => {
                rest = tail;
                true
            }
            _ => false,
        }) && rest.is_empty();
        if same && found.is_none() && !pair.is_empty() {
            found = Some(value);
        }
    }
    match found {
        None => Extracted::Missing,
        Some(value) => Extracted::One(room.write_text(|out| {
            decode(value, &mut |byte| {
                out.push(byte);
                true
            });
        })),
    }
}

/// Hands out the bytes of a query component, `+` and `%XX` decoded, while `take` says so; true when it came to the end
/// and every escape was one.
fn decode(component: &[u8], take: &mut dyn FnMut(u8) -> bool) -> bool {
    let mut at = 0;
    while let Some(&byte) = component.get(at) {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let hex = component.get(at + 1..at + 3).map(|pair| {
                    pair.iter().try_fold(0, |sum, digit| {
                        Some(sum * 16 + char::from(*digit).to_digit(16)? as u8)
                    })
                });
                let Some(Some(byte)) = hex else {
                    return false;
                };
                at += 2;
                byte
            }
            byte => byte,
        };
        if !take(byte) {
            return false;
        }
        at += 1;
    }
    true
}
