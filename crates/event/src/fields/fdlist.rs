//! Fields of class `fdlist`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "fdlist",
    sources: &["syscall"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "fdlist.nums", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Numbers of the descriptors that are polled, joined by commas" },
    FieldInfo { name: "fdlist.names", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Names of the descriptors that are polled, joined by commas" },
    FieldInfo { name: "fdlist.cips", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Client addresses of the descriptors that are polled, joined by commas" },
    FieldInfo { name: "fdlist.sips", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Server addresses of the descriptors that are polled, joined by commas" },
    FieldInfo { name: "fdlist.cports", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Client ports of the descriptors that are polled, joined by commas" },
    FieldInfo { name: "fdlist.sports", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "Server ports of the descriptors that are polled, joined by commas" },
];
