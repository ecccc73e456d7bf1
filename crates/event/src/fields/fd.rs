//! Fields of class `fd`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "fd",
    sources: &["syscall"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "fd.num", ty: T::I64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Number of the descriptor" },
    FieldInfo { name: "fd.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Kind of the descriptor, such as file, directory, ipv4, ipv6, unix or pipe" },
    FieldInfo { name: "fd.typechar", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Kind of the descriptor in one letter, such as f, d, 4, 6, u or p" },
    FieldInfo { name: "fd.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Full path of a file, or addresses and ports of a connection" },
    FieldInfo { name: "fd.directory", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Directory part of a file's path" },
    FieldInfo { name: "fd.filename", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Last part of a file's path" },
    FieldInfo { name: "fd.ip", ty: T::IpAddr, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "Either address of a connection, in conditions" },
    FieldInfo { name: "fd.cip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Address of the client" },
    FieldInfo { name: "fd.sip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Address of the server" },
    FieldInfo { name: "fd.lip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Local address" },
    FieldInfo { name: "fd.rip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Remote address" },
    FieldInfo { name: "fd.port", ty: T::Port, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "Either port of a connection, in conditions" },
    FieldInfo { name: "fd.cport", ty: T::Port, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Port of the client" },
    FieldInfo { name: "fd.sport", ty: T::Port, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Port of the server" },
    FieldInfo { name: "fd.lport", ty: T::Port, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Local port" },
    FieldInfo { name: "fd.rport", ty: T::Port, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Remote port" },
    FieldInfo { name: "fd.l4proto", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Transport protocol, such as tcp, udp or icmp" },
    FieldInfo { name: "fd.sockfamily", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "ip for network sockets, unix for local ones" },
    FieldInfo { name: "fd.is_server", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "True when the process is the server of the connection" },
    FieldInfo { name: "fd.uid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Descriptor and thread in one name that is unique while both exist" },
    FieldInfo { name: "fd.containername", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Container id and name of the descriptor" },
    FieldInfo { name: "fd.containerdirectory", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Container id and directory of the descriptor" },
    FieldInfo { name: "fd.proto", ty: T::Port, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "Service name of either port, in conditions" },
    FieldInfo { name: "fd.cproto", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Service name of the client's port" },
    FieldInfo { name: "fd.sproto", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Service name of the server's port" },
    FieldInfo { name: "fd.lproto", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Service name of the local port" },
    FieldInfo { name: "fd.rproto", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Service name of the remote port" },
    FieldInfo { name: "fd.net", ty: T::IpNet, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "Either address, compared with networks" },
    FieldInfo { name: "fd.cnet", ty: T::IpNet, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "Address of the client, compared with networks" },
    FieldInfo { name: "fd.snet", ty: T::IpNet, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "Address of the server, compared with networks" },
    FieldInfo { name: "fd.lnet", ty: T::IpNet, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "Local address, compared with networks" },
    FieldInfo { name: "fd.rnet", ty: T::IpNet, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "Remote address, compared with networks" },
    FieldInfo { name: "fd.connected", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "True when a network socket is connected" },
    FieldInfo { name: "fd.name_changed", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "True when the event gave the descriptor another name, as sending to other addresses does" },
    FieldInfo { name: "fd.cip.name", ty: T::CharBuf, arg: A::None, flags: G::NO_RHS.or(G::NO_TRANSFORMER), scope: S::Event, desc: "Domain name of the client's address; in conditions names are resolved to compare" },
    FieldInfo { name: "fd.sip.name", ty: T::CharBuf, arg: A::None, flags: G::NO_RHS.or(G::NO_TRANSFORMER), scope: S::Event, desc: "Domain name of the server's address; in conditions names are resolved to compare" },
    FieldInfo { name: "fd.lip.name", ty: T::CharBuf, arg: A::None, flags: G::NO_RHS.or(G::NO_TRANSFORMER), scope: S::Event, desc: "Domain name of the local address; in conditions names are resolved to compare" },
    FieldInfo { name: "fd.rip.name", ty: T::CharBuf, arg: A::None, flags: G::NO_RHS.or(G::NO_TRANSFORMER), scope: S::Event, desc: "Domain name of the remote address; in conditions names are resolved to compare" },
    FieldInfo { name: "fd.dev", ty: T::I32, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Number of the device that holds the file" },
    FieldInfo { name: "fd.dev.major", ty: T::I32, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Major number of the device that holds the file" },
    FieldInfo { name: "fd.dev.minor", ty: T::I32, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Minor number of the device that holds the file" },
    FieldInfo { name: "fd.ino", ty: T::I64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Inode number of the file" },
    FieldInfo { name: "fd.nameraw", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Path as the program gave it, not made absolute" },
    FieldInfo { name: "fd.types", ty: T::CharBuf, arg: A::Allowed, flags: G::NO_RHS.or(G::LIST), scope: S::Event, desc: "Kinds of all descriptors that the event concerns" },
    FieldInfo { name: "fd.is_upper_layer", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "True for a file in the writable layer of an overlay" },
    FieldInfo { name: "fd.is_lower_layer", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "True for a file in a lower layer of an overlay" },
];
