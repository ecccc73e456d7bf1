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
    FieldInfo { name: "fdlist.nums", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fdlist.names", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fdlist.cips", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fdlist.sips", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fdlist.cports", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
    FieldInfo { name: "fdlist.sports", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Event, desc: "" },
];
