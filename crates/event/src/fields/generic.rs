//! Fields of class `evt`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "evt",
    sources: &[],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "evt.num", ty: T::U64, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.time", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.time.s", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.time.iso8601", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.datetime", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.datetime.s", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.rawtime", ty: T::AbsTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.rawtime.s", ty: T::AbsTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.rawtime.ns", ty: T::AbsTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.reltime", ty: T::RelTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.reltime.s", ty: T::RelTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.reltime.ns", ty: T::RelTime, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.pluginname", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.plugininfo", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.source", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.is_async", ty: T::Bool, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.asynctype", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "evt.hostname", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
];
