//! Fields of class `krsi`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "krsi",
    sources: &["syscall"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "krsi.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.fd", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.file_index", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.flags", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.mode", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.dev", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.ino", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.domain", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.type", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.protocol", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.iou_ret", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.res", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.target", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.linkdirfd", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.linkpath", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.olddirfd", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.newdirfd", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.dirfd", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.path", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.oldpath", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.newpath", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.cip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.sip", ty: T::IpAddr, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.cport", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "krsi.sport", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
];
