//! Bytes of list entries, in the newest form: the other direction of [`crate::lists`].

use crate::item::{
    FdDetail, FdEntry, Group, Interface, InterfaceAddress, MachineInfo, ProcessEntry, User,
};
use crate::lists::{GROUP, HOSTNAME, IPV4, IPV6, NAMED, USER};

/// Longest path that Falco's reader takes.
const MAX_PATH: usize = 1024;
/// Longest name of a descriptor or interface that it takes.
const MAX_NAME: usize = MAX_PATH - 1;
/// Longest list of arguments, environment or control groups that it takes.
const MAX_LIST: usize = 4096;
/// Longest text about a user or group that it takes.
const MAX_CREDENTIAL: usize = 255;

fn text(bytes: &[u8], limit: usize, out: &mut Vec<u8>) {
    let bytes = &bytes[..bytes.len().min(limit)];
    out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
    out.extend_from_slice(bytes);
}

macro_rules! put {
    ($out:expr, $($value:expr),+ $(,)?) => { $($out.extend_from_slice(&$value.to_le_bytes());)+ };
}

/// Writes an entry with its length in front. `itself` says whether the length counts its own 4 bytes.
fn sized(out: &mut Vec<u8>, itself: bool, body: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let len = out.len() - begin - if itself { 0 } else { 4 };
    out[begin..begin + 4].copy_from_slice(&(len as u32).to_le_bytes());
}

pub(crate) fn machine(machine: &MachineInfo<'_>, out: &mut Vec<u8>) {
    put!(out, machine.cpus, machine.memory, machine.max_pid);
    // One byte stays for the NUL that readers in C look for.
    let name = &machine.hostname[..machine.hostname.len().min(HOSTNAME - 1)];
    out.extend_from_slice(name);
    out.resize(out.len() + HOSTNAME - name.len(), 0);
    put!(out, machine.boot_ts, machine.flags, 0u64, 0u64);
}

pub(crate) fn process(entry: &ProcessEntry<'_>, out: &mut Vec<u8>) {
    sized(out, true, |out| {
        put!(
            out,
            entry.tid,
            entry.pid,
            entry.ptid,
            entry.sid,
            entry.vpgid
        );
        text(entry.comm, MAX_PATH, out);
        text(entry.exe, MAX_PATH, out);
        text(entry.exepath, MAX_PATH, out);
        text(entry.args, MAX_LIST, out);
        text(entry.cwd, MAX_PATH, out);
        put!(out, entry.fdlimit, entry.flags, entry.uid, entry.gid);
        put!(out, entry.vmsize_kb, entry.vmrss_kb, entry.vmswap_kb);
        put!(out, entry.pfmajor, entry.pfminor);
        text(entry.env, MAX_LIST, out);
        put!(out, entry.vtid, entry.vpid);
        text(entry.cgroups, MAX_LIST, out);
        text(entry.root, MAX_PATH, out);
        put!(out, entry.pidns_init_start_ts, entry.tty, entry.loginuid);
        out.push(u8::from(entry.exe_writable));
        put!(
            out,
            entry.cap_inheritable,
            entry.cap_permitted,
            entry.cap_effective
        );
        out.push(u8::from(entry.exe_upper_layer));
        put!(out, entry.exe_ino, entry.exe_ino_ctime, entry.exe_ino_mtime);
        out.push(u8::from(entry.exe_from_memfd));
        out.push(u8::from(entry.exe_lower_layer));
        put!(out, entry.pgid);
    });
}

/// True when the type of a descriptor is one that has such details.
pub(crate) fn fd_kind_fits(entry: &FdEntry<'_>) -> bool {
    match entry.detail {
        FdDetail::Name(_) => NAMED.contains(&entry.kind),
        FdDetail::File { .. } => entry.kind == 16,
        FdDetail::Ipv4 { .. } => entry.kind == 3,
        FdDetail::Ipv6 { .. } => entry.kind == 4,
        FdDetail::Ipv4Server { .. } => entry.kind == 5,
        FdDetail::Ipv6Server { .. } => entry.kind == 6,
        FdDetail::Unix { .. } => entry.kind == 8,
        FdDetail::Other => !NAMED.contains(&entry.kind) && !matches!(entry.kind, 3..=6 | 8 | 16),
    }
}

pub(crate) fn fd(entry: &FdEntry<'_>, out: &mut Vec<u8>) {
    sized(out, true, |out| {
        put!(out, entry.fd, entry.ino, entry.kind);
        match entry.detail {
            FdDetail::Name(name) => text(name, MAX_NAME, out),
            FdDetail::File { flags, name, dev } => {
                put!(out, flags);
                text(name, MAX_NAME, out);
                put!(out, dev);
            }
            FdDetail::Ipv4 {
                sip,
                dip,
                sport,
                dport,
                l4proto,
            } => {
                out.extend_from_slice(&sip);
                out.extend_from_slice(&dip);
                put!(out, sport, dport, l4proto);
            }
            FdDetail::Ipv6 {
                sip,
                dip,
                sport,
                dport,
                l4proto,
            } => {
                out.extend_from_slice(&sip);
                out.extend_from_slice(&dip);
                put!(out, sport, dport, l4proto);
            }
            FdDetail::Ipv4Server { ip, port, l4proto } => {
                out.extend_from_slice(&ip);
                put!(out, port, l4proto);
            }
            FdDetail::Ipv6Server { ip, port, l4proto } => {
                out.extend_from_slice(&ip);
                put!(out, port, l4proto);
            }
            FdDetail::Unix {
                source,
                destination,
                name,
            } => {
                put!(out, source, destination);
                text(name, MAX_NAME, out);
            }
            FdDetail::Other => {}
        }
    });
}

pub(crate) fn user(user: &User<'_>, out: &mut Vec<u8>) {
    sized(out, true, |out| {
        put!(out, USER, user.uid, user.gid);
        text(user.name, MAX_CREDENTIAL, out);
        text(user.home, MAX_CREDENTIAL, out);
        text(user.shell, MAX_CREDENTIAL, out);
    });
}

pub(crate) fn group(group: &Group<'_>, out: &mut Vec<u8>) {
    sized(out, true, |out| {
        put!(out, GROUP, group.gid);
        text(group.name, MAX_CREDENTIAL, out);
    });
}

pub(crate) fn interface(interface: &Interface<'_>, out: &mut Vec<u8>) {
    let name = &interface.name[..interface.name.len().min(MAX_NAME)];
    sized(out, false, |out| {
        match interface.address {
            InterfaceAddress::V4 {
                address,
                netmask,
                broadcast,
            } => {
                put!(out, IPV4, name.len() as u16);
                for part in [address, netmask, broadcast] {
                    out.extend_from_slice(&part);
                }
            }
            InterfaceAddress::V6 {
                address,
                netmask,
                broadcast,
            } => {
                put!(out, IPV6, name.len() as u16);
                for part in [address, netmask, broadcast] {
                    out.extend_from_slice(&part);
                }
            }
        }
        put!(out, interface.linkspeed);
        out.extend_from_slice(name);
    });
}
