//! From capture items to start-up data, and from field values to the JSON that Falco writes.

use serde_json::{Value as Json, json};
use vedette_event::boot as b;
use vedette_event::{Extract, Extracted, FieldFlags, FieldRef, Value, Values};
use vedette_scap::{FdDetail, InterfaceAddress, Item};
use vedette_state::Boot;

/// The start-up data that a capture item is; `None` for events and sections.
pub(crate) fn boot<'a>(item: &Item<'a>) -> Option<Boot<'a>> {
    Some(match *item {
        Item::Machine(m) => Boot::Machine(b::MachineInfo {
            cpus: m.cpus,
            memory: m.memory,
            max_pid: m.max_pid,
            hostname: m.hostname,
            boot_ts: m.boot_ts,
            flags: m.flags,
        }),
        Item::Interface(i) => Boot::Interface(b::Interface {
            name: i.name,
            linkspeed: i.linkspeed,
            address: match i.address {
                InterfaceAddress::V4 {
                    address,
                    netmask,
                    broadcast,
                } => b::InterfaceAddress::V4 {
                    address,
                    netmask,
                    broadcast,
                },
                InterfaceAddress::V6 {
                    address,
                    netmask,
                    broadcast,
                } => b::InterfaceAddress::V6 {
                    address,
                    netmask,
                    broadcast,
                },
            },
        }),
        Item::User(u) => Boot::User(b::User {
            uid: u.uid,
            gid: u.gid,
            name: u.name,
            home: u.home,
            shell: u.shell,
        }),
        Item::Group(g) => Boot::Group(b::Group {
            gid: g.gid,
            name: g.name,
        }),
        Item::Process(p) => Boot::Process(b::ProcessEntry {
            tid: p.tid,
            pid: p.pid,
            ptid: p.ptid,
            sid: p.sid,
            vpgid: p.vpgid,
            comm: p.comm,
            exe: p.exe,
            exepath: p.exepath,
            args: p.args,
            cwd: p.cwd,
            fdlimit: p.fdlimit,
            flags: p.flags,
            uid: p.uid,
            gid: p.gid,
            vmsize_kb: p.vmsize_kb,
            vmrss_kb: p.vmrss_kb,
            vmswap_kb: p.vmswap_kb,
            pfmajor: p.pfmajor,
            pfminor: p.pfminor,
            env: p.env,
            vtid: p.vtid,
            vpid: p.vpid,
            cgroups: p.cgroups,
            root: p.root,
            pidns_init_start_ts: p.pidns_init_start_ts,
            tty: p.tty,
            loginuid: p.loginuid,
            exe_writable: p.exe_writable,
            cap_inheritable: p.cap_inheritable,
            cap_permitted: p.cap_permitted,
            cap_effective: p.cap_effective,
            exe_upper_layer: p.exe_upper_layer,
            exe_ino: p.exe_ino,
            exe_ino_ctime: p.exe_ino_ctime,
            exe_ino_mtime: p.exe_ino_mtime,
            exe_from_memfd: p.exe_from_memfd,
            exe_lower_layer: p.exe_lower_layer,
            pgid: p.pgid,
            clone_ts: 0,
        }),
        Item::Fd { tid, entry } => Boot::Fd {
            tid,
            entry: b::FdEntry {
                fd: entry.fd,
                ino: entry.ino,
                kind: entry.kind,
                detail: match entry.detail {
                    FdDetail::Name(name) => b::FdDetail::Name(name),
                    FdDetail::File { flags, name, dev } => b::FdDetail::File { flags, name, dev },
                    FdDetail::Ipv4 {
                        sip,
                        dip,
                        sport,
                        dport,
                        l4proto,
                    } => b::FdDetail::Ipv4 {
                        sip,
                        dip,
                        sport,
                        dport,
                        l4proto,
                    },
                    FdDetail::Ipv6 {
                        sip,
                        dip,
                        sport,
                        dport,
                        l4proto,
                    } => b::FdDetail::Ipv6 {
                        sip,
                        dip,
                        sport,
                        dport,
                        l4proto,
                    },
                    FdDetail::Ipv4Server { ip, port, l4proto } => {
                        b::FdDetail::Ipv4Server { ip, port, l4proto }
                    }
                    FdDetail::Ipv6Server { ip, port, l4proto } => {
                        b::FdDetail::Ipv6Server { ip, port, l4proto }
                    }
                    FdDetail::Unix {
                        source,
                        destination,
                        name,
                    } => b::FdDetail::Unix {
                        source,
                        destination,
                        name,
                    },
                    FdDetail::Other => b::FdDetail::Other,
                },
            },
        },
        Item::Section(_) | Item::Event(_) | Item::State(_) => return None,
    })
}

/// The JSON value that an alert has for `field`.
pub(crate) fn render(view: &impl Extract, field: &FieldRef, room: &mut Values) -> Json {
    match field.info().name {
        // An alert has the raw time here.
        "evt.time" => return json!(view.ts()),
        "fd.dev" => {
            return match view.extract(field, room) {
                Extracted::One(Value::I64(dev)) => json!(format!("{:X}", dev as u32)),
                _ => Json::Null,
            };
        }
        _ => {}
    }
    if field.info().flags.has(FieldFlags::FILTER_ONLY) {
        return Json::Null;
    }
    // Container fields come from a plugin, whose text Falco writes as it is.
    let plain = field.info().name.starts_with("container.");
    match view.extract(field, room) {
        Extracted::Missing => Json::Null,
        Extracted::One(value) => one(value, plain),
        Extracted::Many(values) => values.iter().map(|value| one(value, plain)).collect(),
    }
}

fn one(value: Value<'_>, plain: bool) -> Json {
    match value {
        Value::U64(v) => json!(v),
        Value::I64(v) => json!(v),
        Value::Bool(v) => json!(v),
        Value::F64(v) => json!(v),
        Value::Ip(v) => json!(v.to_string()),
        Value::Text(v) | Value::Bytes(v) if plain => json!(String::from_utf8_lossy(v)),
        Value::Text(v) | Value::Bytes(v) => {
            json!(String::from_utf8_lossy(v).replace(char::is_control, "\u{fffd}"))
        }
    }
}
