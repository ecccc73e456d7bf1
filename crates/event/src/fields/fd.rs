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
    FieldInfo { name: "fd.num", ty: T::I64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.type", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.typechar", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.directory", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.filename", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.ip", ty: T::IpAddr, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.cip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.sip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.lip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.rip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.port", ty: T::Port, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.cport", ty: T::Port, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.sport", ty: T::Port, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.lport", ty: T::Port, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.rport", ty: T::Port, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.l4proto", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.sockfamily", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.is_server", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.uid", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.containername", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.containerdirectory", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.proto", ty: T::Port, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.cproto", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.sproto", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.lproto", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.rproto", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.net", ty: T::IpNet, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.cnet", ty: T::IpNet, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.snet", ty: T::IpNet, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.lnet", ty: T::IpNet, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.rnet", ty: T::IpNet, arg: A::None, flags: G::FILTER_ONLY.or(G::NO_RHS).or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.connected", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.name_changed", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.cip.name", ty: T::CharBuf, arg: A::None, flags: G::NO_RHS.or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.sip.name", ty: T::CharBuf, arg: A::None, flags: G::NO_RHS.or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.lip.name", ty: T::CharBuf, arg: A::None, flags: G::NO_RHS.or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.rip.name", ty: T::CharBuf, arg: A::None, flags: G::NO_RHS.or(G::NO_TRANSFORMER), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.dev", ty: T::I32, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.dev.major", ty: T::I32, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.dev.minor", ty: T::I32, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.ino", ty: T::I64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.nameraw", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.types", ty: T::CharBuf, arg: A::Allowed, flags: G::NO_RHS.or(G::LIST), scope: S::Event, desc: "" },
    FieldInfo { name: "fd.is_upper_layer", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fd.is_lower_layer", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
];
