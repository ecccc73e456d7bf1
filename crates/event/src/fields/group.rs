//! Fields of class `group`.

use crate::field::ArgKind as A;
use crate::field::FieldFlags as G;
use crate::field::Scope as S;
use crate::field::{FieldClass, FieldInfo};
use crate::types::ParamType as T;

pub(super) static CLASS: FieldClass = FieldClass {
    name: "group",
    sources: &["syscall"],
    fields: FIELDS,
};

#[rustfmt::skip]
static FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "group.gid", ty: T::U32, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Group id of the process" },
    FieldInfo { name: "group.name", ty: T::CharBuf, arg: A::None, flags: G::NONE, scope: S::Process, desc: "Name of the group" },
];
